"""A new registry's first pull request: the workflows that `runner init` has written plan it."""

from __future__ import annotations

import json
from pathlib import Path

from github_git import bare_git
from hosted_registry import HostedRegistry
from live_registry import script_spec
from stand_in_github import serving_github

from runner import __version__

REWARDED = """\
apiVersion: rollbook/v1
trainer: verl==0.9.1
model: {path: Qwen/Qwen2.5-0.5B, revision: 060db6499f32131f8b98477b0a26969cbf7d8987}
algorithm: {name: grpo, group_size: 4}
data: {train: data/sums.jsonl, max_prompt_tokens: 64, max_response_tokens: 64}
reward: reward/exact.py:compute_score
training: {steps: 2, prompts_per_step: 8, learning_rate: 1.0e-6}
"""
ROWS = "".join(
    json.dumps(
        {
            "data_source": "sums",
            "prompt": [{"role": "user", "content": f"1+{number}"}],
            "reward_model": {"ground_truth": str(number + 1)},
        }
    )
    + "\n"
    for number in range(16)
)


def test_the_plan_comes_as_comment_status_summary_and_artifact(hosted: HostedRegistry) -> None:
    pull = hosted.open({"first": script_spec(steps=2)})
    done = hosted.plan(pull)
    assert done.code == 0, done.log
    assert done.jobs == {"plan": "success", "reward-check": "skipped", "reward-report": "skipped"}
    assert done.installed == (f"plan rollbook[github]=={__version__}",)
    assert "launches 1 run" in hosted.plan_comment(pull)
    assert hosted.statuses(pull.head)["runner/plan"].state == "success"
    assert "first" in done.summary
    assert (done.artifacts["plan"] / "plan.json").is_file()


def test_the_rewards_of_new_runs_are_checked_by_a_job_that_has_nothing(
    hosted: HostedRegistry,
) -> None:
    pull = hosted.open({"sums": REWARDED, "data/sums.jsonl": ROWS})
    done = hosted.plan(pull)
    assert done.code == 0, done.log
    assert done.jobs == dict.fromkeys(("plan", "reward-check", "reward-report"), "success")
    assert [line.split()[0] for line in done.installed] == ["plan", "reward-report"]
    comment = hosted.plan_comment(pull)
    assert "<summary>Reward check" in comment
    assert "ground truth in required form" in comment
    assert "Reward check: running" not in comment


def test_the_request_that_brings_the_registry_is_passed_over(
    hosted: HostedRegistry, tmp_path: Path
) -> None:
    """Its base has neither a registry nor the action."""
    folder = hosted.github.repository.folder
    names = bare_git(folder, "ls-tree", "-r", "--name-only", "main").splitlines()
    files = {name: bare_git(folder, "show", f"main:{name}") + "\n" for name in names}
    with serving_github(tmp_path / "bare", "octo/empty") as github:
        github.commit({"README.md": "# Ours\n"})
        bringing = HostedRegistry(github, tmp_path / "passed")
        done = bringing.plan(bringing.open(files))
        assert (done.code, done.jobs["plan"]) == (0, "success"), done.log
        assert "plans begin once this is merged" in done.annotations[0]
        assert not done.installed
