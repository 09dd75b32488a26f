"""Which one metric stands for an experiment, on its page, in tables and while it runs."""

from __future__ import annotations

from collections.abc import Collection

from runner.spec.experiment import Experiment

_VALIDATED = ("accuracy", "reward", "preference_accuracy")
_OF_STAGE = {"rl": "reward/mean", "sft": "train/loss", "preference": "preference/accuracy"}


def candidates(spec: Experiment) -> tuple[str, ...]:
    """Return the metrics that may head this experiment, the best first.

    The first metric that `expect` names; else a validation set's accuracy, then its reward, then
    its accuracy on pairs, in the order of the spec's sets; else one of training.
    """
    expected = [expectation.metric for expectation in spec.expect[:1]]
    sets = spec.data.val if spec.data else {}
    validated = [f"val/{name}/{kind}" for kind in _VALIDATED for name in sets]
    names = [*expected, *validated, "reward/mean", "preference/accuracy", "val/loss", "train/loss"]
    return tuple(dict.fromkeys(names))


def headline_metric(spec: Experiment, measured: Collection[str]) -> str | None:
    """Return the first of the candidates that was measured; none when none of them was."""
    return next((name for name in candidates(spec) if name in measured), None)


def training_metric(spec: Experiment) -> str | None:
    """Return the metric that every step of this kind of training measures; none for a script."""
    if spec.algorithm is None or spec.pin.name == "script":
        return None
    return _OF_STAGE[spec.algorithm.terms().stage]
