"""Ceilings, in real repositories with a real ledger."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from planned_registry import SPEC, PlannedRegistry
from policy_registry import (
    GPUS,
    LARGER,
    UNPRICED,
    MakeRegistry,
    apply,
    forecast,
    launch_of,
    rate,
    settings,
    use,
    verbs,
)
from real_git import MakeOriginAndClones, git

from runner import apply as apply_module
from runner.errors import Refused
from runner.launchers.local import LocalLauncher
from runner.ledger.record import now
from runner.ledger.snapshot import Snapshot
from runner.plan import make_plan
from runner.planning.actions import Plan, Use
from runner.policy.ceilings import Take, find_over
from runner.retry import retry

# The arithmetic, in words


def one_use(ceiling: str, used: float, planned: float, limit: float) -> Use:
    return Use(ceiling=ceiling, used=used, planned=planned, limit=limit)


TAKE = Take(gpus=8, gpu_hours=91, usd=270)
OVER = {
    "launches_per_apply": (3, 0, 3, "1 more would make 4 of 3 launches per apply"),
    "gpu_hours_per_apply": (0, 329, 400, "91 more would make 420 of 400 GPU-h per apply"),
    "usd_per_apply": (0, 800.5, 1000, "$270 more would make $1,070.50 of $1,000 per apply"),
    "gpu_hours_per_month": (350, 0, 400, "91 more would make 441 of 400 GPU-h this month"),
    "usd_per_month": (5850, 0, 6000, "$270 more would make $6,120 of $6,000 this month"),
}


@pytest.mark.parametrize(("ceiling", "numbers"), OVER.items(), ids=OVER)
def test_what_is_over_is_held_with_the_numbers(ceiling: str, numbers: Any) -> None:
    used, planned, limit, words = numbers
    over = find_over([one_use(ceiling, used, planned, limit)], TAKE)
    assert over == ("hold", words)
    assert find_over([one_use(ceiling, 0, 0, 270)], TAKE) is None  # exactly the ceiling is under it


def test_gpus_in_use_are_waited_for_and_more_than_there_may_be_are_not() -> None:
    over = find_over([one_use("gpus_at_once", 24, 8, 32)], TAKE)
    assert over == ("wait", "8 more would make 40 of 32 GPUs at once")
    alone = find_over([one_use("gpus_at_once", 0, 0, 4)], TAKE)
    assert alone == ("hold", "8 more would make 8 of 4 GPUs at once")


def test_what_takes_nothing_passes_a_ceiling_that_is_reached() -> None:
    uses = [one_use(name, 500, 0, 400) for name in ("gpu_hours_per_month", "usd_per_month")]
    assert find_over([*uses, one_use("gpus_at_once", 9, 0, 8)], Take(0, 0.0, 0.0)) is None


def test_what_is_not_known_is_not_taken_for_nothing() -> None:
    unknown = Take(8, None, None)
    for ceiling, what in [
        ("usd_per_apply", "its cost is"),
        ("gpu_hours_per_month", "its GPU-hours are"),
    ]:
        over = find_over([one_use(ceiling, 0, 0, 1e9)], unknown)
        assert over == ("hold", f"{what} not known, and registry.yaml sets {ceiling}")
    assert find_over([one_use("launches_per_apply", 0, 0, 1)], unknown) is None


# Per apply


def test_launches_over_the_ceiling_are_held_and_the_rest_proceeds(make: MakeRegistry) -> None:
    registry = make(
        "launches_per_apply: 3", a=SPEC + "seeds: [1, 2]\n", b=rate(SPEC, 2) + "seeds: [3, 4]\n",
        c=rate(SPEC, 3) + "launch: manual\n",
    )  # fmt: skip
    plan = registry.plan()
    assert [one.action for one in plan.actions] == ["launch"] * 3 + ["hold"] * 2
    held, manual = plan.actions[3:]
    assert held.reason == (
        "new; 1 more would make 4 of 3 launches per apply; anyone may lift it: runner launch b"
    )
    assert (held.lifted_by, manual.lifted_by) == ("owner", "writer")
    assert use(plan, "launches_per_apply") == (0, 3, 3)


def test_a_shared_run_counts_once(make: MakeRegistry) -> None:
    registry = make("launches_per_apply: 2", a=SPEC, b=SPEC, c=rate(SPEC, 2))
    assert registry.verbs() == {"a": ["launch"], "b": ["keep"], "c": ["launch"]}


@pytest.mark.parametrize(("index", "key"), [(0, "gpu_hours_per_apply"), (1, "usd_per_apply")])
def test_the_forecasts_high_end_counts(make: MakeRegistry, index: int, key: str) -> None:
    registry = make(a=GPUS, b=rate(GPUS, 2), c=rate(GPUS, 3))
    each = forecast(registry)[index]
    registry.commit({"registry.yaml": settings(f"{key}: {each * 2 + 0.01}")})
    plan = registry.plan()
    assert verbs(plan) == {"a": "launch", "b": "launch", "c": "hold"}
    assert use(plan, key) == pytest.approx((0, each * 2, each * 2 + 0.01))
    registry.commit({"registry.yaml": settings(f"{key}: {each - 0.01}")})
    assert set(verbs(registry.plan()).values()) == {"hold"}


def test_a_smaller_one_behind_what_is_held_proceeds(make: MakeRegistry) -> None:
    registry = make(a=LARGER, b=GPUS)
    (hours, _), (small, _) = forecast(registry, "a"), forecast(registry, "b")
    assert hours != small
    registry.commit({"registry.yaml": settings(f"gpu_hours_per_apply: {max(hours, small) - 0.01}")})
    held, launched = ("a", "b") if hours > small else ("b", "a")
    assert verbs(registry.plan()) == {held: "hold", launched: "launch"}


def test_what_costs_an_unknown_sum_is_held_where_a_ceiling_asks_for_it(make: MakeRegistry) -> None:
    registry = make("usd_per_month: 1000", a=SPEC, b=rate(UNPRICED, 2))
    actions = {one.experiment: one for one in registry.plan().actions}
    assert actions["a"].action == "launch"  # without GPUs it costs nothing
    assert actions["b"].action == "hold"
    assert "its cost is not known, and registry.yaml sets usd_per_month" in actions["b"].reason
    registry.commit({"registry.yaml": settings("launches_per_apply: 9")})
    assert registry.action("b").action == "launch"


# Per month


@pytest.mark.parametrize(("index", "key"), [(0, "gpu_hours_per_month"), (1, "usd_per_month")])
def test_the_month_adds_up_over_applies(make: MakeRegistry, index: int, key: str) -> None:
    registry = make(a=GPUS)
    each = forecast(registry)[index]
    registry.commit({"registry.yaml": settings(f"{key}: {each * 1.5}")})
    assert use(apply(registry), key) == (0, each, each * 1.5)
    registry.commit(b=rate(GPUS, 2))
    plan = apply(registry)
    assert verbs(plan) == {"a": "keep", "b": "hold"}
    assert use(plan, key) == (each, 0, each * 1.5)
    # What it took replaces what was promised: it never started, so there is room.
    run_id = registry.action("a").run_id
    registry.advance(run_id or "", state="ended", outcome="cancelled")
    assert use(apply(registry), key) == (0, each, each * 1.5)


def test_another_months_runs_do_not_count(make: MakeRegistry) -> None:
    registry = make("launches_per_apply: 9", a=GPUS, b=rate(GPUS, 2))
    hours, usd = forecast(registry)
    policy = f"usd_per_month: {usd * 2.5}, gpu_hours_per_month: {hours * 2.5}"
    registry.commit({"registry.yaml": settings(policy)})
    registry.run("running", claimed_at="2026-01-31T23:59:59Z")
    registry.commit(c=rate(GPUS, 3), d=rate(GPUS, 4), e=rate(GPUS, 5))
    plan = registry.plan()
    assert use(plan, "usd_per_month") == pytest.approx((0, usd * 2, usd * 2.5))
    assert [verbs(plan)[name] for name in "cde"] == ["launch", "launch", "hold"]


def test_this_months_count_whatever_commit_they_are_of(make: MakeRegistry) -> None:
    registry = make(a=GPUS, b=rate(GPUS, 2))
    _, usd = forecast(registry)
    registry.run("running", claimed_at=now())
    registry.commit({"registry.yaml": settings(f"usd_per_month: {usd * 2.5}")}, c=rate(GPUS, 3))
    plan = registry.plan()
    assert use(plan, "usd_per_month") == pytest.approx((usd * 2, 0, usd * 2.5))
    assert verbs(plan)["c"] == "hold"


def test_what_goes_on_for_too_long_takes_of_the_months_room(make: MakeRegistry) -> None:
    registry = make(a=GPUS)
    hours, _ = forecast(registry)
    limit = hours * 1000
    registry.commit({"registry.yaml": settings(f"gpu_hours_per_month: {limit}")})
    registry.run("running", claimed_at=now(), started_at="2020-01-01T00:00:00Z")
    registry.commit(b=rate(GPUS, 2))
    assert verbs(registry.plan())["b"] == "hold"


# GPUs at once


def test_a_launch_waits_for_gpus_and_starts_when_they_are_free(make: MakeRegistry) -> None:
    registry = make("gpus_at_once: 12", a=GPUS, b=rate(GPUS, 2), c=rate(SPEC, 3))
    plan = apply(registry)
    assert verbs(plan) == {"a": "launch", "b": "wait", "c": "launch"}
    waiting = registry.action("b")
    assert waiting.reason == (
        "new; 8 more would make 16 of 12 GPUs at once; it starts by itself when they are free"
    )
    assert waiting.lifted_by is None
    again = apply(registry)  # the same commit: nothing is free yet
    assert verbs(again)["b"] == "wait"
    assert use(again, "gpus_at_once") == (8, 0, 12)
    registry.advance(registry.action("a").run_id or "", state="ended", outcome="failed")
    freed = apply(registry)
    assert verbs(freed)["b"] == "launch"
    assert use(freed, "gpus_at_once") == (0, 8, 12)


def test_one_that_alone_is_over_waits_for_an_owner(make: MakeRegistry) -> None:
    registry = make("gpus_at_once: 12, owners: [alice, bob]", "forge: github\n", a=LARGER)
    action = registry.action("a")
    assert (action.action, action.lifted_by) == ("hold", "owner")
    assert action.reason == (
        "new; 16 more would make 16 of 12 GPUs at once; one of alice, bob may lift it: "
        "runner launch a"
    )


# Two at once


def test_two_applies_at_once_cannot_both_take_what_is_left(
    make_origin_and_clones: MakeOriginAndClones, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNNER_TRAIN_PYTHON", sys.executable)
    _, (first, second) = make_origin_and_clones(2)
    files = {
        f"experiments/{n}.yaml": rate(GPUS, r) + "launch: manual\n" for n, r in (("a", 1), ("b", 2))
    }
    one = PlannedRegistry.with_files(first, files)
    _, usd = forecast(one)
    one.commit({"registry.yaml": settings(f"usd_per_month: {usd * 1.5}")})
    git(first, "push", "--quiet", "origin", "HEAD:main")
    git(second, "pull", "--quiet", "origin", "main")
    two = PlannedRegistry(second)
    raced: list[Plan] = []

    def plan_while_the_other_claims(tree: Any, snapshot: Snapshot, *rest: Any, **more: Any) -> Any:
        planned = make_plan(tree, snapshot, *rest, **more)
        if not raced:
            raced.append(planned[0])
            with monkeypatch.context() as patch:
                patch.setattr(apply_module, "make_plan", make_plan)
                assert verbs(apply(one, launch_of("a"))) == {"a": "launch"}
        return planned

    monkeypatch.setattr(apply_module, "make_plan", plan_while_the_other_claims)
    last = apply(two, launch_of("b"))
    assert verbs(raced[0]) == {"b": "launch"}  # planned on what it saw, then somebody was faster
    assert verbs(last) == {"b": "hold"}
    assert use(last, "usd_per_month") == (usd, 0, usd * 1.5)
    assert list(two.snapshot.active()) == [one.action("a").run_id]


# Another attempt


def test_another_attempt_counts_too(make: MakeRegistry) -> None:
    registry = make(a=GPUS)
    _, usd = forecast(registry)
    registry.commit(
        {"registry.yaml": settings(f"usd_per_month: {usd * 1.5}, launches_per_apply: 1")}
    )
    [run_id] = registry.run(claimed_at=now(), outcome="failed")
    workspace = registry.workspace
    launcher = LocalLauncher(workspace.state)
    started = {"started_at": "2026-01-01T00:00:00Z", "ended_at": "2026-01-02T00:00:00Z"}
    registry.advance(run_id, cost_usd=usd, **started)
    with pytest.raises(
        Refused, match=r"\$[\d.]+ more would make \$[\d.]+ of \$[\d.]+ this month"
    ) as refused:
        retry(workspace, launcher, run_id)
    assert refused.value.cure == f"anyone may lift it: runner retry {run_id}"


def test_another_attempt_needs_free_gpus(make: MakeRegistry) -> None:
    registry = make("gpus_at_once: 8", a=GPUS)
    [run_id] = registry.run(outcome="failed")
    registry.commit(b=rate(GPUS, 2))
    registry.run("running")
    workspace = registry.workspace
    with pytest.raises(Refused, match="8 more would make 16 of 8 GPUs at once") as refused:
        retry(workspace, LocalLauncher(workspace.state), run_id)
    assert refused.value.cure == "try again when some have ended"
