"""Trials and repeats on machines that cost: asked about first, and left running or left nothing.

The machines are processes here, by a launcher that the commands take for one of rented machines.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from live_registry import LiveRegistry, script_spec, wait_until
from typed_command import Answer, type_command

from runner.launchers import LAUNCHERS
from runner.launchers.local import LocalLauncher
from runner.launching import follow
from runner.workspace import Workspace

PLACES = "resources: {candidates: [{infra: slurm/a}, {infra: gcp, needs_approval: true}]}\n"
CASES = {
    "steady": script_spec("--save-every", 8, more=PLACES),
    "slow": script_spec("--pause", 0.5, steps=200, more=PLACES),
}


class Rented(LocalLauncher):
    """Processes that the commands take for jobs on rented machines."""

    name = "skypilot"
    is_remote = True
    released: list[str] = []  # noqa: RUF012 - of all of its kind

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace.state)

    def release(self, job_id: str) -> None:
        self.released.append(job_id)
        super().release(job_id)


class Person:
    """Who types commands in a clone."""

    def __init__(self, registry: LiveRegistry) -> None:
        self.registry = registry

    def say(self, *arguments: str) -> Answer:
        return type_command("-C", self.registry.root, *arguments)

    def repeat(self, name: str, label: str) -> dict[str, Any]:
        run_id = self.registry.run(name)["run_id"]
        path = f"runs/{run_id[:2]}/{run_id}/repeats/{label}/repeat.json"
        return dict(json.loads(self.registry.ledger(path)))


@pytest.fixture(scope="module")
def registry(make_registry) -> LiveRegistry:
    registry = make_registry()
    registry.merge(CASES)
    registry.succeed("apply", "--only", "steady", "--wait")
    return registry


@pytest.fixture
def person(registry: LiveRegistry, monkeypatch: pytest.MonkeyPatch) -> Iterator[Person]:
    monkeypatch.setitem(LAUNCHERS, "skypilot", Rented)
    monkeypatch.setattr("runner.reproduce.check_places", lambda *_: None)
    monkeypatch.setattr("runner.trying.trial.check_places", lambda *_: None)
    monkeypatch.setattr(follow, "SERVER_SECONDS", 0.1)
    Rented.released.clear()
    yield Person(registry)
    registry.end_everything()


SKYPILOT = ("--launcher", "skypilot")


# reproduce


def test_nobody_to_ask_is_a_refusal_that_has_shown_the_price(person: Person) -> None:
    before = person.registry.ledger_commits()
    said = person.say("reproduce", "steady", *SKYPILOT)
    assert said.code == 1
    assert "SkyPilot     CPUs on slurm/a, " in said.err  # not on what needs an owner's yes
    assert "at most 24 h; what it costs is not known" in said.err
    assert "--yes   agrees to it" in said.err
    assert person.registry.ledger_commits() == before


def test_a_repeat_is_submitted_and_left_and_come_back_to(person: Person) -> None:
    said = person.say("reproduce", "steady", *SKYPILOT, "--yes", "--json")
    label, job = said.json["repeat"], said.json["job"]
    assert (said.code, said.json["verdict"]) == (0, None)
    assert person.repeat("steady", label)["job"] == job
    assert "verdict" not in person.repeat("steady", label)
    back = person.say("reproduce", "steady", "--attach", label, "--json")
    assert (back.code, back.json["verdict"]) == (0, "bitwise")
    assert person.repeat("steady", label)["verdict"] == "bitwise"
    again = person.say("reproduce", "steady", "--attach", label)
    assert again.code == 0
    assert "bitwise" in again.out.lower()


def test_wait_follows_to_the_verdict(person: Person) -> None:
    said = person.say("reproduce", "steady", *SKYPILOT, "--yes", "--wait", "--json")
    assert (said.code, said.json["verdict"]) == (0, "bitwise")


def test_whoever_stops_waiting_leaves_it_running(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runner.reproduce.follow_job", _interrupted)
    said = person.say("reproduce", "steady", *SKYPILOT, "--yes", "--wait")
    monkeypatch.undo()
    monkeypatch.setitem(LAUNCHERS, "skypilot", Rented)
    assert said.code == 130
    command = said.err.partition("it goes on; runner ")[2].partition("   ")[0].split()
    assert command[-2:-1] == ["--attach"]
    assert person.say(*command, "--json").json["verdict"] == "bitwise"


def test_what_cannot_be_submitted_is_written_down(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    from runner.errors import OutsideError

    def full(*_: object) -> str:
        raise OutsideError("the server is full")

    monkeypatch.setattr(Rented, "submit", full)
    said = person.say("reproduce", "steady", *SKYPILOT, "--yes", "--json")
    assert (said.code, said.json["error"]["message"]) == (3, "the server is full")
    labels = person.registry.git(
        "ls-tree", "-r", "--name-only", "runs", cwd=person.registry.origin
    ).split("/repeats/")
    newest = max(int(part.partition("/")[0][1:]) for part in labels[1:])
    assert person.repeat("steady", f"r{newest}")["error"] == "the server is full"


def test_there_is_no_coming_back_to_what_never_was(person: Person) -> None:
    said = person.say("reproduce", "steady", "--attach", "r99")
    assert said.code == 1
    assert "has no repeat r99" in said.err


def _interrupted(*_: object) -> None:
    raise KeyboardInterrupt


# try


def test_a_trial_elsewhere_leaves_nothing_but_its_files_here(person: Person) -> None:
    before = person.registry.ledger_commits()
    assert person.say("try", "steady", *SKYPILOT).code == 1
    said = person.say("try", "steady", *SKYPILOT, "--yes")
    assert said.code == 0, said
    assert "Trying steady: CPUs on slurm/a, at most 1 h" in said.err
    assert "tried 2 steps" in said.err
    [job] = Rented.released
    assert "-try-" in job
    assert not list((person.registry.root / ".rollbook/store").glob("trials/*"))
    [here] = (person.registry.root / ".rollbook/trials").iterdir()
    assert (here / "try/epoch-1/log.txt").is_file()
    assert person.registry.processes() == []
    assert person.registry.ledger_commits() == before


def test_whoever_stops_a_trial_stops_its_machines(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(launcher: Rented, job: str, *_: object) -> None:
        store = person.registry.root / ".rollbook/store/trials"
        wait_until("the job trains", lambda: list(store.glob("*/try/epoch-1/metrics.jsonl")))
        raise KeyboardInterrupt

    monkeypatch.setattr("runner.trying.scratch.follow_job", interrupted)
    said = person.say("try", "slow", *SKYPILOT, "--yes")
    assert said.code == 130
    assert "waiting until its machines are given back" in said.err
    assert person.registry.processes() == []
    assert not list((person.registry.root / ".rollbook/store").glob("trials/*"))


def test_a_trial_that_never_came_to_train_shows_what_its_launcher_said(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runner.trying.scratch.follow_job", lambda *_: None)
    monkeypatch.setattr(Rented, "submit", lambda _, task: task.job)
    monkeypatch.setattr(Rented, "logs", lambda *_, follow: iter(["pip: no such package"]))
    said = person.say("try", "steady", *SKYPILOT, "--yes")
    assert said.code == 3
    assert "it ended without a word of its node" in said.err
    assert "  pip: no such package\n" in said.err


def test_gpus_of_a_trial_replace_those_of_the_spec(person: Person) -> None:
    said = person.say("try", "steady", "--gpus", "1")
    assert said.code == 1
    assert "`steady` trains on the CPU" in said.err


# down


def test_down_stops_a_run_and_its_repeats(person: Person) -> None:
    person.registry.succeed("apply", "--only", "slow")
    person.registry.await_step("slow", 1)
    said = person.say("reproduce", "steady", *SKYPILOT, "--yes", "--json")
    label = said.json["repeat"]
    assert person.say("down", "slow").code == 0
    assert person.registry.attempt("slow")["outcome"] == "cancelled"
    assert person.say("down", "steady").code == 0
    assert person.registry.processes() == []
    verdict = person.repeat("steady", label).get("verdict")
    assert verdict in ("inconclusive", None)  # None: it had ended before


def test_doctor_lists_a_process_that_nobody_waits_for(person: Person, tmp_path: Path) -> None:
    said = person.say("reproduce", "steady", *SKYPILOT, "--yes", "--json")
    assert person.say("doctor", "--leaks").code == 0  # its claim explains it
    person.say("reproduce", "steady", "--attach", said.json["repeat"])
