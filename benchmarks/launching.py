"""How long launching takes, beside what SkyPilot itself takes for it.

A stand-in for SkyPilot's API server answers, in a process of its own. Two bars:

- own time: `runner apply` of one run may take 2 s outside its calls of SkyPilot's SDK; loading the
  SDK counts as SkyPilot's;
- fifty runs: `runner apply` of 50 runs may take 1.5 times as long as a plain client of the SDK that
  launches the same 50 tasks in 50 parallel threads.

Wall-clock times of whole processes, measured in pairs, each right beside the other: the bar is held
against the median of the pairs' ratios.

    python benchmarks/launching.py [--pairs N] [--runs N]

Exits 1 when a bar is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from runner.launchers.skypilot.task import sky_task
from runner.node.task import NodeTask

HERE = Path(__file__).parent
STAND_IN = HERE.parent / "tests" / "sky_stand_in"
OWN_SECONDS = 2.0
RATIO = 1.5
FILES = {
    "registry.yaml": (
        f"apiVersion: rollbook/v1\nlineage: {'0b' * 16}\nlauncher: skypilot\n"
        "run_store: s3://bucket/runs\n"
    ),
    ".dvc/config": "".join(
        f"['remote \"{name}\"']\n    url = s3://bucket/dvc\n" for name in ("data", "checkpoints")
    ),
    ".gitignore": "/.rollbook/\n",
    "train.py": "print('trains')\n",
}
SPEC = """\
apiVersion: rollbook/v1
trainer: script
script: {{command: [python, train.py], files: [train.py]}}
training: {{steps: 8, prompts_per_step: 1, learning_rate: 1.0e-3}}
resources: {{cpus: 2, candidates: [{{infra: slurm/pool}}]}}
seeds: [{number}]
"""
SERVER = """\
import sys, time
sys.path[:0] = sys.argv[1:]
from stand_in_sky import Sky
print(Sky(checks=False).url, flush=True)
time.sleep(1e6)
"""
PLAIN = """\
import json, sys, threading
import sky
from sky.client import sdk
from sky.jobs.client import sdk as jobs
tasks = json.load(open(sys.argv[1]))
ids = {}
def launch(name, task):
    ids[name] = sdk.get(jobs.launch(sky.Task.from_yaml_config(task), name=name))[0]
threads = [threading.Thread(target=launch, args=one) for one in tasks.items()]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
assert len(ids) == len(tasks), sorted(set(tasks) - set(ids))
"""
APPLY = """\
import json, sys, threading, time
import runner.launchers.skypilot.client as client
spans = []
def timed(original):
    def wrapper(*arguments, **named):
        start = time.perf_counter()
        try:
            return original(*arguments, **named)
        finally:
            spans.append((start, time.perf_counter()))
    return wrapper
client.Client._ask = timed(client.Client._ask)
import runner.__main__ as program
start = time.perf_counter()
code = 0
try:
    sys.argv = ["runner", "apply"]
    program.main()
except SystemExit as ended:
    code = ended.code or 0
whole = time.perf_counter() - start
inside, reached = 0.0, 0.0
for began, ended in sorted(spans):
    inside += max(0.0, ended - max(began, reached))
    reached = max(reached, ended)
print(json.dumps({"code": code, "own": whole - inside}))
"""


class Bench(NamedTuple):
    """A registry with runs to launch, a server to launch them on, and the same tasks as files."""

    folder: Path
    environment: dict[str, str]
    tasks: Path


@contextmanager
def benched(folder: Path, runs: int) -> Iterator[Bench]:
    """Yield a registry with `runs` runs, and a server that has none of them."""
    program = [sys.executable, "-c", SERVER, str(STAND_IN), str(STAND_IN.parent)]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            url = server.stdout.readline().strip()
            yield _registry(folder, runs, url)
        finally:
            server.kill()


def _registry(folder: Path, runs: int, url: str) -> Bench:
    home, root = folder / "home", folder / "registry"
    home.mkdir(parents=True)
    specs = {f"experiments/x{n:03d}.yaml": SPEC.format(number=n) for n in range(runs)}
    for name, content in {**FILES, **specs}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "SKYPILOT_API_SERVER_ENDPOINT": url,
        "SKYPILOT_DISABLE_USAGE_COLLECTION": "1",
        "GIT_AUTHOR_NAME": "Bench",
        "GIT_AUTHOR_EMAIL": "bench@example.invalid",
        "GIT_COMMITTER_NAME": "Bench",
        "GIT_COMMITTER_EMAIL": "bench@example.invalid",
    }
    bench = Bench(root, environment, folder / "tasks.json")
    for command in ("git init -q -b main", "git add -A", "git commit -qm specs"):
        _run(bench, command.split())
    ledger = "from pathlib import Path\nfrom runner.workspace import open_workspace\n"
    ledger += "open_workspace(Path('.')).ledger.create()\n"
    _run(bench, [sys.executable, "-c", ledger])
    return bench


def _run(bench: Bench, command: list[str]) -> tuple[float, str]:
    """Return the seconds that `command` took and what it printed; it must succeed."""
    start = time.perf_counter()
    done = subprocess.run(
        command, cwd=bench.folder, env=bench.environment, capture_output=True, text=True
    )
    seconds = time.perf_counter() - start
    if done.returncode:
        sys.exit(f"{command[:3]} exited {done.returncode}: {done.stdout}{done.stderr}")
    return seconds, done.stdout


def apply_seconds(bench: Bench) -> tuple[float, float]:
    """Return the seconds of a whole `runner apply`, and those of its own outside SkyPilot."""
    seconds, printed = _run(bench, [sys.executable, "-c", APPLY])
    told = json.loads(printed.splitlines()[-1])
    if told["code"]:
        sys.exit(f"apply exited {told['code']}: {printed}")
    return seconds, told["own"]


def plain_seconds(bench: Bench) -> float:
    """Return the seconds of a plain client that launches the very tasks that apply has sent."""
    tasks = {}
    for sent in sorted((bench.folder / ".rollbook" / "scratch").glob("*/bundle")):
        task = NodeTask.model_validate_json((sent / sent.parent.name / "task.json").read_bytes())
        own = bench.folder.parent / "plain" / task.job
        shutil.copytree(sent, own)
        (own / "another").write_text(task.job)  # or the server would have it already
        tasks[f"plain-{task.job}"] = sky_task(task, own)
    bench.tasks.write_text(json.dumps(tasks))
    return _run(bench, [sys.executable, "-c", PLAIN, str(bench.tasks)])[0]


class Pair(NamedTuple):
    apply_s: float
    own_s: float
    plain_s: float


def measure(runs: int) -> Pair:
    """Return one pair, on a registry and a server of its own."""
    with tempfile.TemporaryDirectory() as name, benched(Path(name), runs) as bench:
        applied, own = apply_seconds(bench)
        return Pair(applied, own, plain_seconds(bench))


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--pairs", type=int, default=5, help="pairs of each measurement")
    parser.add_argument("--runs", type=int, default=50, help="runs of the larger one")
    options = parser.parse_args()
    measure(1)  # warms the caches up
    own = statistics.median(measure(1).own_s for _ in range(options.pairs))
    pairs = [measure(options.runs) for _ in range(options.pairs)]
    ratio = statistics.median(pair.apply_s / pair.plain_s for pair in pairs)
    applied, _, plain = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(f"{'':<34}  {'measured':>16}  {'bar':>6}")
    print(f"{'own time of apply, one run':<34}  {own:>14.2f} s  {OWN_SECONDS:>4.1f} s")
    what = f"apply of {options.runs} runs, plain client"
    print(f"{what:<34}  {applied:>5.2f} s / {plain:>5.2f} s  {RATIO:>5.1f}x  ratio {ratio:.2f}")
    print(f"wall-clock time, medians of {options.pairs}; the ratio is the pairs' median")
    return int(own > OWN_SECONDS or ratio > RATIO)


if __name__ == "__main__":
    sys.exit(main())
