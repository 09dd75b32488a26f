"""A registry in a real git repository, and a ledger that is written to as apply writes to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from real_git import commit_files, git, write_files

from runner.git.commit_tree import CommitTree
from runner.ledger.branch import Snapshot
from runner.ledger.documents import run_documents
from runner.ledger.draft import Changes, Draft
from runner.ledger.entry import ExperimentEntry
from runner.ledger.record import Attempt, RunRecord
from runner.plan import make_plan
from runner.planning.actions import NOTHING_FORCED, Action, Forced, Launchable, Plan
from runner.planning.asked import plan_here
from runner.policy.ceilings import expected
from runner.policy.trust import trusted
from runner.spec.check import load_registry
from runner.workspace import Workspace, open_workspace

SETTINGS = f"apiVersion: rollbook/v1\nlineage: {'0a' * 16}\n"
SPEC = """\
apiVersion: rollbook/v1
trainer: verl==0.9.1
model: {path: Qwen/Qwen2.5-0.5B, revision: 060db6499f32}
algorithm: {name: grpo, group_size: 4}
data: {train: data/a.jsonl}
reward: reward/sums.py:score
training: {steps: 2, prompts_per_step: 8, learning_rate: 1.0e-6}
"""
FILES = {
    "registry.yaml": SETTINGS,
    "data/a.jsonl": "{}\n",
    "reward/sums.py": "def score(solution):\n    return 1.0\n",
    ".gitignore": "/.rollbook/\n",
}


class PlannedRegistry:
    """A clone of a registry: change it, plan it, and say what has been run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def with_files(cls, folder: Path, files: dict[str, str]) -> PlannedRegistry:
        """Commit `files` in the repository `folder` and make its ledger."""
        commit_files(folder, {**FILES, **files})
        registry = cls(folder)
        registry.workspace.ledger.create()
        return registry

    @property
    def workspace(self) -> Workspace:
        return open_workspace(self.folder)

    @property
    def snapshot(self) -> Snapshot:
        return self.workspace.ledger.fetch()

    # What is changed

    def write(self, **specs: str) -> None:
        """Write specs without committing them; `__` in a name stands for a slash."""
        files = {f"experiments/{name.replace('__', '/')}.yaml": t for name, t in specs.items()}
        write_files(self.folder, files)

    def commit(self, files: dict[str, str] | None = None, **specs: str) -> str:
        """Commit everything, with these files and specs."""
        self.write(**specs)
        write_files(self.folder, files or {})
        git(self.folder, "add", "--all")
        git(self.folder, "commit", "--quiet", "--allow-empty", "--message", "change")
        return git(self.folder, "rev-parse", "HEAD")

    def remove(self, name: str) -> None:
        (self.folder / "experiments" / f"{name}.yaml").unlink()
        self.commit()

    # What is planned

    def plan(self, head: str | None = None, only: tuple[str, ...] = ()) -> Plan:
        return plan_here(self.workspace, head, only).plan.whole()

    def forced(self, forced: Forced) -> tuple[Action, ...]:
        return self._make(forced)[0].whole().actions

    def action(self, name: str | None = None) -> Action:
        """Return the only action (of the experiment `name`)."""
        actions = self.plan().actions
        (found,) = [one for one in actions if name in (None, one.experiment)]
        return found

    def verbs(self) -> dict[str, list[str]]:
        """Return the planned actions of each experiment, in order."""
        found: dict[str, list[str]] = {}
        for action in self.plan().actions:
            found.setdefault(action.experiment, []).append(action.action)
        return found

    def _make(self, forced: Forced = NOTHING_FORCED) -> tuple[Plan, tuple[Launchable, ...]]:
        repository = self.workspace.repository
        tree = CommitTree(repository, repository.head())
        snapshot = self.snapshot
        registry, _ = trusted(repository, load_registry(tree), snapshot, tree.commit)
        return make_plan(tree, snapshot, registry, head=tree.commit, forced=forced)

    # What has been run

    def run(self, state: str = "ended", **attempt: Any) -> list[str]:
        """Record that what is planned to be launched is `state` now; return the run ids."""
        plan, runs = self._make()

        def step(snapshot: Snapshot) -> Changes:
            draft = Draft(snapshot)
            for run in runs:
                if run.action.action == "launch":
                    self._put(draft, run, plan.head, state, attempt)
            for name in dict.fromkeys(run.resolved.run.experiment for run in runs):
                own = [run for run in runs if run.resolved.run.experiment == name]
                # While something of it is open it does not count as reconciled: see apply.
                if any(run.action.action in ("hold", "wait") for run in own):
                    continue
                ids = tuple(r.resolved.run_id for r in own if draft.record(r.resolved.run_id))
                entry = ExperimentEntry(
                    name=name, own_digest=own[0].own_digest, runs=ids, commit=plan.head
                )
                draft.put_experiment(entry)
            return draft.changes("Runs of a test")

        self.workspace.ledger.transact(step)
        return [run.resolved.run_id for run in runs if run.action.action == "launch"]

    def _put(
        self, draft: Draft, run: Launchable, head: str, state: str, changes: dict[str, Any]
    ) -> None:
        ended = {"ended_at": "2026-01-02T00:00:00Z", "outcome": "succeeded"}
        values = {
            "number": 1,
            "state": state,
            "nonce": "n",
            "commit": head,
            "launcher": "local",
            "endpoint": "here",
            "claimed_at": "2026-01-01T00:00:00Z",
            **expected(run.action, run.resolved.run.spec)._asdict(),
        }
        attempt = Attempt.model_validate(
            {**values, **(ended if state == "ended" else {}), **changes}
        )
        resolved = run.resolved
        record = RunRecord(
            run_id=resolved.run_id,
            identity=resolved.identity.digest,
            experiment=resolved.run.experiment,
            seed=resolved.run.seed,
            point=resolved.run.point,
            trainer=resolved.run.spec.trainer,
            attempts=(attempt,),
        )
        draft.put_record(record)
        documents = run_documents(resolved.run_id, resolved.run.spec, resolved.identity.payload)
        for path, content in documents.items():
            draft.put(path, content)

    def advance(self, run_id: str, **changes: Any) -> None:
        """Record that the newest attempt of a run has changed."""

        def step(snapshot: Snapshot) -> Changes:
            record = snapshot.find(run_id)
            attempt = record.latest.model_copy(update=changes)
            return Draft(snapshot).put_record(record.with_latest(attempt)).changes("Advance")

        self.workspace.ledger.transact(step)
