"""The tokens of datasets, counted by a real tokenizer with its chat template."""

from __future__ import annotations

import os
from pathlib import Path

from runner.datasets.tokens import Tokenizer

ROOT = Path(__file__).resolve().parents[2]
TRAIN_PYTHON = os.environ.get("RUNNER_TRAIN_PYTHON") or str(ROOT / ".venv-train" / "bin" / "python")


def test_a_model_s_own_tokenizer_counts_with_its_template(tiny_model):
    question = {"role": "user", "content": "1+1="}
    answer = {"role": "assistant", "content": "2"}
    with Tokenizer(TRAIN_PYTHON, tiny_model, "tiny") as tokenizer:
        assert tokenizer.works()
        rows = [{"messages": [question]}, {"messages": [question, answer]}]
        one, both = (length.tokens for length in tokenizer.count(rows, "sft"))
        assert len("1+1=") < one < both
        (prompt,) = tokenizer.count([{"prompt": [question]}], "rl")
        assert prompt.tokens > one  # the template begins the answer
        pair = {"prompt": [question], "chosen": [answer], "rejected": [answer, question, answer]}
        (longer,) = tokenizer.count([pair], "preference")
        assert longer.tokens > both
