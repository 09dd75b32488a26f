"""Registries with a policy, and what tests of them share."""

from __future__ import annotations

from collections.abc import Callable

from planned_registry import SETTINGS, SPEC, PlannedRegistry

from runner.apply import claim
from runner.launchers.local import LocalLauncher
from runner.planning.actions import NOTHING_FORCED, Forced, Plan

LATER = (
    "this changes the policy; what it permits counts from the apply after the one that merges it, "
    "what it forbids at once"
)
MakeRegistry = Callable[..., PlannedRegistry]
GPUS = SPEC.replace("steps: 2", "steps: 100") + "resources: {accelerators: 'H100:8'}\n"
"""A spec whose hours and cost are forecast."""
UNPRICED = GPUS.replace("H100", "MI300X")
LARGER = GPUS.replace("H100:8", "H100:16")


def rate(text: str, number: int) -> str:
    """Return the spec as another run."""
    return text.replace("1.0e-6", f"{number}.0e-5")


def settings(policy: str = "", more: str = "") -> str:
    return f"{SETTINGS}policy: {{{policy}}}\n{more}"


def apply(registry: PlannedRegistry, forced: Forced = NOTHING_FORCED) -> Plan:
    """Plan and claim the newest commit as apply does, without submitting anything."""
    workspace = registry.workspace
    launcher = LocalLauncher(workspace.state)
    return claim(workspace, launcher, workspace.repository.head(), forced)[0]


def verbs(plan: Plan) -> dict[str, str]:
    return {f"{one.experiment}": one.action for one in plan.whole().actions}


def forecast(registry: PlannedRegistry, name: str = "a") -> tuple[float, float]:
    """Return the GPU-hours and dollars that a run is expected to take at most."""
    action = registry.action(name)
    assert action.gpu_hours is not None
    assert action.cost is not None
    return action.gpu_hours.high, action.cost.high


def use(plan: Plan, ceiling: str) -> tuple[float, float, float]:
    [found] = [one for one in plan.policy if one.ceiling == ceiling]
    return found.used, found.planned, found.limit


def launch_of(name: str, *, by_owner: bool = False) -> Forced:
    return Forced(launch=frozenset({name}), by_owner=by_owner)
