"""Eight commands at once, from clones of their own, against one remote over HTTP.

Each is a process that runs the real command line; their jobs are files of all of them, so that
every submission counts. Nothing is lost, nothing is launched twice, everybody gets a turn.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from counting_launcher import Job, JobServer
from github_git import bare_git
from ledger_values import make_ledger
from ledger_watch import LedgerWatch
from planned_registry import SETTINGS
from real_git import git
from stand_in_github import GitHub, serving_github

from runner.ledger import branch
from runner.workspace import open_workspace

pytestmark = pytest.mark.timeout(900)
MANY = 8
RUNNER = Path(__file__).with_name("counting_runner.py")
SECONDS = 900
SPEC = """\
apiVersion: rollbook/v1
trainer: script
script: {{command: [python, train.py], files: [train.py]}}
training: {{steps: 8, prompts_per_step: 1, learning_rate: 1e-3}}
seeds: [{seed}, {other}]
"""


class Said(NamedTuple):
    """How one process fared."""

    command: tuple[str, ...]
    code: int
    text: str
    note: dict[str, Any]


class Crowd:
    """The remote, the clones, and what their processes have done."""

    def __init__(self, github: GitHub, folder: Path) -> None:
        self.github, self.folder = github, folder
        self.server = JobServer(folder / "server")
        self.server.behave()
        self.said: list[Said] = []
        self._specs = 0
        store = f"file://{folder}/store"
        remotes = "".join(
            f"['remote \"{name}\"']\n    url = {store}/{name}\n" for name in ("data", "checkpoints")
        )
        settings = f"{SETTINGS}launcher: skypilot\nrun_store: {store}/runs\n"
        files = {"registry.yaml": settings, ".dvc/config": remotes, "train.py": ""}
        github.commit({**files, ".gitignore": "/.rollbook/\n", **self._new(6)})
        self.clones = [self._clone(number) for number in range(MANY)]
        open_workspace(self.clones[0]).ledger.create()
        self.watch = LedgerWatch(github.repository.folder)

    def _clone(self, number: int) -> Path:
        token = self.github.workflow_token(f"clone-{number}", contents="write")
        url = self.github.clone_url.replace("://", f"://x-access-token:{token}@")
        git(self.folder, "clone", "--quiet", url, f"clone-{number}")
        return self.folder / f"clone-{number}"

    def _new(self, specs: int) -> dict[str, str]:
        """Return files of new experiments, each of two runs."""
        first, self._specs = self._specs, self._specs + specs
        return {
            f"experiments/x{n}.yaml": SPEC.format(seed=2 * n, other=2 * n + 1)
            for n in range(first, first + specs)
        }

    def merge(self, specs: int) -> None:
        """Bring new experiments to the default branch."""
        self.github.commit(dict(self._new(specs)))

    def call(self, number: int, *command: str, endpoint: str = "one") -> Said:
        """Let a process of a clone, brought up to date, run a command to its end."""
        clone = self.clones[number]
        git(clone, "pull", "--quiet", "--ff-only", "origin", "main")
        note = self.folder / f"note-{number}-{len(self.said)}.json"
        done = subprocess.run(
            [sys.executable, str(RUNNER), str(self.server.folder), endpoint, str(note), *command],
            cwd=clone,
            env={**os.environ, "COLUMNS": "200"},
            check=False,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
        noted = json.loads(note.read_text()) if note.exists() else {"lost": 0, "commits": 0}
        said = Said(command, done.returncode, done.stderr + done.stdout, noted)
        self.said.append(said)
        return said

    def at_once(self, *rounds: tuple[int, tuple[str, ...], str, int]) -> None:
        """Let clones, each `(number, command, endpoint, times)`, call at once, each in turn."""

        def go(number: int, command: tuple[str, ...], endpoint: str, times: int) -> None:
            for _ in range(times):
                self.call(number, *command, endpoint=endpoint)

        with ThreadPoolExecutor(len(rounds)) as pool:
            for done in [pool.submit(go, *one) for one in rounds]:
                done.result()

    # What has to hold

    def check(self) -> None:
        """Everybody got through, and each run was launched once."""
        bad = [one for one in self.said if one.code != 0]
        assert not bad, bad
        lost = max(one.note["lost"] for one in self.said)
        print(f"{len(self.said)} processes, most races lost in a row: {lost}")
        assert lost < branch.ATTEMPTS - 1
        self.watch.look()
        launched = Counter((job.run_id, job.attempt) for job in self.server.jobs)
        assert set(launched.values()) == {1}, launched
        runs = {run_id for run_id, _ in launched}
        assert runs == set(self.watch.records)
        assert len(runs) == 2 * self._specs
        recorded = {record.run_id: record.latest.job for record in self.watch.records.values()}
        assert recorded == {job.run_id: job.id for job in self.server.jobs}
        # What a process was told to have written is there: no update was lost.
        commits = sum(one.note["commits"] for one in self.said)
        assert len(self.watch.subjects) == 1 + commits


@pytest.fixture
def crowd(tmp_path: Path) -> Iterator[Crowd]:
    with serving_github(tmp_path / "github") as github:
        yield Crowd(github, tmp_path)


def test_eight_applies_of_one_tip_launch_each_run_once(crowd: Crowd) -> None:
    """Half of them are at one server, half at another."""
    crowd.at_once(*((n, ("apply",), ("one", "two")[n % 2], 1) for n in range(MANY)))
    crowd.check()
    where = {record.latest.endpoint for record in crowd.watch.records.values()}
    assert len(where) == 1  # whoever was first claimed them all


class Fate(threading.Thread):
    """Merges new experiments and lets jobs fare while the others are at work."""

    def __init__(self, crowd: Crowd, seed: int, merges: int) -> None:
        super().__init__(daemon=True)
        self._crowd, self._choice, self._merges = crowd, random.Random(seed), merges  # noqa: S311
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.wait(0.3):
            for job in self._crowd.server.jobs:
                if job.state != "ended" and self._choice.random() < 0.2:
                    self._fare(job)
            if self._merges and self._choice.random() < 0.3:
                self._merges -= 1
                self._crowd.merge(1)

    def _fare(self, job: Job) -> None:
        state = "running" if job.state == "waiting" else "ended"
        detail = "its machine is gone" if state == "ended" else ""
        self._crowd.server.change(job.id, state=state, detail=detail)


def applies_and_syncs(crowd: Crowd, seed: int, times: int, merges: int) -> None:
    """Four clones apply and four sync, at two servers, while tips move on and jobs end."""
    fate = Fate(crowd, seed, merges)
    fate.start()
    commands = (("apply",), ("sync",))
    crowd.at_once(*((n, commands[n % 2], ("one", "two")[n // 2 % 2], times) for n in range(MANY)))
    fate.over.set()
    fate.join()
    for endpoint in ("one", "two"):  # the last tip, and what a killed or late one would have left
        for command in ("apply", "sync"):
            crowd.call(0, command, endpoint=endpoint)
    crowd.check()
    going = {run_id for run_id, record in crowd.watch.records.items() if record.is_active}
    assert going == {job.run_id for job in crowd.server.jobs if job.state != "ended"}


def test_applies_and_syncs_while_tips_move_on(crowd: Crowd, seed: int) -> None:
    applies_and_syncs(crowd, seed, times=2, merges=4)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_applies_and_syncs_for_long(crowd: Crowd, seed: int) -> None:
    applies_and_syncs(crowd, seed, times=12, merges=40)


TALLY = """\
import sys
from pathlib import Path
sys.path[:0] = sys.argv[4:]
from counting_runner import count_races
from ledger_values import make_ledger
from runner.ledger.draft import Changes
count_races(Path(sys.argv[2]))
ledger, name = make_ledger(Path(sys.argv[1])), sys.argv[2].rpartition("/")[2]
for _ in range(int(sys.argv[3])):
    ledger.transact(lambda s: Changes({name: b"%d" % (int(s.read(name) or b"0") + 1)}, "Count"))
"""


@pytest.mark.parametrize(
    "times", [4, pytest.param(12, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])]
)
def test_everybody_who_writes_without_pause_gets_a_turn(tmp_path: Path, times: int) -> None:
    """The worst case for the retries: each has something of its own to write, all the time."""
    with serving_github(tmp_path / "github") as github:
        github.commit({"README.md": "# A registry\n"})
        token = github.workflow_token("writer", contents="write")
        url = github.clone_url.replace("://", f"://x-access-token:{token}@")
        clones = [tmp_path / f"clone-{number}" for number in range(MANY)]
        for clone in clones:
            git(tmp_path, "clone", "--quiet", url, str(clone))
        make_ledger(clones[0]).create()
        paths = [str(RUNNER.parent), str(RUNNER.parents[1]), str(RUNNER.parents[1] / "ledger")]
        writers = [
            subprocess.Popen(
                [sys.executable, "-c", TALLY, clone, f"{clone}.json", str(times), *paths],
                stderr=subprocess.PIPE,
                text=True,
            )
            for clone in clones
        ]
        ends = [(writer.communicate(timeout=SECONDS)[1], writer.returncode) for writer in writers]
        assert [code for _, code in ends] == [0] * MANY, ends
        notes = [json.loads((tmp_path / f"{clone.name}.json").read_text()) for clone in clones]
        folder = github.repository.folder
        told = [bare_git(folder, "show", f"runs:{clone.name}.json") for clone in clones]
        assert told == [str(times)] * MANY
        assert bare_git(folder, "rev-list", "--count", "runs") == str(1 + times * MANY)
    lost, slowest = max(one["lost"] for one in notes), max(one["seconds"] for one in notes)
    print(f"most races lost in a row: {lost} of {branch.ATTEMPTS}; slowest: {slowest:.0f} s")
    assert lost < branch.ATTEMPTS - 1
