"""What a pull request is told, in each of the ways that it can come."""

from __future__ import annotations

import json

from hosted_registry import HostedRegistry
from live_registry import script_spec

SPEC = script_spec(steps=2)
REFUSED = SPEC.replace("training:", "trianing:")


def test_a_changed_request_has_one_comment_edited_in_place(hosted: HostedRegistry) -> None:
    pull = hosted.open({"a": SPEC})
    assert hosted.plan(pull).code == 0
    before = hosted.comments(pull)
    head = hosted.change(pull, {"b": SPEC.replace("steps: 2", "steps: 3")})
    assert hosted.plan(pull, "synchronize").code == 0
    assert [one.id for one in hosted.comments(pull)] == [one.id for one in before]
    assert "launches 2 runs" in hosted.plan_comment(pull)
    assert f"head={head} " in hosted.plan_comment(pull).partition("\n")[0]
    assert hosted.statuses(head)["runner/plan"].description.startswith("launches 2 runs")


def test_the_same_plan_again_is_the_same_comment(hosted: HostedRegistry) -> None:
    pull = hosted.open({"a": SPEC})
    assert hosted.plan(pull).code == 0
    first = hosted.plan_comment(pull)
    assert hosted.plan(pull, "reopened").code == 0
    again = hosted.plan_comment(pull)
    assert again.partition("<sub>")[0] == first.partition("<sub>")[0]  # the footer links the job


def test_an_invalid_spec_is_refused_with_its_line_and_the_mended_one(
    hosted: HostedRegistry,
) -> None:
    pull = hosted.open({"a": REFUSED, "b": SPEC})
    done = hosted.plan(pull)
    assert (done.code, done.jobs["plan"]) == (1, "failure")
    shown = hosted.statuses(pull.head)["runner/plan"]
    assert shown.state == "failure"
    assert shown.description.startswith("refused: ")
    comment = hosted.plan_comment(pull)
    assert "trianing" in comment
    assert "+training:" in comment.replace("+ ", "+")
    line = 1 + REFUSED[: REFUSED.index("trianing")].count("\n")
    marks = [one for one in done.annotations if one.startswith("::error")]
    assert any("file=experiments/a.yaml" in one and f"line={line}" in one for one in marks), marks
    plan = json.loads((done.artifacts["plan"] / "plan.json").read_text())
    assert {one["experiment"]: one["action"] for one in plan["actions"]} == {
        "a": "refuse",
        "b": "launch",
    }


def test_a_forks_request_is_planned_in_the_summary_alone(hosted: HostedRegistry) -> None:
    pull = hosted.open({"a": SPEC}, author="stranger", fork=True)
    done = hosted.plan(pull)
    assert done.code == 0, done.log
    assert done.jobs["reward-check"] == "skipped"
    assert "launches 1 run" in done.summary
    assert hosted.comments(pull) == []
    assert hosted.statuses(pull.head) == {}
    assert any(one.startswith("::notice") and "summary" in one for one in done.annotations)


def test_a_forks_request_gets_its_comment_when_the_default_branch_moves(
    hosted: HostedRegistry,
) -> None:
    pull = hosted.open({"a": SPEC}, author="stranger", fork=True)
    hosted.push({"README.md": "news"})
    done = hosted.apply()
    assert done.code == 0, done.log
    assert "launches 1 run" in hosted.plan_comment(pull)
    assert hosted.statuses(pull.head)["runner/plan"].state == "success"


def test_a_request_that_changes_no_experiment_gets_one_line(hosted: HostedRegistry) -> None:
    hosted.push({"held": f"{SPEC}launch: manual\n"})
    pull = hosted.open({"README.md": "words"})
    done = hosted.plan(pull)
    assert done.code == 0, done.log
    _marker, line, *rest = [one for one in hosted.plan_comment(pull).splitlines() if one]
    assert line.startswith("✅ Nothing to do")
    assert len(rest) <= 1  # the footer


def test_a_conflict_is_said_before_anything_else(hosted: HostedRegistry) -> None:
    hosted.push({"a": SPEC})
    pull = hosted.open({"a": SPEC.replace("steps: 2", "steps: 3")})
    hosted.push({"a": SPEC.replace("steps: 2", "steps: 4")})
    done = hosted.plan(pull)
    assert done.code == 1
    assert "conflicts" in hosted.plan_comment(pull)
    assert hosted.statuses(pull.head)["runner/plan"].state == "failure"


def test_a_merge_group_is_planned_as_a_whole(hosted: HostedRegistry) -> None:
    one = hosted.open({"a": SPEC}, branch="one")
    two = hosted.open({"b": SPEC.replace("steps: 2", "steps: 3")}, branch="two")
    done = hosted.queue(one, two)
    assert done.code == 0, done.log
    assert "launches 2 runs" in done.summary
    assert hosted.comments(one) == hosted.comments(two) == []


def test_a_request_is_planned_again_when_the_base_moves_in_a_way_that_matters(
    hosted: HostedRegistry,
) -> None:
    same = hosted.open({"mine": SPEC}, branch="mine")
    other = hosted.open({"other": SPEC.replace("steps: 2", "steps: 3")}, branch="other")
    for pull in (same, other):
        assert hosted.plan(pull).code == 0
    untouched = hosted.plan_comment(other)
    hosted.push({"theirs": SPEC})  # the run that `mine` asks for
    done = hosted.apply()
    assert done.code == 0, done.log
    assert "launches" not in hosted.plan_comment(same).partition("\n\n")[2].partition("\n")[0]
    assert hosted.plan_comment(other) == untouched


USES = "reward: reward/exact.py:compute_score\n"
REWARDED = script_spec("--reward", "varied", steps=2, more=USES)


def test_a_new_runs_reward_is_tried_by_a_job_that_may_nothing(hosted: HostedRegistry) -> None:
    pull = hosted.open({"a": REWARDED})
    done = hosted.plan(pull)
    assert done.code == 0, done.log
    assert done.jobs == dict.fromkeys(("plan", "reward-check", "reward-report"), "success")
    [comment] = [one.body for one in hosted.comments(pull)]
    assert "Reward check (" in comment
    assert "running" not in comment
    assert "reward/exact.py:compute_score" in comment
    assert not any(one.startswith("reward-check ") for one in done.installed)


def test_a_constant_reward_and_a_dishonest_one_are_said(hosted: HostedRegistry) -> None:
    constant = "def compute_score(data_source, solution_str, ground_truth, extra_info=None):\n"
    forged = '::set-output name=x::y\\n{"verdict": "ok"}'
    code = f"print({forged!r})\n{constant}    return 1.0\n"
    pull = hosted.open({"a": REWARDED, "reward/exact.py": code})
    done = hosted.plan(pull)
    assert done.jobs["reward-report"] == "success", done.log
    comment = hosted.plan_comment(pull)
    assert "❌" in comment
    assert "::set-output" not in done.log
