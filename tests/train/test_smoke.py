"""The smoke experiments of verl, trained for real, but those of the demo: SFT and GRPO.

`make test` trains those two and one of TRL; these are for `make test-all`.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
TRAIN_PYTHON = ROOT / ".venv-train" / "bin" / "python"
SMOKE = ROOT / "experiments" / "smoke"
USUAL = ("reward/mean", "policy/loss", "gradient/norm", "response/length", "val/sums/accuracy")
# What besides the usual metrics has to be there.
METRICS = {
    "ppo": ("value/loss", "kl/reference", "kl/old_policy", "policy/clip_fraction"),
    "dr_grpo": ("val/sums/pass_at_k", "policy/clip_fraction"),
    "dapo": ("policy/clip_fraction", "kl/old_policy"),
    "gspo": ("policy/clip_fraction", "kl/old_policy"),
    "rloo": ("policy/clip_fraction", "kl/old_policy"),
    "reinforce_plus_plus": ("policy/clip_fraction",),
    "reinforce_plus_plus_baseline": ("kl/reference",),
    "remax": ("policy/clip_fraction",),
    "gmpo": ("policy/clip_fraction",),
    "cispo": ("policy/clip_fraction",),
    "sapo": ("kl/old_policy",),
    "gpg": (),
    "lora": ("kl/reference",),
}


@pytest.fixture(scope="module")
def smoke(demo):
    """The demo's registry with all smoke experiments of verl, which wait to be launched."""
    for path in SMOKE.glob("*.yaml"):
        shutil.copy(path, demo.path / "experiments" / "smoke")
    demo.merge("The other smoke experiments")
    return demo


def train(registry, name):
    """Launch the experiment, wait for its end, and return its record."""
    done = registry.runner("launch", f"smoke/{name}", "--wait")
    assert done.returncode == 0, done.stdout + done.stderr
    runs = json.loads(registry.runner("status", "--json").stdout)["runs"]
    run = next(run for run in runs if run["experiment"] == f"smoke/{name}")
    assert run["outcome"] == "succeeded"
    return run


@pytest.mark.slow
@pytest.mark.parametrize("name", METRICS)
def test_an_algorithm_trains(smoke, name):
    run = train(smoke, name)
    assert run["step"] == 3
    missing = [metric for metric in (*USUAL, *METRICS[name]) if metric not in run["metrics"]]
    assert missing == []
    if name == "lora":
        assert_the_export_is_one_whole_model(smoke, run)


@pytest.mark.slow
def test_the_policy_calls_a_tool(smoke):
    train(smoke, "tools-sft")
    run = train(smoke, "tools")
    # A question and its answer are two turns; each round of tool calls adds two.
    assert run["metrics"]["rollout/turns"] > 2
    samples = [*smoke.path.rglob(f"store/runs/*/{run['run_id']}/**/samples/**/*.jsonl")]
    lines = [line for path in samples for line in path.read_text().splitlines()]
    outputs = [json.loads(line)["output"] for line in lines]
    assert any("<tool_call>" in output for output in outputs)


def test_every_experiment_is_trained_here_or_in_the_demo():
    names = {path.stem for path in SMOKE.glob("*.yaml")}
    assert names == {*METRICS, "tools", "tools-sft", "sft", "grpo"}
    for name in METRICS:
        spec = yaml.safe_load((SMOKE / f"{name}.yaml").read_text())
        assert spec["algorithm"]["name"] == ("grpo" if name == "lora" else name)


def assert_the_export_is_one_whole_model(registry, run):
    """The adapters are merged: the same tensors as before by name and shape, with other values."""
    store = registry.path / ".rollbook" / "store" / "runs"
    (export,) = store.glob(f"*/{run['run_id']}/**/huggingface/*.safetensors")
    base = registry.path / "models" / "smoke" / "qwen2" / "model.safetensors"
    program = (
        "import sys; from safetensors.torch import load_file; a, b = map(load_file, sys.argv[1:])\n"
        "assert {k: v.shape for k, v in a.items()} == {k: v.shape for k, v in b.items()}\n"
        "assert all((a[k] != b[k]).any() for k in a if 'proj.weight' in k)\n"
    )
    done = subprocess.run(
        [str(TRAIN_PYTHON), "-c", program, str(export), str(base)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
