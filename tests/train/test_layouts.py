"""What nodes convert is what verl's own datasets read."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from runner.node.tables import to_parquet

ROOT = Path(__file__).resolve().parents[2]
TRAIN_PYTHON = os.environ.get("RUNNER_TRAIN_PYTHON") or str(ROOT / ".venv-train" / "bin" / "python")
READ = """
import json, sys
from omegaconf import OmegaConf
from transformers import AutoTokenizer
from verl.utils.dataset.multiturn_sft_dataset import MultiTurnSFTDataset
from verl.utils.dataset.rl_dataset import RLHFDataset

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
sft, rl = sys.argv[2:4]
own = {"max_length": 400, "truncation": "error", "pad_mode": "no_padding"}
supervised = MultiTurnSFTDataset([sft], tokenizer, OmegaConf.create(own))
own = {"max_prompt_length": 64, "filter_overlong_prompts": False, "cache_dir": sys.argv[4]}
row = RLHFDataset([rl], tokenizer, OmegaConf.create(own))[3]
kept = ("data_source", "raw_prompt", "reward_model", "extra_info", "index")
print(json.dumps({
    "rows": len(supervised),
    "learned": int(supervised[0]["loss_mask"].sum()),
    "rl": {name: row[name] for name in kept},
}))
"""


def test_verl_reads_what_was_converted(tmp_path, tiny_model):
    source = tmp_path / "questions.jsonl"
    rows = [{"question": f"{n}+1=", "answer": str(n + 1)} for n in range(5)]
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    to_parquet(source, tmp_path / "sft.parquet", "sft", {})
    columns = {"prompt": "question", "ground_truth": "answer"}
    to_parquet(source, tmp_path / "rl.parquet", "rl", columns, "held-out")
    tables = [str(tmp_path / name) for name in ("sft.parquet", "rl.parquet", "cache")]
    command = [TRAIN_PYTHON, "-c", READ, str(tiny_model), *tables]
    environment = {**os.environ, "HF_DATASETS_CACHE": str(tmp_path / "datasets")}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    read = json.loads(done.stdout.splitlines()[-1])
    assert read["rows"] == 5
    assert read["learned"] > 0
    assert read["rl"] == {
        "data_source": "held-out",
        "raw_prompt": [{"role": "user", "content": "3+1="}],
        "reward_model": {"style": "rule", "ground_truth": "4"},
        "extra_info": {"index": 3, "data_source": ""},
        "index": 3,
    }
