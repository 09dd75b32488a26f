"""`runner status`: what goes on and what ended last, or all runs; the same as JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner, Result
from planned_registry import SPEC, PlannedRegistry
from real_git import MakeRepository

from runner.__main__ import run
from runner.cli import cli
from runner.ledger.branch import Snapshot
from runner.ledger.draft import Changes, Draft
from runner.ledger.entry import ExperimentEntry
from runner.ledger.record import Judgement
from runner.ledger.standing import standing_path
from runner.looking import listing
from runner.spec.expectation import Expectation
from runner.storage.runfolder import open_run_store


class Shown(PlannedRegistry):
    """A registry whose runs are looked at."""

    def launched(self, name: str, state: str = "ended", day: int = 1, **changes: Any) -> str:
        """Record a run of a new spec; return its id."""
        number = len(list((self.folder / "experiments").rglob("*.yaml")))
        self.commit(**{name: f"{SPEC}seeds: [{number}]\n"})
        ended = {"ended_at": f"2026-01-{day:02}T00:00:00Z"} if state == "ended" else {}
        [run_id] = self.run(state, **ended, **changes)
        return run_id

    def status(self, *options: str) -> Result:
        done = CliRunner(mix_stderr=False).invoke(cli, ["-C", str(self.folder), "status", *options])
        assert done.exit_code == 0, done.output
        return done

    def table(self, *options: str) -> list[str]:
        """Return the experiments of the table's rows, and the line below them."""
        _, *lines = self.status(*options).stdout.splitlines()
        return [line if line.startswith("…") else line.split()[0] for line in lines]

    def json(self, *options: str) -> list[dict[str, Any]]:
        runs: list[dict[str, Any]] = json.loads(self.status("--json", *options).stdout)["runs"]
        return runs

    def write_to_ledger(self, path: str, content: bytes | None) -> None:
        def step(snapshot: Snapshot) -> Changes:
            return Draft(snapshot).put(path, content).changes("A test")

        self.workspace.ledger.transact(step)

    def put_entry(self, entry: ExperimentEntry) -> None:
        self.write_to_ledger(entry.path, entry.to_json())


@pytest.fixture
def registry(make_repository: MakeRepository) -> Shown:
    registry = Shown.with_files(make_repository(), {"experiments/.keep": ""})
    assert isinstance(registry, Shown)
    return registry


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let five rows be many."""
    monkeypatch.setattr(listing, "ROWS", 5)
    monkeypatch.setattr(listing, "ENDED", 2)


def test_what_goes_on_comes_first_then_what_ended_last(registry):
    registry.launched("a", day=3)
    registry.launched("b", "waiting", waiting_since="2026-01-01T00:00:00Z")
    registry.launched("c", day=9)
    registry.launched("e", "running")
    registry.launched("d", "running")
    assert registry.table() == ["d", "e", "b", "c", "a"]
    assert registry.table("--all") == ["a", "b", "c", "d", "e"]


def test_of_many_ended_ones_the_newest_are_shown(registry, few):
    for day in (4, 1, 9, 3, 8, 2, 7):
        registry.launched(f"x{day}", day=day)
    registry.launched("going", "running")
    assert registry.table()[:5] == ["going", "x9", "x8", "x7", "x4"]
    assert registry.table()[5:] == ["… and 3 more: runner status --all"]
    assert len(registry.table("--all")) == 8
    assert len(registry.json()) == 8


def test_however_many_go_on_some_that_ended_are_shown(registry, few):
    for number in range(6):
        registry.launched(f"going{number}", "running")
    registry.launched("old", day=1)
    registry.launched("older", day=2)
    registry.launched("newest", day=3)
    shown = ["going0", "going1", "going2", "newest", "older"]
    more = "… and 4 more, 3 of them going on: runner status --all"
    assert registry.table() == [*shown, more]


def test_a_run_of_an_earlier_version_is_listed_while_it_goes_on(registry):
    former = registry.launched("x", "running")
    registry.commit(x=f"{SPEC}seeds: [7]\n")
    [present] = registry.run("ended")
    assert [run["run_id"] for run in registry.json()] == [former, present]
    assert registry.table() == ["x", "x"]
    ended = {"state": "ended", "outcome": "failed", "ended_at": "2026-01-03T00:00:00Z"}
    registry.advance(former, **ended)
    assert [run["run_id"] for run in registry.json()] == [present]
    assert registry.table() == ["x", "… and 1 more: runner status --all"]
    assert [run["run_id"] for run in registry.json("--all")] == [former, present]
    assert registry.table("--all") == ["x", "x"]


def test_runs_of_present_specs_are_found_beyond_many_of_earlier_ones(registry, few):
    oldest = registry.launched("y", day=1)
    for day in range(2, 16):
        registry.commit(x=f"{SPEC}seeds: [{100 + day}]\n")
        registry.run("ended", ended_at=f"2026-01-{day:02}T00:00:00Z")
    shown = registry.status().stdout.splitlines()
    assert [line.split()[0] for line in shown[1:3]] == ["x", "y"]
    assert oldest in shown[2]
    assert shown[3] == "… and 13 more: runner status --all"


@pytest.mark.parametrize("options", [[], ["--all"]])
def test_a_run_that_two_files_share_is_judged_by_each(registry, options):
    spec = f"{SPEC}seeds: [1]\n"
    registry.commit(strict=f"{spec}expect: [{{reward/mean: 'last >= 0.5'}}]\n")
    held = Judgement(metric="reward/mean", condition="last >= 0.5", verdict="fail", value=0.2)
    registry.run(judgements=(held,), metrics={"reward/mean": 0.2})
    registry.commit(lax=spec)
    assert registry.run() == []  # it is recorded already, and now stands for both
    strict = registry.snapshot.experiment("strict")
    expect = (Expectation.model_validate({"reward/mean": "last >= 0.5"}),)
    registry.put_entry(strict.model_copy(update={"expect": expect}))
    lines = {line.split()[0]: line for line in registry.status(*options).stdout.splitlines()}
    assert lines["strict"].endswith("❌ trained, but 1 of 1 expectation failed")
    assert lines["lax"].endswith("✅ succeeded")
    assert "reward/mean 0.2" in lines["strict"]


def test_an_expectation_that_was_edited_in_its_last_digits_is_judged_again(registry):
    registry.commit(x=f"{SPEC}expect: [{{reward/mean: 'last >= 0.5'}}]\n")
    held = Judgement(metric="reward/mean", condition="last >= 0.5", verdict="pass", value=0.5)
    [run_id] = registry.run(judgements=(held,), metrics={"reward/mean": 0.5})
    line = json.dumps({"step": 1, "metrics": {"reward/mean": 0.5}})
    open_run_store(registry.workspace, run_id).put("a1/epoch-1/metrics.jsonl", line.encode())
    entry = registry.snapshot.experiment("x")
    for condition, verdict in (("last >= 0.5", "✅"), ("last >= 0.50000001", "❌")):
        expect = (Expectation.model_validate({"reward/mean": condition}),)
        registry.put_entry(entry.model_copy(update={"expect": expect}))
        assert verdict in registry.status().stdout


@pytest.mark.parametrize("content", [None, b"{", b'{"0": 1}'])
def test_the_short_form_of_where_runs_stand_is_only_a_short_form(registry, content):
    """Records say the same: a ledger may be older than `standing.json`, and a file damaged."""
    ids = [registry.launched("a", day=3), registry.launched("b", "running")]
    before = registry.status().stdout
    for run_id in ids:
        registry.write_to_ledger(standing_path(run_id), content)
    assert registry.status().stdout == before


def test_json_is_one_document_of_every_present_run(registry, few):
    registry.launched("a", cost_usd=1.5, metrics={"reward/mean": 0.25}, step=2, steps=2)
    for number in range(7):
        registry.launched(f"x{number}", "running" if number < 3 else "ended")
    first, *others = registry.json()
    wanted = {"experiment": "a", "attempt": 1, "state": "ended", "outcome": "succeeded"}
    wanted |= {"launcher": "local", "job": None, "step": 2, "steps": 2, "cost": 1.5}
    assert {key: first[key] for key in wanted} == wanted
    assert first["metrics"] == {"reward/mean": 0.25}
    assert len(others) == 7


def test_json_without_runs_is_a_document_too(registry):
    assert registry.json() == []


def test_json_that_fails_on_the_way_is_the_failure_alone(registry, capfd):
    registry.launched("a")
    run_id = registry.launched("b")
    registry.write_to_ledger(f"runs/{run_id[:2]}/{run_id}/record.json", b"{")
    assert run(["-C", str(registry.folder), "status", "--json"]) == 1
    assert list(json.loads(capfd.readouterr().out)) == ["error"]
