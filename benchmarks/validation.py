"""How fast specs are checked: processor time of whole processes, beside peers on the same files.

One GPU recipe with overrides, beside Hydra composing the same command line from verl's own config,
and `check-jsonschema` holding the same file to its schema; then thousands of generated specs, at
first and again with nothing changed.

    python -m benchmarks.validation [--specs N] [--pairs N]

The bars are ratios to `check-jsonschema` in the same run, which a loaded machine slows as much.
Exits 1 when one is missed.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
import zipfile
from pathlib import Path

from benchmarks.large import write_registry
from benchmarks.startup import processor_seconds
from runner.spec.check import load_experiments
from runner.spec.tree import WorkTree
from runner.trainers import TRAINERS
from runner.trainers.keys.wheel import fetch
from runner.trainers.preview import preview_layout

ROOT = Path(__file__).resolve().parents[1]
RECIPE = "math/grpo-qwen2.5-7b"
RECIPE_BAR = 1.2
"""Times the processor time of `check-jsonschema` on the same file."""
MANY_BAR = 1.7
"""Times its throughput on generated specs."""
PEER = "check-jsonschema, same file"
PEER_SPECS = 500
"""`check-jsonschema` gets so many of the generated files: it would take minutes for all."""
COMPOSE = """
import sys
from hydra import compose, initialize_config_dir
with initialize_config_dir(config_dir=sys.argv[1], version_base=None):
    compose("ppo_trainer", overrides=sys.argv[2:])
"""
VALIDATE = [sys.executable, "-m", "runner", "validate"]
SCHEMA = [sys.executable, "-m", "check_jsonschema", "--schemafile"]


def recipe(pairs: int) -> bool:
    """Print the recipe's figures; whether the bar is kept."""
    with tempfile.TemporaryDirectory() as folder:
        return _recipe(pairs, _compose(Path(folder)))


def _recipe(pairs: int, compose: list[str]) -> bool:
    peers = {
        f"runner validate {RECIPE}": [*VALIDATE, RECIPE],
        PEER: [
            *SCHEMA, "schemas/experiment.v1.json", f"experiments/{RECIPE}.yaml",
        ],
        "Hydra composing the same config": compose,
    }  # fmt: skip
    seconds: dict[str, list[float]] = {name: [] for name in peers}
    for _ in range(pairs):
        for name, command in peers.items():
            seconds[name].append(processor_seconds(command, ROOT))
    medians = {name: statistics.median(one) for name, one in seconds.items()}
    ours = next(iter(medians.values()))
    for name, median in medians.items():
        print(f"{name:<48} {median * 1e3:>7.0f} ms   {median / ours:>6.2f}")
    return ours <= RECIPE_BAR * medians[PEER]


def _compose(folder: Path) -> list[str]:
    """Return the command that composes the recipe's config; verl's own is put into `folder`."""
    loaded = load_experiments(WorkTree(ROOT), [RECIPE]).experiments[0]
    run = loaded.runs[0]
    name, version = run.spec.pin
    with zipfile.ZipFile(fetch(name, str(version), folder)) as wheel:
        wheel.extractall(folder)
    argv = TRAINERS[name].compile(run, preview_layout(run.spec), 1).argv
    overrides = [word for word in argv if "=" in word and not word.startswith("hydra.")]
    return [sys.executable, "-c", COMPOSE, str(folder / "verl/trainer/config"), *overrides]


def many(specs: int) -> bool:
    """Print the figures of `specs` generated specs; whether the bar is kept."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name) / "registry"
        write_registry(root, specs, Path(name) / "store")
        os.environ["XDG_CACHE_HOME"] = str(Path(name) / "cache")
        time.sleep(0.1)  # a file this fresh might change again unseen: it is not remembered
        first = processor_seconds(VALIDATE, root)
        again = processor_seconds(VALIDATE, root)
        files = [str(path) for path in sorted(root.glob("experiments/f*/*.yaml"))]
        schema = str(ROOT / "schemas" / "experiment.v1.json")
        peer = processor_seconds([*SCHEMA, schema, *files[:PEER_SPECS]], root)
    print(f"{specs} specs, at first          {first:>7.2f} s   {specs / first:>7.0f} specs/s")
    print(f"{specs} specs, nothing changed   {again:>7.2f} s")
    asked = min(PEER_SPECS, specs)
    print(f"check-jsonschema, {asked} of them  {peer:>7.2f} s   {asked / peer:>7.0f} specs/s")
    return specs / first >= MANY_BAR * asked / peer


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--specs", type=int, default=10_000)
    parser.add_argument("--pairs", type=int, default=5)
    options = parser.parse_args()
    kept = [recipe(options.pairs), many(options.specs)]
    if not all(kept):
        bars = f"{RECIPE_BAR} times its time for a recipe, {MANY_BAR} times its specs/s"
        print(f"a bar is missed, beside check-jsonschema: {bars}", file=sys.stderr)
    return int(not all(kept))


if __name__ == "__main__":
    sys.exit(main())
