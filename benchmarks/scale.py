"""How the verbs fare in a large registry, each beside the plain cost of its parts.

    python -m benchmarks.scale [--specs N] [--cache FOLDER] [--draw FILE]

apply of 100 new runs, sync of 1,000 that go on (or half of all) and of some that end, status, and
the ledger branch itself; and peers on the same tree in the same run. Each operation is a process of
its own; its peak memory is what the kernel says of it. The bars are ratios and counts, since a busy
machine slows both sides. `--draw` makes the curve over all sizes measured so far below FOLDER.

Exits 1 when a bar is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from benchmarks.activity import put_heartbeats, put_results, set_running
from benchmarks.growth import draw_growth
from benchmarks.large import GIT, copied, git, large_registry
from benchmarks.operating import opened

ROOT = Path(__file__).resolve().parents[1]
NEW = 100
GOING = 1000
SAMPLE = 500
PUSHES = 3
PICTURES = """\
import io, sys
from matplotlib.figure import Figure
for number in range(int(sys.argv[1])):
    figure = Figure(figsize=(7.2, 2.6), layout="constrained")
    for axes in figure.subplots(1, 2):
        axes.plot(range(100), [n * n for n in range(100)])
        axes.set(title="Reward", xlabel="step", ylabel="mean score")
    figure.savefig(io.StringIO(), format="svg")
"""
RUNNER = [sys.executable, "-m", "runner"]


class Measured(NamedTuple):
    """What a process took."""

    seconds: float
    peak_mib: float
    printed: str


class Row(NamedTuple):
    """An operation beside something plain."""

    what: str
    seconds: float
    beside: str
    beside_s: float
    bar: float
    peak_mib: float = 0.0
    counts: Mapping[str, int] = MappingProxyType({})

    @property
    def ratio(self) -> float:
        """How many times as long it takes."""
        return self.seconds / self.beside_s


def measured(command: list[str], folder: Path) -> Measured:
    """Run `command`, which must succeed."""
    environment = os.environ | GIT | {"PYTHONPATH": str(ROOT), "DVC_NO_ANALYTICS": "1"}
    with tempfile.TemporaryFile() as out:
        start = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, stdout=out, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        printed = out.read().decode()
    if process.returncode:
        sys.exit(f"{' '.join(command)} exited {process.returncode}: {printed[-500:]}")
    return Measured(seconds, usage.ru_maxrss / 1024, printed)


def store_of(clone: Path) -> str:
    """Return the run store of a copy; its registry.yaml stays as it is, as it bears on plans."""
    return f"file://{clone.parent}/store"


def operated(verb: str, clone: Path) -> tuple[Measured, dict[str, int]]:
    """Carry out `verb` in a process of its own; return what it took, and what it asked."""
    operation = [sys.executable, "-m", "benchmarks.operating", verb, str(clone), store_of(clone)]
    done = measured(operation, ROOT)
    told = json.loads(done.printed)
    return done._replace(seconds=told.pop("seconds")), told


def plain_push(clone: Path) -> float:
    """Return the seconds in which git pushes a commit in the same repository; a median."""
    found = []
    for number in range(PUSHES):
        git(clone, "commit", "-q", "--allow-empty", "-m", f"commit {number}")
        push = ["git", "push", "-q", "origin", "+HEAD:refs/heads/other"]
        found.append(measured(push, clone).seconds)
        git(clone, "reset", "-q", "--hard", "HEAD~1")
    return statistics.median(found)


def plain_pictures(folder: Path, runs: int) -> float:
    """Return the seconds in which matplotlib alone draws as many pictures as runs that end have."""
    command = [sys.executable, "-c", PICTURES, str(2 * runs)]
    return measured(command, folder).seconds if runs else 0.0


def published(clone: Path) -> Row:
    """Make the leaderboard from all records, as where a ledger has no rows of it yet."""
    plain = plain_read(clone) + plain_push(clone)
    done, counts = operated("pages", clone)
    beside = "git cat-file of all records, a push"
    return Row(
        "leaderboard from all records", done.seconds, beside, plain, 60.0, done.peak_mib, counts
    )


def plain_read(clone: Path) -> float:
    """Return the seconds in which git alone reads every record."""
    names = git(clone, "ls-tree", "-r", "--name-only", "origin/runs").splitlines()
    wanted = "".join(f"origin/runs:{name}\n" for name in names if name.endswith("record.json"))
    start = time.perf_counter()
    subprocess.run(["git", "cat-file", "--batch"], cwd=clone, input=wanted.encode(),
                   stdout=subprocess.DEVNULL, check=True)  # fmt: skip
    return time.perf_counter() - start


def applied(clone: Path, specs: int) -> Row:
    """Apply 100 new runs."""
    (clone / "experiments" / "new").mkdir()
    recipe = (clone / "experiments" / "f000" / "x000000.yaml").read_text()
    for number in range(specs, specs + NEW):
        text = recipe.replace("seeds: [0]", f"seeds: [{number}]")
        (clone / "experiments" / "new" / f"x{number:06d}.yaml").write_text(text)
    git(clone, "add", "-A")
    git(clone, "commit", "-qm", f"{NEW} new specs")
    git(clone, "push", "-q", "origin", "main")
    plain = measured([*RUNNER, "plan", "--json"], clone).seconds + 2 * plain_push(clone)
    done, counts = operated("apply", clone)
    beside = "runner plan and two pushes"
    return Row(f"apply of {NEW} new runs", done.seconds, beside, plain, 6.0, done.peak_mib, counts)


def synced(clone: Path, specs: int) -> list[Row]:
    """Sync runs that go on: nothing new, one that ended, twenty that ended."""
    workspace = opened(clone, store_of(clone))
    records = set_running(workspace, min(GOING, specs // 2))
    put_heartbeats(workspace, records)
    rows = []
    for ended in (0, 1, 20):
        going = len(records)
        put_results(workspace, records[:ended])
        del records[:ended]
        plain = plain_push(clone) + plain_pictures(clone, ended)
        beside = "a push and the pictures" if ended else "a push"
        done, counts = operated("sync", clone)
        what = f"sync of {going:,} runs, {ended} ended"
        bar = 8.0 if ended else 60.0
        rows.append(Row(what, done.seconds, beside, plain, bar, done.peak_mib, counts))
    return rows


def told(clone: Path) -> list[Row]:
    """List all runs."""
    plain = plain_read(clone)
    rows = []
    for arguments in (["status"], ["status", "--all", "--json"]):
        done = measured([*RUNNER, *arguments], clone)
        what, beside = f"runner {' '.join(arguments)}", "git cat-file of all records"
        rows.append(Row(what, done.seconds, beside, plain, 60.0, done.peak_mib))
    return rows


def peers(clone: Path, specs: int) -> dict[str, float]:
    """Return the seconds of other programs on the same tree."""
    files = [str(path) for path in sorted(clone.glob("experiments/f*/*.yaml"))[:SAMPLE]]
    schema = str(ROOT / "schemas" / "experiment.v1.json")
    commands = {
        f"git diff --stat of {NEW} new specs": ["git", "diff", "--stat", "HEAD~1"],
        "dvc status, 30 datasets": [sys.executable, "-m", "dvc", "status"],
        f"check-jsonschema, {min(SAMPLE, len(files))} of the specs": [
            sys.executable, "-m", "check_jsonschema", "--schemafile", schema, *files,
        ],
    }  # fmt: skip
    return {name: measured(command, clone).seconds for name, command in commands.items()}


def branch(clone: Path, folder: Path) -> dict[str, tuple[float, float]]:
    """Return seconds and MiB of each way to fetch the ledger."""
    origin = (folder / "origin.git").resolve()
    git(origin, "config", "uploadpack.allowFilter", "true")
    git(origin, "gc", "-q")
    found = {}
    for name, options in (
        ("full", []),
        ("shallow", ["--depth", "1"]),
        ("shallow, blobless", ["--depth", "1", "--filter=blob:none"]),
    ):
        target = folder / f"fetched-{len(found)}"
        command = ["git", "clone", "-q", "--bare", "--single-branch", "-b", "runs", *options]
        done = measured([*command, f"file://{origin}", str(target)], folder)
        size = sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
        found[f"fetch of the ledger, {name}"] = (done.seconds, size / 2**20)
    return found


def widest(clone: Path) -> tuple[int, str]:
    """Return the most entries of a directory of the ledger, and which one."""
    names = git(clone, "ls-tree", "-r", "-t", "--name-only", "origin/runs").splitlines()
    entries: dict[str, int] = {}
    for name in names:
        entries[name.rpartition("/")[0]] = entries.get(name.rpartition("/")[0], 0) + 1
    return max((count, name) for name, count in entries.items())


def measure(cache: Path, specs: int) -> dict[str, Any]:
    """Measure everything on a copy; return and print it."""
    registry = large_registry(cache, specs)
    with tempfile.TemporaryDirectory(dir=cache) as name:
        folder = Path(name)
        clone = copied(registry, folder)
        git(clone, "fetch", "-q", "origin", "runs:refs/remotes/origin/runs")
        operated("apply", clone)  # what settled for another version of the program is settled anew
        rows = [published(clone), applied(clone, specs)]
        beside = peers(clone, specs)
        rows += synced(clone, specs)
        git(clone, "fetch", "-q", "origin")
        rows += told(clone)
        fetched, wide = branch(clone, folder), widest(clone)
    show(specs, rows, beside, fetched, wide)
    over = [row.what for row in rows if row.ratio > row.bar or row.counts.get("push", 0) > 3]
    if over:
        print(f"a bar is missed: {', '.join(over)}", file=sys.stderr)
    found = {
        row.what: {**row._asdict(), "counts": dict(row.counts), "ratio": row.ratio} for row in rows
    }
    return {"specs": specs, "rows": found, "peers": beside, "fetched": fetched, "over": over}


def show(
    specs: int,
    rows: list[Row],
    beside: dict[str, float],
    fetched: dict[str, tuple[float, float]],
    wide: tuple[int, str],
) -> None:
    """Print the table."""
    print(f"{specs:,} specs\n{'':<36} {'':>9} {'beside':>28} {'ratio':>7} {'bar':>5} {'peak':>8}")
    for row in rows:
        plain = f"{row.beside}, {row.beside_s:.2f} s"
        peak = f"{row.peak_mib:>4.0f} MiB"
        ratio = f"{row.ratio:>6.1f} {row.bar:>5.0f}"
        print(f"{row.what:<36} {row.seconds:>7.2f} s {plain:>36} {ratio} {peak}")
        if row.counts:
            print("    " + ", ".join(f"{name}: {n:,}" for name, n in sorted(row.counts.items())))
    for name, seconds in beside.items():
        print(f"{name:<36} {seconds:>7.2f} s")
    for name, (seconds, mib) in fetched.items():
        print(f"{name:<36} {seconds:>7.2f} s {mib:>7.1f} MiB")
    print(f"the widest directory of the ledger has {wide[0]:,} entries: {wide[1]}")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--specs", type=int, default=1000)
    parser.add_argument("--cache", type=Path, default=ROOT / ".cache" / "large")
    parser.add_argument("--draw", type=Path, help="an SVG of all sizes measured so far")
    options = parser.parse_args()
    options.cache.mkdir(parents=True, exist_ok=True)
    found = measure(options.cache.resolve(), options.specs)
    (options.cache / f"measured-{options.specs:06d}.json").write_text(json.dumps(found, indent=1))
    if options.draw:
        draw_growth(sorted(options.cache.glob("measured-*.json")), options.draw)
    return int(bool(found["over"]))


if __name__ == "__main__":
    sys.exit(main())
