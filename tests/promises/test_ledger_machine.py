"""Any order of what people and jobs do to the ledger, from several clones, on real git.

Each step is one transaction of one clone: on what is newest, on what the clone has seen a while
ago, or raced by another clone between its look and its push. After each the whole branch is looked
at (`ledger_watch`), and the newest records are what the steps that were taken have made of them.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis import seed as hypothesis_seed
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from ledger_values import make_attempt, make_ledger, make_record
from ledger_watch import LedgerWatch
from legal_moves import ON, OUTCOMES, is_legal
from real_git import commit_files, git

from runner.errors import Refused
from runner.launching.candidates import opened
from runner.ledger import branch
from runner.ledger.branch import Ledger, Snapshot
from runner.ledger.draft import Changes, Draft
from runner.ledger.record import Attempt, Outcome, RunRecord, State, advance

CLONES = 3
RUNS = ("ab0000000001", "ab0000000002", "cd0000000003")
"""Two of them in one folder."""
MONTHS = ("2026-01-31T23:59:00Z", "2026-02-01T00:01:00Z")
clones = st.integers(0, CLONES - 1)
runs = st.sampled_from(RUNS)

Change = Callable[[RunRecord | None], RunRecord | None]
"""What a step makes of the record that it finds; None for nothing."""


def make_template(folder: Path) -> None:
    """Make a remote with an empty ledger, and its clones."""
    seed = folder / "seed"
    seed.mkdir(parents=True)
    git(seed, "init", "--quiet", "--template=")
    commit_files(seed, {"README.md": "# A repository\n"})
    git(folder, "clone", "--quiet", "--bare", "--template=", str(seed), "origin.git")
    for number in range(CLONES):
        git(folder, "clone", "--quiet", "--template=", "origin.git", f"clone-{number}")
        # Relative to the clone, so that a copy of all of it belongs together.
        git(folder / f"clone-{number}", "remote", "set-url", "origin", "../origin.git")
    make_ledger(folder / "clone-0").create()
    shutil.rmtree(seed)


class LedgerOfClones(RuleBasedStateMachine):
    """Three clones, three runs, and what the ledger must say of them."""

    template: Path
    """Of `make_template`; set by the test."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = Path(tempfile.mkdtemp(prefix="ledger-machine-"))
        shutil.copytree(self.template, self._folder, dirs_exist_ok=True)
        self.ledgers = [make_ledger(self._folder / f"clone-{n}") for n in range(CLONES)]
        self.watch = LedgerWatch(self._folder / "origin.git")
        self.expected: dict[str, RunRecord] = {}
        self.seen: list[Snapshot] = []
        """Looks that were kept, each with what it said at once."""
        self.said: list[dict[str, RunRecord]] = []
        self._nonces = 0

    def teardown(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    # How a step is taken

    def _take(self, clone: int, run_id: str, change: Change) -> None:
        """Let a clone make one transaction, which is taken or refused as it should be."""
        wanted: list[RunRecord | None] = []

        def step(snapshot: Snapshot) -> Changes:
            before = snapshot.record(run_id)
            assert before == self.expected.get(run_id)
            wanted[:] = [change(before)]
            if wanted[0] is None:
                return Changes({})
            return Draft(snapshot).put_record(wanted[0]).changes("Step")

        self._expect(self.ledgers[clone], step, run_id, lambda: wanted[0] if wanted else None)

    def _expect(
        self,
        ledger: Ledger,
        step: Callable[[Snapshot], Changes],
        run_id: str,
        wanted: Callable[[], RunRecord | None],
    ) -> None:
        try:
            after = ledger.transact(step)
        except Refused:
            before, refused = self.expected.get(run_id), wanted()
            assert refused is None or not is_legal(before, refused), f"refused: {refused}"
            return
        record = wanted()
        if record is not None:
            assert is_legal(self.expected.get(run_id), record), f"taken: {record}"
            self.expected[run_id] = record
            assert after.record(run_id) == record

    def _nonce(self) -> str:
        self._nonces += 1
        return f"nonce-{self._nonces}"

    def _claim(self, number: int, at: str) -> Attempt:
        return make_attempt(
            number=number,
            nonce=self._nonce(),
            claimed_at=at,
            gpus=8,
            gpu_hours=16.0,
            usd=48.0,
            launcher="skypilot",
        )

    def _move(self, clone: int, run_id: str, state: State, **changes: Any) -> None:
        """Bring the newest attempt to `state`, as somebody would who looked before."""

        def change(before: RunRecord | None) -> RunRecord | None:
            if before is None or state not in (*ON[before.latest.state], before.latest.state):
                return None
            if before.latest.state == state == "claimed":
                return before.with_latest(before.latest.model_copy(update=changes))
            return before.with_latest(advance(before.latest, state, **changes))

        self._take(clone, run_id, change)

    # What is done

    @rule(clone=clones, run_id=runs, at=st.sampled_from(MONTHS))
    def claim(self, clone: int, run_id: str, at: str) -> None:
        record = make_record(run_id).model_copy(update={"attempts": (self._claim(1, at),)})
        self._take(clone, run_id, lambda before: None if before else record)

    @rule(clone=clones, run_id=runs)
    def take_up(self, clone: int, run_id: str) -> None:
        """A claim that was tried by somebody who was interrupted is made young again."""
        record = self.expected.get(run_id)
        if record and record.latest.state == "claimed":
            self._move(clone, run_id, "claimed", claimed_at=MONTHS[1])

    @rule(clone=clones, run_id=runs, job=st.sampled_from(["job-1", "job-2"]))
    def submit(self, clone: int, run_id: str, job: str) -> None:
        self._move(clone, run_id, "submitted", job=job)

    @rule(clone=clones, run_id=runs)
    def wait(self, clone: int, run_id: str) -> None:
        self._move(clone, run_id, "waiting", waiting_since=MONTHS[1], reason="for H100:8")

    @rule(clone=clones, run_id=runs, step=st.integers(0, 9))
    def run(self, clone: int, run_id: str, step: int) -> None:
        self._move(clone, run_id, "running", step=step, waiting_since=None, started_at=MONTHS[1])

    @rule(clone=clones, run_id=runs, outcome=st.sampled_from(OUTCOMES))
    def end(self, clone: int, run_id: str, outcome: Outcome) -> None:
        self._move(clone, run_id, "ended", outcome=outcome, ended_at="2026-02-01T02:00:00Z")

    @rule(clone=clones, run_id=runs, at=st.sampled_from(MONTHS))
    def retry(self, clone: int, run_id: str, at: str) -> None:
        def change(before: RunRecord | None) -> RunRecord | None:
            if before is None or before.latest.state != "ended":
                return None
            return before.with_next(self._claim(before.latest.number + 1, at))

        self._take(clone, run_id, change)

    @rule(clone=clones, run_id=runs)
    def move_on_to_the_next_candidate(self, clone: int, run_id: str) -> None:
        """One attempt ends and the next is claimed, in one commit."""

        def change(before: RunRecord | None) -> RunRecord | None:
            if before is None or before.latest.state != "waiting":
                return None
            left = advance(before.latest, "ended", outcome="cancelled", reason="no capacity")
            return opened(before, left)

        self._take(clone, run_id, change)

    # What must not come of it

    @rule(clone=clones, run_id=runs, data=st.data())
    def try_anything(self, clone: int, run_id: str, data: st.DataObject) -> None:
        """Put what somebody has made up; what is no move is refused, and changes nothing."""
        state = data.draw(st.sampled_from([*ON]))
        outcome = data.draw(st.sampled_from(OUTCOMES)) if state == "ended" else None
        what = data.draw(st.sampled_from(["state", "nonce", "endpoint", "number", "drop", "more"]))

        def change(before: RunRecord | None) -> RunRecord | None:
            base = before or make_record(run_id)
            update: dict[str, Any] = {"state": state, "outcome": outcome}
            update |= {"nonce": {"nonce": "stolen"}, "endpoint": {"endpoint": "elsewhere"}}.get(
                what, {}
            )
            if what == "number":
                update["number"] = base.latest.number + 1
            attempts = (*base.attempts[:-1], base.latest.model_copy(update=update))
            if what == "drop":
                attempts = base.attempts[:-1] or attempts
            if what == "more":
                attempts = (*base.attempts, self._claim(len(base.attempts) + 1, MONTHS[0]))
            return base.model_copy(update={"attempts": attempts})

        before = self.watch.tip, self.expected.get(run_id)
        self._take(clone, run_id, change)
        if self.expected.get(run_id) == before[1]:
            self.watch.look()
            assert self.watch.tip == before[0]

    @rule(clone=clones, run_id=runs)
    def keep_a_look(self, clone: int, run_id: str) -> None:
        snapshot = self.ledgers[clone].fetch()
        self.seen.append(snapshot)
        self.said.append(snapshot.records(RUNS))

    @precondition(lambda self: self.seen)
    @rule(clone=clones, run_id=runs, look=st.integers(0, 99), state=st.sampled_from([*ON]))
    def act_on_an_old_look(self, clone: int, run_id: str, look: int, state: State) -> None:
        """Put what followed from a look of a while ago, without looking at what is newest."""
        old = self.said[look % len(self.said)].get(run_id)
        if old is None:
            after = make_record(run_id).model_copy(
                update={"attempts": (self._claim(1, MONTHS[0]),)}
            )
        elif state in ON[old.latest.state]:
            changes = {"outcome": "lost"} if state == "ended" else {}
            after = old.with_latest(advance(old.latest, state, **changes))
        else:
            after = old
        self._take(clone, run_id, lambda _: after)

    @rule(first=clones, second=clones, run_id=runs, other=runs, outcome=st.sampled_from(OUTCOMES))
    def race(self, first: int, second: int, run_id: str, other: str, outcome: Outcome) -> None:
        """A clone decides, and before it pushes another one has ended or claimed a run."""
        raced: list[int] = []
        asked: list[RunRecord | None] = []
        wanted: list[RunRecord | None] = []

        def step(snapshot: Snapshot) -> Changes:
            before = snapshot.record(run_id)
            asked.append(before)
            wanted[:] = [self._next(before, "lost", run_id)]
            if not raced:
                raced.append(1)
                self._take(second, other, lambda record: self._next(record, outcome, other))
            return Draft(snapshot).put_record(wanted[0]).changes("Race")  # type: ignore[arg-type]

        self._expect(self.ledgers[first], step, run_id, lambda: wanted[0])
        assert len(asked) == 2  # the other one was faster: decided anew, on what it has written
        assert (asked[0] == asked[1]) == (run_id != other)

    def _next(self, record: RunRecord | None, outcome: Outcome, run_id: str) -> RunRecord:
        """Return the run with another claim, or with its newest attempt ended."""
        if record is None:
            return make_record(run_id).model_copy(update={"attempts": (self._claim(1, MONTHS[0]),)})
        if record.latest.state == "ended":
            return record.with_next(self._claim(record.latest.number + 1, MONTHS[1]))
        return record.with_latest(advance(record.latest, "ended", outcome=outcome))

    # What holds after each step

    @initialize()
    def begin(self) -> None:
        self.watch.look()

    @invariant()
    def the_branch_is_what_was_made_of_it(self) -> None:
        self.watch.look()
        assert self.watch.records == self.expected
        for snapshot, said in zip(self.seen, self.said, strict=True):
            assert snapshot.records(RUNS) == said  # an old look goes on saying what it said


@pytest.fixture
def template(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(branch, "LONGEST_PAUSE_S", 0.001)
    make_template(tmp_path / "template")
    return tmp_path / "template"


def explore(template: Path, seed: int, examples: int, steps: int) -> None:
    machine = type("Machine", (LedgerOfClones,), {"template": template})
    run_state_machine_as_test(
        hypothesis_seed(seed)(machine),
        settings=settings(
            settings.get_profile("promises"),
            max_examples=examples,
            stateful_step_count=steps,
            database=None,
            phases=(Phase.generate, Phase.shrink),
        ),
    )


def test_no_order_of_steps_breaks_the_ledger(template: Path, seed: int) -> None:
    explore(template, seed, examples=8, steps=25)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_no_long_order_of_steps_breaks_the_ledger(template: Path, seed: int) -> None:
    explore(template, seed, examples=60, steps=60)
