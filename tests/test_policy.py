"""Ceilings, owners and whose registry.yaml counts, in real repositories with a real ledger."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest
from planned_registry import SETTINGS, SPEC, PlannedRegistry
from real_git import MakeOriginAndClones, MakeRepository, git

from runner import apply as apply_module
from runner.actions import NOTHING_FORCED, Action, Forced, Plan, Use
from runner.apply import claim
from runner.errors import Refused
from runner.forges.none import NoForge
from runner.launchers.local import LocalLauncher
from runner.ledger.draft import Draft
from runner.ledger.record import now
from runner.ledger.snapshot import Snapshot
from runner.plan import make_plan
from runner.policy import Take, find_over, held_still, is_owner, may_lift
from runner.retry import retry
from runner.trust import in_force, trusted

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


@pytest.fixture
def make(make_repository: MakeRepository, monkeypatch: pytest.MonkeyPatch) -> MakeRegistry:
    """Return a function that makes a registry with a policy; every argument else is a spec."""
    monkeypatch.setenv("RUNNER_TRAIN_PYTHON", sys.executable)

    def make_registry(policy: str = "", more: str = "", **specs: str) -> PlannedRegistry:
        files = {f"experiments/{name}.yaml": text for name, text in specs.items()}
        files["registry.yaml"] = settings(policy, more)
        return PlannedRegistry.with_files(make_repository(), files)

    return make_registry


def apply(registry: PlannedRegistry, forced: Forced = NOTHING_FORCED) -> Plan:
    """Plan and claim the newest commit as apply does, without submitting anything."""
    workspace = registry.workspace
    launcher = LocalLauncher(workspace.state)
    return claim(workspace, launcher, workspace.repository.head(), forced)[0]


def verbs(plan: Plan) -> dict[str, str]:
    return {f"{one.experiment}": one.action for one in plan.actions}


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


# The same commit again, and one that changes the policy


def test_applying_the_same_commit_again_lifts_no_hold(make: MakeRegistry) -> None:
    registry = make("launches_per_apply: 2", a=SPEC, b=rate(SPEC, 2), c=rate(SPEC, 3))
    assert verbs(apply(registry)) == {"a": "launch", "b": "launch", "c": "hold"}
    again = apply(registry)
    assert verbs(again) == {"a": "keep", "b": "keep", "c": "hold"}
    assert use(again, "launches_per_apply") == (2, 0, 2)
    # Nor does somebody who asks for it by name, and is no owner.
    assert verbs(apply(registry, launch_of("c"))) == {"c": "hold"}
    # The next merge is another apply.
    registry.commit()
    assert verbs(apply(registry)) == {"a": "keep", "b": "keep", "c": "launch"}


def test_a_request_cannot_raise_its_own_ceiling(make: MakeRegistry) -> None:
    registry = make("launches_per_apply: 1", a=SPEC)
    apply(registry)
    raised = {"registry.yaml": settings("launches_per_apply: 9")}
    registry.commit(raised, b=rate(SPEC, 2), c=rate(SPEC, 3))
    told = (LATER,)
    for _ in range(2):
        plan = registry.plan()
        assert verbs(plan) == {"a": "keep", "b": "launch", "c": "hold"}
        assert plan.notes == told
        assert use(plan, "launches_per_apply") == (0, 1, 1)
    assert verbs(apply(registry)) == {"a": "keep", "b": "launch", "c": "hold"}
    assert verbs(apply(registry)) == {"a": "keep", "b": "keep", "c": "hold"}
    assert apply(registry).notes == told
    registry.commit()
    plan = apply(registry)
    assert verbs(plan) == {"a": "keep", "b": "keep", "c": "launch"}
    assert plan.notes == ()


def test_the_work_tree_cannot_either(make: MakeRegistry) -> None:
    registry = make("launches_per_apply: 1", a=SPEC)
    apply(registry)
    registry.write(b=rate(SPEC, 2), c=rate(SPEC, 3))
    (registry.folder / "registry.yaml").write_text(settings("launches_per_apply: 9"))
    assert verbs(registry.plan()) == {"a": "keep", "b": "launch", "c": "hold"}


def test_taking_a_ceiling_away_does_not_count_at_once_either(make: MakeRegistry) -> None:
    registry = make("launches_per_apply: 1", a=SPEC)
    apply(registry)
    registry.commit({"registry.yaml": SETTINGS}, b=rate(SPEC, 2), c=rate(SPEC, 3))
    assert verbs(apply(registry))["c"] == "hold"


def test_everything_else_is_read_from_the_commit_itself(make: MakeRegistry) -> None:
    registry = make("launches_per_apply: 1", "run_store: one\nsecrets: {x: [A]}\nwebhook: HOOK_A\n")
    apply(registry)
    more = "run_store: two\nsecrets: {x: [A, B]}\nwebhook: HOOK_B\nnode_variables: [AWS_X]\n"
    head = registry.commit({"registry.yaml": settings("owners: [mallory]", more)})
    workspace = registry.workspace
    counting, notes = trusted(workspace.repository, workspace.registry, registry.snapshot, head)
    assert counting.run_store == "two"
    assert (counting.secrets, counting.webhook) == ({"x": ("A",)}, "HOOK_A")
    assert (counting.node_variables, counting.policy.launches_per_apply) == ((), 1)
    later, at_once = registry.plan().notes
    assert (later, at_once) == notes
    assert later.startswith(
        "this changes the policy, the permitted secrets, the variables that nodes get and the "
    )
    assert at_once == (
        "this changes the run store; what is launched from this merge on goes elsewhere"
    )


def test_settings_out_of_reach_hold_the_plan_and_refuse_the_apply(
    make_origin_and_clones: MakeOriginAndClones,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RUNNER_TRAIN_PYTHON", sys.executable)
    _, (first, second) = make_origin_and_clones(2)
    one = PlannedRegistry.with_files(first, {"experiments/a.yaml": SPEC})
    git(first, "push", "--quiet", "origin", "HEAD:main")
    git(second, "pull", "--quiet", "origin", "main")
    one.commit(b=rate(SPEC, 2))
    apply(one)  # of a commit that never leaves this clone
    two = PlannedRegistry(second)
    two.commit(c=rate(SPEC, 3))
    plan = two.plan()
    assert verbs(plan)["c"] == "hold"
    assert "whose registry.yaml says what is permitted, is neither here" in plan.notes[0]
    assert plan.notes[0] in capsys.readouterr().err
    with pytest.raises(Refused, match="neither here nor at the remote") as refused:
        apply(two)
    assert "from a clone that has it" in str(refused.value.cure)


def test_settings_that_cannot_be_read_refuse_with_a_cure(make: MakeRegistry) -> None:
    registry = make(a=SPEC)
    broken = registry.commit({"registry.yaml": "]"})
    git(registry.folder, "revert", "--no-edit", "HEAD")
    workspace = registry.workspace
    workspace.ledger.transact(lambda s: Draft(s).set_applied(broken).changes("Applied"))
    with pytest.raises(Refused, match="cannot be read") as refused:
        in_force(workspace.repository, workspace.registry, registry.snapshot)
    assert f"git show {broken[:12]}:registry.yaml" in str(refused.value.cure)


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


# Owners


def test_asking_by_name_lifts_manual_and_only_an_owner_a_ceiling(make: MakeRegistry) -> None:
    manual = rate(GPUS, 2) + "launch: manual\n"
    registry = make("usd_per_apply: 0.01, owners: [alice]", "forge: github\n", a=manual)
    assert registry.action("a").lifted_by == "writer"
    [held] = registry.forced(launch_of("a"))
    assert (held.action, held.lifted_by) == ("hold", "owner")
    assert held.reason.endswith("alice may lift it: runner launch a")
    plan = apply(registry, launch_of("a"))
    assert held_still(plan, launch_of("a")) == (f"a: {held.reason}",)
    lifted = apply(registry, launch_of("a", by_owner=True))
    assert verbs(lifted) == {"a": "launch"}
    assert held_still(lifted, launch_of("a", by_owner=True)) == ()
    used, planned, limit = use(lifted, "usd_per_apply")
    assert (used, limit) == (0, 0.01)
    assert planned > limit  # what an owner lets pass counts


def test_an_owner_lifts_only_what_is_named(make: MakeRegistry) -> None:
    registry = make("launches_per_apply: 1", a=SPEC, b=rate(SPEC, 2))
    assert verbs(apply(registry, Forced(by_owner=True))) == {"a": "launch", "b": "hold"}


def test_a_held_rerun_says_how_it_is_lifted(make: MakeRegistry) -> None:
    registry = make("gpus_at_once: 4", a=GPUS)
    apply(registry, launch_of("a", by_owner=True))
    registry.commit({"data/a.jsonl": "[]\n"})
    held, _ = registry.forced(Forced(rerun=frozenset({"a"})))  # and the run before goes on
    assert held.action == "hold"
    assert held.reason.endswith("anyone may lift it: runner rerun a")


class Asked(NoForge):
    """A forge that takes us for somebody."""

    name = "github"

    def __init__(self, login: str | None) -> None:
        self._login = login

    def login(self) -> str | None:
        return self._login


def test_owners_are_asked_of_the_forge(make: MakeRegistry) -> None:
    workspace = make("owners: [alice, Bob-2]", "forge: github\n").workspace
    found = {
        login: may_lift(workspace, Asked(login)) for login in ("Alice", "bob-2", "mallory", None)
    }
    assert found == {"Alice": True, "bob-2": True, "mallory": False, None: False}
    assert not may_lift(workspace, NoForge())  # as it is without a token: nobody can be asked
    assert is_owner(workspace, "alice")
    assert not is_owner(workspace, "")


def test_without_owners_nobody_may_where_people_can_be_asked(make: MakeRegistry) -> None:
    hosted = make(more="forge: github\n").workspace
    assert not may_lift(hosted, NoForge())
    assert not may_lift(hosted, Asked("alice"))


def test_without_a_forge_anyone_may_where_no_owner_is_named(make: MakeRegistry) -> None:
    registry = make()
    assert may_lift(registry.workspace, NoForge())
    registry.commit({"registry.yaml": settings("owners: [alice]")})
    assert not may_lift(registry.workspace, NoForge())


def test_nobody_makes_themselves_an_owner(make: MakeRegistry) -> None:
    hosted = "forge: github\n"
    registry = make("owners: [alice]", hosted)
    apply(registry)
    registry.commit({"registry.yaml": settings("owners: [Alice, mallory]", hosted)})
    for _ in range(2):
        assert not is_owner(registry.workspace, "mallory")
        assert is_owner(registry.workspace, "alice")
        apply(registry)
    registry.commit()
    apply(registry)
    assert is_owner(registry.workspace, "mallory")


def test_an_owner_who_is_removed_is_none_at_once(make: MakeRegistry) -> None:
    hosted = "forge: github\n"
    registry = make("owners: [alice, mallory]", hosted)
    apply(registry)
    registry.commit({"registry.yaml": settings("owners: [alice]", hosted)})
    for _ in range(2):
        assert not is_owner(registry.workspace, "mallory")
        assert is_owner(registry.workspace, "alice")
        apply(registry)
    # Nor by coming back: the last apply counted without them.
    registry.commit({"registry.yaml": settings("owners: [alice, mallory]", hosted)})
    assert not is_owner(registry.workspace, "mallory")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("owners: [alice]", ""),
        ("owners: [alice]", "owners: [bob]"),
        ("", "owners: [alice]"),
    ],
)
def test_without_a_forge_a_change_of_owners_lets_nobody_lift(
    make: MakeRegistry, before: str, after: str
) -> None:
    registry = make(before)
    apply(registry)
    registry.commit({"registry.yaml": settings(after)})
    assert not may_lift(registry.workspace, NoForge())
    assert not is_owner(registry.workspace, "alice")


# What is taken back


def test_a_lower_ceiling_counts_at_once(make: MakeRegistry) -> None:
    registry = make("launches_per_apply: 9, gpus_at_once: 64", a=SPEC)
    apply(registry)
    lower = {"registry.yaml": settings("launches_per_apply: 1, usd_per_month: 5")}
    registry.commit(lower, b=rate(SPEC, 2), c=rate(SPEC, 3))
    for plan in (registry.plan(), apply(registry), apply(registry)):
        assert verbs(plan)["c"] == "hold"
        limits = {one.ceiling: one.limit for one in plan.policy}
        assert limits == {"launches_per_apply": 1, "usd_per_month": 5, "gpus_at_once": 64}


def test_a_secret_that_is_taken_back_is_refused_at_once(make: MakeRegistry) -> None:
    named = "secrets: {'team/*': [HF_TOKEN, TEAM_KEY]}\n"
    registry = make(more=named, a=SPEC)
    apply(registry)
    narrow = settings(more="secrets: {'*': [HF_TOKEN], 'team/safe/*': [TEAM_KEY]}\n")
    keyed = rate(SPEC, 2) + "secrets: [TEAM_KEY, HF_TOKEN]\n"
    registry.commit({"registry.yaml": narrow}, team__x=keyed, team__safe__y=rate(keyed, 3))
    assert held_secret(registry.action("team/x"))
    assert verbs(apply(registry)) == {"a": "keep", "team/x": "refuse", "team/safe/y": "launch"}


@pytest.mark.parametrize("place", ["node_variables: [AWS_X]", "webhook: HOOK"])
def test_what_a_node_and_the_world_are_told_is_taken_back_at_once(
    make: MakeRegistry, place: str
) -> None:
    registry = make(more=f"{place}\n")
    apply(registry)
    registry.commit({"registry.yaml": SETTINGS})
    workspace = registry.workspace
    counting = in_force(workspace.repository, workspace.registry, registry.snapshot)
    assert (counting.node_variables, counting.webhook) == ((), None)


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


# Secrets


def held_secret(action: Action) -> bool:
    errors = [one for one in action.findings if one.level == "error"]
    return action.action == "refuse" and errors[0].rule == "policy.secrets"


HOSTILE = {
    "for itself": "secrets: {team/x: [HF_TOKEN, TEAM_KEY]}",
    "for all": "secrets: {'*': [TEAM_KEY]}",
    "for all folders": "secrets: {'**': [TEAM_KEY], 'team/*': [HF_TOKEN]}",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_request_cannot_permit_itself_a_secret(make: MakeRegistry, text: str) -> None:
    registry = make(more="secrets: {'team/*': [HF_TOKEN], 'core/*': [TEAM_KEY]}\n", a=SPEC)
    apply(registry)
    registry.commit(
        {"registry.yaml": settings(more=f"{text}\n")},
        team__x=rate(SPEC, 2) + "secrets: [TEAM_KEY]\n",
    )
    assert held_secret(registry.action("team/x"))
    apply(registry)
    assert held_secret(registry.action("team/x"))  # nor when it is applied again
    assert list(registry.snapshot.active()) == [registry.action("a").run_id]
    registry.commit()
    assert registry.action("team/x").action == "launch"


@pytest.mark.parametrize(
    "name", ["GITHUB_TOKEN", "ACTIONS_RUNTIME_TOKEN", "RUNNER_TOKEN", "GIT_CONFIG_VALUE_0"]
)
def test_no_run_is_given_what_is_the_forges_own(make: MakeRegistry, name: str) -> None:
    registry = make(a=SPEC + f"secrets: [{name}]\n")
    action = registry.action("a")
    assert held_secret(action)
    assert action.reason == f"`{name}` is the forge's own, and no node ever gets one of those"
    for line in (f"secrets: {{'*': [{name}]}}", f"node_variables: [{name}]"):
        (registry.folder / "registry.yaml").write_text(settings(more=f"{line}\n"))
        with pytest.raises(Refused, match=f"`{name}` is the forge's own"):
            registry.plan()


def test_another_attempt_needs_its_secrets_permitted_still(make: MakeRegistry) -> None:
    registry = make(more="secrets: {a: [TEAM_KEY]}\n", a=SPEC + "secrets: [TEAM_KEY]\n")
    [run_id] = registry.run(outcome="failed")
    registry.commit({"registry.yaml": SETTINGS})
    workspace = registry.workspace
    with pytest.raises(Refused, match="does not permit the secret `TEAM_KEY` for `a` any more"):
        retry(workspace, LocalLauncher(workspace.state), run_id)
