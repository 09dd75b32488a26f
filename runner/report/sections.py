"""The parts that a run's page and an experiment's page share: results, expectations, evidence."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from runner import metrics
from runner.ledger.record import Attempt, Judgement, RunRecord
from runner.node.task import Evidence
from runner.report.curves import Curve, Curves
from runner.report.headline import candidates, headline_metric
from runner.report.notation import bytes_, duration, number, plural, signed
from runner.report.outcome import progress
from runner.report.page import Address, Code, Folded, Inline, Line, Table, cells, compact_table
from runner.spec.experiment import Experiment

VERDICTS = {"pass": "✅", "fail": "❌", "not_measured": "not measured"}


class RunReport(NamedTuple):
    """Everything that the pages say about a run."""

    record: RunRecord
    spec: Experiment
    curves: Curves = Curves()
    evidence: Evidence | None = None
    """Of the newest attempt; none while it goes on, or when the node left none."""
    wandb: str = ""
    """Folders of the W&B offline run, one per epoch, parted by spaces; empty where there is none.
    """

    @property
    def headline(self) -> str | None:
        """The metric that stands for this run, if any was measured."""
        return headline_metric(self.spec, {*self.curves.by_name, *self.record.latest.metrics})


def span(curve: Curve) -> str:
    """Return `0.758 → 0.912`, or the only value there is."""
    if len(curve.points) == 1:
        return number(curve.last)
    return f"{number(curve.first)} → {number(curve.last)}"


def best(name: str, curve: Curve) -> str:
    """Return the best value and its step; empty for a metric without a better side."""
    metric, finite = metrics.find(name), curve.finite()
    if metric is None or not metric.better or finite is None or len(finite.points) < 2:
        return ""
    choose = max if metric.better == "higher" else min
    point = choose(finite.points, key=lambda point: point.value)
    return f"{number(point.value)} ({point.step:,})"


def metrics_table(curves: Curves) -> Table:
    """Return first, last and best of every canonical metric."""
    rows = [
        cells(Code(name), number(curve.first), number(curve.last), best(name, curve), _unit(name))
        for name, curve in curves.canonical.items()
    ]
    return compact_table(("metric", "first", "last", "best (step)", "unit"), tuple(rows))


def _unit(name: str) -> str:
    metric = metrics.find(name)
    return metric.unit if metric else ""


def expectations_table(columns: Sequence[tuple[str, Sequence[Judgement]]]) -> Table | None:
    """Return a row per expectation, with a column of measured values per run; none without any."""
    judged = [(name, judgements) for name, judgements in columns if judgements]
    if not judged:
        return None
    rows = tuple(_expectation_row(row) for row in zip(*(js for _, js in judged), strict=True))
    names = ("measured",) if len(columns) == 1 else tuple(name for name, _ in judged)
    return Table(("expectation", *names, "verdict"), rows)


def _expectation_row(judgements: Sequence[Judgement]) -> tuple[Line, ...]:
    one = judgements[0]
    expectation: Line = (Code(one.metric), f" {_typeset(one.condition)}")
    values = [(_value(judgement),) for judgement in judgements]
    worst = min(
        judgements, key=lambda judgement: ("fail", "not_measured", "pass").index(judgement.verdict)
    )
    return (expectation, *values, (VERDICTS[worst.verdict],))


def _typeset(condition: str) -> str:
    return condition.replace(">=", "≥").replace("<=", "≤").replace(" - ", " − ")


def _value(judgement: Judgement) -> str:
    if judgement.verdict == "not_measured":
        return "not measured"
    if judgement.value is None:
        return "no number"
    is_difference = " - " in judgement.condition
    return signed(judgement.value) if is_difference else number(judgement.value)


def evidence_line(report: RunReport) -> Line:
    """Return what speaks for the result: steps, reward calls, data, checkpoint."""
    attempt, evidence = report.record.latest, report.evidence
    parts: list[Line] = [(f"{progress(attempt)} steps",)]
    if evidence:
        parts += [*_reward(evidence), *_inputs(evidence)]
    if attempt.checkpoint:
        parts.append(("checkpoint ", Code(short_digest(attempt.checkpoint))))
    if attempt.wandb:
        parts.append((Address("W&B", attempt.wandb),))
    elif report.wandb:
        parts.append(("W&B offline: ", Code(f"wandb sync {report.wandb}")))
    if report.curves.unreadable:
        parts.append((f"{plural(report.curves.unreadable, 'line')} of metrics could not be read",))
    return joined(parts)


def _reward(evidence: Evidence) -> list[Line]:
    reward = evidence.reward
    if reward is None:
        return []
    calls = f"reward called {plural(reward.calls, 'time')}"
    raised = f", {reward.failures:,} raised" if reward.failures else ""
    between = ""
    if reward.lowest is not None and reward.highest is not None:
        between = f", {number(reward.lowest)} to {number(reward.highest)}"
    return [(f"{calls}{raised}{between}, code ", Code(f"sha256:{reward.sha256[:12]}"))]


def _inputs(evidence: Evidence) -> list[Line]:
    return [(Code(one.path), " md5 ", Code(one.md5[:8])) for one in evidence.inputs]


def validation_line(spec: Experiment, curves: Curves, headline: str | None) -> Line:
    """Return the course of one metric of each validation set, but of what heads the page."""
    shown: dict[str, str] = {}
    for name in candidates(spec):
        if name.startswith("val/") and curves.get(name):
            shown.setdefault(name.rpartition("/")[0], name)
    found = [(name, curves.get(name)) for name in shown.values() if name != headline]
    return joined([(Code(name), f" {span(curve)}") for name, curve in found if curve])


def health_line(curves: Curves) -> Line:
    """Return the course of what tells a run's health: hints, never verdicts."""
    named = {
        "policy/entropy": "entropy",
        "kl/reference": "KL to the reference",
        "response/length": "answer length",
        "response/clip_ratio": "answers cut at the limit",
        "gradient/norm": "gradient norm",
        "rollout/probability_difference": "trainer/rollout probability difference",
    }
    found = [(words, curves.get(name)) for name, words in named.items()]
    return joined([(f"{words} {span(curve)}",) for words, curve in found if curve])


def environment_fold(evidence: Evidence | None, environment: dict[str, str]) -> Folded | None:
    """Return versions and hardware, and what the run used; none when nothing is known."""
    known = {**environment, **(evidence.environment if evidence else {})}
    rows = [cells(name, Code(value)) for name, value in sorted(known.items()) if value]
    if evidence and evidence.peak_memory_bytes:
        rows.append(cells("peak memory", bytes_(evidence.peak_memory_bytes)))
    return Folded("Environment", (Table(("part", "found"), tuple(rows)),)) if rows else None


def joined(parts: Sequence[Line]) -> Line:
    """Join lines with a middle dot."""
    line: list[Inline] = []
    for part in parts:
        line += [" · ", *part] if line else part
    return tuple(line)


def elapsed(attempt: Attempt) -> float | None:
    """Return the seconds from an attempt's start to its end; none while it goes on."""
    if not attempt.started_at or not attempt.ended_at:
        return None
    return (moment(attempt.ended_at) - moment(attempt.started_at)).total_seconds()


def moment(text: str) -> datetime:
    """Read a time as the ledger writes it."""
    return datetime.fromisoformat(text)


def time_taken(report: RunReport) -> str:
    """Return how long the newest attempt took; empty when that is not known."""
    stays = report.record.latest.stays
    seconds = report.evidence.seconds if report.evidence else elapsed(report.record.latest)
    if len(stays) > 1:  # the evidence is of the last one alone
        seconds = sum(stay.seconds for stay in stays)
    return duration(seconds) if seconds is not None else ""


def money(cost: float | None) -> str:
    """Return what something cost; empty when it cost nothing that is known."""
    return f"${cost:,.2f}" if cost else ""


def short_digest(digest: str) -> str:
    """Return a digest's kind and first 12 digits."""
    kind, _, value = digest.rpartition(":")
    return f"{kind}:{value[:12]}" if kind else value[:12]


def day(attempt: Attempt) -> str:
    """Return the date that an attempt ended, else was launched."""
    return (attempt.ended_at or attempt.started_at or attempt.claimed_at)[:10]
