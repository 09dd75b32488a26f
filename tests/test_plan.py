"""What apply would do, in real repositories with a real ledger: every action, with its reason."""

import re
from collections.abc import Callable

import pytest
from planned_registry import FILES, SETTINGS, SPEC, PlannedRegistry
from real_git import MakeOriginAndClones, MakeRepository, git

from runner.errors import Refused
from runner.ledger.record import Outcome
from runner.planning.actions import Forced

FASTER = SPEC.replace("1.0e-6", "5.0e-7")
MakeRegistry = Callable[..., PlannedRegistry]


def put(line: str, text: str = SPEC) -> str:
    """Return the spec with one more line."""
    return f"{text}{line}\n"


@pytest.fixture
def make(make_repository: MakeRepository) -> MakeRegistry:
    """Return a function that makes a registry of specs, with a ledger in the same repository."""

    def make_registry(**specs: str) -> PlannedRegistry:
        files = {f"experiments/{name.replace('__', '/')}.yaml": t for name, t in specs.items()}
        return PlannedRegistry.with_files(make_repository(), files)

    return make_registry


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


AFTER = SPEC.replace("path: Qwen/Qwen2.5-0.5B, revision: 060db6499f32", "source: run, path: up")


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


# keep


@pytest.mark.parametrize("outcome", Outcome.__args__)
def test_an_identity_that_was_attempted_is_kept_whatever_came_of_it(make, outcome):
    registry = make(x=SPEC)
    (run_id,) = registry.run(outcome=outcome)
    cure = "" if outcome == "succeeded" else f"; runner retry {run_id}"
    action = registry.action()
    assert (action.action, action.reason) == ("keep", f"{outcome} 2026-01-02{cure}")


@pytest.mark.parametrize("state", ["claimed", "submitted", "waiting", "running"])
def test_an_identity_that_is_going_on_is_kept(make, state):
    registry = make(x=SPEC)
    registry.run(state)
    action = registry.action()
    assert (action.action, action.reason) == ("keep", state)


def test_going_there_and_back_keeps(make):
    registry = make(x=SPEC)
    (first,) = registry.run()
    registry.commit(x=FASTER)
    (second,) = registry.run()
    assert first != second
    registry.commit(x=SPEC)
    assert (registry.action().action, registry.action().run_id) == ("keep", first)


def test_rewriting_every_spec_in_other_words_plans_nothing(make):
    registry = make(x=SPEC, folder__y=put("seeds: [1, 2]", FASTER))
    registry.run()
    again = "\n".join(["# again", *reversed(SPEC.splitlines())]).replace("1.0e-6", "0.000001")
    registry.commit(
        x=again + "\n", folder__y=put("seeds: [1, 2]", FASTER).replace("5.0e-7", "5e-7")
    )
    assert registry.verbs() == {"folder/y": ["keep", "keep"], "x": ["keep"]}


def test_a_renamed_experiment_is_kept_and_noted(make):
    registry = make(x=SPEC)
    (run_id,) = registry.run()
    git(registry.folder, "mv", "experiments/x.yaml", "experiments/y.yaml")
    registry.commit()
    action = registry.action()
    assert (action.experiment, action.action, action.run_id) == ("y", "keep", run_id)
    assert action.reason == "succeeded 2026-01-02 as x"


def test_two_files_of_one_identity_share_a_run(make):
    registry = make(a=SPEC, b=put("description: the same"), c=SPEC)
    actions = registry.plan().actions
    assert [(one.experiment, one.action) for one in actions] == [
        ("a", "launch"), ("b", "keep"), ("c", "keep"),
    ]  # fmt: skip
    assert actions[1].reason == "the same run as that of a, launched once"
    assert len({one.run_id for one in actions}) == 1
    assert len(registry.run()) == 1
    assert registry.verbs() == {"a": ["keep"], "b": ["keep"], "c": ["keep"]}


def test_a_held_file_shares_the_run_that_another_launches(make):
    registry = make(a=put("launch: manual"), b=SPEC)
    assert registry.verbs() == {"a": ["keep"], "b": ["launch"]}


# orphan


def test_a_run_whose_spec_is_gone_goes_on_and_is_shown(make):
    registry = make(x=SPEC, y=FASTER)
    registry.run("running", step=40, steps=100, cost_usd=12.5)
    registry.remove("x")
    action = registry.action("x")
    assert (action.action, action.seed) == ("orphan", 1)
    assert action.reason == (
        "its spec is gone, running at step 40 of 100, $12.50 spent; "
        f"it goes on; runner cancel {action.run_id}"
    )


def test_an_ended_run_is_no_orphan(make):
    registry = make(x=SPEC)
    registry.run()
    registry.remove("x")
    assert registry.plan().actions == ()


@pytest.mark.parametrize(
    ("line", "fate"),
    [("when_edited: let_finish", "it goes on; runner cancel "),
     ("when_edited: cancel_running", "it is cancelled")],
)  # fmt: skip
def test_an_edit_says_what_becomes_of_the_run_before(make, line, fate):
    registry = make(x=SPEC)
    (before,) = registry.run("running", step=7)
    registry.commit(x=put(line, FASTER))
    launched, orphan = registry.plan().actions
    assert launched.action == "launch"
    assert (orphan.action, orphan.run_id) == ("orphan", before)
    assert orphan.reason.startswith(f"its spec was edited, running at step 7; {fate}")


def test_a_run_whose_spec_is_refused_is_not_called_gone(make):
    registry = make(x=SPEC)
    registry.run("running")
    registry.commit(x=put("nonsense: 1"))
    refused, orphan = registry.plan().actions
    assert (refused.action, orphan.action) == ("refuse", "orphan")
    assert orphan.reason.startswith("its spec is refused as it is now, running at step 0")


# refuse


REFUSED = {
    "a key": (put("trianing: 1"), "spec.unknown_key"),
    "a rule": (put("secrets: [HF_TOKEN]"), "policy.secrets"),
    "data": (SPEC.replace("data/a.jsonl", "data/none.jsonl"), "data.known"),
    "the run it starts from": (AFTER, "model.source"),
    "a base that is not there": ("extends: bases/none\n", "spec.extends"),
}


@pytest.mark.parametrize(("text", "rule"), REFUSED.values(), ids=REFUSED)
def test_a_refused_experiment_blocks_itself_alone(make, text, rule):
    registry = make(a=text, b=FASTER)
    refused, launched = sorted(registry.plan().actions, key=lambda one: one.experiment)
    assert (refused.action, refused.run_id, launched.action) == ("refuse", None, "launch")
    errors = [one for one in refused.findings if one.level == "error"]
    assert refused.reason == errors[0].message
    assert (errors[0].path, errors[0].rule) == ("experiments/a.yaml", rule)
    assert errors[0].cure


def test_what_dvc_does_not_know_by_content_is_refused_with_the_reason(make):
    registry = make(x=SPEC.replace("data/a.jsonl", "data/b.jsonl"))
    registry.commit({"data/b.jsonl.dvc": "outs: [{path: b.jsonl, hash: etag, etag: x}]\n"})
    assert registry.action().action == "refuse"
    assert "by etag of where it was imported from" in registry.action().reason


# What is planned, and against what


def test_the_work_tree_is_planned_and_says_so(make):
    registry = make(x=SPEC)
    registry.run()
    plan = registry.plan()
    assert (plan.uncommitted, plan.head) == (False, git(registry.folder, "rev-parse", "HEAD"))
    registry.write(x=FASTER)
    assert registry.plan().uncommitted
    assert registry.verbs() == {"x": ["launch"]}


def test_a_commit_is_planned_as_it_is_whatever_lies_in_the_work_tree(make):
    registry = make(x=SPEC)
    registry.run()
    first = registry.plan().head
    second = registry.commit(x=FASTER)
    registry.write(x="]")
    plan = registry.plan(head=first)
    assert (plan.head, plan.uncommitted) == (first, False)
    assert [one.action for one in plan.actions] == ["keep"]
    assert [one.action for one in registry.plan(head="HEAD").actions] == ["launch"]
    assert registry.plan(head=second[:10]).head == second
    with pytest.raises(Refused, match="no commit"):
        registry.plan(head="nowhere")


def test_only_some_are_shown(make):
    registry = make(x=SPEC, folder__y=FASTER, bases__b=SPEC)
    for name in ("folder/y", "experiments/folder/y.yaml", "./experiments/folder/y.yaml"):
        assert [one.experiment for one in registry.plan(only=(name,)).actions] == ["folder/y"]
    for wrong in ("z", "bases/b", "../x"):
        with pytest.raises(Refused):
            registry.plan(only=(wrong,))


def test_a_refused_one_can_be_asked_for(make):
    assert make(x="]").plan(only=("x",)).actions[0].action == "refuse"


def test_the_same_state_has_the_same_digest_and_another_has_another(make):
    registry = make(x=SPEC)
    first = registry.plan().digest
    assert registry.plan().digest == registry.plan(head="HEAD").digest == first
    registry.run()
    assert registry.plan().digest != first


def test_a_plan_is_the_same_from_the_work_tree_and_from_the_commit(make):
    registry = make(x=SPEC, y=put("launch: manual", FASTER), z="]")
    assert registry.plan().actions == registry.plan(head="HEAD").actions


SCRIPT = """\
apiVersion: rollbook/v1
trainer: script
script: {command: [python, lib/train.py], files: [lib]}
training: {steps: 2, prompts_per_step: 8, learning_rate: 0.1}
"""


def test_files_that_git_ignores_are_no_part_of_a_run(make):
    registry = make(x=SCRIPT)
    registry.commit({"lib/train.py": "x = 1\n", ".gitignore": "/.rollbook/\n*.log\n"})
    before = registry.action().run_id
    (registry.folder / "lib/noise.log").write_text("noise")
    assert registry.action().run_id == before


def test_settings_that_are_not_committed_yet_are_planned_with(make):
    registry = make(x=SPEC)
    git(registry.folder, "rm", "--quiet", "--cached", "registry.yaml")
    git(registry.folder, "commit", "--quiet", "--message", "without settings")
    assert registry.verbs() == {"x": ["launch"]}


# With a remote


def test_clones_see_what_the_others_have_run(make_origin_and_clones: MakeOriginAndClones):
    _, (first, second) = make_origin_and_clones(2)
    one = PlannedRegistry.with_files(first, {"experiments/x.yaml": SPEC})
    git(first, "push", "--quiet", "origin", "HEAD:main")
    git(second, "pull", "--quiet", "origin", "main")
    two = PlannedRegistry(second)
    assert one.verbs() == two.verbs() == {"x": ["launch"]}
    (run_id,) = one.run("running", step=3)
    assert (two.action().action, two.action().run_id) == ("keep", run_id)
    two.commit(x=FASTER)
    assert two.verbs() == {"x": ["launch", "orphan"]}


def test_a_remote_that_does_not_answer_leaves_the_last_known(
    make_origin_and_clones: MakeOriginAndClones, capsys: pytest.CaptureFixture[str]
):
    origin, (folder,) = make_origin_and_clones(1)
    registry = PlannedRegistry.with_files(folder, {"experiments/x.yaml": SPEC})
    registry.run()
    origin.rename(origin.with_name("gone.git"))
    assert [one.action for one in registry.plan().actions] == ["keep"]
    told = capsys.readouterr()
    assert "does not answer" in told.err
    assert told.out == ""
