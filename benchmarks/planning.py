"""What `runner plan` costs in a large registry of which little has changed.

    python -m benchmarks.planning [--specs N …] [--cache FOLDER] [--pairs N] [--draw FILE]

Ten specs get another learning rate, in one commit. Planning them is held beside the start of Python
with click, pydantic and yaml imported, plus `git diff-tree` of that commit: processor time of whole
processes with their children, in pairs. Beside it, with no bar: the same yardstick with pydantic's
`BaseModel` loaded, which `import pydantic` alone puts off; nothing changed; and `git diff --stat`.
`--draw` draws the growth over the sizes given.

Exits 1 when a bar is missed.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from benchmarks.large import GIT, copied, git, large_registry

ROOT = Path(__file__).resolve().parents[1]
CHANGED = 10
BAR = 3.0
"""Times the yardstick's processor time."""
MOST_MIB = 80.0
IMPORTS = "import click, pydantic, yaml"
LOADED = "import click, yaml; from pydantic import BaseModel"
PLAN = [sys.executable, "-m", "runner", "plan"]
DIFF_TREE = ["git", "diff-tree", "-r", "HEAD~1", "HEAD"]
DIFF_STAT = ["git", "diff", "--stat", "HEAD~1", "HEAD"]


class Cost(NamedTuple):
    """What a process and its children took."""

    seconds: float
    """Of processor time."""
    peak_mib: float
    """Of the process itself."""


class Figures(NamedTuple):
    """Medians of one registry."""

    specs: int
    plan: Cost
    nothing: Cost
    yardstick: float
    loaded: float
    diff_stat: float

    @property
    def ratio(self) -> float:
        """How many times as much as the yardstick."""
        return self.plan.seconds / self.yardstick


def cost(command: list[str], folder: Path) -> Cost:
    """Return what `command` takes; it must succeed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = {**os.environ, **GIT, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, env=environment)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)}: exit code {process.returncode}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(seconds, usage.ru_maxrss / 1024)


def change(registry: Path) -> None:
    """Commit another learning rate of ten specs, spread over the registry."""
    specs = sorted(registry.glob("experiments/*/x*.yaml"))
    whole = [path for path in specs if "\ntrainer:" in path.read_text()]
    for path in whole[:: max(1, len(whole) // CHANGED)][:CHANGED]:
        text = path.read_text()
        path.write_text(re.sub(r"(\n  learning_rate: ).*", r"\g<1>3.3e-6", text))
    git(registry, "commit", "-q", "-a", "-m", "Another learning rate")


def measure(cache: Path, specs: int, pairs: int) -> Figures:
    """Return the figures of a registry of so many specs."""
    with tempfile.TemporaryDirectory() as name:
        registry = copied(large_registry(cache, specs), Path(name))
        # Once before, as in a clone that is in use: git looks at every file of a new one.
        nothing = [cost(PLAN, registry) for _ in range(pairs + 1)][1:]
        change(registry)
        git(registry, "push", "-q", "origin", "HEAD")
        plans, bare, loaded, stats = [], [], [], []
        for _ in range(pairs):
            plans.append(cost(PLAN, registry))
            tree = cost(DIFF_TREE, registry).seconds
            bare.append(cost([sys.executable, "-c", IMPORTS], registry).seconds + tree)
            loaded.append(cost([sys.executable, "-c", LOADED], registry).seconds + tree)
            stats.append(cost(DIFF_STAT, registry).seconds)
    return Figures(
        specs, _median(plans), _median(nothing), *map(statistics.median, (bare, loaded, stats))
    )


def _median(costs: list[Cost]) -> Cost:
    return Cost(statistics.median(one.seconds for one in costs), max(one.peak_mib for one in costs))


def show(one: Figures) -> None:
    """Print the figures of one registry."""
    rows = (
        ("runner plan, ten specs changed", one.plan.seconds),
        ("runner plan, nothing changed", one.nothing.seconds),
        (f"python -c '{IMPORTS}' + git diff-tree", one.yardstick),
        ("the same with BaseModel loaded", one.loaded),
        ("git diff --stat", one.diff_stat),
    )
    print(f"{one.specs:,} specs")
    for what, seconds in rows:
        ratio = one.plan.seconds / seconds
        print(f"  {what:<60} {seconds * 1e3:>7.0f} ms   plan is {ratio:>7.2f} times that")
    print(f"  peak memory of the plan {one.plan.peak_mib:.0f} MiB")


def draw(found: list[Figures], target: Path) -> None:
    """Draw the processor time of a plan over the number of specs."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.0, 3.6), layout="constrained")
    axes = figure.add_subplot()
    sizes = [one.specs for one in found]
    lines = {
        "runner plan, ten specs changed": [one.plan.seconds for one in found],
        "runner plan, nothing changed": [one.nothing.seconds for one in found],
        "Python with click, pydantic, yaml + git diff-tree": [one.yardstick for one in found],
    }
    for name, seconds in lines.items():
        axes.plot(sizes, seconds, marker="o", markersize=4, label=name)
    axes.set(xscale="log", xlabel="specs in the registry", ylabel="seconds of processor time")
    axes.set_ylim(bottom=0)
    axes.grid(visible=True, color="#e3e6ea")
    axes.legend(fontsize=8, frameon=False)
    figure.savefig(target, metadata={"Date": None})


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--specs", type=int, nargs="+", default=[1_000, 10_000])
    parser.add_argument("--cache", type=Path, default=ROOT / ".cache" / "benchmarks")
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--draw", type=Path)
    options = parser.parse_args()
    found = []
    for specs in sorted(options.specs):
        found.append(measure(options.cache, specs, options.pairs))
        show(found[-1])
    if options.draw:
        draw(found, options.draw)
    over = [one for one in found if one.ratio > BAR or one.plan.peak_mib > MOST_MIB]
    if over:
        print(f"a bar is missed: {BAR} times the yardstick, {MOST_MIB:g} MiB", file=sys.stderr)
    return int(bool(over))


if __name__ == "__main__":
    sys.exit(main())
