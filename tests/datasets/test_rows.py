"""Rows: their numbers, and samples of them."""

import json

import pytest
from row_values import write_lines, write_parquet, write_saved

from runner.datasets.jsonl import BLOCK
from runner.datasets.reading import Dataset
from runner.datasets.row import spread

ROWS = [{"n": n, "text": "x" * (n * 37 % 900)} for n in range(1000)]


def files(folder):
    """Yield the same rows in every kind of file."""
    yield write_lines(folder / "lines.jsonl", ROWS)
    yield write_parquet(folder / "table.parquet", ROWS, group=70)
    yield write_saved(folder / "saved", ROWS, shards=3)
    for number in range(3):
        write_lines(folder / "shards" / f"{number}.jsonl", ROWS[number * 400 : number * 400 + 400])
    yield folder / "shards"


def test_a_sample_is_evenly_spread_and_its_rows_are_where_they_say(tmp_path):
    for path in files(tmp_path):
        everything = {(row.file, row.number): row.content for row in Dataset(path).all()}
        dataset = Dataset(path)
        assert dataset.rows == 1000
        sample = list(dataset.sample(7))
        assert [row.content["n"] for row in sample] == [0, 142, 285, 428, 571, 714, 857]
        for row in sample:
            assert everything[row.file, row.number] == row.content
        assert [row.content for row in dataset.sample(5000)] == ROWS


@pytest.mark.parametrize("end", ["\n", ""])
@pytest.mark.parametrize("feed", ["\n", "\r\n", "\n\n", "\n\n\n", "\n \t\r\n"])
def test_blank_lines_count_as_lines_and_not_as_rows(tmp_path, feed, end):
    texts = [json.dumps({"n": n, "text": "y" * 150}) for n in range(1000)]
    path = tmp_path / "a.jsonl"
    path.write_bytes((feed.join(texts) + end).encode())
    assert path.stat().st_size > 2 * BLOCK
    lines = path.read_bytes().split(b"\n")
    every = list(Dataset(path).all())
    assert [row.content["n"] for row in every] == list(range(1000))
    if feed != "\n \t\r\n":  # a line of blanks alone is found in passing, not in the index
        dataset = Dataset(path)
        assert dataset.rows == 1000
        for row in dataset.sample(50):
            assert json.loads(lines[row.number - 1]) == row.content


def test_a_line_that_is_no_object_is_a_row_with_a_reason(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"a": 1}\n[1]\nnothing\n{"a": 1}')
    assert [(row.number, row.fault.split(":")[0]) for row in Dataset(path).all()] == [
        (1, ""),
        (2, "no JSON object"),
        (3, "no JSON"),
        (4, ""),
    ]
    assert Dataset(path).rows == 4


def test_an_empty_file_has_no_rows(tmp_path):
    (tmp_path / "a.jsonl").write_text("")
    dataset = Dataset(tmp_path / "a.jsonl")
    assert (dataset.rows, list(dataset.all()), list(dataset.sample(3))) == (0, [], [])


@pytest.mark.parametrize(("rows", "count"), [(1, 1), (3, 20), (39, 20), (1000, 999), (10**6, 20)])
def test_spread_indices_differ_and_reach_the_end(rows, count):
    indices = spread(rows, count)
    assert len(set(indices)) == min(rows, count)
    assert indices[0] == 0
    assert rows - indices[-1] <= -(-rows // count)
