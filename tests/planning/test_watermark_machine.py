"""Any order of edits, applies and ends of runs: notes make plans quicker and never other ones.

After each step the commit that is checked out, and the work tree where it holds more, are planned
three times: with the ledger's notes, without its watermark, and without any notes (`settled/`).
What is in the notes is compared with a plan of their commit that looks at everything.
"""

from __future__ import annotations

import os
import random
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, note, settings
from hypothesis import seed as hypothesis_seed
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)
from notes_watch import WithoutNotes, WithoutWatermark, check_notes, reading, told
from planned_registry import PlannedRegistry
from real_git import git, write_files
from walk_files import BEGIN, NAMES, OTHERS, SPECS

from runner.apply import claim
from runner.errors import Refused
from runner.launchers.local import LocalLauncher
from runner.ledger.draft import Draft
from runner.ledger.record import Attempt, RunRecord, advance
from runner.planning import settling
from runner.planning.actions import Forced, Plan
from runner.planning.asked import plan_here
from runner.spec.load import path_of
from runner.workspace import Workspace, open_workspace

SEED = "ROLLBOOK_SEED"
"""Environment variable with the seed; without it each run of the tests takes another one."""

names = st.sampled_from(NAMES)
paths_and_texts = st.sampled_from(
    [(path, text) for path, texts in OTHERS.items() for text in texts]
)


class Walk(RuleBasedStateMachine):
    """A registry of a few experiments, and what people and jobs do to it."""

    template: Path
    """A registry of which everything is settled; set by the test."""
    monkeypatch: pytest.MonkeyPatch
    steps = 0

    def __init__(self) -> None:
        super().__init__()
        self._parent = Path(tempfile.mkdtemp(prefix="watermark-"))
        self.registry = PlannedRegistry(self._parent / "registry")
        shutil.copytree(self.template, self.registry.folder)
        self.commits = [git(self.folder, "rev-parse", "HEAD")]
        self._use("one")
        self._planned: tuple[str | None, ...] = ()
        """Of which commit, ledger and program the plans were compared last."""

    def teardown(self) -> None:
        shutil.rmtree(self._parent)

    @property
    def folder(self) -> Path:
        return self.registry.folder

    def _use(self, program: str) -> None:
        self.monkeypatch.setattr("runner.planning.settling.program", lambda: program)

    def _put(self, path: str, text: str | None) -> None:
        place = self.folder / path
        if place.is_symlink() or place.exists():
            place.unlink()
        if text is not None:
            write_files(self.folder, {path: text})

    # Edits, in the work tree

    @rule(name=names, text=st.sampled_from(SPECS))
    def write(self, name: str, text: str) -> None:
        self._put(path_of(name), text)

    @rule(change=paths_and_texts)
    def change(self, change: tuple[str, str | None]) -> None:
        self._put(*change)

    @rule(name=names)
    def delete(self, name: str) -> None:
        self._put(path_of(name), None)

    @rule(name=names, other=names)
    def rename(self, name: str, other: str) -> None:
        place = self.folder / path_of(name)
        if place.is_file() and name != other:
            text = place.read_text()
            self._put(path_of(name), None)
            self._put(path_of(other), text)

    @rule(path=st.sampled_from([*map(path_of, NAMES), "reward/extra.py", "data/set/two.jsonl"]))
    def link(self, path: str) -> None:
        self._put(path, None)
        (self.folder / path).parent.mkdir(exist_ok=True)
        (self.folder / path).symlink_to(self.folder / "notes.md")

    @rule(name=names, back=st.integers(1, 6))
    def take_from_an_older_commit(self, name: str, back: int) -> None:
        commit = self.commits[-min(back, len(self.commits))]
        if path_of(name) in git(self.folder, "ls-tree", "-r", "--name-only", commit).split():
            self._put(path_of(name), git(self.folder, "show", f"{commit}:{path_of(name)}") + "\n")

    # Commits

    @rule()
    def commit(self) -> None:
        self.commits.append(self.registry.commit())

    @rule(name=names, text=st.sampled_from(SPECS))
    def commit_spec(self, name: str, text: str) -> None:
        self.write(name, text)
        self.commit()

    @rule(change=paths_and_texts)
    def commit_change(self, change: tuple[str, str | None]) -> None:
        self._put(*change)
        self.commit()

    @rule(back=st.integers(1, 4))
    def set_the_branch_back(self, back: int) -> None:
        commit = self.commits[-min(back, len(self.commits))]
        git(self.folder, "reset", "--quiet", "--hard", commit)

    # Applies

    def _apply(
        self, forced: Forced | None = None, meanwhile: Callable[[], None] | None = None
    ) -> None:
        workspace = self.registry.workspace
        if meanwhile:
            self._overtake(workspace, meanwhile)
        head, launcher = workspace.repository.head(), LocalLauncher(workspace.state)
        try:
            claim(workspace, launcher, head, forced or Forced())
        except Refused as refusal:
            note(f"refused: {refusal.message}")
            return
        check_notes(self.registry)

    def _overtake(self, workspace: Workspace, meanwhile: Callable[[], None]) -> None:
        """Let somebody else write to the ledger between the look at it and the first push."""
        ledger, publish = workspace.ledger, workspace.ledger._publish

        def publish_later(new: str, old: str | None) -> str:
            ledger._publish = publish  # type: ignore[method-assign]
            meanwhile()
            return publish(new, old)

        ledger._publish = publish_later  # type: ignore[method-assign]

    @rule()
    def apply(self) -> None:
        self._apply()

    @rule()
    def commit_and_apply(self) -> None:
        self.commit()
        self._apply()

    @rule(some=st.sets(names, min_size=1, max_size=2))
    def apply_only(self, some: set[str]) -> None:
        self._apply(Forced(only=frozenset(some)))

    @rule(name=names)
    def launch(self, name: str) -> None:
        self._apply(Forced(launch=frozenset({name})))

    @rule(name=names)
    def rerun(self, name: str) -> None:
        self._apply(Forced(rerun=frozenset({name})))

    @rule(which=st.integers(0), name=names)
    def apply_overtaken_by_another(self, which: int, name: str) -> None:
        def meanwhile() -> None:
            self._apply(Forced(only=frozenset({name})))
            self.end(which, "succeeded")

        self._apply(meanwhile=meanwhile)

    @rule(program=st.sampled_from(["one", "two"]))
    def use_another_program(self, program: str) -> None:
        self._use(program)

    # Runs

    def _change_run(
        self, which: int, wanted: bool, change: Callable[[RunRecord], RunRecord]
    ) -> None:
        """Change one of the runs that are (`wanted`) active, or of those that are not."""
        standings = sorted(self.registry.snapshot.standings.items())
        ids = [run_id for run_id, one in standings if (one.state != "ended") == wanted]
        if ids:
            run_id = ids[which % len(ids)]
            self.registry.workspace.ledger.transact(
                lambda now: Draft(now).put_record(change(now.find(run_id))).changes("A run")
            )

    @rule(which=st.integers(0), outcome=st.sampled_from(["succeeded", "failed", "cancelled"]))
    def end(self, which: int, outcome: str) -> None:
        left = {"checkpoint": f"md5:{'a' * 32}"} if outcome == "succeeded" else {}
        fields = {"ended_at": "2026-01-02T00:00:00Z", "outcome": outcome, **left}
        self._change_run(
            which, True, lambda run: run.with_latest(advance(run.latest, "ended", **fields))
        )

    @rule()
    def end_all(self) -> None:
        for _ in self.registry.snapshot.active():
            self.end(0, "succeeded")

    @rule(which=st.integers(0))
    def retry(self, which: int) -> None:
        def again(run: RunRecord) -> RunRecord:
            latest = run.latest
            keys = ("commit", "launcher", "endpoint", "claimed_at", "gpus", "gpu_hours", "usd")
            kept = {key: getattr(latest, key) for key in keys}
            attempt = Attempt(number=latest.number + 1, state="claimed", nonce="again", **kept)
            return run.with_next(attempt)

        self._change_run(which, False, again)

    # What must hold

    def _plans(self, ask: Callable[[Workspace], Plan]) -> None:
        with_notes = told(ask(self.registry.workspace))
        for kind in (WithoutWatermark, WithoutNotes):
            without = told(ask(reading(self.registry.workspace, kind)))
            assert with_notes == without, kind.__name__

    @invariant()
    def notes_change_no_plan(self) -> None:
        type(self).steps += 1
        workspace = self.registry.workspace
        state = (workspace.repository.head(), self.registry.snapshot.commit, settling.program())
        if state != self._planned:
            self._plans(lambda workspace: plan_here(workspace, "HEAD").plan)
            self._planned = state
        if git(self.folder, "status", "--porcelain"):
            self._plans(lambda workspace: plan_here(workspace, None).plan)

    @rule(back=st.integers(1, 6))
    def plan_an_older_commit(self, back: int) -> None:
        commit = self.commits[-min(back, len(self.commits))]
        self._plans(lambda workspace: plan_here(workspace, commit).plan)

    @rule(back=st.integers(2, 6))
    def plan_a_merge(self, back: int) -> None:
        base = self.commits[-min(back, len(self.commits))]
        try:
            self.registry.workspace.repository.merged_tree(base, "HEAD")
        except Refused:
            return  # the two conflict
        self._plans(lambda workspace: plan_here(workspace, "HEAD", (), base).plan)

    @rule()
    def plan_in_a_shallow_clone(self) -> None:
        clone = self._parent / "clone"
        options = ("--quiet", "--depth=1", "--no-single-branch")
        git(self._parent, "clone", *options, f"file://{self.folder}", str(clone))
        found = told(plan_here(open_workspace(clone), "HEAD").plan)
        here = reading(self.registry.workspace, WithoutNotes)
        assert found == told(plan_here(here, "HEAD").plan)
        shutil.rmtree(clone)


@pytest.fixture
def template(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a registry all of whose runs have succeeded, and whose experiments are settled."""
    monkeypatch.setenv("RUNNER_TRAIN_PYTHON", sys.executable)
    folder = tmp_path / "template" / "registry"
    folder.mkdir(parents=True)
    git(folder, "init", "--quiet", "--template=")
    registry = PlannedRegistry.with_files(folder, BEGIN)
    first = type("First", (Walk,), {"template": folder, "monkeypatch": monkeypatch})()
    for _ in NAMES:
        first.apply()
        first.end_all()
    first.apply()
    shutil.copytree(first.folder, folder, dirs_exist_ok=True)
    first.teardown()
    assert registry.snapshot.watermark is not None
    assert registry.snapshot.watermark.open == ()
    return folder


def walk(template: Path, monkeypatch: pytest.MonkeyPatch, examples: int, steps: int) -> None:
    given = os.environ.get(SEED)
    seed = int(given) if given else random.SystemRandom().randrange(2**32)
    print(f"again with the same choices: {SEED}={seed}")
    machine = type("Machine", (Walk,), {"template": template, "monkeypatch": monkeypatch})
    run_state_machine_as_test(
        hypothesis_seed(seed)(machine),
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
            phases=(Phase.generate, Phase.shrink),
        ),
    )
    print(f"{machine.steps} states")


@pytest.mark.timeout(900)
def test_no_order_of_steps_makes_notes_tell(
    template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    walk(template, monkeypatch, examples=8, steps=20)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_no_long_order_of_steps_makes_notes_tell(
    template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    walk(template, monkeypatch, examples=40, steps=60)
