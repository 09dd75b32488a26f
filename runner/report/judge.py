"""The verdict on an attempt: success needs evidence, an exit code is not enough.

`judge` asks the questions of `CHECKS` in their order; the first that objects decides. Whether the
declared expectations hold is another question (`judge_expectations`): an experiment that refutes
its hypothesis has succeeded.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import NamedTuple

from runner.ledger.record import Judgement, Outcome
from runner.node.task import Evidence
from runner.report.advice import FailureClass, advise
from runner.report.curves import Curves
from runner.report.headline import training_metric
from runner.report.notation import duration, number, usd
from runner.spec.expectation import Expectation
from runner.spec.experiment import Experiment

_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
}


class Ending(NamedTuple):
    """How an attempt ended, and what to do about it."""

    outcome: Outcome
    reason: str
    """One sentence for people; empty when it succeeded."""
    cure: str = ""
    log_line: str = ""
    """The log line that decided it, where one did."""
    failure: FailureClass | None = None


class Case(NamedTuple):
    """What is judged."""

    spec: Experiment
    evidence: Evidence
    curves: Curves


def judge(spec: Experiment, evidence: Evidence, curves: Curves) -> Ending:
    """Return how an attempt ended, from what was found when its trainer had ended."""
    case = Case(spec, evidence, curves)
    for check in CHECKS:
        ending = check(case)
        if ending:
            return ending
    return Ending("succeeded", "")


def _stopped(case: Case) -> Ending | None:
    evidence = case.evidence
    if evidence.stopped == "cancelled":
        return Ending("cancelled", f"cancelled {_progress(evidence)}")
    if evidence.stopped == "signal":
        why = "stopped by a signal from outside (a shutdown?)"
        cure = "runner retry   continues from its last checkpoint"
        return Ending("failed", f"{why} {_progress(evidence)}", cure, failure="killed")
    if evidence.stopped == "time_limit":
        return over_time(case.spec, _progress(evidence), _again(evidence), _last_words(evidence))
    if evidence.stopped == "budget":
        return over_budget(case.spec, _progress(evidence), _again(evidence))
    if evidence.stopped == "reward":
        return _constant_reward(case) or _failed_by_reward("stopped: the reward gave no signal")
    return None


def over_time(spec: Experiment, progress: str, again: str, log_line: str = "") -> Ending:
    """Return the end of an attempt that went on for longer than it may.

    `again` says what another attempt does.
    """
    limit = duration(spec.resources.max_duration)
    reason = f"stopped {progress}: it was over its time limit of {limit}"
    cure = "if the steps were still going, raise resources.max_duration; if not, it hung"
    retry = f"{cure}; runner retry   {again}" if again else cure
    return Ending("failed", reason, retry, log_line, "hang")


def over_budget(spec: Experiment, progress: str, again: str) -> Ending:
    """Return the end of an attempt that has cost what its run may cost; `again` as above."""
    ceiling = f" of {usd(spec.budget.usd_per_run)}" if spec.budget else ""
    reason = f"stopped {progress}: its budget{ceiling} goes no further"
    return Ending("over_budget", reason, f"raise budget.usd_per_run, then runner retry   {again}")


def _again(evidence: Evidence) -> str:
    """Return from where another attempt goes on."""
    if evidence.checkpoint_step is None:
        return "starts anew: no checkpoint was kept"
    return f"goes on from the checkpoint of step {evidence.checkpoint_step:,}"


def _exited(case: Case) -> Ending | None:
    evidence = case.evidence
    if evidence.exit_code == 0:
        return None
    advice = advise(evidence.log_tail, evidence.exit_code)
    if evidence.exit_code is None:
        reason = "the trainer never started"
    else:
        why = advice.meaning or f"the trainer exited {evidence.exit_code}"
        reason = f"failed {_progress(evidence)}: {why}"
    return Ending("failed", reason, advice.cure, advice.line, advice.failure)


def _stopped_early(case: Case) -> Ending | None:
    evidence = case.evidence
    if evidence.steps is None or evidence.last_step >= evidence.steps:
        return None
    reason = f"exited 0 after {evidence.last_step:,} of {evidence.steps:,} steps"
    cure = "look in the log for why it left early; `training.steps` says how many are planned"
    return Ending("under_trained", reason, cure, _last_words(evidence))


def _measured_nothing(case: Case) -> Ending | None:
    if not case.curves.canonical and not case.evidence.metrics:
        return _failed("no metrics were measured", "see that the trainer writes its metrics")
    missing = _missing_metric(case)
    if missing:
        return _failed(f"`{missing}` was not measured", "see that the trainer writes this metric")
    return None


def _missing_metric(case: Case) -> str | None:
    """Return what this training must have measured and has not."""
    measured = {*case.curves.canonical, *case.evidence.metrics}
    needed = training_metric(case.spec)
    if needed and needed not in measured:
        return needed
    validates = case.spec.training.evaluate_every and case.spec.data and case.spec.data.val
    if needed and validates and not any(name.startswith("val/") for name in measured):
        return "val/…"
    return None


def _not_finite(case: Case) -> Ending | None:
    for name in ("train/loss", "policy/loss", "preference/loss", "value/loss", "val/loss"):
        curve = case.curves.get(name)
        if curve and not math.isfinite(curve.last):
            cure = "lower training.learning_rate, or train in fp32 to see whether precision is why"
            return _failed(f"`{name}` is {curve.last} at step {curve.steps[-1]:,}", cure)
    return None


def _reward_unused(case: Case) -> Ending | None:
    reward = case.evidence.reward
    if not case.spec.wants_reward:
        return None
    if reward is None or reward.calls == 0:
        return _failed_by_reward("the declared reward function was never called")
    if reward.failures >= reward.calls:
        return _failed_by_reward(f"the reward function raised in all of {reward.calls:,} calls")
    return _constant_reward(case)


def _constant_reward(case: Case) -> Ending | None:
    reward = case.evidence.reward
    if reward is None or reward.lowest is None or reward.lowest != reward.highest:
        return None
    given = f"{reward.lowest:.1f}" if reward.lowest % 1 == 0 else number(reward.lowest)
    return _failed_by_reward(
        f"every answer got reward {given}: the policy has nothing to learn from"
    )


def _checkpoint_missing(case: Case) -> Ending | None:
    evidence = case.evidence
    if case.spec.training.save_every is None:
        return None
    cure = "look in the log for why saving failed"
    if evidence.checkpoint_step is None:
        return _failed("no checkpoint was found", cure)
    if evidence.checkpoint_step < evidence.last_step:
        newest = f"the newest checkpoint is of step {evidence.checkpoint_step:,}"
        return _failed(f"{newest}, and training went to {evidence.last_step:,}", cure)
    if case.spec.checkpoints.export != "none" and evidence.checkpoint_md5 is None:
        return _failed("the last checkpoint was not exported", cure)
    return None


CHECKS: tuple[Callable[[Case], Ending | None], ...] = (
    _stopped,
    _exited,
    _stopped_early,
    _measured_nothing,
    _not_finite,
    _reward_unused,
    _checkpoint_missing,
)
"""Each returns how the attempt ended if it objects to success; the order is that of causes."""


def _failed(reason: str, cure: str) -> Ending:
    return Ending("failed", reason, cure, failure="unknown")


def _failed_by_reward(reason: str) -> Ending:
    cure = "try the reward function on answers to rows of the training set: right, wrong, empty"
    return Ending("failed", reason, cure, failure="reward")


def _progress(evidence: Evidence) -> str:
    of = "" if evidence.steps is None else f" of {evidence.steps:,}"
    return f"at step {evidence.last_step:,}{of}"


def _last_words(evidence: Evidence) -> str:
    return advise(evidence.log_tail, None).line


def judge_expectations(spec: Experiment, curves: Curves) -> tuple[Judgement, ...]:
    """Return each declared expectation as pass, fail or not_measured, in the spec's order."""
    return tuple(_judge_expectation(expectation, curves) for expectation in spec.expect)


def _judge_expectation(expectation: Expectation, curves: Curves) -> Judgement:
    value = measure(expectation, curves)
    if value is None:
        verdict = "not_measured"
    else:
        holds = _COMPARE[expectation.comparison](value, expectation.limit)
        verdict = "pass" if holds and math.isfinite(value) else "fail"
    return Judgement.model_validate(
        {
            "metric": expectation.metric,
            "condition": expectation.condition,
            "verdict": verdict,
            "value": value if value is not None and math.isfinite(value) else None,
        }
    )


def measure(expectation: Expectation, curves: Curves) -> float | None:
    """Return the left side of an expectation, None when its metric was never measured.

    NaN where the curve has no such number: an expectation about what is no number fails.
    A difference of two statistics needs at least two measured steps to say anything.
    """
    curve = curves.get(expectation.metric)
    if curve is None or (expectation.minus and len(curve.points) < 2):
        return None
    value = curve.statistic(expectation.term)
    if expectation.minus is None:
        return value
    # 12 digits: 0.3 - 0.1 is 0.19999999999999998, and `>= 0.2` means the numbers as written.
    return round(value - curve.statistic(expectation.minus), 12)
