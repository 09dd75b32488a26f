"""What is kept, whatever became of it, what has lost its spec, and what is refused."""

import pytest
from plan_specs import AFTER, FASTER, put
from planned_registry import SPEC
from real_git import git

from runner.ledger.record import Outcome

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
