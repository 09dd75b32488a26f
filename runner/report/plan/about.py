"""What a plan's text needs beside the plan: whose request it is, and where its files are shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from runner import __version__
from runner.planning.actions import Launchable
from runner.planning.planned import Planned
from runner.report.plan.reward import RewardTable


def _no_file(_path: str) -> None:
    return None


class About(NamedTuple):
    """The request that a plan is of."""

    number: int | None
    """The pull request; None where there is none, as in a merge queue."""
    head: str
    """The commit that asks to be merged."""
    base: str
    """The commit that it would be merged into."""
    link: Callable[[str, int | None], str]
    """Address of a file of the head, at a line or as a whole; empty where there is none."""
    read: Callable[[str], bytes | None] = _no_file
    """Content of a file of the planned tree; None where there is none."""
    runs: tuple[Launchable, ...] = ()
    """The plan's runs, as `make_plan` gives them: for GPUs, determinism and environments."""
    owners: tuple[str, ...] = ()
    """Who may lift a ceiling: `policy.owners` of registry.yaml."""
    version: str = ""
    """The runner's."""
    complete: str = ""
    """Address of the whole plan as JSON; empty where there is none."""
    rewards: tuple[RewardTable, ...] | None = ()
    """What the reward check found; None while it goes on, empty where nothing is checked."""
    carried: str = ""
    """What an earlier comment said of the same rewards: see `carried_rewards`."""


def about_plan(planned: Planned) -> About:
    """Return what is known of a plan that no pull request asks for."""
    plan = planned.plan
    return About(
        number=None,
        head=plan.head,
        base=plan.base or plan.head,
        link=lambda _path, _line: "",
        read=planned.tree.read,
        runs=planned.runs,
        owners=planned.registry.policy.owners,
        version=__version__,
    )
