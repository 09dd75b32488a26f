"""Which one metric stands for an experiment, on its page, in tables and while it runs."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from runner.spec.experiment import Experiment

_VALIDATED = ("accuracy", "reward", "preference_accuracy")
_OF_STAGE = {"rl": "reward/mean", "sft": "train/loss", "preference": "preference/accuracy"}


def candidates(spec: Experiment) -> tuple[str, ...]:
    """Return the metrics that may head this experiment, the best first.

    The first metric that `expect` names; else a validation set's accuracy, then its reward, then
    its accuracy on pairs, in the order of the spec's sets; else one of training.
    """
    return _candidates((one.metric for one in spec.expect), spec.data.val if spec.data else ())


def headline_metric(spec: Experiment, measured: Collection[str]) -> str | None:
    """Return the first of the candidates that was measured; none when none of them was."""
    return next((name for name in candidates(spec) if name in measured), None)


def recorded_candidates(spec: Mapping[str, Any]) -> tuple[str, ...]:
    """Return `candidates` of a spec as the ledger has it, without reading the rest of it."""
    expected = (next(iter(one)) for one in spec.get("expect") or ())
    return _candidates(expected, (spec.get("data") or {}).get("val") or ())


def _candidates(expected: Iterable[str], sets: Iterable[str]) -> tuple[str, ...]:
    known = list(sets)
    validated = [f"val/{name}/{kind}" for kind in _VALIDATED for name in known]
    trained = ("reward/mean", "preference/accuracy", "val/loss", "train/loss")
    return tuple(dict.fromkeys((*itertools.islice(expected, 1), *validated, *trained)))


def training_metric(spec: Experiment) -> str | None:
    """Return the metric that every step of this kind of training measures; none for a script."""
    if spec.algorithm is None or spec.pin.name == "script":
        return None
    return _OF_STAGE[spec.algorithm.terms().stage]
