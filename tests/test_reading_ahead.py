"""What git begins to do before it is asked: each answer belongs to its question."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from real_git import MakeRepository, commit_files, git

from runner.errors import OutsideError
from runner.git.commit_tree import CommitTree
from runner.git.repository import Repository

FILES = {"experiments/a.yaml": "a: 1\n", "reward/r.py": "x = 1\n"}


@pytest.fixture
def root(make_repository: MakeRepository) -> Path:
    return make_repository(files=FILES)


def test_what_git_has_begun_answers_the_question_once(root: Path, tmp_path: Path) -> None:
    before = Repository(root).head()
    commit = commit_files(root, {"x": "1", "reward/r.py": "x = 2\n"})
    repository = Repository(root)
    repository.begin(None)
    repository.look_ahead(None, since=before)
    (root / "experiments" / "a.yaml").write_text("a: 3\n")
    first, then = repository.dirt(), repository.dirt()
    assert first in ([], ["experiments/a.yaml"])  # git was faster, or we were
    assert then == ["experiments/a.yaml"]
    assert repository.files(commit) == CommitTree(repository, commit).files
    for _ in range(2):
        assert repository.difference(before, commit).changed == {"x", "reward/r.py"}
        assert repository.git_config("user.name") == "Test Person"


def test_looking_ahead_from_a_commit_that_is_not_there_harms_nothing(root: Path) -> None:
    for since in ("f" * 40, "--output=x", "HEAD"):
        repository = Repository(root)
        repository.look_ahead(None, since=since)
        assert repository.files(repository.head())
    assert Repository(root).dirt() == []


def test_what_is_expected_is_answered_in_any_order(root: Path) -> None:
    big = {f"big/{n}": f"{n}" * 200_000 for n in range(8)}  # more than fits into a pipe
    commit = commit_files(root, {**big, "x": "1", "y": "2"})
    repository = Repository(root)
    repository.expect([*(f"{commit}:{path}" for path in big), f"{commit}:none", f"{commit}:x"])
    repository.expect([f"{commit}:x", f"{commit}:a path\nof two lines"])
    assert repository.read_paths(commit, ["y", "x", "none"]) == {"y": b"2", "x": b"1"}
    assert repository.head() == commit
    found = repository.read_paths(commit, ["none", *big])
    assert {path: content.decode() for path, content in found.items()} == big
    assert repository.read_paths(commit, ["x"]) == {"x": b"1"}
    tree = CommitTree(repository, commit)
    tree.expect(["x", "nowhere"])
    assert tree.read("x") == b"1"
    many = [f"{commit}:{n}" for n in range(1000)]  # too much to be asked ahead: asked when read
    repository.expect(many)
    assert repository.read_paths(commit, ["y"]) == {"y": b"2"}


def test_an_interrupted_question_spoils_no_answer(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = Repository(root)
    commit = repository.head()
    names = [f"{commit}:experiments/a.yaml", f"{commit}:reward/r.py"]
    process = repository._objects._process
    assert process is not None
    assert process.stdin is not None
    pipe = process.stdin

    def interrupted(request: bytes) -> None:
        pipe.write(request[: request.index(b"\n") + 1])
        pipe.flush()
        raise KeyboardInterrupt

    broken = SimpleNamespace(write=interrupted, close=pipe.close)
    monkeypatch.setattr(process, "stdin", broken)
    with pytest.raises(KeyboardInterrupt):
        repository.expect(names)
    for path in ("reward/r.py", "experiments/a.yaml"):
        assert repository.read_paths(commit, [path])[path].decode() == FILES[path]


def test_what_was_expected_of_a_git_that_has_ended_is_asked_again(root: Path) -> None:
    repository = Repository(root)
    commit = repository.head()
    repository.expect([f"{commit}:experiments/a.yaml"])
    process = repository._objects._process
    assert process is not None
    process.kill()
    process.wait()
    with contextlib.suppress(OutsideError):
        # It may have answered before it ended; whoever asks it once more is told.
        repository.read_paths(commit, ["experiments/a.yaml"])
        repository.read_paths(commit, ["experiments/a.yaml"])
    assert repository.read_paths(commit, ["experiments/a.yaml"])


def test_what_git_has_begun_for_nobody_ends_with_the_process(root: Path, tmp_path: Path) -> None:
    mark = tmp_path / "began"
    code = (
        "import os, pathlib, time\n"
        "from runner.git.repository import Repository\n"
        f"os.environ['GIT_SSH_COMMAND'] = 'sh -c \"echo $PPID > {mark}; exec sleep 20\"'\n"
        f"repository = Repository(pathlib.Path({str(root)!r}))\n"
        "repository.remote('origin').look_ahead('refs/heads/runs')\n"
        f"while not pathlib.Path({str(mark)!r}).exists(): time.sleep(0.01)\n"
    )
    git(root, "remote", "add", "origin", "ssh://host.invalid/repository")
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)
    began = int(mark.read_text())
    assert not Path(f"/proc/{began}").exists()
