"""Metrics are taken over as they appear, whatever else is in the file."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from node_values import make_channel, make_run

from runner.node.observe import MachineSampler, MetricsFollower
from runner.trainers import TRAINERS


class Followed:
    """A metrics file and what was taken over from it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "metrics.raw.jsonl"
        self.out = folder / "published" / "metrics.jsonl"
        channel = make_channel(folder)
        self.follower = MetricsFollower(self.path, TRAINERS["script"], make_run(), channel)

    def write(self, text: str) -> None:
        with self.path.open("a") as file:
            file.write(text)

    @property
    def rows(self) -> list[dict]:
        if not self.out.exists():
            return []
        rows = [json.loads(line) for line in self.out.read_text().splitlines()]
        return [{key: row[key] for key in ("step", "metrics", "raw")} for row in rows]


@pytest.fixture
def followed(tmp_path: Path) -> Iterator[Followed]:
    followed = Followed(tmp_path)
    yield followed
    followed.follower.close()


def test_a_file_that_appears_late_is_read_from_its_start(followed):
    followed.follower.advance()
    assert followed.rows == []
    followed.write('{"step": 1, "reward/mean": 0.5, "my/own": 7}\n')
    followed.follower.advance()
    metrics, raw = {"reward/mean": 0.5}, {"reward/mean": 0.5, "my/own": 7.0}
    assert followed.rows == [{"step": 1, "metrics": metrics, "raw": raw}]
    assert followed.follower.last_step == 1


def test_a_line_is_taken_over_once_it_is_complete(tmp_path):
    followed = Followed(tmp_path)
    followed.write('{"step": 1, "rewa')
    followed.follower.advance()
    assert followed.rows == []
    followed.write('rd/mean": 0.5}\n{"step": 2')
    followed.follower.advance()
    assert [row["step"] for row in followed.rows] == [1]
    followed.follower.close()
    assert [row["step"] for row in followed.rows] == [1]


@pytest.mark.parametrize(
    "line",
    ["no JSON", "[1, 2]", '"text"', '{"reward/mean": 1}', '{"step": "x"}', "{", "", "NaN"],
)
def test_other_lines_are_passed_over(followed, line):
    followed.write(f'{line}\n{{"step": 3, "reward/mean": 1}}\n')
    followed.follower.advance()
    assert [row["step"] for row in followed.rows] == [3]


def test_bytes_that_are_no_text_do_not_stop_it(followed):
    followed.path.write_bytes(b'\xff\xfe\n{"step": 1, "reward/mean": 1}\n')
    followed.follower.advance()
    assert followed.follower.last_step == 1


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_number_is_null_and_no_last_value(followed, value):
    followed.write(f'{{"step": 1, "train/loss": 0.5}}\n{{"step": 2, "train/loss": {value}}}\n')
    followed.follower.advance()
    assert followed.rows[1]["metrics"] == {"train/loss": None}
    assert followed.follower.latest == {"train/loss": 0.5}


def test_texts_and_truth_values_are_no_metrics(followed):
    followed.write('{"step": 1, "note": "x", "flag": true, "none": null, "train/loss": 1}\n')
    followed.follower.advance()
    assert followed.rows[0]["raw"] == {"train/loss": 1.0}


def test_samples_say_what_the_job_uses(tmp_path):
    sampler = MachineSampler(make_channel(tmp_path))
    assert sampler.is_due(10)
    for _ in range(2):
        sampler.sample([psutil.Process(os.getpid())])
    assert not sampler.is_due(10)
    first, second = map(json.loads, (tmp_path / "published/system.jsonl").read_text().splitlines())
    assert first["cpu_percent"] is None
    assert second["cpu_percent"] >= 0
    assert second["processes"] == 1
    assert sampler.peak_memory_bytes >= first["memory_bytes"] > 0
