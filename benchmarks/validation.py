"""How fast specs are checked: processor time of whole processes, beside peers on the same files.

One GPU recipe with overrides, beside Hydra composing the same command line from verl's own config,
and `check-jsonschema` holding the same file to its schema; then thousands of generated specs, at
first and again with nothing changed.

    python -m benchmarks.validation [--specs N] [--pairs N]

Exits 1 when a bar is missed.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.registries import write_registry
from benchmarks.startup import processor_seconds

ROOT = Path(__file__).resolve().parents[1]
RECIPE = "math/grpo-qwen2.5-7b"
RECIPE_BAR_S = 0.3
SPECS_PER_SECOND_BAR = 500
PEER_SPECS = 500
"""`check-jsonschema` gets so many of the generated files: it would take minutes for all."""
VALIDATE = [sys.executable, "-m", "runner", "validate"]
SCHEMA = [sys.executable, "-m", "check_jsonschema", "--schemafile"]


def recipe(pairs: int) -> bool:
    """Print the recipe's figures; whether the bar is kept."""
    peers = {
        f"runner validate {RECIPE}": [*VALIDATE, RECIPE],
        "check-jsonschema, same file": [
            *SCHEMA, "schemas/experiment.v1.json", f"experiments/{RECIPE}.yaml",
        ],
        "Hydra composing the same config": _compose(),
    }  # fmt: skip
    seconds: dict[str, list[float]] = {name: [] for name in peers}
    for _ in range(pairs):
        for name, command in peers.items():
            seconds[name].append(processor_seconds(command, ROOT))
    medians = {name: statistics.median(one) for name, one in seconds.items()}
    ours = next(iter(medians.values()))
    for name, median in medians.items():
        print(f"{name:<48} {median * 1e3:>7.0f} ms   {median / ours:>6.2f}")
    return ours <= RECIPE_BAR_S


def _compose() -> list[str]:
    from runner.trainers.keys.composing import compose_command

    return compose_command(ROOT, RECIPE)


def many(specs: int) -> bool:
    """Print the figures of `specs` generated specs; whether the bar is kept."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name) / "registry"
        write_registry(root, specs)
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
    return specs / first >= SPECS_PER_SECOND_BAR


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--specs", type=int, default=10_000)
    parser.add_argument("--pairs", type=int, default=5)
    options = parser.parse_args()
    kept = [recipe(options.pairs), many(options.specs)]
    if not all(kept):
        bars = f"{RECIPE_BAR_S} s for a recipe, {SPECS_PER_SECOND_BAR} specs/s at first"
        print(f"a bar is missed: {bars}", file=sys.stderr)
    return int(not all(kept))


if __name__ == "__main__":
    sys.exit(main())
