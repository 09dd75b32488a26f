"""result.json is data of unknown origin: what is odd in it becomes an error, never a crash."""

from __future__ import annotations

import json

import pytest

from runner.reward_check import read_result

ROW = {"answer": "empty", "expected": "0", "score": "0.00", "verdict": "ok", "note": ""}
FAULT = {"kind": "constant", "verdict": "bad", "told": "all alike"}
TABLE = {
    "reward": "reward/it.py:compute_score", "rows_from": "its own CASES", "count": 1,
    "seconds": 0.5, "verdict": "bad", "rows": [ROW], "error": "", "faults": [FAULT],
}  # fmt: skip
GOOD = {"version": 1, "tables": [TABLE]}


def changed(**values):
    return {"version": 1, "tables": [{**TABLE, **values}]}


def test_a_good_one_is_read(tmp_path):
    path = tmp_path / "result.json"
    path.write_text(json.dumps(GOOD))
    (table,) = read_result(path)
    assert (table.reward, table.count, table.verdict, table.error) == (
        "reward/it.py:compute_score", 1, "bad", "",
    )  # fmt: skip
    assert table.rows[0].answer == "empty"


@pytest.mark.parametrize(
    "content",
    [
        "", "[]", "null", "{", "[" * 100_000, "\x00", '{"version": 1}', '"' + "x" * 2**21 + '"',
        json.dumps({**GOOD, "version": 2}),
        json.dumps({**GOOD, "more": 1}),
        json.dumps({**GOOD, "tables": [TABLE] * 51}),
        json.dumps(changed(verdict="fine")),
        json.dumps(changed(count=-1)),
        json.dumps(changed(count="1")),
        json.dumps(changed(seconds=float("nan"))),
        json.dumps(changed(seconds=1e300)),
        json.dumps(changed(rows=[ROW] * 61)),
        json.dumps(changed(rows=[{**ROW, "note": "x" * 501}])),
        json.dumps(changed(rows=[{**ROW, "html": "<b>"}])),
        json.dumps(changed(faults=[{**FAULT, "kind": "a.b\n::error::"}])),
        json.dumps(changed(error=None)),
    ],
)  # fmt: skip
def test_what_is_odd_is_one_error(tmp_path, content):
    path = tmp_path / "result.json"
    path.write_text(content)
    (table,) = read_result(path)
    assert table.error.startswith("result.json: ")
    assert (table.verdict, table.rows) == ("note", ())
    assert len(table.error) < 300


def test_what_is_no_file_is_an_error(tmp_path):
    (tmp_path / "other").write_text(json.dumps(GOOD))
    (tmp_path / "result.json").symlink_to("other")
    (tmp_path / "folder").mkdir()
    for name in ("result.json", "folder", "none"):
        (table,) = read_result(tmp_path / name)
        assert table.error
