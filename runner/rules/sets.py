"""The datasets of a spec, as far as rules know them.

They know a dataset from its card (`runner data card --write`), or from the rows themselves where
those lie in the work tree and are few. `runner data check` looks at rows one by one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from runner.datasets.formats import Format, Stage, Unknown, recognise
from runner.rules.base import Subject
from runner.spec.cards import Card
from runner.spec.node import Path


class Set(NamedTuple):
    """A dataset of a spec whose card is known."""

    key: Path
    path: str
    card: Card

    @property
    def is_validation(self) -> bool:
        """Whether it is a validation set."""
        return self.key[1] == "val"


def stage_of(subject: Subject) -> Stage | None:
    """Return the stage of training; None where a script reads the data as it likes."""
    spec = subject.spec
    return spec.algorithm.terms().stage if spec.algorithm and spec.pin.name != "script" else None


def known_sets(subject: Subject) -> Iterator[Set]:
    """Yield the datasets whose card is known, the training set first."""
    data = subject.spec.data
    if data is None:
        return
    places: list[tuple[Path, str]] = [(("data", "train"), data.train)]
    places += [(("data", "val", name), path) for name, path in data.val.items()]
    for key, path in places:
        if card := subject.context.cards.find(path):
            yield Set(key, path, card)


def training_set(subject: Subject) -> Set | None:
    """Return the training set; None where its card is not known."""
    return next((one for one in known_sets(subject) if not one.is_validation), None)


def formats(subject: Subject) -> Iterator[tuple[Set, Format | Unknown]]:
    """Yield the datasets whose columns are known, with the format for the stage of training."""
    stage, data = stage_of(subject), subject.spec.data
    if stage is None or data is None:
        return
    for one in known_sets(subject):
        if one.card.tells_columns:
            yield one, recognise(one.card.holds, stage, data.columns)
