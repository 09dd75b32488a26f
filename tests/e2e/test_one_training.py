"""At most one training per identity and attempt, whoever is killed and however many try at once."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from live_registry import LiveRegistry, script_spec

CLAIM_ALONE = """
from pathlib import Path
from runner.apply import claim
from runner.launchers import LAUNCHERS
from runner.workspace import open_workspace

workspace = open_workspace(Path.cwd())
claim(workspace, LAUNCHERS["local"](workspace), workspace.repository.head())
"""
"""What an apply has done that is killed between claim and submission."""


@pytest.fixture
def started(tmp_path: Path) -> Path:
    return tmp_path / "started"


def claim_alone(registry: LiveRegistry) -> None:
    answer = registry.execute(sys.executable, "-c", CLAIM_ALONE)
    assert answer.code == 0, answer


def test_a_claim_whose_submitter_was_killed_is_submitted_once_under_the_same_name(
    registry, started
):
    registry.merge({"demo": script_spec("--started", started)})
    claim_alone(registry)
    claimed = registry.attempt("demo")
    assert (claimed["state"], claimed["job"]) == ("claimed", None)

    applies = [registry.start("apply", "--wait") for _ in range(2)]
    assert [process.communicate(timeout=90) and process.returncode for process in applies] == [0, 0]
    attempt = registry.attempt("demo")
    assert (attempt["outcome"], attempt["nonce"]) == ("succeeded", claimed["nonce"])
    name = f"r{registry.run('demo')['run_id']}-a1-{claimed['nonce'][:8]}"
    assert registry.jobs == [name] == started.read_text().split()


def test_two_clones_at_once_make_one_training(registry, started):
    registry.merge({"demo": script_spec("--started", started)})
    other = registry.clone("other")
    applies = [clone.start("apply", "--wait") for clone in (registry, other)]
    answers = [process.communicate(timeout=90)[0] for process in applies]
    assert [process.returncode for process in applies] == [0, 0], answers
    registry.succeed("sync")
    assert registry.attempt("demo")["outcome"] == "succeeded"
    assert len(started.read_text().split()) == 1


def test_another_clone_neither_submits_nor_cancels_what_is_not_its_own(registry, started):
    registry.merge({"demo": script_spec("--started", started)})
    claim_alone(registry)
    other = registry.clone("other")
    assert other.succeed("apply").err == "Nothing to do: 1 run as planned\n"
    assert registry.attempt("demo")["state"] == "claimed"
    answer = other.runner("cancel", "demo")
    assert answer.code == 3
    assert "was launched elsewhere" in answer.err
    # Never submitted, so there is nothing to stop, and nothing to start any more.
    registry.succeed("cancel", "demo")
    assert registry.attempt("demo")["outcome"] == "cancelled"
    registry.succeed("apply")
    assert not started.exists()


def test_a_second_node_program_of_a_job_is_refused(registry, started):
    registry.merge({"demo": script_spec("--started", started)})
    registry.succeed("apply", "--wait")
    [job] = registry.jobs
    task = registry.root / ".rollbook" / "local" / job / "task.json"
    before = sorted(registry.run_store.rglob("*"))
    answer = registry.runner("node", str(task))
    assert answer.code == 1
    assert f"job {job} has its node program already" in answer.err
    assert len(started.read_text().split()) == 1
    assert sorted(registry.run_store.rglob("*")) == before


def test_the_lease_in_the_store_refuses_another_job(registry, started):
    registry.merge({"demo": script_spec("--started", started)})
    registry.succeed("apply", "--wait")
    [job] = registry.jobs
    task = registry.root / ".rollbook" / "local" / job / "task.json"
    copy = registry.root / ".rollbook" / "local" / f"{job}x" / "task.json"
    copy.parent.mkdir()
    copy.write_text(task.read_text().replace(f'"{job}"', f'"{job}x"'))
    answer = registry.runner("node", str(copy))
    assert answer.code == 1
    assert f"is being trained by job {job}" in answer.err
    assert len(started.read_text().split()) == 1
    assert (registry.store("demo").parent / f"refused-{job}x.json").exists()


def test_a_claim_that_was_cancelled_is_never_trained(registry, started):
    registry.merge({"demo": script_spec("--started", started)})
    claim_alone(registry)
    assert "cancelled" in registry.succeed("cancel", "demo").out
    registry.runner("apply", "--wait")
    assert registry.attempt("demo")["outcome"] == "cancelled"
    assert not started.exists()


def test_a_run_of_a_machine_that_is_gone_can_be_written_off_and_tried_again(registry, started):
    registry.merge({"demo": script_spec("--started", started)})
    claim_alone(registry)
    other = registry.clone("other")
    refused = other.runner("cancel", "demo")
    assert (refused.code, "--lost" in refused.err) == (3, True)
    assert "lost" in other.succeed("cancel", "demo", "--lost").out
    other.succeed("retry", "demo", "--wait")
    assert registry_attempt(other)["outcome"] == "succeeded"
    registry.runner("apply", "--wait")  # the first clone's claim is no claim any more
    assert len(started.read_text().split()) == 1


def registry_attempt(clone: LiveRegistry):
    clone.git("fetch", "--quiet")
    return clone.attempt("demo")
