"""The stand-in for SkyPilot's API server is held to what SkyPilot publishes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import requests
from sky_description import DOCUMENT, Description
from sky_operations import OPERATIONS
from stand_in_sky import Sky

STAND_IN = DOCUMENT.parent


def test_the_description_is_the_installed_skypilots(tmp_path: Path) -> None:
    made = tmp_path / "made.json"
    program = str(STAND_IN / "prune.py")
    done = subprocess.run([sys.executable, program, str(made)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(made.read_text()) == json.loads(DOCUMENT.read_text()), (
        f"python {program} {DOCUMENT} makes it anew"
    )


def test_every_operation_is_in_the_description() -> None:
    described = Description("http://127.0.0.1").operations
    assert {("POST", path) for path in OPERATIONS} <= described


def test_what_the_description_does_not_know_is_a_violation(sky: Sky) -> None:
    asked = requests.post(f"{sky.url}/jobs/cancel", json={"job_ids": [1], "jobs": 2}, timeout=10)
    assert (asked.status_code, len(sky.violations)) == (500, 1)
    assert "jobs" in sky.violations[0]
    sky.violations.clear()


def test_a_body_of_another_type_is_a_violation(sky: Sky) -> None:
    asked = requests.post(f"{sky.url}/jobs/launch", json={"task": 1, "name": "x"}, timeout=10)
    assert asked.status_code == 500
    assert "is not of type 'string'" in sky.violations.pop()
