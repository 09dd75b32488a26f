"""What is counted over the rows of a dataset, in memory that grows by 16 bytes a row."""

from __future__ import annotations

import hashlib
import json
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from runner.datasets.formats import Format
from runner.datasets.kinds import MISSING, Kinds, lookup
from runner.spec.cards import Quantiles

SKETCH = 64
"""Digests of prompts that a card keeps."""
_DIGITS = 12
_FEW = 1_000_000
"""Up to how many digests a set is counted in; more are counted by pyarrow, in a tenth of memory."""


class Survey:
    """Counts over rows of one dataset."""

    def __init__(self, form: Format | None) -> None:
        """Count rows of the format `form`; None where prompts cannot be told."""
        self.form = form
        self.rows = 0
        self.kinds = Kinds()
        self.characters: Counter[int] = Counter()
        """Lengths of rows: all text of a row together."""
        self.lengths: dict[str, Counter[int]] = {}
        """Lengths of columns."""
        self._rows = array("Q")
        self.prompts = array("Q")
        """Digests of prompts, in order of rows; 0 for an empty one."""

    def add(self, row: Mapping[str, Any]) -> None:
        """Count `row`."""
        self.rows += 1
        self.kinds.add(row)
        lengths = {column: text_length(value) for column, value in row.items()}
        for column, length in lengths.items():
            self.lengths.setdefault(column, Counter())[length] += 1
        self.characters[sum(lengths.values())] += 1
        self._rows.append(_digest(json.dumps(row, sort_keys=True, default=str)))
        if self.form:
            prompt = prompt_of(row, self.form)
            self.prompts.append(_digest(prompt) if prompt else 0)

    @property
    def duplicates(self) -> int:
        """How many rows are equal to an earlier one."""
        return len(self._rows) - distinct(self._rows)

    @property
    def repeated_prompts(self) -> int:
        """How many prompts stood in an earlier row."""
        return len(self.prompts) - distinct(self.prompts)


def text_length(value: Any) -> int:
    """Return the characters of all text in `value`."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, Mapping):
        return sum(map(text_length, value.values()))
    return sum(map(text_length, value)) if isinstance(value, list) else 0


def prompt_of(row: Mapping[str, Any], form: Format) -> str:
    """Return what the user says in `row`, with single spaces: by that two rows are compared."""
    column = form.column("prompt") or form.column("messages") or form.column("chosen")
    value = lookup(row, column) if column else MISSING
    if isinstance(value, list):
        messages = (message for message in value if isinstance(message, Mapping))
        value = " ".join(_said(one) for one in messages if one.get("role") in ("user", "human"))
    return " ".join(value.split()) if isinstance(value, str) else ""


def _said(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, list):  # parts: text, images …
        parts = (part.get("text") for part in content if isinstance(part, Mapping))
        content = " ".join(part for part in parts if isinstance(part, str))
    return content if isinstance(content, str) else ""


def quantiles(lengths: Counter[int]) -> Quantiles:
    """Return median, 95th percentile and longest of `lengths`; raises ValueError without any."""
    total = sum(lengths.values())
    ranks = ((total - 1) // 2, round((total - 1) * 0.95), total - 1)
    found: list[int] = []
    seen = 0
    for length in sorted(lengths):
        seen += lengths[length]
        found += [length] * (sum(rank < seen for rank in ranks) - len(found))
    median, p95, longest = found
    return Quantiles(median=median, p95=p95, longest=longest)


def distinct(digests: array[int]) -> int:
    """Return how many different ones there are among `digests`."""
    if len(digests) <= _FEW:
        return len(set(digests))
    import pyarrow
    from pyarrow import compute

    return int(compute.count_distinct(pyarrow.array(memoryview(digests))).as_py())


def sketch_of(prompts: Iterable[int]) -> str:
    """Return the smallest of the prompts' digests, by which sets are compared without their rows.

    As digests are random, those of two sets that lie below a bound are a sample of the prompts that
    is drawn the same way in both (bottom-k sampling, Cohen and Kaplan 2007).
    """
    digits = (f"{digest:016x}"[:_DIGITS] for digest in set(prompts) if digest)
    return " ".join(sorted(digits)[:SKETCH])


def shared(train: str, val: str) -> tuple[int, int]:
    """Return how many of the validation prompts that two sketches can compare are in both.

    The pair is (in both, compared); compared is 0 where nothing can be said.
    """
    one, other = train.split(), val.split()
    # A full sketch knows the digests up to its last, one with room knows all.
    bounds = [digests[-1] for digests in (one, other) if len(digests) == SKETCH]
    compared = [digest for digest in other if all(digest <= bound for bound in bounds)]
    return (len(set(compared) & set(one)), len(compared)) if one else (0, 0)


def _digest(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(errors="replace"), digest_size=8).digest())
