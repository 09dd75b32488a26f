"""Facts that do not rest on the trainer's own word."""

from __future__ import annotations

import hashlib
import math
import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from runner.node.cpu import INSIDE
from runner.node.evidence import LOG_TAIL, environment, log_tail
from runner.node.rewards import RewardRecord
from runner.node.rewards import reward_evidence as evidence_of
from runner.node.task import RewardEvidence, RewardSummary

REWARD = """\
def compute_score(data_source, solution_str, ground_truth, extra_info=None):
    if solution_str == "bad":
        raise ValueError("bad")
    return {"score": float(solution_str == ground_truth)}
"""
CALLS = """\
from rollbook_reward import compute_score
for answer in ("right", "wrong", "bad"):
    try:
        compute_score("set", answer, "right")
    except ValueError:
        pass
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "code" / "reward" / "exact.py"
    path.parent.mkdir(parents=True)
    path.write_text(REWARD)
    return path


def reward_evidence(log: Path, file: Path) -> RewardEvidence:
    return evidence_of(RewardRecord(log).advance(), file)


def record(folder: Path, name: str, *scores: float, tail: bytes = b"") -> None:
    folder.mkdir(exist_ok=True)
    content = b"".join(struct.pack("<d", score) for score in scores)
    (folder / f"{name}.f64").write_bytes(content + tail)


def test_the_record_of_all_processes_counts(tmp_path, file):
    record(tmp_path / "log", "10", 0.0, 1.0)
    record(tmp_path / "log", "11", 0.5, math.nan)
    found = reward_evidence(tmp_path / "log", file)
    assert (found.calls, found.failures) == (4, 1)
    assert (found.lowest, found.highest) == (0.0, 1.0)
    assert found.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()


def test_without_a_record_it_was_never_called(tmp_path, file):
    found = reward_evidence(tmp_path / "log", file)
    assert (found.calls, found.lowest, found.highest) == (0, None, None)


def test_calls_that_all_raised_have_no_range(tmp_path, file):
    record(tmp_path / "log", "10", math.nan, math.nan)
    found = reward_evidence(tmp_path / "log", file)
    assert (found.calls, found.failures, found.lowest) == (2, 2, None)


def test_a_score_without_bound_is_told_and_does_not_break_the_evidence(tmp_path, file):
    record(tmp_path / "log", "10", math.inf, 1.0)
    found = reward_evidence(tmp_path / "log", file)
    assert (found.calls, found.failures) == (2, 1)
    assert (found.lowest, found.highest) == (1.0, 1.0)


def test_a_record_cut_off_by_a_kill_counts_as_far_as_it_is_whole(tmp_path, file):
    record(tmp_path / "log", "10", 1.0, tail=b"\0\0\0")
    assert reward_evidence(tmp_path / "log", file).calls == 1


def test_the_record_is_read_on_while_it_grows(tmp_path):
    log = tmp_path / "log"
    reward = RewardRecord(log, RewardSummary(calls=3, failures=1, lowest=0.5, highest=0.5))
    assert reward.advance() == RewardSummary(calls=3, failures=1, lowest=0.5, highest=0.5)
    record(log, "10", 0.25, tail=b"\0\0\0")
    assert reward.advance() == RewardSummary(calls=4, failures=1, lowest=0.25, highest=0.5)
    record(log, "10", 0.25, 1.0)
    record(log, "11", math.nan)
    assert reward.advance() == RewardSummary(calls=6, failures=2, lowest=0.25, highest=1.0)
    assert reward.advance().calls == 6


def test_the_wrapper_that_trainers_load_leaves_that_record(tmp_path, file):
    told = {
        "ROLLBOOK_CODE": str(tmp_path / "code"),
        "ROLLBOOK_REWARD_FILE": str(file),
        "ROLLBOOK_REWARD_FUNCTION": "compute_score",
        "ROLLBOOK_REWARD_LOG": str(tmp_path / "log"),
        "PYTHONPATH": str(INSIDE),
    }
    subprocess.run([sys.executable, "-c", CALLS], env={**os.environ, **told}, check=True)
    found = reward_evidence(tmp_path / "log", file)
    assert (found.calls, found.failures, found.lowest, found.highest) == (3, 1, 0.0, 1.0)


def test_the_environment_is_the_trainings_own():
    found = environment(sys.executable)
    assert found["python"] == sys.version.split()[0]
    assert int(found["cores"]) >= 1
    assert {"platform", "cpu", "memory_gib"} <= set(found)
    assert "python" not in environment("/nonexistent/python")


def test_the_tail_of_a_log_is_text(tmp_path):
    log = tmp_path / "log.txt"
    assert log_tail(log) == ()
    log.write_bytes(b"\x1b[31mred\x1b[0m\n\n\xff\n" + b"x" * 3000 + b"\n")
    red, broken, long = log_tail(log)
    assert "\x1b" not in red
    assert "red" in red
    assert broken
    assert len(long) == 1000
    log.write_text("".join(f"line {number}\n" for number in range(1000)))
    assert log_tail(log) == tuple(f"line {number}" for number in range(1000 - LOG_TAIL, 1000))
