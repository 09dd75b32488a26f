"""A registry and all that it depends on, below one folder that can be put back as it was.

    github/      the stand-in's bare repositories: the registry's origin
    clone/       where the commands run
    launcher/    the counting launcher's jobs
    store/ dvc/  run store and DVC remotes
    home/        git's configuration

The GitHub itself lives in the process of the tests, so it outlives every command that is killed.
"""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import tarfile
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from copy import copy
from pathlib import Path
from typing import Any, NamedTuple

from counting_launcher import JobServer
from crash_points import Watch
from forked_runner import Answer, ForkedRunner
from real_git import GIT_CONFIG, git, write_files
from stand_in_github import GitHub
from werkzeug import Request, Response

from runner.errors import LeaseHeld
from runner.ledger.record import RunRecord
from runner.node.channel import HEARTBEAT
from runner.node.lease import acquire
from runner.node.whereabouts import WHERE
from runner.storage.store import RunStore

LONG_AGO = "2026-01-01T00:00:00Z"
LINEAGE = "0a" * 16
SETTINGS = f"""\
apiVersion: rollbook/v1
lineage: {LINEAGE}
forge: github
launcher: skypilot
run_store: file://{{world}}/store
"""
DVC = "".join(
    f"['remote \"{name}\"']\n    url = {{world}}/dvc\n" for name in ("data", "checkpoints")
)

HURRIED = """\
[init]
    templateDir =
[core]
    fsync = none
[receive]
    autogc = false
"""
"""Hundreds of clones are made and thrown away."""
SPEC = """\
apiVersion: rollbook/v1
trainer: script
script: {command: [python, train.py, %s], files: [train.py]}
training: {steps: 8, prompts_per_step: 1, learning_rate: 1e-3}
"""
_MASKS = (
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)", "<moment>"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?( UTC)?", "<moment>"),
    (r"\d\d:\d\d UTC", "<moment>"),
    (r"\d{4}-\d\d-\d\d", "<day>"),
    (r"\b\d+ (s|min|h)\b( \d+ (s|min)\b)?", "<time>"),
    (r"\b[0-9a-f]{32}\b", "<nonce>"),
    (r"\d+-(r[0-9a-f]{12}-a\d+)-[0-9a-f]{8}", r"<job of \1>"),
)


def spec(word: str, more: str = "") -> str:
    """Return a spec whose run is another one for each `word`."""
    return SPEC % word + more


class NotingGitHub(GitHub):
    """A GitHub that leaves a trace of every change in a file, for whoever looks at files only."""

    noted: Path | None = None

    def _answer_api(self, request: Request) -> Response:
        answer = super()._answer_api(request)
        if self.noted and request.method != "GET":
            with suppress(OSError):  # the world is being replaced
                self.noted.write_text(f"{len(self.state.statuses)} {len(self.log)}\n")
        return answer


class Kept(NamedTuple):
    """A world as it was."""

    folder: Path
    statuses: tuple[Any, ...]
    comments: tuple[Any, ...]


class World:
    """The registry, and what may be said of it at any time."""

    def __init__(self, folder: Path, github: NotingGitHub, runner: ForkedRunner) -> None:
        self.folder, self.github, self._runner = folder, github, runner
        self.clone = folder / "clone"
        self.origin = github.repository.folder
        self.jobs = JobServer(folder / "launcher")
        github.noted = folder / "github" / "noted"
        self.token = github.workflow_token(
            limit=10**9, contents="write", statuses="write", pull_requests="write"
        )

    # Making it

    def make(self, files: Mapping[str, str]) -> None:
        """Make clone and ledger, with `files` on the default branch."""
        write_files(self.folder / "home", {".gitconfig": f"{GIT_CONFIG}{HURRIED}"})
        self.jobs.behave()
        about = {"registry.yaml": SETTINGS, ".dvc/config": DVC, ".gitignore": "/.rollbook/\n"}
        texts = {name: text.format(world=self.folder) for name, text in about.items()}
        self.github.commit({**texts, "train.py": "", **files})
        git(self.folder, "clone", "--quiet", "--template=", str(self.origin), str(self.clone))
        for name in ("store", "dvc"):
            (self.folder / name).mkdir()

    def merge(self, files: Mapping[str, str]) -> str:
        """Merge a pull request with `files`, and check the default branch out."""
        number = len(self.github.state.pulls) + 1
        pull = self.github.open_pull_request(f"topic-{number}", files=files)
        commit = self.github.merge(pull)
        git(self.clone, "pull", "--quiet", "--ff-only", "origin", "main")
        return commit

    def reach_by_http(self) -> None:
        """Let the clone reach the registry as from GitHub, and not as a folder."""
        address = self.github.clone_url.replace("://", f"://x-access-token:{self.token}@")
        git(self.clone, "remote", "set-url", "origin", address)

    def keep(self, name: str) -> Kept:
        """Keep everything as it is now, in few files: it is copied often."""
        for repository in (self.origin, self.clone):
            git(repository, "repack", "-adq")
        folder = self.folder.with_name(f"kept-{name}")
        _copy(self.folder, folder)
        state = self.github.state
        return Kept(folder, tuple(state.statuses), tuple(map(copy, state.comments)))

    def put_back(self, kept: Kept) -> None:
        _copy(kept.folder, self.folder)
        state = self.github.state
        state.statuses[:] = kept.statuses
        state.comments[:] = map(copy, kept.comments)
        self.github.faults.disarm()
        self.github.violations.clear()

    # What people do

    def runner(
        self, *arguments: str, watch: Watch | None = None, patience: float | None = None
    ) -> Answer:
        return self._runner.run(
            self.clone,
            *arguments,
            watch=watch,
            environment=self._environment,
            launcher=str(self.jobs.folder),
            patience=patience,
        )

    @property
    def _environment(self) -> dict[str, str]:
        home = self.folder / "home"
        kept = {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ}
        return {
            **kept,
            "HOME": str(home),
            "XDG_CACHE_HOME": str(home / ".cache"),
            "GIT_CONFIG_GLOBAL": str(home / ".gitconfig"),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GITHUB_TOKEN": self.token,
            "GITHUB_REPOSITORY": self.github.repository.full_name,
            "GITHUB_API_URL": self.github.urls.api,
            "GITHUB_SERVER_URL": self.github.urls.server,
            "COLUMNS": "100",
            "MPLCONFIGDIR": str(self.folder.with_name("matplotlib")),
        }

    # What the nodes do

    def store(self, run_id: str) -> RunStore:
        return RunStore(f"file://{self.folder}/store/runs/{run_id[:2]}/{run_id}")

    def beat(self, run_id: str, attempt: int, phase: str, step: int) -> None:
        """Let the node say how far it is."""
        beat = {"time": LONG_AGO, "phase": phase, "step": step, "steps": 8, "seconds": 60.0}
        where = {"where": "slurm/a", "started_at": LONG_AGO}
        folder = self.store(run_id).at(f"a{attempt}/epoch-1")
        folder.put(HEARTBEAT, json.dumps(beat).encode())
        folder.put(WHERE, json.dumps(where).encode())

    def train(self) -> None:
        """Let every run that goes on be seen training by a sync, which writes all its pages."""
        for record in self.records().values():
            if record.is_active:
                self.beat(record.run_id, record.latest.number, "training", 5)
                self.jobs.change(str(record.latest.job), state="running", detail="")
        # As if minutes had passed: progress is not told more often.
        (self.clone / ".rollbook" / "told.json").unlink(missing_ok=True)
        answer = self.runner("sync")
        assert answer.code == 0, answer

    def trainings(self) -> Counter[tuple[str, str]]:
        """Let the node of every job that may start do so; return the trainings by run and attempt.

        A node asks for the lease as the real one does; whoever gets it trains.
        """
        found: Counter[tuple[str, str]] = Counter()
        for job in self.jobs.jobs:
            store = self.store(job.run_id)
            if job.outcome == "cancelled":
                continue
            with suppress(LeaseHeld):
                acquire(store, job.attempt, job.run_id, job.attempt, job.id, job.nonce)
                found[job.run_id, job.attempt] += 1
        return found

    # What is on record

    def ledger_commit(self) -> str:
        return git(self.origin, "rev-parse", "refs/heads/runs")

    def ledger(self, commit: str = "refs/heads/runs") -> dict[str, bytes]:
        """Return all files of the ledger at the origin."""
        done = subprocess.run(
            ["git", "archive", commit], cwd=self.origin, check=True, capture_output=True
        )
        with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
            members = [member for member in archive.getmembers() if member.isfile()]
            return {m.name: archive.extractfile(m).read() for m in members}  # type: ignore[union-attr]

    def records(self, commit: str = "refs/heads/runs") -> dict[str, RunRecord]:
        return records_in(self.ledger(commit))

    def record(self, experiment: str) -> RunRecord:
        index = json.loads(self.ledger()[f"experiments/{experiment}/index.json"])
        return self.records()[index["runs"][0]]

    def shown(self) -> dict[str, tuple[str, str, str]]:
        """Return the statuses that GitHub shows, by commit and context."""
        found = {}
        for status in self.github.state.statuses:  # the newest is last
            told = (status.state, status.description or "", status.target_url or "")
            found[f"{status.sha[:10]} {status.context}"] = told
        return found

    def comments(self) -> list[tuple[int, str]]:
        return [(one.number, one.body) for one in self.github.state.comments]

    def _outbox(self) -> str:
        """Return the outbox without what the forge is to be told: it may have been told already.

        Whoever is killed between telling and noting it leaves it there for some minutes.
        """
        outbox = json.loads(self.ledger().get("outbox.json", b"{}"))
        return json.dumps({key: told for key, told in outbox.items() if key != "forge"}, indent=1)

    def final(self) -> dict[str, str]:
        """Return all that can be seen in the end, without what is another at each time."""
        found = {f"ledger {path}": text.decode() for path, text in self.ledger().items()}
        found |= {f"status {key}": " | ".join(told) for key, told in self.shown().items()}
        comments = Counter(number for number, _ in self.comments())
        found |= {f"comments of #{number}": str(times) for number, times in comments.items()}
        for number, body in self.comments():
            found[f"comment on #{number} {body.splitlines()[0]}"] = body
        found |= {"ledger outbox.json": self._outbox()}
        jobs = sorted(f"{job.run_id} {job.attempt} {job.state}" for job in self.jobs.jobs)
        return {"jobs": "\n".join(jobs)} | {key: masked(text) for key, text in found.items()}


def records_in(ledger: Mapping[str, bytes]) -> dict[str, RunRecord]:
    """Return the records of all runs; raises where one cannot be read."""
    texts = (text for path, text in ledger.items() if path.endswith("/record.json"))
    found = [RunRecord.from_json(text) for text in texts]
    return {record.run_id: record for record in found}


def masked(text: str) -> str:
    """Return `text` without moments, nonces and the numbers of jobs."""
    for pattern, word in _MASKS:
        text = re.sub(pattern, word, text)
    return text


def _copy(source: Path, target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    subprocess.run(["cp", "-a", str(source), str(target)], check=True)
