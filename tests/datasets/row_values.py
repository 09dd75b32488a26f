"""Rows of every format, and files of them."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow
from pyarrow import ipc, parquet

Row = dict[str, Any]


def user(text: str) -> Row:
    return {"role": "user", "content": text}


def assistant(text: str) -> Row:
    return {"role": "assistant", "content": text}


TOOL = {"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}


def write_lines(path: Path, rows: Iterable[Row]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def write_parquet(path: Path, rows: list[Row], group: int | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pyarrow.Table.from_pylist(rows), path, row_group_size=group)
    return path


def write_saved(folder: Path, rows: list[Row], shards: int = 2) -> Path:
    """Write `rows` as `datasets.save_to_disk` does: Arrow streams, and a state that names them."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"data-{number:05}-of-{shards:05}.arrow" for number in range(shards)]
    size = -(-len(rows) // shards)
    for number, name in enumerate(names):
        table = pyarrow.Table.from_pylist(rows[number * size : (number + 1) * size])
        with ipc.new_stream(folder / name, table.schema) as stream:
            stream.write_table(table, max_chunksize=3)
    state = {"_data_files": [{"filename": name} for name in names], "_split": "train"}
    (folder / "state.json").write_text(json.dumps(state))
    (folder / "dataset_info.json").write_text("{}")
    return folder


def sums(number: int, first: int = 0) -> list[Row]:
    """RL rows, in the columns that verl reads."""
    return [
        {
            "data_source": "sums",
            "prompt": [user(f"{n} + {n} =")],
            "ability": "math",
            "reward_model": {"style": "rule", "ground_truth": str(2 * n)},
            "extra_info": {"index": n},
        }
        for n in range(first, first + number)
    ]
