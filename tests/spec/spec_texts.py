"""Specs to start from, and trees that hold them."""

from runner.spec.check import Loaded, LoadedExperiment, load_experiments
from runner.spec.tree import MemoryTree

GRPO = """\
apiVersion: rollbook/v1
trainer: verl==0.9.1
model: {path: Qwen/Qwen2.5-0.5B, revision: 060db6499f32}
algorithm: {name: grpo, group_size: 4}
data: {train: data/a.jsonl, val: {arith: data/b.jsonl}}
reward: reward/arithmetic.py:compute_score
training: {steps: 2, prompts_per_step: 8, learning_rate: 1.0e-6}
"""

SFT = """\
apiVersion: rollbook/v1
trainer: verl==0.9.1
model: {path: Qwen/Qwen2.5-0.5B}
algorithm: {name: sft}
data: {train: data/a.jsonl}
training: {epochs: 1, prompts_per_step: 8, learning_rate: 0.00001}
"""

SCRIPT = """\
apiVersion: rollbook/v1
trainer: script
script: {command: [python, train.py], files: [train.py]}
training: {steps: 2, prompts_per_step: 8, learning_rate: 0.00001}
"""


def put(line: str, text: str = GRPO) -> str:
    """Return the spec with the line of the same key replaced, or with `line` at its end."""
    key = line.partition(":")[0]
    lines = text.splitlines()
    places = [index for index, old in enumerate(lines) if old.partition(":")[0] == key]
    lines[places[0] if places else len(lines) :] = [
        line,
        *(lines[places[0] + 1 :] if places else []),
    ]
    return "\n".join(lines) + "\n"


def tree(**files: str | bytes) -> MemoryTree:
    """Return a tree of specs; `__` in a name stands for a folder's slash."""
    return MemoryTree(
        {
            f"experiments/{name.replace('__', '/')}.yaml": text.encode()
            if isinstance(text, str)
            else text
            for name, text in files.items()
        }
    )


def load(**files: str | bytes) -> Loaded:
    return load_experiments(tree(**files))


def load_one(text: str, **bases: str) -> LoadedExperiment:
    """Return the experiment `x`, which must be valid."""
    loaded = load(x=text, **bases)
    assert loaded.findings == ()
    return next(one for one in loaded.experiments if one.name == "x")
