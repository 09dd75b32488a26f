"""Runs that go on at once through SkyPilot, and how each of them ends."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sky_registry import SkyRegistry

ALL = ("left", "right", "fails", "stays")


@pytest.fixture(scope="module")
def registry(make, tmp_path_factory) -> SkyRegistry:
    """Launch four runs with one apply: two that wait for each other, one that fails, one held."""
    registry: SkyRegistry = make("runs")
    both: Path = tmp_path_factory.mktemp("both") / "are-there"
    never = both.with_name("never")
    waits = ("--hold-at", 2, "--until", both)
    registry.merge(
        {
            "left": registry.spec("--noise", 0.2, *waits),
            "right": registry.spec("--noise", 0.1, *waits),
            "fails": registry.spec("--crash-at", 3, "--say", "the sea is rough"),
            "stays": registry.spec("--hold-at", 2, "--until", never),
        }
    )
    registry.apply()
    for name in ("left", "right"):
        registry.await_in_store(name, lambda beat: beat["step"] == 2)
    both.touch()  # both hold at step 2 here: they are trained at the same time
    return registry


@pytest.fixture(scope="module")
def ended(registry) -> SkyRegistry:
    """Cancel the one that stays, and wait for the others."""
    registry.await_in_store("stays", lambda beat: beat["step"] == 2)
    registry.succeed("sync")
    registry.succeed("cancel", "stays")
    registry.await_end("left", "right", "fails")
    return registry


def test_two_runs_train_at_the_same_time(ended):
    assert {name: ended.attempt(name)["outcome"] for name in ("left", "right")} == {
        "left": "succeeded",
        "right": "succeeded",
    }
    steps = [json_line["step"] for json_line in ended.metrics("left")]
    assert steps == [1, 2, 3, 4, 5, 6]


def test_where_a_run_was_is_on_record(ended):
    attempt = ended.attempt("left")
    assert attempt["where"].startswith("slurm/virtual")
    assert re.fullmatch(f"job-[0-9]+-{ended.job('left')}", attempt["job"])
    assert attempt["launcher"] == "skypilot"


def test_a_failing_run_says_why_and_fails_its_job(ended):
    attempt = ended.attempt("fails")
    assert attempt["outcome"] == "failed"
    assert "ArithmeticError: the ninth wave" in ended.succeed("show", "fails").out
    log = ended.succeed("logs", "fails").out
    assert "the sea is rough" in log
    assert "ArithmeticError: the ninth wave" in log


def test_a_cancelled_run_is_cancelled_and_says_so(ended):
    assert ended.attempt("stays")["outcome"] == "cancelled"
    assert ended.heartbeat("stays")["step"] == 2


def test_nothing_is_left(ended):
    assert ended.left(ALL) == {}
