"""The ledger branch deleted, rewritten, replaced or damaged: said with the way back, and kept."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from planned_registry import FILES, SETTINGS, PlannedRegistry
from real_git import commit_files, git
from typed_command import Answer, type_command

from runner.errors import Refused
from runner.ledger.branch import Ledger
from runner.ledger.spending import spent_in
from runner.workspace import open_workspace

SCRIPT = """\
apiVersion: rollbook/v1
trainer: script
script: {{command: [python, train.py, "{name}"], files: [train.py]}}
training: {{steps: 2, prompts_per_step: 1, learning_rate: 1.0e-3}}
"""


class Team:
    """A registry at a bare origin, and a clone; `old` has ended, `going` goes on."""

    def __init__(self, folder: Path) -> None:
        self.origin, self.root = folder / "origin.git", folder / "clone"
        git(folder, "init", "--quiet", "--bare", str(self.origin))
        git(folder, "clone", "--quiet", str(self.origin), str(self.root))
        remotes = "".join(
            f"['remote \"{name}\"']\n    url = {folder}\n" for name in ("data", "checkpoints")
        )
        files = {**FILES, "registry.yaml": SETTINGS, "train.py": "", ".dvc/config": remotes}
        commit_files(self.root, files)
        self.registry = PlannedRegistry(self.root)
        self.registry.workspace.ledger.create()
        self.ids = dict(self.add("old", "ended"))
        self.ids |= self.add("going", "running", launcher="skypilot", endpoint="elsewhere")
        self.registry.commit(new=self.spec("new") + "launch: manual\n")
        git(self.root, "push", "--quiet", "origin", "HEAD:main")
        assert self.runner("apply").code == 0

    def add(self, name: str, state: str, **attempt: Any) -> dict[str, str]:
        self.registry.commit(**{name: self.spec(name)})
        attempt |= {"gpus": 0, "gpu_hours": 1.0, "usd": 1.0}
        return {name: self.registry.run(state, **attempt)[0]}

    def record(self, name: str) -> str:
        return f"runs/{self.ids[name][:2]}/{self.ids[name]}/record.json"

    @staticmethod
    def spec(name: str) -> str:
        return SCRIPT.format(name=name)

    def runner(self, *command: str) -> Answer:
        with contextlib.chdir(self.root):
            return type_command(*command)

    def tip(self) -> str:
        return git(self.origin, "rev-parse", "runs")

    def damage(self, path: str, content: bytes | None = b'{"cut off') -> str:
        """Commit a damaged file at the origin, as by hand; return the whole one's commit."""
        before = self.tip()
        repository = self.registry.workspace.repository
        git(self.root, "fetch", "--quiet", "origin", "runs")
        damaged = repository.commit(before, {path: content}, "by hand")
        git(self.root, "push", "--quiet", "origin", f"{damaged}:refs/heads/runs")
        return before

    def follow(self, cure: str) -> None:
        done = subprocess.run(  # noqa: S602
            cure, shell=True, cwd=self.root, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, (cure, done.stderr)


@pytest.fixture
def team(tmp_path: Path) -> Team:
    return Team(tmp_path)


COMMANDS = ("plan", "apply", "sync", "status")
DAMAGED: dict[str, Callable[[Team], str]] = {
    "an ended record": lambda team: team.record("old"),
    "an active record": lambda team: team.record("going"),
    "active.json": lambda team: "active.json",
    "applied.json": lambda team: "applied.json",
    "an entry": lambda team: "experiments/old/index.json",
    "a month": lambda team: "spending/2026-01.json",
    "a spec": lambda team: team.record("going").replace("record", "spec"),
}


@pytest.mark.parametrize("what", DAMAGED)
def test_a_damaged_file_is_named_with_the_command_that_mends_it(team, what):
    path = DAMAGED[what](team)
    whole = git(team.origin, "show", f"runs:{path}")
    team.damage(path)
    stopped, cures = [], set()
    for command in COMMANDS:
        tip, answer = team.tip(), team.runner(command)
        if answer.code:
            assert answer.code == 1, answer
            assert f"{path} of the ledger cannot be read: " in answer.err
            assert team.tip() == tip
            stopped.append(command)
            cures.add(answer.cure)
    assert stopped == STOPPED.get(what, [])
    if not cures:  # then only what is about that run reads it
        cures.add(_cure_of(team, path))
    [cure] = cures
    team.follow(cure)
    assert git(team.origin, "show", f"runs:{path}") == whole
    for command in COMMANDS:
        answer = team.runner(command)
        assert answer.code == 0, answer
    assert git(team.origin, "show", f"runs:{path}") == whole or path == "applied.json"
    assert set(team.registry.snapshot.experiments()) == {"old", "going"}
    assert git(team.root, "worktree", "list").count("\n") == 0


STOPPED = {
    "an ended record": ["status"],
    "an active record": ["apply", "sync", "status"],
    "active.json": ["plan", "apply", "sync"],
    "applied.json": ["apply"],
    "an entry": ["status"],
    "a spec": ["status"],
}
"""The commands that say what is wrong; the others go on with everything else."""


def _cure_of(team: Team, path: str) -> str:
    with pytest.raises(Refused, match="cannot be read") as caught:
        spent_in(team.registry.snapshot, "2026-01")
    return str(caught.value.cure).partition("   ")[0]


def test_a_file_of_active_runs_that_is_gone_is_no_ledger_without_any(team):
    whole = git(team.origin, "show", "runs:active.json")
    team.damage("active.json", None)
    answer = team.runner("sync")
    assert answer.code == 1
    team.follow(answer.cure)
    assert git(team.origin, "show", "runs:active.json") == whole
    assert team.runner("sync").code == 0


@pytest.mark.parametrize("content", [b"[]", b"null", b'{"a": "b"}'])
def test_valid_json_of_another_shape_is_damage_too(team, content):
    team.damage("active.json", content)
    answer = team.runner("sync")
    assert answer.code == 1
    assert "active.json of the ledger cannot be read" in answer.err


def delete(team: Team) -> None:
    git(team.origin, "update-ref", "-d", "refs/heads/runs")


def rewrite(team: Team) -> None:
    first = git(team.origin, "rev-list", "--max-parents=0", "runs")
    repository = team.registry.workspace.repository
    other = repository.commit(first, {"active.json": b"{}\n"}, "rewritten")
    git(team.root, "push", "--quiet", "--force", "origin", f"{other}:refs/heads/runs")


def recreate_empty(team: Team, lineage: str = "0a" * 16) -> None:
    """As `runner init` does it in a clone that has never seen the ledger."""
    delete(team)
    fresh = team.origin.with_name("fresh")
    git(team.origin.parent, "clone", "--quiet", str(team.origin), str(fresh))
    workspace = open_workspace(fresh)
    Ledger(workspace.repository, workspace.registry.ledger, lineage).create()


def recreate_with_another_lineage(team: Team) -> None:
    recreate_empty(team, "0b" * 16)


@pytest.mark.parametrize(
    "harm",
    [delete, rewrite, recreate_empty, recreate_with_another_lineage],
    ids=lambda f: f.__name__,
)
def test_a_branch_that_was_lost_is_said_kept_and_put_back(team, harm):
    known = team.tip()
    harm(team)
    there = git(team.origin, "for-each-ref", "refs/heads/runs")
    cures = set()
    for command in ("plan", "apply", "sync", "cancel going", "retry old"):
        answer = team.runner(*command.split())
        if command == "plan" and answer.code == 0:
            continue  # by what this clone knows
        assert answer.code == 1, (command, answer)
        assert "the ledger branch runs " in answer.err
        cures.add(answer.cure)
        assert git(team.origin, "for-each-ref", "refs/heads/runs") == there
    [cure] = cures
    team.follow(cure)
    assert team.tip() == known
    for command in COMMANDS:
        assert team.runner(command).code == 0


def test_a_rewritten_branch_that_is_meant_can_be_taken(team):
    rewrite(team)
    answer = team.runner("sync")
    team.follow(answer.err.partition("if the new one is meant: ")[2])
    assert team.runner("sync").code == 0


def test_a_fork_does_not_take_the_ledger_of_another_registry(team):
    fresh = team.origin.with_name("fork")
    git(team.origin.parent, "clone", "--quiet", str(team.origin), str(fresh))
    commit_files(fresh, {"registry.yaml": SETTINGS.replace("0a" * 16, "0b" * 16)})
    tip, team.root = team.tip(), fresh
    answer = team.runner("sync")
    assert answer.code == 1
    assert "belongs to another registry" in answer.err
    assert team.tip() == tip
