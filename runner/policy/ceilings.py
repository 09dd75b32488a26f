"""The policy's ceilings: what is over one waits for an owner, the rest proceeds in order of name.

    planned launches + ledger (this commit's, this month's, going on) -> launch, hold or wait

Counted is what a run is expected to take at most, in a month's sum more once it goes on for longer;
when it has ended, what it took.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple

from runner.errors import Refused
from runner.forges.base import Forge
from runner.ledger.record import Attempt, now
from runner.ledger.snapshot import Snapshot
from runner.planning.actions import Action, Forced, Launchable, Plan, Use
from runner.policy.trust import in_force
from runner.registry import Policy, Registry
from runner.root import FILE
from runner.spec.experiment import Experiment
from runner.workspace import Workspace

CENT = 0.005
"""Less than this over a ceiling is rounding."""


class Take(NamedTuple):
    """What one launch takes, at most."""

    gpus: int
    gpu_hours: float | None
    """None where nobody knows, as for `usd`."""
    usd: float | None


class _Ceiling(NamedTuple):
    """How one ceiling counts."""

    amount: Callable[[Take], float | None]
    what: str
    """Of what is not known of a run."""
    per: str
    sign: str = ""


CEILINGS = {
    "launches_per_apply": _Ceiling(lambda take: 1.0, "", " launches per apply"),
    "gpu_hours_per_apply": _Ceiling(
        lambda take: take.gpu_hours, "its GPU-hours are", " GPU-h per apply"
    ),
    "usd_per_apply": _Ceiling(lambda take: take.usd, "its cost is", " per apply", "$"),
    "gpu_hours_per_month": _Ceiling(
        lambda take: take.gpu_hours, "its GPU-hours are", " GPU-h this month"
    ),
    "usd_per_month": _Ceiling(lambda take: take.usd, "its cost is", " this month", "$"),
    "gpus_at_once": _Ceiling(lambda take: float(take.gpus), "", " GPUs at once"),
}
"""By the key of `policy`; the last one frees itself, so the others are asked first."""


class Over(NamedTuple):
    """A ceiling that a launch would be over."""

    verb: Literal["hold", "wait"]
    """`wait`: it fits as soon as GPUs are free."""
    reason: str


# Ceilings


def expected(action: Action, spec: Experiment) -> Take:
    """Return what the forecast says that a run takes at most; without GPUs it takes nothing."""
    hours = action.gpu_hours.high if action.gpu_hours else None
    return _take(spec, hours, action.cost.high if action.cost else None)


def expected_again(spec: Experiment, former: Attempt) -> Take:
    """Return what another attempt of a run takes at most: as much as was expected before."""
    return _take(spec, former.gpu_hours, former.usd)


def _take(spec: Experiment, gpu_hours: float | None, usd: float | None) -> Take:
    gpus = spec.resources.gpus_per_node * spec.resources.nodes
    return Take(gpus, gpu_hours, usd) if gpus else Take(0, 0.0, 0.0)


def under_ceilings(
    runs: Iterable[Launchable],
    snapshot: Snapshot,
    registry: Registry,
    forced: Forced,
    commit: str | None,
) -> tuple[tuple[Launchable, ...], tuple[Use, ...]]:
    """Hold what is over a ceiling of the policy, and say how much of each is used.

    Whatever was launched of `commit` before counts as of this apply; None for what is no commit of
    the default branch yet. What an owner has asked for by name passes, and counts.
    """
    uses = uses_before(snapshot, registry.policy, commit)
    decided: list[Launchable] = []
    for run in runs:
        if run.action.action == "launch":
            take = expected(run.action, run.resolved.run.spec)
            over = None if forced.by_owner and forced.names else find_over(uses, take)
            if over:
                decided.append(_stopped(run, over, registry, forced))
                continue
            uses = tuple(_plus(use, take) for use in uses)
        decided.append(run)
    return tuple(decided), uses


def uses_before(snapshot: Snapshot, policy: Policy, commit: str | None) -> tuple[Use, ...]:
    """Return what the ledger knows of each ceiling that `policy` sets."""
    set_ones = {name: getattr(policy, name) for name in CEILINGS}
    limits = {name: limit for name, limit in set_ones.items() if limit is not None}
    if not limits:
        return ()
    from runner.ledger.spending import launched_at, spent_so_far, total

    month = total(spent_so_far(snapshot, now()).values())
    per_apply = any(name.endswith("_per_apply") for name in limits)
    merge = total(launched_at(snapshot, commit) if commit and per_apply else ())
    used = {
        "launches_per_apply": merge.launches,
        "gpu_hours_per_apply": merge.gpu_hours,
        "usd_per_apply": merge.usd,
        "gpu_hours_per_month": month.gpu_hours,
        "usd_per_month": month.usd,
        "gpus_at_once": _gpus_in_use(snapshot),
    }
    return tuple(
        Use(ceiling=name, used=float(used[name]), planned=0.0, limit=float(limit))
        for name, limit in limits.items()
    )


def _gpus_in_use(snapshot: Snapshot) -> int:
    records = snapshot.records(snapshot.active()).values()
    return sum(record.latest.gpus or 0 for record in records)


def find_over(uses: Iterable[Use], take: Take) -> Over | None:
    """Return the first ceiling that `take` would be over; None where there is room."""
    for use in uses:
        ceiling = CEILINGS[use.ceiling]
        amount = ceiling.amount(take)
        if amount is None:
            return Over("hold", f"{ceiling.what} not known, and {FILE} sets {use.ceiling}")
        after = use.used + use.planned + amount
        if not amount or after <= use.limit + CENT:
            continue
        told = [f"{ceiling.sign}{_written(value)}" for value in (amount, after, use.limit)]
        reason = f"{told[0]} more would make {told[1]} of {told[2]}{ceiling.per}"
        frees_itself = use.ceiling == "gpus_at_once" and amount <= use.limit
        return Over("wait" if frees_itself else "hold", reason)
    return None


def _written(value: float) -> str:
    return f"{value:,.2f}".removesuffix(".00")


def _plus(use: Use, take: Take) -> Use:
    amount = CEILINGS[use.ceiling].amount(take) or 0.0
    return use._replace(planned=use.planned + amount)


def _stopped(run: Launchable, over: Over, registry: Registry, forced: Forced) -> Launchable:
    """Return the launch as held for an owner, or waiting for GPUs."""
    name = run.action.experiment
    ask = f"runner {'rerun' if name in forced.rerun else 'launch'} {name}"
    if over.verb == "wait":
        end = "it starts by itself when they are free"
    else:
        end = f"{who_lifts(registry)}: {ask}"
    reason = f"{run.action.reason}; {over.reason}; {end}"
    lifted_by: Literal["owner"] | None = None if over.verb == "wait" else "owner"
    stopped = run.action._replace(action=over.verb, reason=reason, lifted_by=lifted_by)
    return run._replace(action=stopped)


# Owners


def who_lifts(registry: Registry) -> str:
    """Return who may lift what is over a ceiling, in words."""
    owners = registry.policy.owners
    who = f"one of {', '.join(owners)}" if len(owners) > 1 else "".join(owners)
    if registry.forge == "none":
        unknown = f"{who} may lift it, and with `forge: none` nobody can be asked who that is"
        return unknown if owners else "anyone may lift it"
    return (
        f"{who} may lift it" if owners else f"nobody may: {FILE} names no owner whose word counts"
    )


def is_owner(workspace: Workspace, login: str) -> bool:
    """Return whether `login`, as the forge knows the person, may lift ceilings.

    Asked of the settings in force, so that nobody makes themselves an owner by a merge that they
    need one for. Nobody is one without a forge. Raises as `runner.policy.trust.in_force` does.
    """
    registry = _in_force(workspace)
    return registry.forge != "none" and _owns(registry, login)


def may_lift(workspace: Workspace, forge: Forge) -> bool:
    """Return whether whom the forge takes us for may lift ceilings.

    In a registry without a forge nobody can be asked, and so nobody may where owners are named.
    """
    registry = _in_force(workspace)
    if registry.forge == "none":  # `forge` is none too for who has no token of the registry's
        return not registry.policy.owners
    login = forge.login() if registry.policy.owners else None
    return login is not None and _owns(registry, login)


def _in_force(workspace: Workspace) -> Registry:
    return in_force(workspace.repository, workspace.registry, workspace.ledger.fetch())


def _owns(registry: Registry, login: str) -> bool:
    # Forges take logins that differ in case only for one person.
    return login.casefold() in {owner.casefold() for owner in registry.policy.owners}


def held_still(plan: Plan, forced: Forced) -> tuple[str, ...]:
    """Return why what was asked for by name is held for an owner still, in words for the person."""
    return tuple(
        f"{action.experiment}: {action.reason}"
        for action in plan.actions
        if forced.names and action.action == "hold" and action.lifted_by == "owner"
    )


# Other attempts


def check_again(snapshot: Snapshot, registry: Registry, run_id: str, take: Take) -> None:
    """Raise Refused when another attempt of a run would be over a ceiling.

    It is an apply of its own: what was launched with the run does not count for it.
    """
    over = find_over(uses_before(snapshot, registry.policy, None), take)
    if over is None:
        return
    if over.verb == "wait":
        raise Refused(f"run {run_id}: {over.reason}", cure="try again when some have ended")
    raise Refused(
        f"run {run_id}: {over.reason}", cure=f"{who_lifts(registry)}: runner retry {run_id}"
    )
