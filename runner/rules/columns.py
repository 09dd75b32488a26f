"""Rules on what the rows of datasets hold: columns, faults, lengths."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from runner.datasets.formats import Format, Unknown
from runner.datasets.lengths import (
    CHARACTERS_PER_TOKEN,
    EXAGGERATED,
    Overlong,
    fate_of,
    limit_of,
    limited_columns,
    told_share,
)
from runner.findings import Finding
from runner.rules.base import Subject
from runner.rules.sets import Set, formats
from runner.spec.cards import Quantiles
from runner.spec.node import Path


def are_there(subject: Subject) -> Iterator[Finding]:
    """Datasets have the columns that their stage of training reads, or `data.columns` maps them."""
    for one, found in formats(subject):
        if isinstance(found, Unknown):
            key: Path = ("data", "columns", found.column) if found.column else one.key
            yield subject.at(key, f"`{one.path}`: {found.message}", found.cure)


def are_sound(subject: Subject) -> Iterator[Finding]:
    """No row lacks what training needs: a prompt, an answer, known roles, each of its type."""
    for one, found in formats(subject):
        if not isinstance(found, Format) or one.card.formats.get(found.stage) != found.name:
            continue  # the card counted the faults of another format
        if faults := one.card.faults.get(found.stage):
            message = f"{faults:,} of {one.card.rows:,} rows of `{one.path}` are at fault"
            yield subject.at(one.key, message, f"runner data check {subject.name}   names them")


def do_not_stop_training(subject: Subject) -> Iterator[Finding]:
    """No row is certainly too long for a trainer that stops at one: verl's supervised, and TRL."""
    for one in _limited(subject):
        longest = max((length.longest for length in one.lengths), default=0)
        if one.fate.stops and longest > one.limit * EXAGGERATED:
            message = (
                f"the longest row of `{one.set.path}` has {longest:,} characters: over the "
                f"{one.limit:,} tokens of {one.keys} even at {EXAGGERATED} characters a token, "
                f"and {one.fate.says}"
            )
            cure = "raise the limits, or leave such rows out: runner data check names them"
            yield subject.at(one.set.key, message, cure)


def fit(subject: Subject) -> Iterator[Finding]:
    """Rows fit into the token limits, as far as an estimate from their characters tells."""
    for one in _limited(subject):
        longest = sum(length.longest for length in one.lengths)
        share = told_share(one.lengths, one.limit)
        if share is None or (one.fate.stops and longest > one.limit * EXAGGERATED):
            continue
        message = (
            f"{share} of `{one.set.path}` are over the {one.limit:,} tokens of {one.keys} (by "
            f"their characters; the longest has about {longest / CHARACTERS_PER_TOKEN:,.0f}): "
            f"{one.fate.says}"
        )
        cure = f"raise the limits, or leave them out; runner data check {subject.name} counts them"
        yield subject.at(one.set.key, message, cure)


class _Limited(NamedTuple):
    set: Set
    lengths: tuple[Quantiles, ...]
    limit: int
    keys: str
    fate: Overlong


def _limited(subject: Subject) -> Iterator[_Limited]:
    """Yield the datasets that are in a format, and whose rows the trainer limits."""
    data = subject.spec.data
    for one, found in formats(subject):
        if data is None or isinstance(found, Unknown):
            continue
        fate = fate_of(subject.spec, found.stage)
        if fate:
            columns = limited_columns(found)
            lengths = [one.card.lengths.get(column) for column in columns]
            known = tuple(length for length in lengths if length)
            yield _Limited(one, known, *limit_of(data, found.stage), fate)
