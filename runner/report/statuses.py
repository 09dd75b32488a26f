"""What stands beside a commit for an experiment: all its runs in one state and one line.

Any run that failed makes it a failure, else any that goes on makes it pending. The line says the
point: how far the run is that will end last, why the first one failed, what came out in the end.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import NamedTuple

from runner.forges.base import CONTEXT_LIMIT, DESCRIPTION_LIMIT, StatusState
from runner.launching.candidates import coming
from runner.ledger.record import Judgement, RunRecord
from runner.report.headline import headline_metric
from runner.report.notation import duration, number, plural
from runner.report.outcome import describe
from runner.report.progress import ProgressRow, time_left
from runner.report.sections import moment, money
from runner.spec.experiment import Experiment

_DIGEST_DIGITS = 12
_NO_ROWS: Mapping[str, ProgressRow] = MappingProxyType({})


class Told(NamedTuple):
    """A state, and the line beside it."""

    state: StatusState
    description: str


class Moment(NamedTuple):
    """How the runs that go on fare, and when that was seen."""

    at: datetime
    rows: Mapping[str, ProgressRow] = _NO_ROWS
    """By run id; a run without one is told from its record alone."""


def context_of(prefix: str, experiment: str) -> str:
    """Return an experiment's context; a long name ends in `~` and a digest of the whole.

    No name has a `~` in it, so none can be that of another.
    """
    whole = f"{prefix}/{experiment}"
    if len(whole) <= CONTEXT_LIMIT:
        return whole
    digest = hashlib.sha256(experiment.encode()).hexdigest()[:_DIGEST_DIGITS]
    return f"{whole[: CONTEXT_LIMIT - _DIGEST_DIGITS - 1]}~{digest}"


def cut(text: str) -> str:
    """Return a description in one line, cut to the forges' limit with a mark where it was cut."""
    flat = " ".join(text.split())
    return flat if len(flat) <= DESCRIPTION_LIMIT else f"{flat[: DESCRIPTION_LIMIT - 1]}…"


def tell(spec: Experiment, records: Sequence[RunRecord], moment: Moment) -> Told:
    """Return the status of an experiment with at least one run."""
    bad = [record for record in records if _is_bad(record)]
    going = [record for record in records if record.is_active]
    if bad:
        return Told("failure", cut(_bad(records, bad, going)))
    if going:
        return Told("pending", cut(_going(spec, records, going, moment)))
    return Told("success", cut(_succeeded(spec, records)))


def state_of(records: Iterable[RunRecord]) -> StatusState:
    """Return the state of some runs together."""
    known = list(records)
    if any(_is_bad(record) for record in known):
        return "failure"
    return "pending" if any(record.is_active for record in known) else "success"


def _is_bad(record: RunRecord) -> bool:
    attempt = record.latest
    return attempt.state == "ended" and (
        attempt.outcome != "succeeded" or bool(_missed(attempt.judgements))
    )


def _missed(judgements: Iterable[Judgement]) -> list[Judgement]:
    return [judgement for judgement in judgements if judgement.verdict != "pass"]


def label(record: RunRecord, records: Sequence[RunRecord]) -> str:
    """Return what tells a run from its experiment's others, such as `seed 2`; empty for one."""
    if len(records) == 1:
        return ""
    same_point = sum(other.point == record.point for other in records) > 1
    point = ", ".join(f"{key.rpartition('.')[2]}={v}" for key, v in record.point.items())
    return ", ".join(part for part in (point, f"seed {record.seed}" if same_point else "") if part)


def _labelled(record: RunRecord, records: Sequence[RunRecord], text: str) -> str:
    name = label(record, records)
    return f"{name}: {text}" if name else text


# What failed


def _bad(records: Sequence[RunRecord], bad: Sequence[RunRecord], going: Sequence[RunRecord]) -> str:
    first = _labelled(bad[0], records, _failure(bad[0]))
    counted = f"{len(bad)} of {plural(len(records), 'run')} failed, " if len(bad) > 1 else ""
    also = f"; {plural(len(going), 'run')} still going" if going else ""
    room = DESCRIPTION_LIMIT - len(counted) - len(also)
    shown = first if len(first) <= room else f"{first[: room - 1]}…"
    return f"{counted}{shown}{also}"


def _failure(record: RunRecord) -> str:
    attempt = record.latest
    missed = _missed(attempt.judgements)
    if attempt.outcome != "succeeded" or not missed:
        return describe(attempt).text
    one = missed[0]
    measured = "not measured" if one.value is None else number(one.value)
    more = f", and {len(missed) - 1} more" if len(missed) > 1 else ""
    return f"trained, but {one.metric} {one.condition} does not hold: {measured}{more}"


# What goes on


def _going(
    spec: Experiment, records: Sequence[RunRecord], going: Sequence[RunRecord], moment: Moment
) -> str:
    running = [record for record in going if record.latest.state == "running"]
    if running:
        last = max(running, key=lambda record: _left(moment.rows.get(record.run_id)))
        text = _labelled(last, records, _step(last, moment.rows.get(last.run_id)))
        others = len(going) - 1
        return f"{text}; {plural(others, 'other')} going on" if others else text
    first = min(going, key=lambda record: record.latest.claimed_at)
    return _labelled(first, going, waiting(spec, first, moment.at))


def _left(row: ProgressRow | None) -> float:
    left = time_left(row) if row else None
    return left if left is not None else -1.0


def _step(record: RunRecord, row: ProgressRow | None) -> str:
    """Return `step 41/105, 1 h 54 min left, $31.00`, as far as it is known."""
    attempt = record.latest
    step, steps = (row.step, row.steps) if row else (attempt.step, attempt.steps)
    left = time_left(row) if row else None
    parts = (
        f"step {step:,}" + (f"/{steps:,}" if steps else ""),
        f"{duration(left)} left" if left is not None else "",
        money((row.usd if row else None) or attempt.cost_usd),
    )
    return ", ".join(part for part in parts if part)


def waiting(spec: Experiment, record: RunRecord, at: datetime) -> str:
    """Return what a run waits for, since when, and what comes next.

    Such as `waiting for H100:8 on k8s/pool since 42 min; gcp (spot) from 18:30 UTC`.
    """
    attempt = record.latest
    what = attempt.reason or ("to be submitted" if attempt.state == "claimed" else "for its node")
    following = coming(spec, record)
    told = _waiting(what, attempt.waiting_since, duration(waited(record, at)))
    return f"{told}; {following}" if following else told


def _waiting(what: str, since: str | None, past: str) -> str:
    asked, _, why = what.partition(": ")
    if asked.startswith(("for ", "to ")):
        return f"waiting {asked} since {past}" + (f" ({why})" if why else "")
    return f"{what}, since {past}" if since else f"waiting: {what}, launched {past} ago"


def waited(record: RunRecord, at: datetime) -> float:
    """Return the seconds since a run waits for what it waits for, else since it was claimed."""
    attempt = record.latest
    return max(0.0, (at - moment(attempt.waiting_since or attempt.claimed_at)).total_seconds())


# What came out


def _succeeded(spec: Experiment, records: Sequence[RunRecord]) -> str:
    judged = any(record.latest.judgements for record in records)
    verdict = ", all expectations hold" if judged else ""
    points = {str(sorted(record.point.items())) for record in records}
    measured = [record.latest.metrics for record in records]
    metric = headline_metric(spec, {name for values in measured for name in values})
    values = [values[metric] for values in measured if metric in values] if metric else []
    if len(points) > 1 or not values:
        return f"{plural(len(records), 'run')} succeeded{verdict}"
    seeds = f" ({plural(len(values), 'seed')})" if len(values) > 1 else ""
    return f"{metric} {number(sum(values) / len(values))}{seeds}{verdict}"
