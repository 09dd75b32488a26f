"""Git at the stand-in for GitHub: who clones and pushes, and that the API and git agree."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from real_git import commit_files, git
from stand_in_github import GitHub


@pytest.fixture
def registry(github: GitHub) -> GitHub:
    """Return a GitHub whose repository has one commit on main."""
    github.commit({"README.md": "# A registry\n", "experiments/a.yaml": "a: 1\n"})
    return github


def address(github: GitHub, token: str) -> str:
    return github.clone_url.replace("://", f"://x-access-token:{token}@")


def refused(folder: Path, *arguments: str) -> str:
    """Run git, which fails; return what it says."""
    done = subprocess.run(
        ["git", *arguments],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "GIT_TERMINAL_PROMPT": "0", "HOME": str(folder)},
        check=False,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode != 0, done.stdout
    return done.stderr


def test_a_clone_pushes_with_a_token_that_writes(registry: GitHub, tmp_path: Path) -> None:
    token = registry.workflow_token("apply", contents="write")
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", address(registry, token), str(clone))
    pushed = commit_files(clone, {"b.yaml": "b: 1\n"})
    git(clone, "push", "--quiet", "origin", "HEAD:main", "HEAD:refs/heads/runs")
    assert registry.tip() == registry.tip("runs") == pushed
    [request] = [request for request in registry.git_log if request.method == "POST"][-1:]
    assert (request.path, request.token) == ("/octo/registry.git/git-receive-pack", "apply")


def test_a_push_needs_write_access(registry: GitHub, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", registry.clone_url, str(clone))  # public: no token needed
    commit_files(clone, {"b.yaml": "b: 1\n"})
    before = registry.tip()
    registry.repository.collaborators["mona"] = "read"
    for token in (registry.fork_token(), registry.personal_token("mona")):
        said = refused(clone, "push", address(registry, token), "HEAD:main")
        assert "error: 403" in said, said
    said = refused(clone, "push", "origin", "HEAD:main")
    assert "could not read Username" in said, said
    said = refused(clone, "push", address(registry, "ghs_wrong"), "HEAD:main")
    assert "Authentication failed" in said, said
    assert registry.tip() == before


def test_a_private_repository_is_not_there_for_strangers(registry: GitHub, tmp_path: Path) -> None:
    registry.repository.private = True
    stranger = registry.personal_token("stranger")
    assert "not found" in refused(tmp_path, "clone", address(registry, stranger), "clone")
    assert "could not read Username" in refused(tmp_path, "clone", registry.clone_url, "clone")
    reader = registry.workflow_token(contents="read")
    git(tmp_path, "clone", "--quiet", address(registry, reader), "clone")


def test_a_partial_clone_fetches_files_when_they_are_read(registry: GitHub, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    partial = ("--filter=blob:none", "--no-checkout")
    git(tmp_path, "clone", "--quiet", *partial, registry.clone_url, str(clone))
    missing = git(clone, "rev-list", "--objects", "--missing=print", "HEAD")
    assert missing.count("?") == 2
    assert git(clone, "show", "HEAD:experiments/a.yaml") == "a: 1"


def test_a_pull_request_is_fetched_by_its_refs(registry: GitHub, tmp_path: Path) -> None:
    pull = registry.open_pull_request(
        "topic", files={"experiments/b.yaml": "b: 1\n"}, author="mona", from_fork=True
    )
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", registry.clone_url, str(clone))
    git(clone, "fetch", "--quiet", "origin", "refs/pull/1/head", "refs/pull/1/merge:merge")
    assert git(clone, "rev-parse", "FETCH_HEAD") == pull.head
    assert git(clone, "rev-parse", "merge^1", "merge^2").split() == [registry.tip(), pull.head]
    assert git(clone, "log", "-1", "--format=%an", pull.head) == "mona"
    # Any commit may be asked for by its id, and nobody writes what GitHub alone writes.
    git(clone, "fetch", "--quiet", "--depth=1", "origin", pull.head)
    push = address(registry, registry.workflow_token(contents="write"))
    assert "hidden ref" in refused(clone, "push", push, "HEAD:refs/pull/1/head")


@pytest.mark.parametrize("method", ["merge", "squash"])
def test_merging_brings_the_change_to_the_base(registry: GitHub, method: str) -> None:
    pull = registry.open_pull_request("topic", files={"experiments/b.yaml": "b: 1\n"})
    registry.push_to(pull, {"experiments/b.yaml": "b: 2\n", "experiments/a.yaml": None})
    registry.commit({"c.yaml": "c: 1\n"})  # the base moves on
    before = registry.tip()
    merged = registry.merge(pull, method)  # type: ignore[arg-type]
    folder = registry.repository.folder
    assert registry.tip() == merged
    assert git(folder, "show", f"{merged}:experiments/b.yaml") == "b: 2"
    listed = git(folder, "ls-tree", "-r", "--name-only", merged).split()
    assert listed == ["README.md", "c.yaml", "experiments/b.yaml"]
    parents = git(folder, "log", "-1", "--format=%P", merged).split()
    assert parents == ([before, pull.head] if method == "merge" else [before])
    assert pull.merged
    assert merged in pull.brought
    assert (pull.head in pull.brought) == (method == "merge")


def test_a_pushed_merge_closes_the_request(registry: GitHub, tmp_path: Path) -> None:
    pull = registry.open_pull_request("topic", files={"experiments/b.yaml": "b: 1\n"})
    other = registry.open_pull_request("other", files={"experiments/c.yaml": "c: 1\n"})
    clone, token = tmp_path / "clone", registry.personal_token("octo")
    git(tmp_path, "clone", "--quiet", address(registry, token), str(clone))
    git(clone, "merge", "--quiet", "--no-ff", "-m", "by hand", "origin/topic")
    git(clone, "push", "--quiet", "origin", "HEAD:main")
    assert (pull.state, pull.merged, other.state) == ("closed", True, "open")
    assert other.base_sha == registry.tip()


def test_a_forced_push_moves_a_request_and_a_deleted_branch_closes_it(
    registry: GitHub, tmp_path: Path
) -> None:
    pull = registry.open_pull_request("topic", files={"experiments/b.yaml": "b: 1\n"})
    clone, token = tmp_path / "clone", registry.personal_token("octo")
    git(tmp_path, "clone", "--quiet", address(registry, token), str(clone))
    forced = commit_files(clone, {"experiments/b.yaml": "b: 2\n"})
    git(clone, "push", "--quiet", "--force", "origin", "HEAD:topic")
    assert (pull.head, pull.state) == (forced, "open")
    git(clone, "push", "--quiet", "origin", ":topic")
    assert (pull.head, pull.state, pull.merged) == (forced, "closed", False)


def test_two_changes_of_one_line_conflict(registry: GitHub) -> None:
    pull = registry.open_pull_request("topic", files={"experiments/a.yaml": "a: 2\n"})
    assert pull.test_merge
    registry.commit({"experiments/a.yaml": "a: 3\n"})
    assert pull.test_merge is None
    with pytest.raises(AssertionError, match="conflicts"):
        registry.merge(pull)


def test_a_fault_reaches_git_too(registry: GitHub, tmp_path: Path) -> None:
    registry.arm("bad_gateway", path=".*/info/refs")
    assert "502" in refused(tmp_path, "clone", registry.clone_url, "clone")
    registry.arm("reset", path=".*/info/refs")
    assert "unable to access" in refused(tmp_path, "clone", registry.clone_url, "clone")
    git(tmp_path, "clone", "--quiet", registry.clone_url, "clone")


def test_a_push_whose_answer_is_lost_has_happened(registry: GitHub, tmp_path: Path) -> None:
    clone, token = tmp_path / "clone", registry.personal_token("octo")
    git(tmp_path, "clone", "--quiet", address(registry, token), str(clone))
    pushed = commit_files(clone, {"b.yaml": "b: 1\n"})
    registry.arm("lost", method="POST", path=".*/git-receive-pack")
    refused(clone, "push", "origin", "HEAD:main")
    assert registry.tip() == pushed
