"""What a plan says: every run with what happens to it, and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal, NamedTuple

from runner.findings import Finding
from runner.forecast.cost import Cost
from runner.forecast.document import Forecast
from runner.forecast.span import Span
from runner.ledger.settled import Footprint
from runner.planning.settlement import Settlement
from runner.spec.identity import Change, digest
from runner.spec.resolve import ResolvedRun

FORESEEN = ("gpu_hours", "cost", "forecast")
"""Fields of an action that the plan's digest does not cover."""

INWARD = ("settled", "launcher")
"""Fields of a plan that its document leaves out."""

BESIDE = ("gpu_hours", "cost")
"""Fields of a forecast that stand beside it in the plan's document."""

FEW = 200
"""So many runs that a plan has passed over are told one by one in its text."""

SHARED = "the same run as that of"
"""How the reason begins of a run that is kept since the same plan launches it already."""

Verb = Literal["launch", "hold", "stale", "wait", "keep", "orphan", "refuse"]


class Action(NamedTuple):
    """What happens to one run, and why."""

    experiment: str
    run_id: str | None
    seed: int | None
    point: dict[str, Any]
    action: Verb
    reason: str
    changes: tuple[Change, ...] = ()
    """Against the newest run of this experiment with the same seed and point."""
    trainer: str | None = None
    launcher: str | None = None
    lifted_by: Literal["writer", "owner"] | None = None
    """Who may lift a hold: anyone with write access, or only an owner of the policy."""
    gpu_hours: Span | None = None
    cost: Cost | None = None
    """If the GPUs are rented; of what is launched or held, where a price is known."""
    forecast: Forecast | None = None
    findings: tuple[Finding, ...] = ()


class Use(NamedTuple):
    """How much of one of the policy's ceilings a plan takes."""

    ceiling: str
    """The key of registry.yaml's `policy`, such as `usd_per_month`."""
    used: float
    """Before this plan: this month so far, GPUs going on, what its commit has launched already."""
    planned: float
    """What the launches of this plan add, at most."""
    limit: float


class Plan(NamedTuple):
    """All actions on one state of the specs."""

    head: str
    base: str | None
    uncommitted: bool
    digest: str
    actions: tuple[Action, ...]
    """What was looked at: everything but `settled`."""
    settled: Settlement | None = None
    """What was passed over; None where all that is meant was looked at."""
    launcher: str = ""
    """The one that is set, for what is settled."""
    policy: tuple[Use, ...] = ()
    """Of each ceiling that registry.yaml sets."""
    notes: tuple[str, ...] = ()
    """What is to be said of the plan as a whole, such as a change of the policy."""

    def number_of(self, verb: Verb) -> int:
        """Return how many actions are `verb`."""
        settled = self.settled.runs if self.settled and verb == "keep" else 0
        return settled + sum(action.action == verb for action in self.actions)

    def kept(self) -> Iterator[tuple[str, str]]:
        """Yield experiment and reason of each run that is kept, those passed over if they are few.

        Of many there would be more to read than of all else that a plan needs.
        """
        if self.settled and self.settled.runs <= FEW:
            yield from ((one.experiment, one.reason) for one in self.settled.kept())
        yield from ((a.experiment, a.reason) for a in self.actions if a.action == "keep")

    def whole(self) -> Plan:
        """Return this plan with its settled runs among the actions, in order of name.

        What belongs to no run of a spec stays behind them.
        """
        kept = (
            Action(
                experiment=one.experiment,
                run_id=one.run.run_id,
                seed=one.run.seed,
                point=one.run.point,
                action="keep",
                reason=one.reason,
                trainer=one.trainer,
                launcher=self.launcher,
            )
            for one in (self.settled.kept() if self.settled else ())
        )
        of_runs = [one for one in self.actions if _is_of_run(one)]
        others = (one for one in self.actions if not _is_of_run(one))
        actions = (*sorted((*of_runs, *kept), key=lambda one: one.experiment), *others)
        return self._replace(actions=actions, settled=None)

    def document(self) -> dict[str, Any]:
        """Return the whole plan as `plan --json` prints it."""
        found: dict[str, Any] = _plain(self.whole())
        return {key: value for key, value in found.items() if key not in INWARD}


def _is_of_run(action: Action) -> bool:
    return action.run_id is not None and action.action != "orphan"


def digest_of(actions: Iterable[Action]) -> str:
    """Return a digest of what is done: not of what was attempted before, nor what it will take.

    Runs go on, prices and forecasts move by themselves.
    """
    doing = (one for one in actions if one.action != "keep" or one.reason.startswith(SHARED))
    known = ({k: v for k, v in a._asdict().items() if k not in FORESEEN} for a in doing)
    return digest({"actions": _plain(list(known))})


def _plain(value: Any) -> Any:
    """Return `value` as JSON has it: what has fields as an object of them."""
    if isinstance(value, Forecast):
        said = value._asdict()
        return _plain({key: said[key] for key in said if key not in BESIDE})
    if hasattr(value, "_asdict"):
        return _plain(value._asdict())
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, tuple | list) else value


class Launchable(NamedTuple):
    """A run that the plan knows, with what launching it takes."""

    resolved: ResolvedRun
    own_digest: str
    action: Action
    footprint: Footprint | None = None
    """What it follows from, where that was traced."""


def by_experiment(runs: Iterable[Launchable]) -> dict[str, list[Launchable]]:
    """Return `runs` by experiment, in their order."""
    found: dict[str, list[Launchable]] = {}
    for run in runs:
        found.setdefault(run.action.experiment, []).append(run)
    return found


class Forced(NamedTuple):
    """Experiments that a person named, most of them to be launched although the plan would not."""

    launch: frozenset[str] = frozenset()
    """Held ones (`runner launch`)."""
    rerun: frozenset[str] = frozenset()
    """Stale ones (`runner rerun`)."""
    only: frozenset[str] = frozenset()
    """Those that are meant, without anything forced (`apply --only`)."""
    by_owner: bool = False
    """Whether the person is an owner of the policy, whom no ceiling stops."""

    @property
    def names(self) -> frozenset[str]:
        """The experiments that are meant, and no others; empty for all."""
        return self.launch | self.rerun | self.only

    def means(self, action: Action) -> bool:
        """Whether `action` is about an experiment that is meant."""
        return not self.names or action.experiment in self.names


NOTHING_FORCED = Forced()
