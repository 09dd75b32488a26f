"""Small faults that the random tests of this folder have found, each by itself."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from node_evidence import make_evidence
from planned_registry import SETTINGS, PlannedRegistry
from real_git import MakeOriginAndClones, MakeRepository, commit_files, git
from scripted_launcher import ENDPOINT, ScriptedLauncher

from runner.__main__ import run as call
from runner.apply import apply, claim
from runner.forges.none import NoForge
from runner.ledger.record import now
from runner.node.channel import EVIDENCE, RESULT
from runner.node.task import Result
from runner.stopping.cancel import give_up
from runner.storage.runfolder import open_run_store
from runner.workspace import open_workspace

SPEC = """\
apiVersion: rollbook/v1
trainer: script
script: {command: [python, train.py], files: [train.py]}
training: {steps: 8, prompts_per_step: 1, learning_rate: 1e-3}
"""
FILES = {
    "registry.yaml": f"{SETTINGS}run_store: file:///nonexistent/runs\n",
    ".dvc/config": "".join(
        f"['remote \"{name}\"']\n    url = /nonexistent/dvc\n" for name in ("data", "checkpoints")
    ),
    ".gitignore": "/.rollbook/\n",
    "train.py": "",
    "experiments/x.yaml": SPEC,
}


def test_one_that_is_written_off_although_it_has_succeeded_has_succeeded(
    make_repository: MakeRepository, tmp_path: Path
) -> None:
    """Else a retry would pay for the same training again."""
    settings = {"registry.yaml": f"{SETTINGS}run_store: {tmp_path}/store\n"}
    registry = PlannedRegistry.with_files(make_repository(), {**FILES, **settings})
    [run_id] = registry.run(
        "running", launcher="skypilot", endpoint=ENDPOINT, job="job-1", claimed_at=now()
    )
    store = open_run_store(registry.workspace, run_id)
    store.put(f"a1/epoch-1/{EVIDENCE}", make_evidence().model_dump_json().encode())
    store.put(f"a1/epoch-1/{RESULT}", Result(exit_code=0).model_dump_json().encode())
    assert give_up(registry.workspace, NoForge(), run_id).latest.outcome == "succeeded"


def test_a_new_clone_of_a_commit_that_is_superseded_has_nothing_to_do(
    make_origin_and_clones: MakeOriginAndClones, monkeypatch: pytest.MonkeyPatch, capsys: object
) -> None:
    """As in a job of CI whose push was followed by another one: it has not seen the ledger."""
    _, (one, two) = make_origin_and_clones(2, FILES)
    open_workspace(one).ledger.create()
    tip = commit_files(one, {"more": "1"})
    git(one, "push", "--quiet", "origin", "HEAD:main")
    assert call(["-C", str(two), "apply"]) == 0
    assert tip in capsys.readouterr().err  # type: ignore[attr-defined]


def test_an_apply_that_is_overtaken_while_it_plans_is_superseded(
    make_origin_and_clones: MakeOriginAndClones, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between its look at the tip and its claim another one has applied a newer commit."""
    _, (one, two) = make_origin_and_clones(2, FILES)
    open_workspace(one).ledger.create()
    slow, fast = open_workspace(one), open_workspace(two)
    fetch, newer = slow.ledger.fetch, threading.Event()

    def overtaken() -> object:
        if not newer.is_set():
            newer.set()
            commit_files(two, {"more": "1"})
            git(two, "push", "--quiet", "origin", "HEAD:main")
            claim(fast, ScriptedLauncher(), fast.repository.head())
        return fetch()

    monkeypatch.setattr(slow.ledger, "fetch", overtaken)
    launcher = ScriptedLauncher()
    done = apply(slow, launcher, NoForge())
    assert done.superseded_by == git(two, "rev-parse", "HEAD")
    assert launcher.submitted == []
