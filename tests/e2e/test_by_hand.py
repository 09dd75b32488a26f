"""A task that a person launches: everything that is sent lies in one folder, and trains from it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from live_registry import LiveRegistry, script_spec

SPEC = script_spec("--save-every", 4, steps=4, more="secrets: [TOKEN]\n")


@pytest.fixture
def written(registry: LiveRegistry, tmp_path: Path) -> Path:
    registry.merge({"registry.yaml": with_secret(registry), "smoke/hand": SPEC})
    folder = tmp_path / "task"
    command = ("render", "smoke/hand", "--what", "task", "--to", str(folder))
    answer = registry.runner(*command, AWS_REGION="nowhere")
    assert answer.code == 0, answer
    # To SkyPilot a name without a value is one that it has the value of: it would wait for ever.
    given = "--secret TOKEN --secret AWS_REGION"
    assert answer.out == f"cd {folder} && sky jobs launch task.yaml {given}\n"
    return folder


def with_secret(registry: LiveRegistry) -> str:
    text = (registry.root / "registry.yaml").read_text()
    return f"{text}secrets: {{'*': [TOKEN]}}\nnode_variables: [AWS_SESSION_TOKEN, AWS_REGION]\n"


def test_a_folder_trains_by_itself(registry, written, tmp_path):
    config = yaml.safe_load((written / "task.yaml").read_text())
    assert config["workdir"] == "bundle"
    synced = written / "bundle"
    job = synced / config["name"]
    # In place of an environment of all that a node needs: this one, which has it.
    (job / "environment.sh").write_text(f"echo {sys.executable}\n")
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "TOKEN": "hush", **config["envs"]}
    for part in ("setup", "run"):
        done = subprocess.run(
            ["bash", "-c", config[part]], cwd=synced, env=env, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
    (result,) = registry.run_store.parent.glob("trials/*/try/epoch-1/result.json")
    assert json.loads(result.read_text())["exit_code"] == 0
    assert registry.scratch_folders() == []
    assert not [one for one in registry.ledger_files() if one.startswith("runs/")]


def test_a_server_that_dvc_names_for_a_remote_goes_with_the_task(registry, tmp_path):
    dvc = (registry.root / ".dvc/config").read_text()
    section = "['remote \"data\"']\n"
    assert section in dvc
    named = dvc.replace(section, f"{section}    endpointurl = http://store.example:9000\n")
    registry.merge({".dvc/config": named, "smoke/hand": script_spec()})
    folder = tmp_path / "task"
    registry.succeed("render", "smoke/hand", "--what", "task", "--to", str(folder))
    (path,) = folder.glob("bundle/*/task.json")
    task = json.loads(path.read_text())
    assert task["endpoints"] == {task["data_remote"]: "http://store.example:9000"}


def test_nothing_is_written_over(registry, written):
    again = registry.runner("render", "smoke/hand", "--what", "task", "--to", str(written))
    assert (again.code, again.out) == (1, "")
    assert "is not empty" in again.err
    command = registry.runner("render", "smoke/hand", "--to", str(written))
    assert command.code == 2
