# ruff: noqa: E501 - a table reads better in long lines
"""Every accepted format becomes the table that trainers read, in bounded memory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet as parquet
import pytest

from runner.errors import Refused
from runner.node.tables import to_parquet

Q, A, B = ({"role": role, "content": text} for role, text in
           (("user", "1+1"), ("assistant", "2"), ("assistant", "3")))  # fmt: skip
TOOL = {"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}
RL = {
    "data_source": "train",
    "prompt": [Q],
    "ability": "",
    "reward_model": {"style": "rule", "ground_truth": "2"},
    "extra_info": {"index": 0},
}
PAIR = {"prompt": [Q], "chosen": [A], "rejected": [B]}
CASES: list[tuple[str, dict[str, Any], dict[str, str], dict[str, Any]]] = [
    ("sft", {"messages": [Q, A]}, {}, {"messages": [Q, A]}),
    ("sft", {"messages": [Q, A], "tools": [TOOL]}, {}, {"messages": [Q, A], "tools": [TOOL]}),
    ("sft", {"messages": [Q, A], "tools": json.dumps([TOOL])}, {},
     {"messages": [Q, A], "tools": [TOOL]}),
    ("sft", {"messages": [Q, A], "enable_thinking": True, "id": 7}, {},
     {"messages": [Q, A], "enable_thinking": True}),
    ("sft", {"prompt": "1+1", "response": "2"}, {}, {"messages": [Q, A]}),
    ("sft", {"prompt": [Q], "response": "2"}, {}, {"messages": [Q, A]}),
    ("sft", {"prompt": [Q], "completion": [A]}, {}, {"messages": [Q, A]}),
    ("sft", {"question": "1+1", "answer": "2"}, {}, {"messages": [Q, A]}),
    ("sft", {"a": "1+1", "b": "2"}, {"prompt": "a", "response": "b"}, {"messages": [Q, A]}),
    ("sft", {"chat": [Q, A], "schemas": [TOOL]}, {"messages": "chat", "tools": "schemas"},
     {"messages": [Q, A], "tools": [TOOL]}),
    ("rl", {"prompt": "1+1", "reward_model": {"ground_truth": "2"}}, {}, RL),
    ("rl", {"prompt": [Q], "reward_spec": {"ground_truth": "2", "method": "rule"}}, {}, RL),
    ("rl", {"prompt": [Q], "ground_truth": "2"}, {}, RL),
    ("rl", {"question": "1+1", "answer": "2"}, {"prompt": "question", "ground_truth": "answer"}, RL),
    ("rl", {"prompt": "1+1", "extra_info": {"answer": "2"}}, {"ground_truth": "extra_info.answer"},
     {**RL, "extra_info": {"index": 0, "answer": "2"}}),
    ("rl", {"prompt": "1+1", "ground_truth": "2", "from": "gsm"}, {"data_source": "from"},
     {**RL, "data_source": "gsm", "from": "gsm"}),
    ("rl", {**RL, "data_source": "gsm", "agent_name": "tool_agent", "ability": "math",
            "extra_info": {"index": 41, "split": "train"}}, {},
     {**RL, "data_source": "gsm", "agent_name": "tool_agent", "ability": "math",
      "extra_info": {"index": 41, "split": "train"}}),
    ("preference", {"prompt": "1+1", "chosen": "2", "rejected": "3"}, {}, PAIR),
    ("preference", PAIR, {}, PAIR),
    ("preference", {"prompt": "1+1", "chosen": [Q, A], "rejected": [Q, B]}, {}, PAIR),
    ("preference", {"chosen": [Q, A], "rejected": [Q, B], "score": 3}, {}, PAIR),
    ("preference", {"prompt": "1+1", "good": "2", "bad": "3"}, {"chosen": "good", "rejected": "bad"},
     PAIR),
    ("preference", {"prompt": [Q], "chosen": [A, Q, A], "rejected": [A, Q, B]}, {},
     {"prompt": [Q], "chosen": [A, Q, A], "rejected": [A, Q, B]}),
]  # fmt: skip


def lines(folder: Path, *rows: Any) -> Path:
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def converted(source: Path, stage: Any, columns: Any = None, name: str | None = None) -> Any:
    target = source.parent / "made" / "table.parquet"
    rows = to_parquet(source, target, stage, columns or {}, name)
    table = parquet.read_table(target)
    assert rows == table.num_rows
    return table


@pytest.mark.parametrize(("stage", "row", "columns", "expected"), CASES)
def test_a_format_becomes_the_layout_of_its_stage(tmp_path, stage, row, columns, expected):
    (found,) = converted(lines(tmp_path, row), stage, columns).to_pylist()
    assert found == expected


@pytest.mark.parametrize(("stage", "row", "columns", "expected"), CASES)
def test_a_table_in_the_layout_stays_as_it_is(tmp_path, stage, row, columns, expected):
    converted(lines(tmp_path, row, row), stage, columns)
    made = tmp_path / "made" / "table.parquet"
    source = made.rename(tmp_path / "source.parquet")
    before = parquet.read_table(source)
    assert converted(source, stage).equals(before)


def test_shards_become_one_table(tmp_path):
    rows = [{**RL, "extra_info": {"index": n}} for n in range(10)]
    whole = converted(lines(tmp_path, *rows), "rl").to_pylist()
    (tmp_path / "shards").mkdir()
    for number in range(2):
        part = pyarrow.Table.from_pylist(rows[number * 5 : number * 5 + 5])
        parquet.write_table(part, tmp_path / "shards" / f"train-0000{number}-of-00002.parquet")
    for place in ("shards", "shards/train"):
        assert converted(tmp_path / place, "rl").to_pylist() == whole


def test_rows_get_their_index(tmp_path):
    table = converted(lines(tmp_path, *[{"prompt": "?", "ground_truth": "!"}] * 3000), "rl")
    assert [row["extra_info"]["index"] for row in table.to_pylist()] == list(range(3000))


def test_a_validation_set_has_its_own_name_and_the_reward_still_finds_the_old_one(tmp_path):
    rows = [{**RL, "data_source": "sums"}, {**RL, "data_source": None}]
    table = converted(lines(tmp_path, *rows), "rl", name="held-out")
    assert [row["data_source"] for row in table.to_pylist()] == ["held-out", "held-out"]
    assert [row["extra_info"]["data_source"] for row in table.to_pylist()] == ["sums", ""]
    made = (tmp_path / "made" / "table.parquet").rename(tmp_path / "again.parquet")
    again = converted(made, "rl", name="other").to_pylist()
    assert [row["data_source"] for row in again] == ["other", "other"]


def test_columns_that_come_late_are_kept(tmp_path):
    early = {"prompt": "?", "ground_truth": "!", "extra_info": {"level": 1}}
    late = {**early, "extra_info": {"level": 2.5, "hint": ["x"]}, "agent_name": "tool_agent"}
    found = converted(lines(tmp_path, *[early] * 2000, late), "rl").to_pylist()
    assert found[-1]["extra_info"] == {"index": 2000, "level": 2.5, "hint": ["x"]}
    assert found[-1]["agent_name"] == "tool_agent"
    assert found[0]["extra_info"] == {"index": 0, "level": 1, "hint": None}


def test_objects_without_a_field_are_null_in_parquet(tmp_path):
    bare = {"type": "function", "function": {"name": "now", "parameters": {"properties": {}}}}
    (found,) = converted(lines(tmp_path, {"messages": [Q, A], "tools": [bare]}), "sft").to_pylist()
    assert found["tools"][0]["function"] == {"name": "now", "parameters": {"properties": None}}


@pytest.mark.parametrize(
    ("text", "stage", "message"),
    [
        ("no JSON\n", "rl", r"rows\.jsonl:1 is no JSON"),
        ("", "rl", "has the columns none"),
        ('{"question": "?"}\n', "sft", r"rows\.jsonl: has the columns question; needed are"),
        ('{"prompt": "?", "ground_truth": "x"}\n' * 2 + '{"prompt": 3, "ground_truth": "x"}\n', "rl",
         r"rows\.jsonl:3: `prompt` is a number, not messages or text"),
        ('{"prompt": "?", "ground_truth": "x"}\n' * 2000 + '{"prompt": "?", "ground_truth": 3}\n',
         "rl", "rows 1025 to 2001 do not fit into one table"),
    ],
)  # fmt: skip
def test_what_cannot_be_converted_is_refused_with_its_place(tmp_path, text, stage, message):
    source = tmp_path / "rows.jsonl"
    source.write_text(text)
    with pytest.raises(Refused, match=message):
        to_parquet(source, tmp_path / "out.parquet", stage, {})


@pytest.mark.parametrize("name", ["rows.parquet", "missing.jsonl"])
def test_what_is_no_table_is_a_fault_with_its_name(tmp_path, name):
    (tmp_path / "rows.parquet").write_bytes(b"no Parquet")
    with pytest.raises(Refused, match=name):
        to_parquet(tmp_path / name, tmp_path / "out.parquet", "rl", {})


@pytest.mark.slow
def test_a_large_dataset_is_converted_in_bounded_memory(tmp_path):
    row = json.dumps({"question": "why " * 250, "answer": "because " * 125}) + "\n"
    source = tmp_path / "large.jsonl"
    source.write_text(row * 100_000)  # 200 MB
    program = (
        "import sys; from pathlib import Path; from runner.node.tables import to_parquet;"
        "print(to_parquet(Path(sys.argv[1]), Path(sys.argv[2]), 'sft', {}));"
        "print(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0])"
    )
    command = [sys.executable, "-c", program, str(source), str(tmp_path / "out.parquet")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    rows, kilobytes = map(int, done.stdout.split())
    assert rows == 100_000
    assert kilobytes < 200_000  # 106 MB were measured, for 1,000 rows as for 100,000
