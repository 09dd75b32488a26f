"""A run as a SkyPilot task: golden files, and SkyPilot's own opinion of every rendered task.

The golden files are what people read; after a change that is meant, write them anew with

    ROLLBOOK_GOLDEN=write pytest tests/launchers/test_sky_task.py
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from runner.launchers.skypilot.task import as_yaml, label, sky_task
from runner.launching.render import render
from runner.node.task import Limits, NodeTask
from runner.spec.check import load_experiments
from runner.spec.experiment import Experiment
from runner.spec.tree import WorkTree
from runner.workspace import open_workspace

ROOT = Path(__file__).parents[2]
GOLDEN = Path(__file__).parent / "golden"
IMAGE = "registry.example/verl@sha256:" + "1" * 64
MODEL = {"path": "Qwen/Qwen2.5-7B-Instruct", "revision": "a09a35458c70"}
RL: dict[str, Any] = {
    "apiVersion": "rollbook/v1",
    "owner": "Some-Body",
    "trainer": "verl==0.9.1",
    "image": IMAGE,
    "model": MODEL,
    "algorithm": {"name": "grpo", "group_size": 8},
    "data": {"train": "data/math/train.jsonl"},
    "reward": "reward/math.py:compute_score",
    "training": {
        "epochs": 1,
        "prompts_per_step": 128,
        "learning_rate": 1e-06,
        "save_every": 20,
    },
    "secrets": ["WANDB_API_KEY"],
}
SUPERVISED = {
    key: RL[key] for key in ("apiVersion", "trainer", "image", "model", "data", "training")
}
SCRIPT = {
    "apiVersion": "rollbook/v1",
    "trainer": "script",
    "script": {
        "command": ["python", "train.py", "$(reboot) `id` ${HOME} '\"; exit"],
        "files": ["train.py"],
    },
    "training": {"steps": 2, "prompts_per_step": 8, "learning_rate": 1e-05},
}
PLACES = [
    {"infra": "k8s/research-pool", "cache": "/cache", "volume": "rollbook-cache"},
    {"infra": "gcp", "spot": True, "max_usd_per_hour": 60.0},
    {"infra": "gcp/us-central1", "needs_approval": True},
]
GPUS = {"accelerators": "H100:8", "memory_gib": 512, "disk_gib": 1024}

CASES: dict[str, dict[str, Any]] = {
    "grpo-three-candidates": {
        "spec": {**RL, "resources": {**GPUS, "candidates": PLACES, "recover": {"errors": 1}}},
        "candidates": 3,
        "experiment": "math/grpo-qwen2.5-7b",
    },
    "grpo-volume": {
        "spec": {**RL, "resources": {**GPUS, "candidates": PLACES, "priority": 100}},
        "experiment": "math/grpo-qwen2.5-7b",
    },
    "grpo-two-nodes": {
        "spec": {
            **RL,
            "resources": {
                **GPUS,
                "nodes": 2,
                "network": "best",
                "candidates": [{"infra": "k8s/research-pool"}],
            },
        },
        "experiment": "math/grpo-qwen2.5-7b-two-nodes",
        "node_variables": ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
    },
    "sft-kept-cluster": {
        "spec": {
            **SUPERVISED,
            "algorithm": {"name": "sft"},
            "resources": {
                "accelerators": "A100-80GB:4",
                "candidates": [{"infra": "aws/us-east-1"}],
                "keep_cluster": "90m",
            },
        },
        "experiment": "math/sft-qwen2.5-7b",
    },
    "skyrl": {
        "spec": {
            **RL,
            "trainer": "skyrl==0.3.0",
            "image": "registry.example/skyrl@sha256:" + "2" * 64,
            "resources": {"accelerators": "L40S:8", "candidates": [{"infra": "nebius"}]},
        },
        "experiment": "gsm8k/skyrl-grpo-qwen2.5-1.5b",
    },
    "trl-dpo": {
        "spec": {
            **SUPERVISED,
            "trainer": "trl==1.16.0",
            "image": None,
            "algorithm": {"name": "dpo"},
            "resources": {"accelerators": "H100:1"},
        },
        "lock": "requirements/trl-cuda.txt",
        "experiment": "preferences/dpo-qwen2.5-7b",
    },
    "cpu-slurm": {
        "spec": {
            **SCRIPT,
            "resources": {
                "cpus": 4,
                "memory_gib": 8,
                "candidates": [{"infra": "slurm/lab/main", "cache": "/shared/rollbook"}],
            },
        },
        "lock": "requirements/train-cpu.txt",
        "experiment": "smoke/script",
    },
}


def task_of(spec: dict[str, Any], lock: str | None = None, **more: Any) -> NodeTask:
    content = Experiment.model_validate({key: one for key, one in spec.items() if one is not None})
    return NodeTask(
        **{
            "run_id": "0123456789ab",
            "attempt": "a1",
            "job": "r0123456789ab-a1-89abcdef",
            "nonce": "89abcdef",
            "seed": 1,
            "spec": content,
            "steps": 10,
            "commit": "c0ffee" * 6 + "c0ff",
            "code": "/code",
            "store": "s3://runs/x",
            "scratch": "/scratch",
            "train_python": "",
            "image": content.image,
            "lock": lock,
            "data_remote": "s3://data",
            "checkpoint_remote": "s3://checkpoints",
            "limits": Limits(seconds=60),
            **more,
        }
    )


def rendered(name: str) -> str:
    return as_yaml(sky_task(task_of(**CASES[name]), Path("bundle")))


@pytest.mark.parametrize("name", CASES)
def test_a_task_is_rendered_as_its_golden_file_says(name):
    path, text = GOLDEN / f"{name}.yaml", rendered(name)
    if os.environ.get("ROLLBOOK_GOLDEN") == "write":
        path.write_text(text)
    assert text == path.read_text(), "meant? ROLLBOOK_GOLDEN=write writes the files anew"
    assert yaml.safe_load(text) == sky_task(task_of(**CASES[name]), Path("bundle"))


def test_every_golden_file_is_a_case():
    assert {path.stem for path in GOLDEN.glob("*.yaml")} == set(CASES)


def validated(files: Sequence[Path]) -> list[dict[str, Any]]:
    command = [sys.executable, str(Path(__file__).with_name("sky_validation.py")), *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stderr.strip().splitlines()[-1])


def test_skypilot_takes_every_golden_task_without_a_network(tmp_path):
    files = []
    for name in CASES:
        files.append(tmp_path / f"{name}.yaml")
        files[-1].write_text((GOLDEN / f"{name}.yaml").read_text())
    found = dict(zip(CASES, validated(files), strict=True))
    three = found["grpo-three-candidates"]
    assert three["ordered"]
    assert [(one["cloud"], one["spot"]) for one in three["places"]] == [
        ("Kubernetes", False),
        ("GCP", True),
        ("GCP", False),
    ]
    assert three["places"][1]["most_usd_per_hour"] == 60
    assert [one["restarts"] for one in three["places"]] == [1, 1, 1]
    assert three["volumes"] == {}  # gcp could not mount it
    assert found["grpo-volume"]["volumes"] == {"/cache": "rollbook-cache"}
    assert found["grpo-two-nodes"]["nodes"] == 2
    assert "ROLLBOOK_RANKS_KEY" in found["grpo-two-nodes"]["secrets"]
    assert found["sft-kept-cluster"]["places"][0]["down_after_minutes"] == 90
    assert found["cpu-slurm"]["places"][0]["accelerators"] is None
    for one in found.values():
        assert one["api_server_access"] is False
        for place in one["places"]:
            assert place["image"] is None or re.search("@sha256:[0-9a-f]{64}$", place["image"])


@pytest.mark.timeout(300)
def test_skypilot_takes_every_experiment_of_this_repository(tmp_path):
    workspace, files = open_workspace(ROOT), []
    for name in (one.name for one in load_experiments(WorkTree(ROOT)).experiments):
        files.append(tmp_path / f"{name.replace('/', '__')}.yaml")
        files[-1].write_text(render(workspace, name, "task"))
    assert len(files) > 20
    for one in validated(files):
        assert one["api_server_access"] is False


def test_text_of_a_spec_is_in_no_script_and_a_secret_has_no_value():
    config = yaml.safe_load(rendered("cpu-slurm"))
    assert "reboot" not in rendered("cpu-slurm")
    others = [yaml.safe_load(rendered(name)) for name in CASES]
    for one in others:  # what differs comes in by the environment
        assert (one["setup"], one["run"]) == (config["setup"], config["run"])
        assert set(one.get("secrets", {}).values()) <= {None}


def test_text_of_a_spec_does_not_leave_a_comment():
    task, sly = task_of(**CASES["skyrl"]), "gcp\nrun: echo gone"
    config = sky_task(task, Path("bundle"))
    text = as_yaml(config, {"resources": [f"After 30 min also: {sly}."]})
    assert yaml.safe_load(text) == config


def test_only_open_candidates_are_asked_for():
    case = CASES["grpo-three-candidates"]
    one, two = (sky_task(task_of(**{**case, "candidates": n}), Path("b")) for n in (1, 2))
    assert one["resources"]["infra"] == "k8s/research-pool"
    assert [place["infra"] for place in two["resources"]["ordered"]] == ["k8s/research-pool", "gcp"]
    assert one["envs"]["ROLLBOOK_CACHES"] == two["envs"]["ROLLBOOK_CACHES"] == "/cache"


@given(st.text(max_size=200))
def test_a_label_is_one_that_every_cloud_takes(text):
    made = label(text)
    assert re.fullmatch(r"([a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?)?", made)


def test_long_names_that_begin_alike_have_labels_of_their_own():
    one, other = ("math/" + "a" * 70 + end for end in "xy")
    assert label(one) != label(other)
    assert label("gsm8k/grpo-qwen2.5-7b") == "gsm8k_grpo-qwen2_5-7b"


@pytest.mark.parametrize("script", ["setup", "run"])
def test_scripts_stop_at_the_first_fault_and_name_no_moving_branch(script):
    text = yaml.safe_load(rendered("grpo-volume"))[script]
    assert text.startswith("set -euo pipefail\n")
    assert subprocess.run(["bash", "-n"], input=text, text=True).returncode == 0
    assert not re.search(r"git clone|pip install(?! --)|curl|--upgrade|@main", text)
