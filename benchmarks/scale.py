"""How the verbs fare in a large registry, each beside the plain cost of its parts.

    python -m benchmarks.scale [--specs N] [--cache FOLDER] [--draw FILE]

apply of 100 new runs, sync of 1,000 that go on (or half of all) and of some that end, status, and
the ledger branch itself; and peers on the same tree in the same run. Each operation is a process of
its own; its seconds are those of processors, its peak memory is what the kernel says of it. The
bars are ratios and counts, since a busy machine slows both sides. `--draw` makes the curve over all
sizes measured so far below FOLDER.

Exits 1 when a bar is missed.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from benchmarks.activity import put_heartbeats, put_results, set_running
from benchmarks.growth import draw_growth
from benchmarks.large import copied, git, large_registry
from benchmarks.measuring import ROOT, Measured, measured
from benchmarks.operating import opened
from benchmarks.pushing import plain_push, pushes

NEW = 100
GOING = 1000
SAMPLE = 500
LEADERBOARD_BAR = 4.4
APPLY_BAR = 6.5
SYNC_BARS = {0: 8.0, 1: 3.6, 20: 1.4}
"""By how many runs have ended."""
PUSH_BAR = 4.2
STATUS_BAR = 1.7
ALL_BAR = 4.1
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


ASKED = {
    "push": ("push", "pushes"),
    "launcher submit": ("submission", "submissions"),
    "launcher poll": ("question to the launcher", "questions to the launcher"),
    "store list": ("listing of the run store", "listings of the run store"),
    "store get": ("file of it", "files of it"),
}
"""What is counted (see `benchmarks.counting`), as it is printed for one and for more."""


class Row(NamedTuple):
    """An operation beside something plain."""

    what: str
    seconds: float
    """Of processors, with everything that it starts."""
    peak_mib: float
    beside: str
    beside_s: float
    bar: float
    counts: Mapping[str, int] = MappingProxyType({})

    @property
    def ratio(self) -> float:
        """How many times as long it takes."""
        return self.seconds / self.beside_s


def store_of(clone: Path) -> str:
    """Return the run store of a copy; its registry.yaml stays as it is, as it bears on plans."""
    return f"file://{clone.parent}/store"


def operated(verb: str, clone: Path) -> tuple[Measured, dict[str, int]]:
    """Carry out `verb` in a process of its own; return what it took, and what it asked."""
    operation = [sys.executable, "-m", "benchmarks.operating", verb, str(clone), store_of(clone)]
    done = measured(operation, ROOT)
    return done, json.loads(done.printed)


def plain_start(clone: Path, module: str = "benchmarks.operating") -> float:
    """Return the seconds in which what an operation needs is imported."""
    return measured([sys.executable, "-c", f"import {module}"], clone).seconds


def plain_pictures(folder: Path, runs: int) -> float:
    """Return the seconds in which matplotlib alone draws as many pictures as runs that end have."""
    command = [sys.executable, "-c", PICTURES, str(2 * runs)]
    return measured(command, folder).seconds if runs else 0.0


def published(clone: Path) -> Row:
    """Make the leaderboard from all records, as where a ledger has no rows of it yet."""
    plain = plain_start(clone) + plain_read(clone) + plain_push(clone)
    done, counts = operated("pages", clone)
    beside = "the start, git cat-file of all records, a push"
    return Row("leaderboard from all records", *done[:2], beside, plain, LEADERBOARD_BAR, counts)


def plain_read(clone: Path) -> float:
    """Return the seconds in which git alone reads every record."""
    names = git(clone, "ls-tree", "-r", "--name-only", "origin/runs").splitlines()
    wanted = "".join(f"origin/runs:{name}\n" for name in names if name.endswith("record.json"))
    return measured(["git", "cat-file", "--batch"], clone, stdin=wanted.encode()).seconds


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
    return Row(f"apply of {NEW} new runs", *done[:2], beside, plain, APPLY_BAR, counts)


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
        plain = plain_start(clone) + plain_push(clone) + plain_pictures(clone, ended)
        beside = f"the start, a push{' and the pictures' if ended else ''}"
        done, counts = operated("sync", clone)
        what = f"sync of {going:,} runs, {ended} ended"
        rows.append(Row(what, *done[:2], beside, plain, SYNC_BARS[ended], counts))
        if ended == 1:
            rows.append(pushed(clone))
    return rows


def pushed(clone: Path) -> Row:
    """Push what one run that has ended changes in the ledger."""
    git(clone, "fetch", "-q", "origin", "runs:refs/remotes/origin/runs")
    large, small = pushes(clone, "origin/runs", clone.parent)
    return Row("push of one run's end", large, 0.0, "the same, small repository", small, PUSH_BAR)


def told(clone: Path) -> list[Row]:
    """List all runs."""
    plain = plain_start(clone, "runner.looking.status") + plain_read(clone)
    rows = []
    for arguments, bar in ((["status"], STATUS_BAR), (["status", "--all", "--json"], ALL_BAR)):
        done = measured([*RUNNER, *arguments], clone)
        what = f"runner {' '.join(arguments)}"
        beside = "the start, git cat-file of all records"
        rows.append(Row(what, *done[:2], beside, plain, bar))
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
    """Print the tables, as docs/performance.md has them."""
    print(f"| {specs:,} specs | seconds | beside it | ratio | bar | peak | asked of others |")
    print("|---|---|---|---|---|---|---|")
    for row in rows:
        plain = f"{row.beside}: {row.beside_s:.2f} s"
        peak = f"{row.peak_mib:.0f} MiB" if row.peak_mib else "–"
        counts = {key: n for key in ASKED if (n := row.counts.get(key))}
        asked = ", ".join(f"{n:,} {ASKED[key][n > 1]}" for key, n in counts.items())
        ratio = f"{row.ratio:.1f} | {row.bar:g}"
        print(f"| {row.what} | {row.seconds:.2f} | {plain} | {ratio} | {peak} | {asked or '–'} |")
    for name, seconds in beside.items():
        print(f"| {name} | {seconds:.2f} s |")
    for name, (seconds, mib) in fetched.items():
        print(f"| {name} | {seconds:.2f} s, {mib:.1f} MiB |")
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
