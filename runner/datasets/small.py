"""Small datasets of a tree, described on the spot where they have no card.

What makes a card is loaded for one that is there: the data of most plans are elsewhere.
"""

from __future__ import annotations

from runner.spec.cards import Card
from runner.spec.tree import Tree, WorkTree

SMALL = 2**20
"""Bytes up to which a dataset without a card is described, from the work tree."""


def describe(tree: Tree, path: str) -> Card | None:
    """Return the card of a small JSONL file of `tree`; None for anything else, or without columns.

    What is wrong with its lines is `runner data check`'s to say.
    """
    if not path.endswith(".jsonl") or (isinstance(tree, WorkTree) and not _is_small(tree, path)):
        return None
    content = tree.read(path)
    if content is None or len(content) > SMALL:
        return None
    from runner.datasets.card import card_of_lines

    return card_of_lines(path, content)


def _is_small(tree: WorkTree, path: str) -> bool:
    place = tree.place(path)
    return place.is_file() and place.stat().st_size <= SMALL
