"""A large registry to measure on: committed specs, and a ledger with a year of their runs.

    python -m benchmarks.large FOLDER [--specs N]

Of the specs four of five are whole and one extends a base; every 50th is a matrix of 2 x 2 points,
every 100th starts from the run of another one. They share 20 rewards, 30 datasets and the lock of
the training environment. The ledger is written by the product itself: see `benchmarks.history`.

The registry is kept below FOLDER and made anew when one of these two files or the program has
changed.
"""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from runner.planning.settling import program

REWARDS = 20
DATASETS = 30
PER_FOLDER = 200
WHOLE = """\
apiVersion: rollbook/v1
description: experiment number {number}
hypothesis: The reward rises with a learning rate of {rate:.1e}.
tags: [bench, s{tag}]
trainer: verl==0.9.1
model:
  path: Qwen/Qwen2.5-0.5B-Instruct
  revision: 7ae557604adf67be50417f59c2c2f167def9a775
algorithm: {{name: grpo, group_size: 8, kl: {{in: loss, coefficient: 0.001}}}}
data:
  train: data/d{train:02d}.jsonl
  val: {{gsm8k: data/d{val:02d}.jsonl}}
  max_prompt_tokens: 512
  max_response_tokens: 1024
reward: reward/r{reward:02d}.py:score
training:
  steps: 400
  prompts_per_step: 1024
  prompts_per_update: 256
  learning_rate: {rate:.1e}
  save_every: 20
  evaluate_every: 5
rollout: {{tensor_parallel: 2, gpu_memory: 0.6}}
resources: {{accelerators: H100:8, max_duration: 8h}}
seeds: [{number}]
expect:
  - val/gsm8k/accuracy: last >= 0.5
overrides:
  actor_rollout_ref.actor.grad_clip: 0.5
  actor_rollout_ref.rollout.enable_chunked_prefill: true
"""
DERIVED = """\
extends: bases/gsm8k-{base}
description: experiment number {number}
training: {{learning_rate: {rate:.1e}}}
seeds: [{number}]
"""
MATRIX = """\
matrix:
  grid:
    training.learning_rate: [1.0e-6, 5.0e-7]
    algorithm.group_size: [4, 8]
"""
HUB_MODEL = """\
  path: Qwen/Qwen2.5-0.5B-Instruct
  revision: 7ae557604adf67be50417f59c2c2f167def9a775
"""
REGISTRY = f"""\
apiVersion: rollbook/v1
lineage: '{"0d" * 16}'
launcher: skypilot
run_store: file://{{store}}
environments:
  verl==0.9.1: {{{{lock: requirements/train.txt}}}}
"""
POINTER = "outs:\n- md5: {digest}\n  size: {size}\n  hash: md5\n  path: {name}\n"
REWARD = """\
import re


def score(data_source, solution_str, ground_truth, extra_info=None):
    found = re.findall(r"-?[0-9.]+", solution_str)
    return 1.0 if found[-{number}:] == [ground_truth] else 0.0
"""
GIT = {
    "GIT_AUTHOR_NAME": "Bench",
    "GIT_AUTHOR_EMAIL": "bench@example.invalid",
    "GIT_COMMITTER_NAME": "Bench",
    "GIT_COMMITTER_EMAIL": "bench@example.invalid",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
}
"""Environment in which git behaves the same on every machine."""


def large_registry(cache: Path, specs: int) -> Path:
    """Return the registry of so many specs, with its ledger; made where `cache` has none yet.

    It has no remote. Whoever changes it works on a copy: see `copied`.
    """
    sources = ("large.py", "history.py")
    made_by = hashlib.sha256(b"".join((Path(__file__).parent / s).read_bytes() for s in sources))
    made_by.update(program().encode())  # what apply has noted holds for this very program
    kept = cache.resolve() / f"{specs}-{made_by.hexdigest()[:8]}"
    if not (kept / "complete").exists():
        shutil.rmtree(kept, ignore_errors=True)
        # In a process of its own: the kernel counts what a parent holds as its children's peak.
        maker = multiprocessing.get_context("spawn").Process(target=_make, args=(kept, specs))
        maker.start()
        maker.join()
        if maker.exitcode:
            sys.exit(f"the registry could not be made: exit code {maker.exitcode}")
        (kept / "complete").touch()
    return kept / "registry"


def copied(registry: Path, folder: Path) -> Path:
    """Return a clone of `registry` below `folder`, whose remote is a bare repository there."""
    git(folder, "clone", "-q", "--bare", "--no-hardlinks", str(registry), "origin.git")
    git(folder, "clone", "-q", "--branch", "main", "origin.git", "clone")
    return folder / "clone"


def git(folder: Path, *arguments: str) -> str:
    """Run git in `folder`; return what it printed."""
    done = subprocess.run(
        ["git", *arguments], cwd=folder, env=os.environ | GIT, capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(f"git {' '.join(arguments)} exited {done.returncode}: {done.stderr}")
    return done.stdout.strip()


def files(specs: int, store: Path) -> Iterator[tuple[str, str]]:
    """Yield path and text of every file of the registry."""
    yield "registry.yaml", REGISTRY.format(store=store)
    yield ".gitignore", "/.rollbook/\n"
    remotes = (
        f"['remote \"{name}\"']\n    url = {store}/dvc\n" for name in ("data", "checkpoints")
    )
    yield ".dvc/config", "".join(remotes)
    yield "requirements/train.txt", "".join(f"package{n}==1.{n}.0\n" for n in range(300))
    for number in range(REWARDS):
        yield f"reward/r{number:02d}.py", REWARD.format(number=number + 1)
    for number in range(DATASETS):
        name, digest = f"d{number:02d}.jsonl", hashlib.md5(str(number).encode()).hexdigest()
        text = POINTER.format(digest=digest, name=name, size=1000 + number)
        yield f"data/{name}.dvc", text
    for base in range(4):
        yield f"experiments/bases/gsm8k-{base}.yaml", _whole(base)
    for number in range(specs):
        yield f"experiments/{name_of(number)}.yaml", _spec(number)


def write_registry(root: Path, specs: int, store: Path) -> None:
    """Write the registry's files below `root`; its runs would be in the run store `store`."""
    for path, text in files(specs, store):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)


def name_of(number: int) -> str:
    """Return the name of an experiment."""
    return f"f{number // PER_FOLDER:03d}/x{number:06d}"


def is_upstream(name: str) -> bool:
    """Return whether another experiment starts from the run of this one."""
    return int(name[-6:]) % 100 == 41


def _spec(number: int) -> str:
    if number % 5 == 4:
        return DERIVED.format(base=number // 5 % 4, number=number, rate=_rate(number))
    text = _whole(number)
    if number and is_upstream(name_of(number - 1)):
        upstream = f"  source: run\n  path: {name_of(number - 1)}\n"
        return text.replace(HUB_MODEL, upstream)
    return text + MATRIX if number % 50 == 25 else text


def _whole(number: int) -> str:
    return WHOLE.format(
        number=number,
        rate=_rate(number),
        tag=number % 12,
        train=number % DATASETS,
        val=number * 7 % DATASETS,
        reward=number % REWARDS,
    )


def _rate(number: int) -> float:
    return 1e-6 * (1 + number % 7)


def _make(folder: Path, specs: int) -> None:
    from benchmarks.history import write_history

    root = folder / "registry"
    write_registry(root, specs, folder / "store")
    git(root, "init", "-q", "-b", "main")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "specs")
    write_history(root)
    git(root, "gc", "-q")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--specs", type=int, default=10_000)
    options = parser.parse_args()
    start = time.perf_counter()
    registry = large_registry(options.folder, options.specs)
    print(f"{registry}  {time.perf_counter() - start:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
