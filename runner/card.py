"""Making dataset cards: what a plan may know of a dataset without downloading it.

A card is kept with what tracks the data (see `runner/spec/cards.py`), so that it is reviewed and
versioned with the data it describes.
"""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path, PurePosixPath
from typing import Any

from runner.errors import Refused
from runner.files import write_atomically
from runner.spec.cards import Card, Quantiles

SAMPLE_ROWS = 20
"""Rows that the sample's digest covers, evenly spread over the dataset."""


def card_of(path: Path) -> Card:
    """Return the card of a JSONL or Parquet file.

    Raises Refused when it is none, or has no rows.
    """
    rows = read_rows(path)
    if not rows:
        raise Refused(f"{path.name} has no rows")
    lines = [json.dumps(row, sort_keys=True, ensure_ascii=False) for row in rows]
    step = max(1, len(lines) // SAMPLE_ROWS)
    sample = "\n".join(lines[::step][:SAMPLE_ROWS])
    return Card(
        rows=len(rows),
        columns=tuple(sorted({key for row in rows for key in row})),
        characters=_quantiles([_text_length(row) for row in rows]),
        duplicates=len(lines) - len(set(lines)),
        sample_sha256=hashlib.sha256(sample.encode()).hexdigest(),
    )


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Return all rows of a JSONL or Parquet file.

    Raises Refused with the line that is no JSON object.
    """
    if not path.is_file():
        raise Refused(f"{path} is not here", cure=f"dvc pull {path.name}   or dvc repro")
    if path.suffix == ".parquet":
        import pyarrow.parquet as parquet

        return list(parquet.read_table(path).to_pylist())
    lines = path.read_text(encoding="utf-8").split("\n")  # JSON may hold other line separators
    return [_row(path, number, line) for number, line in enumerate(lines, 1) if line.strip()]


def _row(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise Refused(f"{path.name}:{number} is no JSON: {error}") from error
    if not isinstance(row, dict):
        raise Refused(f"{path.name}:{number} is no JSON object")
    return row


def _text_length(value: Any) -> int:
    if isinstance(value, dict):
        return sum(_text_length(item) for item in value.values())
    if isinstance(value, list):
        return sum(_text_length(item) for item in value)
    return len(value) if isinstance(value, str) else 0


def _quantiles(lengths: list[int]) -> Quantiles:
    ordered = sorted(lengths)
    last = len(ordered) - 1
    return Quantiles(
        median=ordered[last // 2], p95=ordered[round(last * 0.95)], longest=ordered[last]
    )


def write_card(root: Path, path: str, card: Card) -> Path:
    """Keep `card` in the meta block of the file that tracks `path`; return that file.

    Raises Refused when DVC does not track `path`.
    """
    from ruamel.yaml import YAML  # comes with DVC, which writes these files with it

    yaml = YAML()
    yaml.width = 100
    content = card.model_dump(mode="json")
    pointer = root / f"{path}.dvc"
    holder = pointer if pointer.exists() else root / "dvc.yaml"
    document = yaml.load(holder.read_text()) if holder.exists() else {}
    if not _put(document, path, content):
        raise Refused(f"`{path}` is no output that DVC tracks", cure=f"dvc add {path}")
    text = io.StringIO()
    yaml.dump(document, text)
    write_atomically(holder, text.getvalue().encode())
    return holder


def _put(document: dict[str, Any], path: str, content: dict[str, Any]) -> bool:
    """Set the meta block of the output `path` in a .dvc file or dvc.yaml."""
    for output in document.get("outs", ()):
        if output["path"] == PurePosixPath(path).name:
            output.setdefault("meta", {})["card"] = content
            return True
    for stage in document.get("stages", {}).values():
        for index, output in enumerate(stage.get("outs", ())):
            name, settings = (output, {}) if isinstance(output, str) else next(iter(output.items()))
            if name == path:
                meta = {**settings.get("meta", {}), "card": content}
                stage["outs"][index] = {name: {**settings, "meta": meta}}
                return True
    return False
