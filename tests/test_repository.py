"""Reading commits, extracting them safely, and telling git's failures apart."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from real_git import MakeOriginAndClones, MakeRepository, commit_files, git, write_files

from runner.errors import OutsideError, Refused
from runner.git.commit_tree import CommitTree
from runner.git.process import without_credentials
from runner.git.repository import Repository
from runner.spec.inputs import blob_id

FILES = {
    "experiments/a.yaml": "a: 1\n",
    "experiments/deep/b.yaml": "b: 2\n",
    "reward/r.py": "x = 1\n",
    "odd name\té.txt": b"\x00\xff\n\n",
}


@pytest.fixture
def root(make_repository: MakeRepository) -> Path:
    return make_repository(files=FILES)


def test_importing_it_does_not_import_gitpython() -> None:
    code = "import runner.git.repository, runner.ledger.branch, sys; sys.exit('git' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_folder_that_is_no_repository_is_refused(tmp_path: Path, root: Path) -> None:
    for folder in (tmp_path, root / "experiments"):
        with pytest.raises(Refused):
            Repository(folder)


def test_inside_a_hook_of_another_repository_it_stays_in_its_own(
    root: Path, make_repository: MakeRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = make_repository("other")
    head = git(root, "rev-parse", "HEAD")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / ".git/index"))
    repository = Repository(root)
    assert repository.head() == head
    assert not repository.is_dirty()


def test_a_linked_work_tree_is_a_repository(root: Path, tmp_path: Path) -> None:
    git(root, "worktree", "add", "--quiet", "-b", "topic", str(tmp_path / "linked"))
    commit = commit_files(tmp_path / "linked", {"x": "1"})
    repository = Repository(tmp_path / "linked")
    assert repository.head() == commit
    assert repository.current_branch() == "topic"


def test_a_commits_files_are_read_without_the_work_tree(root: Path) -> None:
    repository = Repository(root)
    tree = CommitTree(repository, repository.head())
    write_files(root, {"experiments/a.yaml": "a: changed\n"})
    assert tree.paths("experiments", ".yaml") == ["experiments/a.yaml", "experiments/deep/b.yaml"]
    assert tree.paths("exp", ".yaml") == []
    assert tree.read("experiments/a.yaml") == b"a: 1\n"
    assert tree.read("odd name\té.txt") == b"\x00\xff\n\n"
    assert tree.read("experiments") is None
    assert tree.oid("experiments/a.yaml") == blob_id(b"a: 1\n")
    assert tree.oid("nowhere") is None


def test_a_path_with_a_tab_is_listed_as_any_other(root: Path) -> None:
    before = CommitTree(Repository(root), Repository(root).head()).files
    commit = commit_files(root, {"a\tb": "1", "a/\t": "2"})
    found = Repository(root).files(commit)
    assert found.keys() == {*before, "a\tb", "a/\t"}
    assert {path: found[path] for path in before} == before
    assert CommitTree(Repository(root), commit).read("a\tb") == b"1"


def test_few_paths_are_read_in_one_process_and_missing_ones_left_out(root: Path) -> None:
    repository = Repository(root)
    wanted = ["reward/r.py", "nowhere", "experiments", "a\nb", "odd name\té.txt"]
    found = repository.read_paths(repository.head(), wanted)
    assert found == {"reward/r.py": b"x = 1\n", "odd name\té.txt": b"\x00\xff\n\n"}


def test_a_missing_object_is_an_outside_error(root: Path) -> None:
    with pytest.raises(OutsideError, match="missing"):
        Repository(root).read_many([blob_id(b"never stored")])


@pytest.mark.parametrize("revision", ["nonsense", "--all", "", "HEAD~99", "HEAD:reward"])
def test_unknown_revisions_are_refused(root: Path, revision: str) -> None:
    with pytest.raises(Refused, match="no commit"):
        Repository(root).resolve(revision)


def test_ancestry(root: Path) -> None:
    repository = Repository(root)
    first = repository.head()
    second = commit_files(root, {"new": "1"})
    assert repository.is_ancestor(first, second)
    assert repository.is_ancestor(first, first)
    assert not repository.is_ancestor(second, first)
    assert not repository.is_ancestor("0" * 40, first)


@pytest.mark.parametrize(
    ("path", "dirty"),
    [
        ("experiments/new.yaml", True),
        ("experiments/a.yaml", True),
        ("reward/sub/new.py", True),
        ("notes.txt", False),
        ("odd name\té.txt", True),
    ],
)
def test_dirt_is_what_could_change_a_run(root: Path, path: str, dirty: bool) -> None:
    repository = Repository(root)
    assert not repository.is_dirty()
    write_files(root, {path: "something else"})
    assert repository.is_dirty() is dirty
    assert repository.dirt() == ([path] if dirty else [])


def test_staged_and_deleted_files_are_dirt(root: Path) -> None:
    git(root, "mv", "reward/r.py", "reward/s.py")
    (root / "experiments/a.yaml").unlink()
    assert sorted(Repository(root).dirt()) == ["experiments/a.yaml", "reward/r.py", "reward/s.py"]


def test_the_tip_is_the_remotes_even_where_the_clone_is_behind(
    make_origin_and_clones: MakeOriginAndClones,
) -> None:
    _, (one, two) = make_origin_and_clones()
    new = commit_files(one, {"x": "1"})
    git(one, "push", "--quiet")
    repository = Repository(two)
    tip = repository.tip()
    assert (tip.branch, tip.commit, tip.remote) == ("main", new, "origin")
    assert repository.head() != new
    assert CommitTree(repository, new).read("x") == b"1"
    git(two, "remote", "set-head", "origin", "--delete")
    assert repository.tip().branch == "main"


def test_without_a_remote_the_local_default_branch_counts(root: Path) -> None:
    repository = Repository(root)
    first = repository.head()
    git(root, "switch", "--quiet", "-c", "topic")
    commit_files(root, {"x": "1"})
    assert repository.tip() == ("main", first, None)
    git(root, "branch", "--quiet", "-D", "main")
    assert repository.tip().branch == "topic"


def test_a_remote_that_is_gone_is_an_outside_error_with_gits_words(root: Path) -> None:
    git(root, "remote", "add", "origin", str(root / "nowhere"))
    with pytest.raises(OutsideError, match=r"remote origin does not answer: .*nowhere") as caught:
        Repository(root).tip()
    assert caught.value.cure


def test_a_remote_that_hangs_is_given_up_after_the_deadline(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(root, "remote", "add", "origin", "ssh://host.invalid/repository")
    monkeypatch.setenv("GIT_SSH_COMMAND", "sleep 30; :")
    start = time.monotonic()
    with pytest.raises(OutsideError, match="has not answered for 1 seconds"):
        Repository(root, network_seconds=1).tip()
    assert time.monotonic() - start < 10


def test_urls_and_settings(root: Path) -> None:
    repository = Repository(root)
    assert repository.remote("origin") is None
    git(root, "remote", "add", "origin", "https://host.invalid/o/r.git")
    assert repository.git_config("user.name") == "Test Person"
    assert repository.git_config("no.such") is None
    git(root, "config", "Runner.trainPython", "one\ntwo")
    git(root, "config", "--add", "runner.trainPython", "three = 3")
    assert repository.git_config("runner.trainPython") == "three = 3"
    git(root, "config", "branch.My.Topic.remote", "origin")
    assert repository.git_config("branch.My.Topic.Remote") == "origin"
    assert repository.git_config("branch.my.topic.remote") is None


def test_credentials_never_reach_a_message() -> None:
    text = without_credentials("fatal: 'https://me:secret@host/x' and ssh://git@host/y")
    assert text == "fatal: 'https://host/x' and ssh://host/y"


def test_an_archive_holds_only_what_was_named(root: Path, tmp_path: Path) -> None:
    (root / "reward/run.sh").write_text("#!/bin/sh\n")
    (root / "reward/run.sh").chmod(0o755)
    write_files(root, {".gitattributes": "*.py export-ignore\n*.yaml eol=crlf\n"})
    git(root, "add", ".")
    commit_files(root, {})
    repository = Repository(root)
    target = tmp_path / "code" / "here"
    CommitTree(repository, repository.head()).archive(["reward/", "experiments/a.yaml"], target)
    found = sorted(str(p.relative_to(target)) for p in target.rglob("*") if p.is_file())
    assert found == ["experiments/a.yaml", "reward/r.py", "reward/run.sh"]
    assert (target / "experiments/a.yaml").read_bytes() == b"a: 1\n"
    assert (target / "reward/run.sh").stat().st_mode & 0o111
    assert not (target / "reward/r.py").stat().st_mode & 0o111
    assert [p.name for p in target.parent.iterdir()] == ["here"]


def test_an_archive_of_everything_and_into_used_folders(root: Path, tmp_path: Path) -> None:
    repository = Repository(root)
    CommitTree(repository, repository.head()).archive(["."], tmp_path / "all")
    assert (tmp_path / "all/odd name\té.txt").read_bytes() == b"\x00\xff\n\n"
    with pytest.raises(Refused, match="in use"):
        CommitTree(repository, repository.head()).archive(["."], tmp_path / "all")
    with pytest.raises(Refused, match="not in the commit"):
        CommitTree(repository, repository.head()).archive(["nowhere"], tmp_path / "none")
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    "links",
    [
        {"reward/out": "../../secret"},
        {"reward/out": "/etc/passwd"},
        {"q/r/s/up": "../../..", "z": "q/r/s/up/.."},
    ],
)
def test_links_that_lead_outside_are_refused(
    root: Path, tmp_path: Path, links: dict[str, str]
) -> None:
    for name, end in links.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).symlink_to(end)
    git(root, "add", ".")
    commit_files(root, {})
    repository = Repository(root)
    with pytest.raises(Refused, match="outside"):
        CommitTree(repository, repository.head()).archive(["."], tmp_path / "code")
    assert not (tmp_path / "code").exists()


def test_links_that_stay_inside_are_kept_but_not_read_through(root: Path, tmp_path: Path) -> None:
    (root / "reward/same.py").symlink_to("r.py")
    git(root, "add", ".")
    commit_files(root, {})
    repository = Repository(root)
    CommitTree(repository, repository.head()).archive(["reward"], tmp_path / "code")
    assert (tmp_path / "code/reward/same.py").read_text() == "x = 1\n"
    assert CommitTree(repository, repository.head()).read("reward/same.py") is None


def test_a_commit_is_made_without_a_work_tree_or_a_user(
    root: Path, git_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (git_home / ".gitconfig").write_text("")
    repository = Repository(root)
    before = git(root, "status", "--porcelain")
    first = repository.commit(None, {"a/b": b"1", "c": b"", "d": b"x\ny\0z"}, "one\n")
    second = repository.commit(first, {"a/b": None, "c": b"2", "nowhere": None}, "two\n")
    assert {p: c for p in ("a/b", "c", "d") if (c := CommitTree(repository, second).read(p))} == {
        "c": b"2",
        "d": b"x\ny\0z",
    }
    assert git(root, "log", "--format=%s %an", second) == "two Rollbook runner\none Rollbook runner"
    assert git(root, "status", "--porcelain") == before
    assert git(root, "for-each-ref", "refs/rollbook") == ""


@pytest.mark.parametrize("path", ["../x", "a//b", "/a", "a\nb", '"a', ".git/config", ""])
def test_paths_that_cannot_be_committed_are_refused(root: Path, path: str) -> None:
    with pytest.raises(Refused, match="path"):
        Repository(root).commit(None, {path: b""}, "m")


PROMISED = {f"experiments/{number}.yaml": f"content {number}" for number in range(20)}


@pytest.fixture
def partial(tmp_path: Path, make_repository: MakeRepository) -> Repository:
    """Return a clone that has no file's content yet."""
    origin = make_repository("origin", PROMISED)
    git(origin, "config", "uploadpack.allowFilter", "true")
    git(origin, "config", "uploadpack.allowAnySHA1InWant", "true")
    options = ("--quiet", "--no-checkout", "--filter=blob:none")
    git(tmp_path, "clone", *options, f"file://{origin}", str(tmp_path / "partial"))
    return Repository(tmp_path / "partial")


def fetches(trace: Path) -> int:
    """Return how many connections git has opened."""
    return trace.read_text().count("trace: built-in: git fetch")


def test_what_a_partial_clone_reads_is_fetched_at_once(
    partial: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    head, trace = partial.head(), tmp_path / "trace"
    monkeypatch.setenv("GIT_TRACE", str(trace))
    found = CommitTree(partial, head).read_many(PROMISED)
    assert found == {path: content.encode() for path, content in PROMISED.items()}
    assert fetches(trace) == 1
    assert partial.read_paths(head, PROMISED) == found
    assert fetches(trace) == 1


def test_a_few_paths_of_a_partial_clone_are_fetched_at_once(
    partial: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace = tmp_path / "trace"
    monkeypatch.setenv("GIT_TRACE", str(trace))
    found = partial.read_paths(partial.head(), [*PROMISED, "missing.txt"])
    assert found == {path: content.encode() for path, content in PROMISED.items()}
    assert fetches(trace) == 1


def test_the_last_change_of_a_file_is_the_merge_that_brought_it(root: Path, tmp_path: Path) -> None:
    first, path = git(root, "rev-parse", "HEAD"), "experiments/a.yaml"
    git(root, "switch", "--quiet", "--create", "request")
    commit_files(root, {path: "a: 2\n"})
    git(root, "switch", "--quiet", "main")
    other = commit_files(root, {"experiments/c.yaml": "c: 1\n"})
    git(root, "merge", "--quiet", "--no-ff", "--no-edit", "request")
    merge = git(root, "rev-parse", "HEAD")
    later = commit_files(root, {"experiments/c.yaml": "c: 2\n"})
    repository = Repository(root)
    assert repository.history.last_change(later, path) == merge
    assert repository.history.last_change(other, path) == first
    assert repository.history.last_change(later, "experiments/c.yaml") == later
    assert repository.history.last_change(first, "experiments/c.yaml") is None

    git(tmp_path, "clone", "--quiet", "--depth=2", f"file://{root}", str(tmp_path / "shallow"))
    shallow = Repository(tmp_path / "shallow")
    assert shallow.history.last_change(later, "experiments/c.yaml") == later
    assert shallow.history.last_change(later, "reward/r.py") is None
