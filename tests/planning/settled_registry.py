"""A registry of which all runs have been attempted, and what plans look at in it."""

from __future__ import annotations

from planned_registry import SPEC, PlannedRegistry

from runner.apply import claim
from runner.launchers.local import LocalLauncher
from runner.ledger.draft import Changes
from runner.ledger.watermark import Watermark
from runner.planning.actions import Forced, Plan
from runner.planning.asked import plan_here

MATRIX = SPEC + "matrix: {grid: {training.learning_rate: [1.0e-6, 2.0e-6]}}\nseeds: [1, 2]\n"
DERIVED = "extends: bases/b\nseeds: [7]\n"
POINTER = "outs:\n- md5: {md5}\n  hash: md5\n  path: d.jsonl\n"
STARTS = SPEC.replace(
    "model: {path: Qwen/Qwen2.5-0.5B, revision: 060db6499f32}",
    "model: {source: run, path: plain}",
)
FILES = {
    "experiments/bases/b.yaml": SPEC,
    "experiments/plain.yaml": SPEC.replace("steps: 2", "steps: 3"),
    "experiments/derived.yaml": DERIVED,
    "experiments/matrix.yaml": MATRIX,
    "experiments/tracked.yaml": SPEC.replace("data/a.jsonl", "data/d.jsonl"),
    "data/d.jsonl.dvc": POINTER.format(md5="a" * 32),
    "experiments/helped.yaml": SPEC.replace("reward/sums.py", "reward/helped.py"),
    "reward/helped.py": "import reward.extra\ndef score(solution):\n    return 1.0\n",
    "reward/extra.py": "",
}


def apply(registry: PlannedRegistry, forced: Forced | None = None) -> Plan:
    workspace = registry.workspace
    head, launcher = workspace.repository.head(), LocalLauncher(workspace.state)
    return claim(workspace, launcher, head, forced or Forced())[0]


def looked_at(registry: PlannedRegistry) -> set[str]:
    plan = plan_here(registry.workspace, None).plan
    found = {action.experiment for action in plan.actions}
    assert plan.settled is not None
    assert found == plan.settled.looked_at
    assert found.isdisjoint(plan.settled.names())
    return found


def forget(registry: PlannedRegistry, *paths: str) -> None:
    found = paths or [f"settled/{name}" for name in registry.snapshot.names("settled")]
    files: dict[str, bytes | None] = dict.fromkeys(found)
    registry.workspace.ledger.transact(lambda _: Changes(files, "Forget"))


def kept(plan: Plan) -> int:
    return sum(one.action == "keep" for one in plan.whole().actions)


def verbs(plan: Plan) -> set[tuple[str, str | None, str, str]]:
    return {(one.experiment, one.run_id, one.action, one.reason) for one in plan.actions}


def end_all(registry: PlannedRegistry) -> None:
    ended = {"state": "ended", "outcome": "succeeded", "checkpoint": f"md5:{'a' * 32}"}
    for run_id in registry.snapshot.active():
        registry.advance(run_id, ended_at="2026-01-02T00:00:00Z", **ended)


def mark(registry: PlannedRegistry) -> Watermark:
    found = registry.snapshot.watermark
    assert found is not None
    return found
