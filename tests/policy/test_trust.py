"""Whose registry.yaml counts, and who may lift what it holds; what a run may know."""

from __future__ import annotations

import sys

import pytest
from planned_registry import SETTINGS, SPEC, PlannedRegistry
from policy_registry import (
    GPUS,
    LATER,
    MakeRegistry,
    apply,
    launch_of,
    rate,
    settings,
    use,
    verbs,
)
from real_git import MakeOriginAndClones, git

from runner.errors import Refused
from runner.forges.none import NoForge
from runner.launchers.local import LocalLauncher
from runner.ledger.draft import Draft
from runner.planning.actions import Action, Forced
from runner.policy.ceilings import held_still, is_owner, may_lift
from runner.policy.trust import in_force, trusted
from runner.retry import retry

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
