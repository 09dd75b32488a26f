"""Dataset cards as the repository holds them: what is known of a dataset without its content.

`runner data card --write` keeps a card in the `meta` block of the data's .dvc file, or of the
output of its stage in dvc.yaml.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from typing import Any

import yaml
from pydantic import Field, ValidationError

from runner.spec.section import Section
from runner.spec.tree import Tree


class Quantiles(Section):
    """How a length is spread over rows."""

    median: int
    p95: int
    longest: int


class Card(Section):
    """What a dataset is."""

    rows: int
    columns: tuple[str, ...] = Field(strict=False)
    characters: Quantiles
    """Length of a row's text, all columns together."""
    duplicates: int
    """Rows that are equal to an earlier one."""
    sample_sha256: str
    """Digest of the sample rows as JSON with sorted keys, one a line."""


class Cards:
    """The cards of a tree, read when the first one is asked for."""

    def __init__(self, tree: Tree) -> None:
        """Look into `tree`."""
        self._tree = tree
        self._cards: dict[str, Card] | None = None

    def find(self, path: str) -> Card | None:
        """Return the card of the dataset at `path`; None without one that can be read."""
        if self._cards is None:
            self._cards = dict(_cards(self._tree))
        return self._cards.get(path)

    def rows(self, path: str) -> int | None:
        """Return how many rows the dataset at `path` has, as far as its card tells."""
        card = self.find(path)
        return card.rows if card else None


def _cards(tree: Tree) -> Iterator[tuple[str, Card]]:
    for path, meta in _metas(tree):
        try:
            yield path, Card.model_validate(meta["card"])
        except (ValidationError, KeyError, TypeError):
            continue  # `meta` is for anybody to use


def _metas(tree: Tree) -> Iterator[tuple[str, Any]]:
    for path in tree.paths("", ".dvc"):
        for output in _list(_load(tree, path), "outs"):
            if isinstance(output, dict) and "path" in output:
                yield (
                    posixpath.join(posixpath.dirname(path), str(output["path"])),
                    output.get("meta"),
                )
    stages = _load(tree, "dvc.yaml").get("stages")
    for stage in stages.values() if isinstance(stages, dict) else ():
        for output in _list(stage, "outs"):
            if isinstance(output, dict):
                for name, settings in output.items():
                    yield str(name), settings.get("meta") if isinstance(settings, dict) else None


def _list(holder: Any, key: str) -> list[Any]:
    value = holder.get(key) if isinstance(holder, dict) else None
    return value if isinstance(value, list) else []


def _load(tree: Tree, path: str) -> Mapping[str, Any]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        content = yaml.load(tree.read(path) or b"", Loader=loader)  # noqa: S506
    except (yaml.YAMLError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
