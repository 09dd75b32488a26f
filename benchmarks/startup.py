"""How fast the command line answers: processor time of whole processes against `import click`.

Wall-clock time depends on who else is busy on the machine, and any time on the machine itself; so
each command is measured right beside the yardstick, in pairs, and the median of the pairs' ratios
is held against the bar.

    python benchmarks/startup.py [--pairs N]

Exits 1 when a bar is missed.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

YARDSTICK = [sys.executable, "-c", "import click"]
FILES = {
    "registry.yaml": f"apiVersion: rollbook/v1\nlineage: {'0a' * 16}\n",
    "data/a.jsonl": "{}\n",
    "reward/sums.py": "def score(solution):\n    return 1.0\n",
    "experiments/bases/sums.yaml": """\
apiVersion: rollbook/v1
trainer: verl==0.9.1
model: {path: Qwen/Qwen2.5-0.5B}
algorithm: {name: grpo, group_size: 4}
data: {train: data/a.jsonl, val: {sums: data/a.jsonl}}
reward: reward/sums.py:score
training: {steps: 2, prompts_per_step: 8, learning_rate: 1.0e-6, evaluate_every: 1}
""",
    "experiments/x.yaml": """\
extends: bases/sums
training: {learning_rate: 5.0e-7}
expect:
  - val/sums/accuracy: last - first >= 0.1
seeds: [1, 2, 3]
""",
}


class Case(NamedTuple):
    """A command and how many times the yardstick's processor time it may take."""

    name: str
    command: list[str]
    bar: float


class Result(NamedTuple):
    case: Case
    yardstick_s: float
    command_s: float
    ratio: float

    @property
    def is_over(self) -> bool:
        return self.ratio > self.case.bar


CASES = (
    Case("runner --help", [sys.executable, "-m", "runner", "--help"], 3.0),
    Case("runner validate x", [sys.executable, "-m", "runner", "validate", "x"], 6.0),
)


def processor_seconds(command: list[str], folder: Path) -> float:
    """Return the user and system time of `command`, which must succeed."""
    process = subprocess.Popen(
        command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    assert process.stderr is not None
    told = process.stderr.read()
    process.stderr.close()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(command)} exited {process.returncode}: {told.decode()}")
    return usage.ru_utime + usage.ru_stime


def measure(case: Case, folder: Path, pairs: int) -> Result:
    """Return the medians over `pairs`, each measured in turn; a first one warms the caches up."""
    measured = [
        (processor_seconds(YARDSTICK, folder), processor_seconds(case.command, folder))
        for _ in range(pairs + 1)
    ][1:]
    ratio = statistics.median(command / yardstick for yardstick, command in measured)
    yardsticks, commands = zip(*measured, strict=True)
    return Result(case, statistics.median(yardsticks), statistics.median(commands), ratio)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--pairs", type=int, default=15, help="pairs per command, at least 9")
    pairs = max(9, parser.parse_args().pairs)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for path, content in FILES.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(content)
        results = [measure(case, folder, pairs) for case in CASES]
    print(f"{'command':<18}  {'import click':>12}  {'command':>8}  {'ratio':>6}  {'bar':>5}")
    for result in results:
        times = f"{result.yardstick_s * 1e3:>9.0f} ms  {result.command_s * 1e3:>5.0f} ms"
        verdict = "  over the bar" if result.is_over else ""
        ratio = f"{result.ratio:>6.2f}  {result.case.bar:>5.1f}{verdict}"
        print(f"{result.case.name:<18}  {times}  {ratio}")
    print(f"processor time, medians of {pairs} pairs; the ratio is the median of the pairs' ratios")
    return int(any(result.is_over for result in results))


if __name__ == "__main__":
    sys.exit(main())
