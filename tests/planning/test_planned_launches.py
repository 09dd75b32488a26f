"""What is launched, held, stale or waits, in real repositories with a real ledger."""

import re

import pytest
from plan_specs import AFTER, FASTER, put
from planned_registry import FILES, SETTINGS, SPEC

from runner.errors import Refused
from runner.planning.actions import Forced

# launch


def test_a_new_experiment_is_launched_once_per_seed_and_point(make):
    grid = put("matrix: {grid: {algorithm.group_size: [4, 8]}}\nseeds: [1, 2]")
    plan = make(x=grid).plan()
    assert [(one.action, one.reason, one.changes) for one in plan.actions] == [
        ("launch", "new", ())
    ] * 4
    assert [(one.seed, one.point) for one in plan.actions] == [
        (seed, {"algorithm.group_size": size}) for size in (4, 8) for seed in (1, 2)
    ]
    assert len({one.run_id for one in plan.actions}) == 4
    assert {(one.trainer, one.launcher) for one in plan.actions} == {("verl==0.9.1", "local")}


def test_an_edited_experiment_is_launched_with_what_changed(make):
    registry = make(x=SPEC)
    registry.run()
    registry.commit(x=put("budget: {usd_per_run: 5}", FASTER))
    action = registry.action()
    assert (action.action, action.reason) == ("launch", "learning_rate 1e-06 → 5e-07")
    told = {(one.field, one.old, one.new, one.bears_identity) for one in action.changes}
    assert told == {
        ("training.learning_rate", 1e-06, 5e-07, True),
        ("budget.usd_per_run", None, 5.0, False),
        ("budget.when_exceeded", None, "save_and_stop", False),
    }


def test_an_added_seed_launches_that_seed_alone(make):
    registry = make(x=put("seeds: [1, 2]"))
    registry.run()
    registry.commit(x=put("seeds: [1, 2, 3]"))
    assert [(one.seed, one.action) for one in registry.plan().actions] == [
        (1, "keep"), (2, "keep"), (3, "launch"),
    ]  # fmt: skip


def test_many_changes_are_counted(make):
    registry = make(x=SPEC)
    registry.run()
    many = "training: {steps: 3, prompts_per_step: 4, learning_rate: 0.1, warmup_steps: 1}"
    registry.commit(x=SPEC.replace(SPEC.splitlines()[-1], many))
    assert registry.action().reason == (
        "learning_rate 1e-06 → 0.1, prompts_per_step 8 → 4, steps 2 → 3, 1 more"
    )


def test_changes_are_told_against_what_it_stands_for_now_not_what_it_once_was(make):
    registry = make(x=SPEC)
    registry.run()
    for text in (FASTER, SPEC):
        registry.commit(x=text)
        registry.run()
    registry.commit(x=SPEC.replace("1.0e-6", "1.0e-5"))
    assert registry.action().reason == "learning_rate 1e-06 → 1e-05"


def test_a_null_that_takes_back_what_a_base_says_is_an_edit(make):
    base = SPEC.replace("steps: 2,", "steps: 2, save_every: 1,")
    registry = make(x="extends: bases/b\n", bases__b=base)
    registry.run()
    registry.commit(x="extends: bases/b\ntraining: {save_every: null}\n")
    assert registry.action().action == "launch"
    assert registry.action().reason == "save_every 1 → none"


# hold


def test_a_manual_experiment_is_held_until_somebody_launches_it(make):
    registry = make(x=put("launch: manual"))
    action = registry.action()
    assert action.action == "hold"
    assert action.reason == "new; launch: manual, lifted by runner launch x"
    assert action.lifted_by == "writer"
    assert registry.run() == []
    (forced,) = registry.forced(Forced(launch=frozenset({"x"})))
    assert (forced.action, forced.reason) == ("launch", "new")
    assert registry.forced(Forced(rerun=frozenset({"x"})))[0].action == "launch"


@pytest.mark.parametrize(
    "forced", [Forced(**{kind: frozenset({"y"})}) for kind in ("launch", "rerun", "only")]
)
def test_nothing_is_planned_for_a_name_that_is_not_there(make, forced):
    with pytest.raises(Refused, match="no experiment `y`"):
        make(x=SPEC).forced(forced)


def test_forcing_one_leaves_the_others_alone(make):
    registry = make(x=put("launch: manual"), y=put("launch: manual", FASTER), z=put("tags: [new]"))
    actions = registry.forced(Forced(launch=frozenset({"x"})))
    assert [(one.experiment, one.action) for one in actions] == [("x", "launch")]


# stale


CHANGED_INPUTS = {
    "data": ({"data/a.jsonl": "{}\n{}\n"}, r"training data git:\w{8} → git:\w{8}"),
    "reward": (
        {"reward/sums.py": FILES["reward/sums.py"] + "#\n"},
        r"reward/sums\.py git:\w{8} → git:\w{8}",
    ),
    "base": ({"experiments/bases/b.yaml": FASTER}, "learning_rate 1e-06 → 5e-07"),
    "environment": (
        {
            "registry.yaml": f"{SETTINGS}environments: {{verl==0.9.1: {{lock: lock.txt}}}}\n",
            "lock.txt": "verl==0.9.1\n",
        },
        r"environment none → git:\w{8}",
    ),
}


@pytest.mark.parametrize(("files", "why"), CHANGED_INPUTS.values(), ids=CHANGED_INPUTS)
def test_what_changes_under_an_unchanged_file_makes_it_stale(make, files, why):
    registry = make(x="extends: bases/b\n", bases__b=SPEC)
    (before,) = registry.run()
    registry.commit(files)
    action = registry.action()
    assert action.action == "stale"
    assert action.run_id != before
    assert_told(action.reason, rf"{why}; runner rerun x")
    (forced,) = registry.forced(Forced(rerun=frozenset({"x"})))
    assert forced.action == "launch"
    assert_told(forced.reason, why)


@pytest.mark.parametrize(("files", "why"), CHANGED_INPUTS.values(), ids=CHANGED_INPUTS)
def test_who_follows_the_inputs_is_launched_at_once(make, files, why):
    registry = make(x="extends: bases/b\nfollow_inputs: true\n", bases__b=SPEC)
    registry.run()
    registry.commit(files)
    assert registry.action().action == "launch"
    assert_told(registry.action().reason, why)


def assert_told(reason: str, pattern: str) -> None:
    assert re.fullmatch(pattern, reason), reason


def test_a_changed_file_that_nothing_reads_plans_nothing(make):
    registry = make(x=SPEC)
    registry.run()
    registry.commit({"reward/other.py": "x = 1\n", "README.md": "words\n"})
    assert registry.verbs() == {"x": ["keep"]}


def test_a_rerun_of_a_manual_experiment_lifts_both(make):
    registry = make(x=SPEC)
    registry.run()
    registry.commit(x=put("launch: manual"))
    assert registry.verbs() == {"x": ["keep"]}
    registry.run()
    registry.commit({"data/a.jsonl": "[]\n"})
    assert registry.verbs() == {"x": ["stale"]}
    assert registry.forced(Forced(rerun=frozenset({"x"})))[0].action == "launch"


# wait


def test_a_run_waits_for_the_run_that_it_starts_from(make):
    registry = make(up=put("launch: manual"), x=AFTER)
    upstream = registry.action("up").run_id
    assert registry.action("x").action == "wait"
    assert registry.action("x").reason == f"starts from up (run {upstream}), which has not run"

    registry.commit(up=SPEC)
    registry.run("running")
    assert registry.action("x").reason == f"starts from up (run {upstream}), which is running"

    registry.advance(upstream, state="ended", outcome="succeeded")
    assert registry.action("x").reason.endswith("which has left no checkpoint")

    registry.advance(upstream, checkpoint=f"md5:{'a' * 32}.dir")
    assert registry.action("x").action == "launch"


def test_a_run_waits_for_one_that_failed_to_be_retried(make):
    registry = make(up=SPEC)
    (upstream,) = registry.run(outcome="failed")
    registry.commit(x=AFTER)
    action = registry.action("x")
    assert action.action == "wait"
    assert action.reason.endswith(f"which ended failed; runner retry {upstream}")
