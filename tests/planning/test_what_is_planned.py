"""What is planned, and against what: a work tree or a commit, what the others have run."""

import pytest
from plan_specs import FASTER, put
from planned_registry import SPEC, PlannedRegistry
from real_git import MakeOriginAndClones, git

from runner.errors import Refused


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
