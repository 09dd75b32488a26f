"""Rows that are committed with a dataset's card, so that a reward can be tried without the data.

    data/gsm8k/rl.train.jsonl.dvc            the card, with the digest of the sample
    data/gsm8k/rl.train.jsonl.sample.jsonl   the sample: what a reward is told of a few rows

A sample whose digest is not the card's is not used. Where DVC tracks a folder, the sample of a
dataset in it stands beside the folder, which is DVC's alone.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from pydantic import ValidationError

from runner.datasets.jsonl import rows_of
from runner.datasets.row import spread
from runner.errors import Refused
from runner.spec.cards import Cards
from runner.spec.inputs import DvcOutputs
from runner.spec.section import Section
from runner.spec.tree import Tree

MOST_ROWS = 20
MOST_BYTES = 8192
"""Of a sample."""
MOST_LEVELS = 50
"""Of lists and objects in a row: writing what is nested deeper could end the process."""
SMALL = 2**20
"""Bytes up to which a dataset that git tracks is read itself."""
_REFERENCES = ("solution", "answer", "response", "reference")
"""Columns, or fields of `extra_info`, that hold a worked solution where they are text."""


class SampleRow(Section):
    """What a reward is told of a row."""

    data_source: str
    ground_truth: Any
    extra_info: Any
    reference: str
    """A worked solution; empty where the row has none."""


def committed_rows(tree: Tree, paths: Iterable[str]) -> tuple[list[dict[str, Any]], str]:
    """Return rows of the first of the datasets `paths` that has some in the tree, and their origin.

    Both are empty where none has, or where DVC's files cannot be read.
    """
    try:
        return _committed_rows(tree, paths)
    except Refused:
        return [], ""


def _committed_rows(tree: Tree, paths: Iterable[str]) -> tuple[list[dict[str, Any]], str]:
    cards, outputs = Cards(tree), DvcOutputs(tree)
    for path in paths:
        card = cards.find(path)
        if card is not None and card.sample:
            content = tree.read(place_of(outputs, path)) or b""
            is_it = hashlib.sha256(content).hexdigest() == card.sample
            if rows := _sampled(content) if is_it else []:
                return rows, f"the sample with the card of {path}"
        if rows := _rows_in_tree(tree, path):
            return rows, path
    return [], ""


def _sampled(content: bytes) -> list[dict[str, Any]]:
    """Return the rows of a sample; none where it is none, whatever its digest says."""
    if len(content) > MOST_BYTES:
        return []
    try:
        lines = content.splitlines()[:MOST_ROWS]
        return [SampleRow.model_validate_json(line).model_dump() for line in lines]
    except ValidationError:
        return []


def _rows_in_tree(tree: Tree, path: str) -> list[dict[str, Any]]:
    """Return rows of a dataset that is a small JSONL file of the tree itself."""
    content = tree.read(path) if path.endswith(".jsonl") else None
    if content is None or len(content) > SMALL:
        return []
    rows = [one.content for one in rows_of(path, content.splitlines(keepends=True))]
    return _told([rows[index] for index in spread(len(rows), MOST_ROWS)])


def place_of(outputs: DvcOutputs, path: str) -> str:
    """Return where the sample of the dataset at `path` is, or would be."""
    held = outputs.find(path)
    tracked = held[0] if held else path
    inside = posixpath.relpath(path, tracked).replace("/", ".") if tracked != path else ""
    return f"{tracked}.{inside}.sample.jsonl" if inside else f"{tracked}.sample.jsonl"


def sample_of(rows: Iterable[dict[str, Any]]) -> bytes:
    """Return the sample made of `rows`: as many as fit, one a line.

    Raises Refused when none has a ground truth, or none is small enough.
    """
    lines, size = [], 0
    for row in _told(rows):
        line = json.dumps(row, sort_keys=True, ensure_ascii=False).encode() + b"\n"
        if size + len(line) <= MOST_BYTES:
            lines.append(line)
            size += len(line)
    if not lines:
        raise Refused(
            f"no row has a ground truth and takes less than {MOST_BYTES:,} bytes: none to sample",
            cure="runner data card … --write   and CASES in the reward's file",
        )
    return b"".join(lines)


def _told(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what a reward is told of rows, of those that have a ground truth."""
    told = []
    for row in rows:
        holders = (row.get("reward_model"), row.get("reward_spec"), row)
        truths = (one.get("ground_truth") for one in holders if isinstance(one, dict))
        truth = next((one for one in truths if one is not None), None)
        if truth is None or _depth_exceeds(row, MOST_LEVELS):
            continue
        extra = row.get("extra_info")
        one = {
            "data_source": str(row.get("data_source", "")), "ground_truth": truth,
            "extra_info": extra, "reference": _reference(row, extra, truth),
        }  # fmt: skip
        with suppress(TypeError, ValueError):  # what JSON cannot hold, such as bytes of Parquet
            json.dumps(one)
            told.append(one)
    return told


def _depth_exceeds(value: Any, most: int) -> bool:
    """Whether lists and objects are nested deeper than `most`; found without recursion."""
    level = [value]
    for _ in range(most):
        inner = (one.values() if isinstance(one, dict) else one for one in level
                 if isinstance(one, (dict, list)))  # fmt: skip
        level = [child for children in inner for child in children]
    return any(isinstance(one, (dict, list)) for one in level)


def _reference(row: dict[str, Any], extra: Any, truth: Any) -> str:
    """Return the worked solution of a row; empty where it has none."""
    for holder in (row, extra if isinstance(extra, dict) else {}):
        for name in _REFERENCES:
            text = holder.get(name)
            if isinstance(text, str) and text.strip() and text.strip() != str(truth).strip():
                return text
    return ""
