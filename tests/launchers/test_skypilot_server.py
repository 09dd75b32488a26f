"""The API server that SkyPilot itself would ask, found without loading SkyPilot."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from runner.errors import Refused
from runner.launchers.skypilot import server

THEIRS = """\
import sky.server.common, sky.skypilot_config
print(sky.server.common.get_server_url())
print(sky.skypilot_config.get_active_workspace())
"""
OURS = """\
from runner.launchers.skypilot import server
print(server.server_url())
print(server.workspace() or "default")
"""

CASES = {
    "nothing": ({}, {}),
    "port": ({"SKYPILOT_API_SERVER_LOCAL_PORT": "47001"}, {}),
    "home": ({}, {"home/.sky/config.yaml": "api_server: {endpoint: http://team:46580/}\n"}),
    "project": (
        {},
        {
            "home/.sky/config.yaml": "active_workspace: theirs\n",
            ".sky.yaml": "active_workspace: ours\n",
        },
    ),
    "variable": (
        {"SKYPILOT_API_SERVER_ENDPOINT": "https://x.example/sky/"},
        {"home/.sky/config.yaml": "api_server: {endpoint: http://team:46580}\n"},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_it_is_the_one_that_skypilot_finds(tmp_path: Path, case: str) -> None:
    variables, files = CASES[case]
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path / "home"), **variables}
    told = [
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for program in (THEIRS, OURS)
    ]
    assert told[0] == told[1]


def test_a_file_that_is_no_yaml_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "config.yaml"
    broken.write_text("a: [")
    monkeypatch.setenv("SKYPILOT_GLOBAL_CONFIG", str(broken))
    monkeypatch.delenv(server.ENDPOINT, raising=False)
    with pytest.raises(Refused, match=str(broken)):
        server.server_url()


@pytest.mark.parametrize(
    ("url", "is_it"),
    [
        ("http://127.0.0.1:46580", True),
        ("http://localhost", True),
        ("http://[::1]:46580", True),
        ("http://0.0.0.0:46580", True),
        ("https://sky.example.com", False),
        ("http://10.0.0.7:46580", False),
    ],
)
def test_a_server_on_loopback_is_this_machines_alone(url: str, is_it: bool) -> None:
    assert server.is_loopback(url) is is_it


def test_a_password_in_the_address_is_shown_nowhere() -> None:
    assert server.without_password("https://me:secret@sky.example/x") == "https://sky.example/x"
