"""Specs and files that rules are tried on, and what a case of a rule is."""

from typing import NamedTuple

from dataset_files import DATA_FILES

from runner.registry import Environment, Registry
from runner.rules import check
from runner.spec.check import load_experiments
from runner.spec.tree import MemoryTree

GOOD = """\
apiVersion: rollbook/v1
trainer: verl==0.9.1
model: {path: Qwen/Qwen2.5-0.5B, revision: 060db6499f32}
algorithm: {name: grpo, group_size: 4}
data: {train: data/a.jsonl, val: {arith: data/b.jsonl}}
reward: reward/sums.py:score
training:
  steps: 2
  prompts_per_step: 8
  prompts_per_update: 4
  learning_rate: 1.0e-6
  evaluate_every: 1
expect:
  - val/arith/accuracy: last - first >= 0.1
  - reward/mean: last > 0
secrets: [HF_TOKEN]
"""
SCRIPT = """\
apiVersion: rollbook/v1
trainer: script
script: {command: [python, train.py], files: [train.py, lib]}
training: {steps: 2, prompts_per_step: 8, learning_rate: 0.00001}
expect: [{val/any/accuracy: last > 0}]
"""
FILES = {
    **DATA_FILES,
    "data/a.jsonl": b"{}",
    "data/b.jsonl": b"{}",
    "reward/sums.py": b"import os\n\n\ndef score(solution_str):\n    return 1.0\n",
    "reward/told.py": b"def bare(solution_str):\n    return {'score': 1.0}\n\n\n"
    b"def full(solution_str):\n    return {'score': 1.0, 'acc': True}\n",
    "reward/broken.py": b"def score(:\n",
    "reward/nul.py": b"a = '\x00'\n",
    "reward/deep.py": b"a = " + b"(" * 5000,
    "reward/big.py": b"#" * (1024 * 1024 + 1),
    "reward/escape.py": b"def score():\n    return '\\d'\n",
    "reward/trap.py": b"raise SystemExit('executed')\nasync def score(): ...\n",
    "data/few.jsonl": b"{}",
    "data/few.jsonl.dvc": b"outs: [{md5: 0123, path: few.jsonl, meta: {card: {rows: 7, "
    b"columns: [a], characters: {median: 1, p95: 1, longest: 1}, duplicates: 0, "
    b"sample_sha256: abc}}}]",
    "data/odd.jsonl.dvc": b"outs: [{md5: 0123, path: odd.jsonl, meta: {card: 3}}]",
    "dvc.yaml": b"stages: {unmade: {cmd: x, outs: [data/unmade.jsonl: {cache: true}]}}",
    "train.py": b"",
    "lib/x.py": b"",
}
REGISTRY = Registry(
    apiVersion="rollbook/v1",
    lineage="0" * 32,
    environments={
        pin: Environment(lock=f"requirements/{pin.partition('=')[0]}.txt")
        for pin in ("verl==0.9.1", "skyrl==0.3.0", "trl==1.16.0")
    },
    secrets={"*": ("HF_TOKEN",), "team/*": ("TEAM_KEY",)},
)


class Case(NamedTuple):
    """A spec with one text replaced by another, and the finding that it then has."""

    rule: str
    old: str
    new: str
    line: int
    key: str
    message: str
    cure: str
    spec: str = GOOD


class Sound(NamedTuple):
    """A spec with one text replaced by another, in which a rule finds nothing."""

    rule: str
    old: str
    new: str
    spec: str = GOOD


def tree(text: str, name: str = "x") -> MemoryTree:
    return MemoryTree({**FILES, f"experiments/{name}.yaml": text.encode()})


def found(text: str, name: str = "x"):
    files = tree(text, name)
    loaded = load_experiments(files)
    assert loaded.findings == ()
    return check(loaded, files, REGISTRY)
