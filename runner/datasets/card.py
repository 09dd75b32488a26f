"""Making dataset cards: what a plan may know of a dataset without downloading it.

A card is kept with what tracks the data (see `runner/spec/cards.py`), so that it is reviewed and
versioned with the data it describes.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from runner.datasets.formats import Format, of_any_stage
from runner.datasets.jsonl import rows_of
from runner.datasets.kinds import Kinds
from runner.datasets.problems import problems_of
from runner.datasets.reading import Dataset
from runner.datasets.row import Row, spread
from runner.datasets.survey import Survey, quantiles, sketch_of
from runner.errors import Refused
from runner.spec.cards import Card
from runner.storage.files import write_atomically

SAMPLE_ROWS = 20
"""Rows that the sample's digest covers, evenly spread over the dataset."""
LOOKED_AT = 1000
"""Rows that the format is told from, evenly spread."""


def card_of(path: Path) -> Card:
    """Return the card of the dataset at `path`.

    Raises Refused when there is none, when it has no rows, and at a line that is no JSON object.
    """
    return _card(path.name, Dataset(path))


def card_of_lines(path: str, content: bytes) -> Card | None:
    """Return the card of the JSONL file at `path`; None where it has faults or no columns."""
    try:
        card = _card(path, _Lines(PurePosixPath(path).name, content))
    except Refused:
        return None
    return card if card.columns else None


class _Source(Protocol):
    """What a card is made of: a dataset on disk, or lines in memory."""

    @property
    def rows(self) -> int: ...

    def all(self) -> Iterable[Row]: ...

    def sample(self, count: int) -> Iterable[Row]: ...


class _Lines:
    """The content of a JSONL file."""

    def __init__(self, name: str, content: bytes) -> None:
        self._rows = list(rows_of(name, content.splitlines(keepends=True)))
        self.rows = len(self._rows)

    def all(self) -> Iterable[Row]:
        return self._rows

    def sample(self, count: int) -> Iterable[Row]:
        return [self._rows[index] for index in spread(self.rows, count)]


def _card(name: str, source: _Source) -> Card:
    if not source.rows:
        raise Refused(f"{name} has no rows")
    kinds = Kinds()
    for row in source.sample(LOOKED_AT):
        kinds.add(row.content)
    formats = of_any_stage(kinds.columns())
    survey, faults = Survey(formats[0] if formats else None), Counter[str]()
    for row in source.all():
        if row.fault:
            raise Refused(f"{row.file}:{row.number} is {row.fault}", cure="correct the line")
        survey.add(row.content)
        faults.update(_stages_at_fault(row, formats))
    return Card(
        rows=survey.rows,
        columns=tuple(sorted(survey.lengths)),
        characters=quantiles(survey.characters),
        duplicates=survey.duplicates,
        sample_sha256=_digest(source.sample(SAMPLE_ROWS)),
        holds=survey.kinds.columns(),
        lengths={name: quantiles(of) for name, of in sorted(survey.lengths.items()) if max(of)},
        formats={form.stage: form.name for form in formats},
        faults=dict(faults),
        repeated_prompts=survey.repeated_prompts if formats else None,
        prompts=sketch_of(survey.prompts),
    )


def _stages_at_fault(row: Row, formats: Iterable[Format]) -> Iterator[str]:
    for form in formats:
        if any(problem.level == "error" for problem in problems_of(row.content, form)):
            yield form.stage


def _digest(rows: Iterable[Row]) -> str:
    lines = (json.dumps(row.content, sort_keys=True, ensure_ascii=False, default=str)
             for row in rows)  # fmt: skip
    return hashlib.sha256("\n".join(lines).encode(errors="replace")).hexdigest()


def write_card(root: Path, path: str, card: Card) -> Path:
    """Keep `card` in the meta block of the file that tracks `path`; return that file.

    Raises Refused when DVC does not track `path`.
    """
    from ruamel.yaml import YAML  # comes with DVC, which writes these files with it

    yaml = YAML()
    yaml.width = 100
    content = card.model_dump(mode="json", exclude_defaults=True)
    for tracked in (PurePosixPath(path), *PurePosixPath(path).parents):
        pointer = root / f"{tracked}.dvc"
        holder = pointer if pointer.exists() else root / "dvc.yaml"
        document = yaml.load(holder.read_text()) if holder.exists() else {}
        inside = str(PurePosixPath(path).relative_to(tracked)) if str(tracked) != path else ""
        if _put(document or {}, str(tracked), inside, content):
            text = io.StringIO()
            yaml.dump(document, text)
            write_atomically(holder, text.getvalue().encode())
            return holder
    raise Refused(f"`{path}` is no output that DVC tracks", cure=f"runner data add {path}")


def _put(document: dict[str, Any], path: str, inside: str, content: dict[str, Any]) -> bool:
    """Set the meta block of the output `path` in a .dvc file or dvc.yaml."""
    for output in document.get("outs", ()):
        if output["path"] == PurePosixPath(path).name:
            output["meta"] = _with_card(output.get("meta"), inside, content)
            return True
    for stage in document.get("stages", {}).values():
        for index, output in enumerate(stage.get("outs", ())):
            name, settings = (output, {}) if isinstance(output, str) else next(iter(output.items()))
            if name == path:
                meta = _with_card(settings.get("meta"), inside, content)
                stage["outs"][index] = {name: {**settings, "meta": meta}}
                return True
    return False


def _with_card(meta: Any, inside: str, content: dict[str, Any]) -> dict[str, Any]:
    """Return the meta block with a card: the output's own, or that of the dataset `inside` it."""
    kept = dict(meta or {})
    if not inside:
        return {**kept, "card": content}
    return {**kept, "cards": {**kept.get("cards", {}), inside: content}}
