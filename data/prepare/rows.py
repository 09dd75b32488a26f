"""Rows of datasets, and files of them (JSON Lines) with the same bytes on every machine."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

Row = dict[str, Any]


def message(role: str, content: str) -> Row:
    """One message of a conversation."""
    return {"role": role, "content": content}


def reward_row(source: str, split: str, index: int, prompt: str, answer: str) -> Row:
    """One prompt for reinforcement learning, in the columns that verl reads.

    `source` names the rows in the metrics; `answer` is what the reward function compares with.
    """
    return {
        "ability": "math",
        "data_source": source,
        "extra_info": {"index": index, "split": split},
        "prompt": [message("user", prompt)],
        "reward_model": {"ground_truth": answer, "style": "rule"},
    }


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """One JSON object per line, keys sorted."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = (json.dumps(row, ensure_ascii=False, sort_keys=True) + "\n" for row in rows)
    path.write_bytes("".join(lines).encode())
