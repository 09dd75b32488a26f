"""Dataset cards as the repository holds them: what is known of a dataset without its content.

`runner data card --write` keeps a card in the `meta` block of the data's .dvc file, or of the
output of its stage in dvc.yaml: `card` where the output is the dataset, `cards` by name where it is
a folder of several.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cached_property
from typing import Annotated, Any

from pydantic import Field, ValidationError

from runner.errors import Refused
from runner.spec import dvc_yaml
from runner.spec.section import Section
from runner.spec.tree import Tree

_Count = Annotated[int, Field(ge=0, le=10**15)]


class Quantiles(Section):
    """How a length is spread over rows."""

    median: _Count
    p95: _Count
    longest: _Count


class Card(Section):
    """What a dataset is."""

    rows: _Count
    columns: tuple[str, ...] = Field(strict=False)
    characters: Quantiles
    """Length of a row's text, all columns together."""
    duplicates: _Count
    """Rows that are equal to an earlier one."""
    sample_sha256: str
    """Digest of the sample rows as JSON with sorted keys, one a line."""
    holds: dict[str, str] = Field(default={})
    """What each column holds, fields of objects by dotted names: `text`, `messages or none` …"""
    lengths: dict[str, Quantiles] = Field(default={})
    """Characters of each column that has text."""
    formats: dict[str, str] = Field(default={})
    """The format that was recognised for each stage of training, by its columns."""
    faults: dict[str, _Count] = Field(default={})
    """Rows with which training of a stage would fail, or learn from nothing; without those of 0."""
    repeated_prompts: _Count | None = None
    """Rows whose prompt stood in an earlier one; None where no format was recognised."""
    prompts: str = ""
    """A sample of the prompts' digests, to compare sets by (see `runner/datasets/survey.py`)."""
    sample: str = ""
    """SHA-256 of the file of sample rows that is committed beside; empty where there is none."""

    def told(self) -> str:
        """Return the card in a line."""
        formats = ", ".join(f"{name} ({stage})" for stage, name in self.formats.items())
        faulty = max(self.faults.values(), default=0)
        rows = "1 row" if faulty == 1 else f"{faulty:,} rows"
        parts = [f"{self.rows:,} rows", formats or "no known format"]
        return ", ".join([*parts, f"{rows} at fault"] if faulty else parts)

    @property
    def tells_columns(self) -> bool:
        """Whether it says what columns hold: cards made before that was kept do not."""
        return bool(self.holds)


class Cards:
    """The cards of a tree, read when the first one is asked for."""

    def __init__(
        self, tree: Tree, describe: Callable[[Tree, str], Card | None] | None = None
    ) -> None:
        """Look into `tree`; `describe` makes the card of a dataset that has none, where it can."""
        self._tree = tree
        self._describe = describe
        self._described: dict[str, Card | None] = {}

    @cached_property
    def _cards(self) -> dict[str, Card]:
        return dict(_cards(self._tree))

    def find(self, path: str) -> Card | None:
        """Return the card of the dataset at `path`; None where nothing is known of it."""
        kept = self._cards.get(path)
        if self._describe is None or (kept and kept.tells_columns):
            return kept
        if path not in self._described:
            self._described[path] = self._describe(self._tree, path)
        return self._described[path] or kept

    def rows(self, path: str) -> int | None:
        """Return how many rows the dataset at `path` has, as far as its card tells."""
        card = self.find(path)
        return card.rows if card else None


def _cards(tree: Tree) -> Iterator[tuple[str, Card]]:
    for path, meta in _metas(tree):
        if not isinstance(meta, dict):
            continue
        several = meta.get("cards")
        named = several.items() if isinstance(several, dict) else ()
        inside = (
            (posixpath.join(path, name), card) for name, card in named if isinstance(name, str)
        )
        for place, card in ((path, meta.get("card")), *inside):
            with suppress(ValidationError):  # `meta` is for anybody to use
                yield place, Card.model_validate(card)


def _metas(tree: Tree) -> Iterator[tuple[str, Any]]:
    for path in tree.paths("", ".dvc"):
        for output in _list(_load(tree, path), "outs"):
            if isinstance(output, dict) and isinstance(output.get("path"), str):
                place = posixpath.join(posixpath.dirname(path), output["path"])
                yield place, output.get("meta")
    stages = _load(tree, "dvc.yaml").get("stages")
    for stage in stages.values() if isinstance(stages, dict) else ():
        for output in _list(stage, "outs"):
            if isinstance(output, dict):
                for name, settings in output.items():
                    if isinstance(name, str) and isinstance(settings, dict):
                        yield name, settings.get("meta")


def _list(holder: Any, key: str) -> list[Any]:
    value = holder.get(key) if isinstance(holder, dict) else None
    return value if isinstance(value, list) else []


def _load(tree: Tree, path: str) -> dict[str, Any]:
    """Return what stands in a file of DVC; nothing where it cannot be read, which inputs say."""
    try:
        return dvc_yaml.load(tree, path)
    except Refused:
        return {}
