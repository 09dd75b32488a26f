"""Which one metric stands for an experiment, on its page, in tables and while it runs."""

from __future__ import annotations

from collections.abc import Collection

from runner.spec.experiment import Experiment


def candidates(spec: Experiment) -> tuple[str, ...]:
    """Return the metrics that may head this experiment, the best first.

    The first metric that `expect` names; else a validation set's accuracy, then its reward, in the
    order of the spec's sets; else reward/mean, val/loss, train/loss.
    """
    expected = [expectation.metric for expectation in spec.expect[:1]]
    sets = spec.data.val if spec.data else {}
    validated = [f"val/{name}/{kind}" for kind in ("accuracy", "reward") for name in sets]
    names = [*expected, *validated, "reward/mean", "val/loss", "train/loss"]
    return tuple(dict.fromkeys(names))


def headline_metric(spec: Experiment, measured: Collection[str]) -> str | None:
    """Return the first of the candidates that was measured; none when none of them was."""
    return next((name for name in candidates(spec) if name in measured), None)


def training_metric(spec: Experiment) -> str | None:
    """Return the metric that every step of this kind of training measures; none for a script."""
    if spec.algorithm is None or spec.pin.name == "script":
        return None
    return "reward/mean" if spec.algorithm.terms().needs_reward else "train/loss"
