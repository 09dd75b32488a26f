"""Hundreds of runs of one registry, with everything going wrong that may, one step after the other.

A step is what a person, a job of CI, the cluster or fate does next; it is drawn from one seed.
After each, every new commit of the ledger is looked at (`ledger_watch`), and the cluster has
watched that no attempt is trained by two jobs, and no run by two attempts at once. At the end
nothing goes wrong any more, and everything has to come out right.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from interruptions import Interruptions, Killed
from ledger_watch import LedgerWatch
from planned_registry import SETTINGS
from real_git import git
from simulated_cluster import Clock, Cluster, Mood, SimulatedLauncher
from soak_author import Author

from runner.apply import apply
from runner.errors import OutsideError, Refused
from runner.forges.none import NoForge
from runner.launching import nonces
from runner.launching.moves import open_asked, sync_and_move
from runner.ledger import branch
from runner.ledger.record import RunRecord
from runner.planning import settling
from runner.planning.actions import Action, Forced
from runner.planning.asked import plan_here
from runner.retry import retry
from runner.stopping.cancel import cancel, give_up
from runner.workspace import Workspace, open_workspace

LOSES_THE_ANSWER = '#!/bin/sh\n[ "$1" = committed ] || exit 0\nrm -f "$0"\nkill -9 $PPID\n'
REFUSES = "#!/bin/sh\necho 'the remote refuses' >&2\nexit 1\n"
EXPECTED_REFUSALS = re.compile(
    r"run [0-9a-f]{12} (has ended already|is (claimed|submitted|waiting|running)|has succeeded)|"
    r"there is no experiment"
)
"""What may be answered to somebody who asks for what is not to be had; nothing else is."""

Step = Callable[[], str]


class World:
    """The registry, its clones, its cluster, and the next step."""

    def __init__(self, folder: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(branch, "LONGEST_PAUSE_S", 0.002)
        self.choice = random.Random(seed)  # noqa: S311
        self._monkeypatch = monkeypatch
        self.history: list[str] = []
        self.counts: Counter[str] = Counter()
        self._folder = folder
        self._origin = folder / "origin.git"
        self._interruptions = Interruptions()
        self._effects: Counter[str] = Counter()
        self.clock = Clock(monkeypatch)
        self.cluster = Cluster(self.clock, seed)
        self._author = self._make()
        self.clones = [folder / "one", folder / "two"]
        self._skew = timedelta(hours=self.choice.choice([-3, 0, 3]))
        """How far the clock of the second clone's machine is ahead."""
        self.watch = LedgerWatch(self._origin)

    def _make(self) -> Author:
        store = f"file://{self._folder}/store"
        remotes = "".join(
            f"['remote \"{name}\"']\n    url = {store}/{name}\n" for name in ("data", "checkpoints")
        )
        files = {
            "registry.yaml": f"{SETTINGS}launcher: skypilot\nrun_store: {store}/runs\n",
            ".dvc/config": remotes,
            ".gitignore": "/.rollbook/\n",
        }
        folder = self._folder / "author"
        author = Author(folder, files, self.choice)
        clone = ("clone", "--quiet", "--template=")
        git(self._folder, *clone, "--bare", str(folder), str(self._origin))
        (self._origin / "hooks").mkdir()
        git(folder, "remote", "add", "origin", str(self._origin))
        for name in ("one", "two"):
            git(self._folder, *clone, str(self._origin), name)
        open_workspace(self._folder / "one").ledger.create()
        return author

    # One step

    def step(self) -> None:
        """Take the next step and look at everything."""
        kinds: dict[Step, int] = {
            self._happen: 90 if self.cluster.living else 0,
            self._time: 6,
            self._apply: 8,
            self._sync: 12,
            self._author.edit: 5,
            self._retry: 3,
            self._cancel: 2,
            self._rerun: 1,
            self._write_off: 1,
        }
        [kind] = self.choice.choices(list(kinds), list(kinds.values()))
        self.history.append(f"{len(self.history)}: {kind.__name__.strip('_')}")
        self.counts[kind.__name__.strip("_")] += 1
        self.history[-1] += f": {kind()}"
        self.look()
        if len(self.history) % 100 == 0:
            self.compare_plans()

    def look(self) -> None:
        """Look at every new commit of the ledger."""
        self.watch.look()

    # The cluster and time

    def _happen(self) -> str:
        return self.cluster.happen(self.choice.choice(self.cluster.living), self.choice)

    def _time(self) -> str:
        minutes = self.choice.choice([1, 5, 16, 30, 61])
        self.clock.skipped += timedelta(minutes=minutes)
        return f"{minutes} minutes go by"

    # What is commanded

    def _apply(self) -> str:
        def call(workspace: Workspace) -> None:
            apply(workspace, SimulatedLauncher(self.cluster), NoForge())

        return self._command("apply", call)

    def _sync(self) -> str:
        def call(workspace: Workspace) -> None:
            sync_and_move(workspace, SimulatedLauncher(self.cluster), NoForge())

        return self._command("sync", call)

    def _retry(self) -> str:
        ended = [
            r for r in self.watch.records.values() if r.latest.outcome not in (None, "succeeded")
        ]
        return self._on("retry", ended or [*self.watch.records.values()], self._retried)

    def _retried(self, workspace: Workspace, run_id: str) -> None:
        retry(workspace, SimulatedLauncher(self.cluster), run_id)

    def _cancel(self) -> str:
        def call(workspace: Workspace, run_id: str) -> None:
            cancel(workspace, SimulatedLauncher(self.cluster), NoForge(), run_id)

        going = [r for r in self.watch.records.values() if r.is_active]
        return self._on("cancel", going, call)

    def _write_off(self) -> str:
        """A person says that a run is lost: who knows, and so only when nothing of it lives."""
        living = {job.task.run_id for job in self.cluster.living}
        gone = [r for r in self.watch.records.values() if r.is_active and r.run_id not in living]
        return self._on("write off", gone, lambda w, run_id: give_up(w, NoForge(), run_id))

    def _rerun(self) -> str:
        if not self._author.names:
            return "nothing"
        name = self.choice.choice(self._author.names)
        forced = self.choice.choice(
            [Forced(rerun=frozenset({name})), Forced(launch=frozenset({name}))]
        )

        def call(workspace: Workspace) -> None:
            launcher = SimulatedLauncher(self.cluster)
            open_asked(workspace, launcher, forced)
            apply(workspace, launcher, NoForge(), forced)

        return f"{name}: {self._command('rerun', call)}"

    def _on(
        self, what: str, records: list[RunRecord], call: Callable[[Workspace, str], object]
    ) -> str:
        if not records:
            return "nothing"
        run_id = self.choice.choice(sorted(record.run_id for record in records))

        def of_run(workspace: Workspace) -> None:
            call(workspace, run_id)

        return f"{run_id}: {self._command(what, of_run)}"

    def _command(self, what: str, call: Callable[[Workspace], None]) -> str:
        """Let a process of one clone do `call`, with the faults that are drawn for it."""
        clone = self.choice.choice(self.clones)
        if self.choice.random() < 0.8:
            self._pull(clone)
        told = [clone.name, *self._faults()]
        kill_at = None
        if self.choice.random() < 0.25:
            kill_at = self.choice.randint(1, max(2, self._effects[what] + 5))
        try:
            told.append(self._as_process(clone, call, kill_at))
        finally:
            self.cluster.mood = Mood()
            for hook in (self._origin / "hooks").iterdir():
                hook.unlink()
        self._effects[what] = max(self._effects[what], self._interruptions.effects)
        return ", ".join(told)

    def _pull(self, clone: Path) -> None:
        git(clone, "fetch", "--quiet", "origin", "main")
        git(clone, "reset", "--quiet", "--hard", "FETCH_HEAD")

    def _as_process(
        self, clone: Path, call: Callable[[Workspace], None], kill_at: int | None
    ) -> str:
        nonces._UNTRIED.clear()  # what a process knows by itself
        self.clock.wrong_by = self._skew if clone == self.clones[1] else timedelta()
        said = "done"
        try:
            with self._interruptions.command(kill_at):
                call(open_workspace(clone))
        except Killed as killed:
            said = str(killed)
        except OutsideError as error:
            said = f"error: {error.message}"
        except Refused as refused:
            if not EXPECTED_REFUSALS.match(refused.message):
                raise
            said = f"refused: {refused.message}"
        if self._interruptions.has_killed:
            self.counts["killed"] += 1
        else:
            self.counts[said.split(":")[0]] += 1
        return said

    def _faults(self) -> list[str]:
        """Draw what goes wrong around the next command; return it in words."""
        luck, mood = self.choice.random(), self.cluster.mood
        if luck < 0.08:
            mood.is_away = True
            return ["the cluster is away"]
        if luck < 0.16:
            self._hook("reference-transaction", LOSES_THE_ANSWER)
            return ["the answer to a push is lost"]
        if luck < 0.2:
            self._hook("pre-receive", REFUSES)
            return ["the remote refuses"]
        if luck < 0.4:
            mood.loses_answers, mood.refuses, mood.delays = 0.3, 0.2, 0.4
            mood.is_late = luck < 0.24
            return ["submissions go wrong" + (", later than promised" if mood.is_late else "")]
        return []

    def _hook(self, name: str, text: str) -> None:
        path = self._origin / "hooks" / name
        path.write_text(text)
        path.chmod(0o755)
        self.counts[name] += 1

    # The end

    def settle(self) -> None:
        """Let nothing go wrong any more, and see that everything comes out right."""
        for _ in range(60):
            self.clock.skipped += timedelta(minutes=31)
            for job in self.cluster.living:
                if job.state == "running":
                    self.cluster._finish(job, 0)
                else:
                    self.cluster.happen(job, self.choice)
            clone = self.choice.choice(self.clones)
            self._pull(clone)
            for name, call in (("apply", self._applied), ("sync", self._synced)):
                said = self._as_process(clone, call, None)
                self.history.append(f"settling: {name}: {said}")
                assert said == "done", said
            self.look()
            if not self.cluster.living and not any(
                r.is_active for r in self.watch.records.values()
            ):
                break
        self._judge()

    def _applied(self, workspace: Workspace) -> None:
        apply(workspace, SimulatedLauncher(self.cluster), NoForge())

    def _synced(self, workspace: Workspace) -> None:
        sync_and_move(workspace, SimulatedLauncher(self.cluster), NoForge())

    def compare_plans(self) -> list[Action]:
        """Return the plan of a clone: the same, whether what is settled is looked at or not."""
        workspace = open_workspace(self.clones[0])
        short = plan_here(workspace, "HEAD").plan.whole()
        with self._monkeypatch.context() as patch:
            patch.setattr(settling, "program", lambda: "another")
            whole = plan_here(workspace, "HEAD").plan
        assert not (whole.settled and whole.settled.runs)
        told = [sorted(map(str, plan.actions)) for plan in (short, whole)]
        assert told[0] == told[1], sorted(set(told[0]) ^ set(told[1]))
        return list(whole.actions)

    def _judge(self) -> None:
        """Every run has ended, as it did; every run that the tip asks for has been launched."""
        records = self.watch.records.values()
        assert not self.cluster.living, [job.id for job in self.cluster.living]
        assert not [r.run_id for r in records if r.is_active]
        for record in records:
            for attempt in record.attempts:
                has_finished = (record.run_id, f"a{attempt.number}") in self.cluster.finished
                assert attempt.outcome != "succeeded" or has_finished, record.run_id
        told = {
            (record.run_id, f"a{attempt.number}")
            for record in records
            for attempt in record.attempts
            # One that moved on is over: what its job still did before it was stopped is not asked.
            if attempt.outcome == "succeeded" or " may use " in attempt.reason
        }
        untold = sorted(self.cluster.finished - told)
        assert not untold, f"successes that the ledger does not know: {untold}"
        self._pull(self.clones[0])
        actions = self.compare_plans()
        assert {action.action for action in actions} <= {"keep", "stale"}, actions
