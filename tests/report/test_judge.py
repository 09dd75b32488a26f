from __future__ import annotations

from typing import Any

import pytest
from report_values import FAILED, make_curves, make_evidence, make_spec

from runner.report.advice import SIGNS, advise
from runner.report.curves import Curves, read_curves
from runner.report.judge import judge, judge_expectations

REWARD = {"calls": 640, "failures": 0, "lowest": 0.0, "highest": 1.0, "sha256": "a" * 64}


def reward(**changes: Any) -> dict[str, Any]:
    return {"reward": {**REWARD, **changes}}


@pytest.mark.parametrize(
    ("evidence", "outcome", "reason"),
    [
        ({}, "succeeded", ""),
        (FAILED, "failed", "failed at step 7 of 20: out of GPU memory"),
        ({"exit_code": 2}, "failed", "failed at step 20 of 20: the trainer exited 2"),
        (
            {"exit_code": -9},
            "failed",
            "failed at step 20 of 20: a process died or was killed from outside",
        ),
        ({"exit_code": None, "last_step": 0}, "failed", "the trainer never started"),
        (
            {"stopped": "time_limit", "exit_code": -15, "last_step": 3},
            "failed",
            "stopped at step 3 of 20: it was over its time limit of 1 d",
        ),
        (
            {"stopped": "budget", "exit_code": -15, "last_step": 13},
            "over_budget",
            "stopped at step 13 of 20: its budget goes no further",
        ),
        ({"stopped": "cancelled", "last_step": 3}, "cancelled", "cancelled at step 3 of 20"),
        (
            {"stopped": "reward", "exit_code": -15, **reward(highest=0.0)},
            "failed",
            "every answer got reward 0.0: the policy has nothing to learn from",
        ),
        ({"last_step": 12}, "under_trained", "exited 0 after 12 of 20 steps"),
        ({"reward": None}, "failed", "the declared reward function was never called"),
        (
            reward(calls=0, lowest=None, highest=None),
            "failed",
            "the declared reward function was never called",
        ),
        (
            reward(failures=640, lowest=None, highest=None),
            "failed",
            "the reward function raised in all of 640 calls",
        ),
        (
            reward(lowest=0.25, highest=0.25),
            "failed",
            "every answer got reward 0.25: the policy has nothing to learn from",
        ),
        (reward(failures=639), "succeeded", ""),
        ({"checkpoint_step": None}, "failed", "no checkpoint was found"),
        (
            {"checkpoint_step": 10},
            "failed",
            "the newest checkpoint is of step 10, and training went to 20",
        ),
        ({"checkpoint_md5": None}, "failed", "the last checkpoint was not exported"),
    ],
)
def test_each_outcome(evidence: dict[str, Any], outcome: str, reason: str) -> None:
    ending = judge(make_spec(), make_evidence(**evidence), make_curves())
    assert (ending.outcome, ending.reason) == (outcome, reason)
    assert bool(ending.cure) == (outcome not in ("succeeded", "cancelled"))


def test_a_shutdown_is_no_cancellation() -> None:
    evidence = make_evidence(stopped="signal", exit_code=-15, last_step=7)
    ending = judge(make_spec(), evidence, make_curves())
    assert ending.outcome == "failed"
    assert ending.reason == "stopped by a signal from outside (a shutdown?) at step 7 of 20"
    assert ending.cure.startswith("runner retry")


def test_a_checkpoint_without_an_export_is_enough_where_none_is_wanted() -> None:
    spec = make_spec(checkpoints={"export": "none"})
    evidence = make_evidence(checkpoint_md5=None)
    assert judge(spec, evidence, make_curves()).outcome == "succeeded"


def test_nothing_measured() -> None:
    ending = judge(make_spec(), make_evidence(metrics={}), Curves())
    assert (ending.outcome, ending.reason) == ("failed", "no metrics were measured")


@pytest.mark.parametrize(
    ("measured", "missing"), [("kl/reference", "reward/mean"), ("reward/mean", "val/…")]
)
def test_what_this_training_must_measure(measured: str, missing: str) -> None:
    curves = read_curves([[f'{{"step": 20, "metrics": {{"{measured}": 0.5}}}}']])
    ending = judge(make_spec(), make_evidence(metrics={}), curves)
    assert ending.reason == f"`{missing}` was not measured"


def test_a_loss_that_is_no_number() -> None:
    lines = ['{"step": 20, "metrics": {"reward/mean": 1, "val/loss": 1, "policy/loss": NaN}}']
    ending = judge(make_spec(), make_evidence(), read_curves([lines]))
    assert ending.reason == "`policy/loss` is nan at step 20"


def test_without_saving_no_checkpoint_is_missed() -> None:
    training = {"steps": 20, "prompts_per_step": 8, "learning_rate": 1e-3}
    evidence = make_evidence(checkpoint_md5=None, checkpoint_step=None)
    assert judge(make_spec(training=training), evidence, make_curves()).outcome == "succeeded"


def test_expectations_tell_pass_fail_and_not_measured_apart() -> None:
    spec = make_spec(
        expect=[
            {"val/sums/accuracy": "last - first >= 0.5"},
            {"val/sums/accuracy": "last > 0.95"},
            {"val/loss": "last < 1"},
            {'"actor/lr"': "max == 0.001"},
        ]
    )
    found = [(one.verdict, one.value) for one in judge_expectations(spec, make_curves())]
    assert found == [("pass", 0.5), ("fail", 0.901), ("not_measured", None), ("pass", 0.001)]


def test_first_is_the_value_before_training_when_it_was_measured() -> None:
    lines = [
        '{"step": 0, "metrics": {"val/loss": 3}}',
        '{"step": 5, "metrics": {"val/loss": 2.7}}',
    ]
    spec = make_spec(expect=[{"val/loss": "first - last >= 0.3"}])
    (judgement,) = judge_expectations(spec, read_curves([lines]))
    assert (judgement.verdict, judgement.value) == ("pass", 0.3)
    (judgement,) = judge_expectations(spec, read_curves([lines[1:]]))
    assert judgement.verdict == "not_measured"


def test_an_expectation_about_what_is_no_number_fails() -> None:
    spec = make_spec(expect=[{"val/loss": "last < 9"}])
    curves = read_curves([['{"step": 5, "metrics": {"val/loss": NaN}}']])
    (judgement,) = judge_expectations(spec, curves)
    assert (judgement.verdict, judgement.value) == ("fail", None)


@pytest.mark.parametrize(
    ("failure", "line"),
    [
        ("out_of_memory", "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB"),
        ("out_of_memory", "RuntimeError: CUDA error: out of memory"),
        ("out_of_memory", "ValueError: No available memory for the cache blocks. Try increasing"),
        ("out_of_memory", "Memory on the node was 61 GB, which exceeds the memory usage threshold"),
        ("disk", "OSError: [Errno 28] No space left on device"),
        ("hang", "Watchdog caught collective operation timeout: WorkNCCL(SeqNum=3)"),
        ("reward", "NotImplementedError: Reward function is not implemented for data_source='x'"),
        ("config", "Could not override 'actor_rollout_ref.actor.clip'."),
        ("config", "AssertionError: train_batch_size 6 must be divisible by 4"),
        ("version", "ModuleNotFoundError: No module named 'flash_attn'"),
        ("data", "KeyError: 'prompt'"),
        ("data", "pyarrow.lib.ArrowInvalid: Could not open Parquet input source"),
        ("killed", "ray.exceptions.ActorDiedError: The actor died unexpectedly"),
        ("unknown", "RuntimeError: something else"),
    ],
)
def test_the_log_names_the_class_of_a_failure(failure: str, line: str) -> None:
    advice = advise(["step 3", f"\x1b[31m(Worker pid=7, ip=10.0.0.2)\x1b[0m {line}", "bye"], 1)
    assert (advice.failure, advice.line) == (failure, line)
    assert advice.cure


def test_words_that_trainers_say_without_failing_are_no_sign() -> None:
    log = [
        "using customized reward function 'compute_score' from '/node/rollbook_reward.py'",
        "'nccl_timeout': 600, 'ppo_micro_batch_size_per_gpu': 4",
        "WARNING Sequence group 0 is preempted by PreemptionMode.RECOMPUTE",
        "UserWarning: ImportError of flash_attn, falling back",
        "RuntimeError: the real reason",
    ]
    advice = advise(log, 1)
    assert (advice.failure, advice.line) == ("unknown", "RuntimeError: the real reason")


def test_every_class_of_failure_has_a_sign() -> None:
    assert len({sign.failure for sign in SIGNS}) == 8


def test_the_error_that_ends_a_traceback_decides() -> None:
    log = [
        '  File "/node/rollbook_reward.py", line 80, in compute_score',
        "    result = function(*args)",
        "ZeroDivisionError: division by zero",
    ]
    assert advise(log, 1).line == "ZeroDivisionError: division by zero"


def test_at_a_ceiling_the_cure_says_from_where_another_attempt_goes_on():
    spec = make_spec(budget={"usd_per_run": 150}, resources={"max_duration": "8h"})
    stopped = {"stopped": "budget", "exit_code": -15, "last_step": 13}
    ending = judge(spec, make_evidence(**stopped, checkpoint_step=12), make_curves())
    assert ending.reason == "stopped at step 13 of 20: its budget of $150 goes no further"
    assert ending.cure == (
        "raise budget.usd_per_run, then runner retry   goes on from the checkpoint of step 12"
    )
    stopped["stopped"] = "time_limit"
    ending = judge(spec, make_evidence(**stopped, checkpoint_step=None), make_curves())
    assert ending.reason == "stopped at step 13 of 20: it was over its time limit of 8 h"
    assert ending.cure.endswith("runner retry   starts anew: no checkpoint was kept")
