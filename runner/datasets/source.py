"""The files that make up a dataset.

A path of a spec names one of

- a file: JSON lines, Parquet, or Arrow as Hugging Face's `datasets` writes it;
- a folder of shards, whose names differ in their numbers alone;
- a folder that `datasets.save_to_disk` wrote (state.json names its files, in order);
- the common beginning of shards: `data/x/train` for `data/x/train-00000-of-00002.parquet`, as
  datasets on the Hugging Face Hub are laid out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path, PurePath
from typing import Literal, NamedTuple

from runner.errors import Refused

Kind = Literal["jsonl", "parquet", "arrow"]

KINDS: dict[str, Kind] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".parquet": "parquet",
    ".arrow": "arrow",
}
"""Kinds of files by their suffix."""
SHARDED: tuple[str, ...] = (".jsonl", ".ndjson", ".parquet", ".arrow")
"""Suffixes that count in a folder; a `.json` there describes the data more often than it is."""
STATE = "state.json"
SPLITS = "dataset_dict.json"
_SHARD = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<total>\d{5})(?P<suffix>\.\w+)")
_DIGITS = re.compile(r"\d+")


class Part(NamedTuple):
    """One file of a dataset."""

    path: Path
    kind: Kind


def parts_of(path: Path) -> tuple[Part, ...]:
    """Return the files of the dataset at `path`, in the order of their rows.

    Raises Refused when there are none, when shards are missing, or when the folder holds several
    sets.
    """
    if path.is_file():
        return (_part(path),)
    if path.is_dir():
        return _folder(path)
    shards = _shards(path)
    if not shards:
        raise Refused(
            f"{path} is not here", cure="dvc pull   brings what DVC tracks, dvc repro makes it"
        )
    return _complete(shards)


def exists(path: Path) -> bool:
    """Whether a dataset lies at `path`, complete or not."""
    return path.exists() or bool(_shards(path))


def sets_in(path: Path) -> tuple[Path, ...]:
    """Return the datasets at `path`: itself, or those of a folder of several files or splits.

    Raises Refused when there is none.
    """
    if path.is_dir() and not (path / STATE).is_file():
        files = sorted(file for file in path.iterdir() if file.suffix in SHARDED)
        if len({_set_of(file) for file in files}) > 1:
            return tuple(dict.fromkeys(path / name_of(file) for file in files))
        if (path / SPLITS).is_file():
            return tuple(path / name for name in _splits(path))
        if not files and (path / "data").is_dir():
            return sets_in(path / "data")
    parts_of(path)
    return (path,)


def _splits(folder: Path) -> list[str]:
    return [str(name) for name in json.loads((folder / SPLITS).read_text()).get("splits", [])]


def _part(path: Path) -> Part:
    if path.suffix not in KINDS:
        suffixes = ", ".join(KINDS)
        raise Refused(
            f"{path.name} is no dataset that can be read: its name ends with none of {suffixes}",
            cure="write it as JSON lines or Parquet",
        )
    return Part(path, KINDS[path.suffix])


def _folder(folder: Path) -> tuple[Part, ...]:
    if (folder / SPLITS).is_file():
        raise _several(folder, _splits(folder))
    if (folder / STATE).is_file():
        state = json.loads((folder / STATE).read_text())
        return tuple(_there(folder / file["filename"]) for file in state.get("_data_files", ()))
    files = sorted(path for path in folder.iterdir() if path.suffix in SHARDED)
    if not files and (folder / "data").is_dir():  # a checkout from the Hub
        return _folder(folder / "data")
    if not files:
        raise Refused(
            f"{folder} holds no dataset: no {', '.join(SHARDED)}", cure="name the files' folder"
        )
    if len({_set_of(path) for path in files}) > 1:
        raise _several(folder, dict.fromkeys(map(name_of, files)))
    return _complete(files)


def _several(folder: Path, names: Iterable[str]) -> Refused:
    told = list(names)
    return Refused(
        f"{folder} holds several sets: {', '.join(told)}",
        cure=f"name one of them: {folder.name}/{told[0] if told else '<split>'}",
    )


def _set_of(path: Path) -> str:
    """Return what the set is called that a file is a shard of."""
    match = _SHARD.fullmatch(path.name)
    return match["stem"] if match else _DIGITS.sub("#", path.name)


def name_of(path: PurePath) -> str:
    """Return the name by which a spec says the set that a file is a shard of, or the file alone."""
    match = _SHARD.fullmatch(path.name)
    return match["stem"] if match else path.name


def _shards(path: Path) -> list[Path]:
    """Return the shards whose names begin with `path`."""
    if not path.parent.is_dir():
        return []
    matches = ((file, _SHARD.fullmatch(file.name)) for file in path.parent.iterdir())
    return sorted(
        file
        for file, match in matches
        if match and match["stem"] == path.name and match["suffix"] in SHARDED
    )


def _complete(files: list[Path]) -> tuple[Part, ...]:
    match = _SHARD.fullmatch(files[0].name)
    if match and len(files) != int(match["total"]):
        raise Refused(
            f"{match['stem']}: {len(files)} of {int(match['total'])} shards are here",
            cure=f"dvc pull {files[0].parent.name}",
        )
    return tuple(_part(file) for file in files)


def _there(path: Path) -> Part:
    if not path.is_file():
        raise Refused(f"{path} is not here", cure=f"dvc pull {path.parent.name}")
    return _part(path)
