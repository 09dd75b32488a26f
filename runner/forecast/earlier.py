"""What earlier runs of an experiment tell about the next one, from the ledger."""

from __future__ import annotations

import json
import posixpath
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, NamedTuple

from runner.forecast.span import Span
from runner.ledger.documents import METRICS, SPEC
from runner.ledger.entry import FOLDER
from runner.ledger.record import Attempt, RunRecord, folder
from runner.ledger.snapshot import Snapshot
from runner.spec.experiment import Experiment

NEWEST = 5
"""Runs that are looked at; older ones were made in another world."""
OF_FAMILY = 20
"""Where the experiment has none of its own: those of so many in its folder, the nearest by name."""
MARGIN = 0.1
"""How far beyond the fastest and the slowest earlier run the next one may be."""
_SAME = (
    *(("resources", key) for key in ("accelerators", "nodes")),
    *(("training", key) for key in ("prompts_per_step", "prompts_per_update", "lora", "precision")),
    *(("data", key) for key in ("max_prompt_tokens", "max_response_tokens")),
    *(("model", key) for key in ("source", "path")),
    *(("algorithm", key) for key in ("name", "group_size", "kl", "critic")),
    ("rollout",),
    ("trainer",),
)
"""What must be as it was for a step to take as long as it took."""


class PassRate(NamedTuple):
    """A share of right answers that was measured."""

    value: float
    metric: str
    run_id: str
    when: str
    """`at the start` or `at the end`."""


class Earlier:
    """The runs that a ledger knows."""

    def __init__(self, snapshot: Snapshot) -> None:
        """Look into `snapshot`; nothing is read before it is asked for."""
        self._snapshot = snapshot
        self._beside: dict[str, list[str]] = {}

    def seconds(self, name: str, spec: Experiment, steps: int) -> tuple[Span, str] | None:
        """Return how long `steps` of `spec` take by its experiment's runs, and which they are.

        Counted is the whole of an attempt that succeeded, per step. Where the experiment has no run
        of the same setting, those of its folder count; None without any.
        """
        found = dict(self._per_step(self._records(name), spec)) or dict(
            self._per_step(self._family(name), spec)
        )
        if not found:
            return None
        low, high = min(found.values()) * (1 - MARGIN), max(found.values()) * (1 + MARGIN)
        which = f"run {next(iter(found))}" if len(found) == 1 else f"{len(found)} earlier runs"
        return Span(low=low, high=high).times(steps), which

    def pass_rates(self, name: str, spec: Experiment) -> tuple[PassRate, ...]:
        """Return what was measured on the model that `spec` starts from, and where it led to.

        First and last accuracy of the newest earlier run; without one, the last of the run whose
        checkpoint it starts from.
        """
        for record in self._records(name):
            found = tuple(self._accuracies(record))
            if found:
                return found
        if spec.model is None or spec.model.source != "run":
            return ()
        for record in self._records(spec.model.path.partition("@")[0]):
            if last := [one for one in self._accuracies(record) if one.when == "at the end"]:
                return tuple(last)
        return ()

    def _family(self, name: str) -> Iterator[RunRecord]:
        """Yield the runs that succeeded of the nearest experiments of the folder, newest first.

        What is named alike is mostly a series; and all of a folder would be much to read.
        """
        entries = self._snapshot.experiments_of(self._nearest(name))
        records = self._snapshot.records(run for entry in entries for run in entry.runs).values()
        succeeded = [one for one in records if one.latest.outcome == "succeeded"]
        yield from sorted(succeeded, key=lambda one: one.latest.ended_at or "", reverse=True)

    def _nearest(self, name: str) -> list[str]:
        """Return the names of the experiments beside `name`, the nearest first."""
        folder_of, _, own = name.rpartition("/")
        if folder_of not in self._beside:
            listed = self._snapshot.names(posixpath.join(FOLDER, folder_of))
            self._beside[folder_of] = sorted(listed)
        beside = self._beside[folder_of]
        at = bisect_left(beside, own)
        near = sorted(range(len(beside)), key=lambda index: abs(index - at))
        others = [beside[index] for index in near[: OF_FAMILY + 1] if beside[index] != own]
        return [posixpath.join(folder_of, other) for other in others[:OF_FAMILY]]

    def _records(self, name: str) -> Iterator[RunRecord]:
        """Yield the experiment's runs that succeeded, newest first."""
        entry = self._snapshot.experiment(name)
        ids = tuple(dict.fromkeys((*entry.history, *entry.runs))) if entry else ()
        records = self._snapshot.records(ids[-NEWEST:])
        for record in reversed(records.values()):
            if record.latest.outcome == "succeeded":
                yield record

    def _per_step(
        self, records: Iterable[RunRecord], spec: Experiment
    ) -> Iterator[tuple[str, float]]:
        wanted, known = _setting(spec.model_dump(mode="json", by_alias=True)), list(records)
        self._snapshot.read_many(f"{folder(record.run_id)}/{SPEC}" for record in known)
        for record in known:
            attempt = record.latest
            seconds = _seconds(attempt)
            former = json.loads(self._snapshot.read(f"{folder(record.run_id)}/{SPEC}") or b"{}")
            if seconds and len(record.attempts) == 1 and _setting(former) == wanted:
                yield record.run_id, seconds / attempt.step

    def _accuracies(self, record: RunRecord) -> Iterator[PassRate]:
        content = self._snapshot.read(f"{folder(record.run_id)}/{METRICS}")
        curves = json.loads(content).get("curves", {}) if content else {}
        values = {
            name: [value for _, value in points if value is not None]
            for name, points in curves.items()
        }
        metric = _pass_rate(values)
        if metric is not None:
            yield PassRate(values[metric][0], metric, record.run_id, "at the start")
            yield PassRate(values[metric][-1], metric, record.run_id, "at the end")


def _pass_rate(values: dict[str, list[float]]) -> str | None:
    """Return the metric that is a share of right answers: of training first, of validation else.

    The mean reward is one where the lowest and the highest were never anything but 0 and 1.
    """
    extremes = {*values.get("reward/min", ()), *values.get("reward/max", ())}
    if values.get("reward/mean") and extremes and extremes <= {0.0, 1.0}:
        return "reward/mean"
    accuracies = sorted(n for n in values if n.startswith("val/") and n.endswith("/accuracy"))
    return next((n for n in accuracies if values[n] and _is_share(values[n])), None)


def _is_share(values: list[float]) -> bool:
    return all(0.0 <= value <= 1.0 for value in values)


def _seconds(attempt: Attempt) -> float | None:
    if not (attempt.started_at and attempt.ended_at and attempt.step):
        return None
    begin, end = (datetime.fromisoformat(text) for text in (attempt.started_at, attempt.ended_at))
    return (end - begin).total_seconds() or None


def _setting(spec: dict[str, Any]) -> list[Any]:
    values = []
    for path in _SAME:
        value: Any = spec
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        values.append(value)
    return values
