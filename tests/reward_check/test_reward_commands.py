"""`runner reward check`, `validate --deep` and `data card --sample`, as people call them."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from real_git import git
from rewards import CASES, EQUAL, HEAD

from runner.cli import cli
from runner.errors import Refused

SPEC = """\
apiVersion: rollbook/v1
trainer: verl==0.9.1
model: {path: Qwen/Qwen2.5-0.5B, revision: 060db6499f32}
algorithm: {name: grpo, group_size: 4}
reward: reward/it.py:compute_score
data: {train: data/train.jsonl, val: {held-out: data/val.jsonl}}
training: {steps: 2, prompts_per_step: 2, learning_rate: 0.00001, evaluate_every: 1}
"""


def rows(numbers: range) -> str:
    content = (
        {"prompt": [{"role": "user", "content": f"{n} + 1 ="}], "data_source": "sums",
         "reward_model": {"ground_truth": str(n + 1), "style": "rule"}}
        for n in numbers
    )  # fmt: skip
    return "".join(json.dumps(row) + "\n" for row in content)


@pytest.fixture
def root(tmp_path, monkeypatch):
    folder = tmp_path / "registry"
    files = {
        "registry.yaml": f"apiVersion: rollbook/v1\nlineage: {'a' * 32}\n",
        "experiments/x.yaml": SPEC,
        "reward/it.py": CASES + EQUAL,
        "reward/constant.py": f"{HEAD}    return 1.0\n",
        "data/train.jsonl": rows(range(30)),
        "data/val.jsonl": rows(range(30, 40)),
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    git(folder, "init", "--quiet")
    monkeypatch.setenv("RUNNER_TRAIN_PYTHON", "/nowhere")
    monkeypatch.setenv("COLUMNS", "200")
    return folder


def runner(folder: Path, *arguments: str) -> tuple[int, str]:
    done = CliRunner(mix_stderr=False).invoke(
        cli, ["-C", str(folder), *arguments], standalone_mode=False
    )
    if done.exception:
        raise done.exception
    return done.return_value or 0, done.stdout


def test_a_sound_reward_is_shown_with_its_rows(root):
    code, out = runner(root, "reward", "check", "reward/it.py")
    assert code == 0
    assert "reward/it.py:compute_score on 20 rows, from data/train.jsonl, in " in out
    assert "ground truth in required form" in out
    assert "Verdict: ok" in out


def test_a_bad_reward_exits_with_1(root):
    code, out = runner(root / "reward", "reward", "check", "constant.py:compute_score")
    assert code == 1
    assert "reward/constant.py:compute_score" in out
    assert "constant: all" in out
    assert "Verdict: bad" in out


@pytest.mark.parametrize("target", ["reward/none.py", "reward", "../outside.py", "/etc/hostname"])
def test_what_is_no_reward_of_the_registry_is_refused(root, target):
    with pytest.raises(Refused, match="is no file of this registry"):
        runner(root, "reward", "check", target)


def test_a_function_that_is_not_there_is_told(root):
    code, out = runner(root, "reward", "check", "reward/it.py:score")
    assert code == 1
    assert "has no attribute 'score'" in out


def test_validate_deep_tries_rewards(root):
    def of_reward() -> list[tuple[str, str, str, int]]:
        _, out = runner(root, "validate", "--deep", "--json")
        found = json.loads(out)["findings"]
        return [(one["rule"], one["level"], one["key"], one["line"])
                for one in found if one["rule"].startswith("reward.")]  # fmt: skip

    assert of_reward() == []
    spec = root / "experiments/x.yaml"
    spec.write_text(SPEC.replace("reward/it.py", "reward/constant.py"))
    assert ("reward.constant", "error", "reward", 5) in of_reward()
    (root / "reward/constant.py").write_text("import no_such_package\n" + EQUAL)
    assert of_reward() == [("reward.unchecked", "hint", "reward", 5)]
    _, out = runner(root, "validate", "--json")
    assert "no_such_package" not in out


def test_a_sample_is_written_with_the_card_and_renewed_with_it(root):
    def dvc(*arguments: str) -> None:
        subprocess.run([sys.executable, "-m", "dvc", *arguments], cwd=root, check=True)

    dvc("init", "--quiet")
    dvc("add", "--quiet", "data/train.jsonl")
    code, out = runner(root, "data", "card", "data/train.jsonl", "--write", "--sample", "5")
    file = root / "data/train.jsonl.sample.jsonl"
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert (code, json.loads(out)["sample"]) == (0, digest)
    pointer = yaml.safe_load((root / "data/train.jsonl.dvc").read_text())
    assert pointer["outs"][0]["meta"]["card"]["sample"] == digest
    assert len(file.read_text().splitlines()) == 5
    git(root, "add", "data")
    assert "data/train.jsonl.sample.jsonl" in git(root, "ls-files")
    _, out = runner(root, "reward", "check", "reward/it.py")
    assert "on 5 rows, from the sample with the card of data/train.jsonl" in out

    (root / "data/train.jsonl").write_text(rows(range(100, 130)))
    runner(root, "data", "card", "data/train.jsonl", "--write")
    assert json.loads(file.read_text().splitlines()[0])["ground_truth"] == "101"


def test_a_sample_beside_a_tracked_folder(root):
    subprocess.run([sys.executable, "-m", "dvc", "init", "--quiet"], cwd=root, check=True)
    subprocess.run([sys.executable, "-m", "dvc", "add", "--quiet", "data"], cwd=root, check=True)
    runner(root, "data", "card", "data/train.jsonl", "--write", "--sample", "3")
    assert len((root / "data.train.jsonl.sample.jsonl").read_text().splitlines()) == 3
    assert sorted(path.name for path in (root / "data").iterdir()) == ["train.jsonl", "val.jsonl"]
