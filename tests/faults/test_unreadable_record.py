"""The record of a run that goes on is damaged or gone: nothing is launched until it is put back."""

from __future__ import annotations

from pathlib import Path

import pytest
from real_git import git
from test_outside_ledger import Team

COMMANDS = ("launch new", "apply", "sync", "doctor")


@pytest.fixture
def team(tmp_path: Path) -> Team:
    return Team(tmp_path)


@pytest.mark.parametrize("content", [b'{"cut off', None], ids=["damaged", "gone"])
def test_nothing_is_launched_while_a_run_that_goes_on_cannot_be_read(team, content):
    """What it stands for, and what it takes of the policy's ceilings, cannot be told."""
    path = team.record("going")
    whole = git(team.origin, "show", f"runs:{path}")
    team.damage(path, content)
    tip, cures = team.tip(), set()
    for command in COMMANDS:
        answer = team.runner(*command.split())
        assert answer.code, command
        said = f"{answer.out}{answer.err}"
        assert f"{path} of the ledger cannot be read: " in said, command
        cures |= {answer.cure} if command != "doctor" else set()
    assert team.tip() == tip
    assert not (team.root / ".rollbook" / "local").exists()
    [cure] = cures
    team.follow(cure)
    assert git(team.origin, "show", f"runs:{path}") == whole
    for command in ("plan", "apply", "sync", "doctor"):
        assert team.runner(command).code == 0, command
    assert set(team.registry.snapshot.active()) == {team.ids["going"]}
