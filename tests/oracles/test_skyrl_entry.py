"""Our entry module in SkyRL's own hands: rows in our layout come to the reward and back as metrics.

The inference engine and the writing of weights stand in, as they take a GPU.
"""

from __future__ import annotations

import array
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from test_skyrl_config import LAYOUT, SPEC, arguments, run_of
from trainer_oracle import ROOT, Oracle

from runner.node.tables import to_parquet
from runner.trainers import TRAINERS

SKYRL = TRAINERS["skyrl"]
REWARD = """
async def compute_score(data_source, solution_str, ground_truth, extra_info=None):
    right = solution_str == ground_truth
    assert extra_info["data_source"] == "hub/sums" if "data_source" in extra_info else True
    score = 2.0 if right else -1.0
    return {"score": score, "acc": right} if data_source == "minerva" else score
"""
QUESTIONS = {
    "train": {"1+1": "2", "1+2": "3"},
    "sums": {"2+2": "4", "2+3": "5", "2+4": "6"},
    "minerva": {"3+3": "6"},
}
ANSWERS = {
    "1+1": ["2", "2", "3", ""], "1+2": ["3", "3", "3", "3"],
    "2+2": ["4"], "2+3": ["9"], "2+4": ["6"], "3+3": ["0"],
}  # fmt: skip


def write_sets(folder: Path) -> dict[str, str]:
    """Write the datasets as the node does; each has another column beside those of verl."""
    paths = {}
    for name, questions in QUESTIONS.items():
        rows = [
            {
                "data_source": "hub/sums", "prompt": [{"role": "user", "content": question}],
                "reward_model": {"style": "rule", "ground_truth": answer},
                "extra_info": {f"index_{name}": 1}, f"only_{name}": 1,
            }
            for question, answer in questions.items()
        ]  # fmt: skip
        source, target = folder / f"{name}.jsonl", folder / f"{name}.parquet"
        source.write_text("".join(json.dumps(row) + "\n" for row in rows))
        to_parquet(source, target, "rl", {}, None if name == "train" else name)
        paths[name] = str(target)
    return paths


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("entry")
    (folder / "code" / "reward").mkdir(parents=True)
    (folder / "code" / "reward" / "sums.py").write_text(REWARD)
    paths = write_sets(folder)
    layout = LAYOUT._replace(
        train=paths.pop("train"), val=paths, checkpoints=str(folder / "checkpoints"),
        samples=str(folder / "samples"),
    )  # fmt: skip
    run = run_of(
        algorithm={"name": "grpo", "group_size": 4},
        data={**SPEC["data"], "val": dict.fromkeys(paths, "data/x.jsonl")},
        training={**SPEC["training"], "steps": 10, "prompts_per_step": 2, "prompts_per_update": 2},
    )
    given = arguments(run, layout, 10, **{"data.dataloader.num_workers": "0"})
    answer = Oracle("skyrl").ask(
        "skyrl_entry.py", {"arguments": given, "answers": ANSWERS}, folder,
        ROOT / "runner" / "node" / "inside",
        ROLLBOOK_CODE=str(folder / "code"),
        ROLLBOOK_REWARD_FILE=str(folder / "code" / "reward" / "sums.py"),
        ROLLBOOK_REWARD_FUNCTION="compute_score", ROLLBOOK_REWARD_LOG=str(folder / "rewards"),
        ROLLBOOK_METRICS=str(folder / "metrics.jsonl"), ROLLBOOK_CONFIG=str(folder / "config"),
        HF_HUB_OFFLINE="1",
    )  # fmt: skip
    return folder, answer


def metrics(folder: Path, line: int) -> dict[str, float]:
    read = SKYRL.parse((folder / "metrics.jsonl").read_text().splitlines()[line])
    assert read is not None
    assert read.step == line
    data = {**SPEC["data"], "val": {"sums": "a.jsonl", "minerva": "b.jsonl"}}
    return SKYRL.canonical(read.values, run_of(data=data))


def test_all_rows_are_there_whatever_other_columns_they_have(played):
    assert played[1]["rows"] == [2, 4]


def test_each_validation_set_has_its_own_reward_and_accuracy(played):
    assert metrics(played[0], 0) == {
        "val/sums/reward": 1.0, "val/sums/accuracy": 1.0,  # a score alone
        "val/minerva/reward": -1.0, "val/minerva/accuracy": 0.0,
    }  # fmt: skip


def test_a_step_is_measured_from_its_answers(played):
    found = metrics(played[0], 1)
    assert found["reward/mean"] == pytest.approx((6 * 2.0 - 2 * 1.0) / 8)
    assert (found["reward/max"], found["reward/min"]) == (2.0, -1.0)
    assert found["response/clip_ratio"] == 1 / 8
    assert found["prompt/length"] == 4.0
    assert found["response/length"] == 2.0


def test_every_call_of_the_reward_is_on_record(played):
    (file,) = (played[0] / "rewards").glob("*.f64")
    scores = array.array("d", file.read_bytes())
    assert sorted(scores) == [-1.0] * 4 + [2.0] * 8


def test_what_is_no_number_is_left_out_and_nan_is_seen(played):
    line = (played[0] / "metrics.jsonl").read_text().splitlines()[1]
    assert "NaN" in line
    assert "text" not in line


def test_the_resolved_config_is_kept_with_every_default(played):
    config = yaml.safe_load((played[0] / "config" / ".hydra" / "config.yaml").read_text())
    assert config["trainer"]["train_batch_size"] == 2
    assert config["trainer"]["policy"]["optimizer_config"]["max_grad_norm"] == 1.0


def test_a_checkpoint_is_complete_with_its_export_and_ends_the_run(played):
    (saved,) = SKYRL.checkpoints(played[0] / "checkpoints")
    assert saved.step == 10
    assert saved.export == saved.folder / "huggingface"
    assert played[1]["finished"] == [False, True]


def test_a_policy_with_adapters_is_exported_as_a_whole_model(played):
    from_adapted, from_base = played[1]["merging"]
    assert from_adapted < 1e-5
    assert from_base > 1e-3
