"""What the verbs ask of others, counted: it must not grow with what is at rest in the registry."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from aiobotocore.client import AioBaseClient
from planned_registry import SPEC, PlannedRegistry
from real_git import MakeOriginAndClones, git
from stand_in_s3 import serving_s3

from benchmarks.activity import put_heartbeats, put_results
from benchmarks.counting import CountingLauncher, counted
from benchmarks.operating import opened, operate
from runner.ledger.record import RunRecord, now
from runner.looking import listing
from runner.report.boards import board_path
from runner.report.leaderboard import leaderboard_pages, listed
from runner.report.publish import experiments_of
from runner.workspace import Workspace

SETTINGS = f"apiVersion: rollbook/v1\nlineage: {'0a' * 16}\n"
STAY = {"where": "gcp/us-central1", "seconds": 600.0, "last_step": 10}


class Large(PlannedRegistry):
    """A clone whose ledger has ended and running runs in two folders, with its remote."""

    store = "unset"

    def with_runs(self, ended: int, going: int) -> list[RunRecord]:
        """Record so many runs of each kind; return those that go on, newest last."""
        self.commit(**{f"old__x{n:03}": _spec(n) for n in range(ended)})
        self.run("ended")
        self.commit(**{f"new__x{n:03}": _spec(1000 + n) for n in range(going)})
        ids = self.run(
            "running",
            launcher="skypilot",
            endpoint=CountingLauncher().endpoint(),
            job="job",
            claimed_at=now(),
            started_at=now(),
            stays=[STAY],
        )
        assert len(ids) == going
        return list(self.snapshot.records(ids).values())

    def sync(self) -> Counter[str]:
        return Counter(operate("sync", self.opened(), CountingLauncher()))

    def opened(self) -> Workspace:
        return opened(self.folder, self.store)


def _spec(number: int) -> str:
    resources = "resources: {accelerators: 'H100:8', max_duration: 8h}"
    return f"{SPEC}seeds: [{number}]\n{resources}\n"


@pytest.fixture
def large(make_origin_and_clones: MakeOriginAndClones, tmp_path: Path) -> Large:
    _, [clone] = make_origin_and_clones(clones=1)
    registry = Large.with_files(clone, {"registry.yaml": SETTINGS})
    assert isinstance(registry, Large)
    registry.store = f"file://{tmp_path}/store"
    return registry


@pytest.mark.parametrize("at_rest", [5, 60])
def test_a_sync_asks_twice_of_each_run_that_goes_on_whatever_is_at_rest(large, at_rest):
    going = large.with_runs(ended=at_rest, going=10)
    put_heartbeats(large.opened(), going)
    counts = large.sync()
    assert (counts["store list"], counts["store get"], counts["store put"]) == (10, 10, 0)
    assert (counts["launcher poll"], counts["push"]) == (1, 0)
    assert counts["ledger and tree files"] < 3 * 10 + 20


@pytest.mark.parametrize("at_rest", [5, 60])
def test_a_run_that_ends_is_one_push_and_reads_no_other_record(large, at_rest):
    going = large.with_runs(ended=at_rest, going=6)
    put_heartbeats(large.opened(), going)
    put_results(large.opened(), going[:1])
    large.sync()  # makes the boards
    put_results(large.opened(), going[1:2])
    counts = large.sync()
    assert counts["push"] == 1
    assert counts["ledger and tree files"] < 90
    assert large.snapshot.find(going[1].run_id).latest.outcome == "failed"


def test_many_that_end_are_few_pushes(large, monkeypatch):
    going = large.with_runs(ended=2, going=12)
    put_heartbeats(large.opened(), going)
    put_results(large.opened(), going)
    monkeypatch.setattr("runner.sync.PORTION", 5)
    counts = large.sync()
    assert counts["push"] == 3
    assert large.snapshot.active() == {}


def test_of_a_bucket_a_run_that_goes_on_takes_two_requests(large, monkeypatch):
    going = large.with_runs(ended=2, going=4)
    calls: Counter[str] = Counter()
    really = AioBaseClient._make_api_call

    async def noted(self: AioBaseClient, operation: str, arguments: dict[str, Any]) -> Any:
        calls[operation] += 1
        return await really(self, operation, arguments)

    with serving_s3() as s3:
        for name, value in s3.environment.items():
            monkeypatch.setenv(name, value)
        large.store = f"s3://{s3.bucket}/runs"
        put_heartbeats(large.opened(), going)
        monkeypatch.setattr(AioBaseClient, "_make_api_call", noted)
        large.sync()
    assert calls == {"ListObjectsV2": 4, "GetObject": 4}


def test_an_ended_run_rewrites_the_rows_of_its_own_folder_alone(large):
    going = large.with_runs(ended=8, going=3)
    put_heartbeats(large.opened(), going)
    for run in going[:2]:
        put_results(large.opened(), [run])
        large.sync()
    tip = large.snapshot.commit
    changed = git(large.folder, "diff", "--name-only", f"{tip}~1", str(tip)).splitlines()
    assert board_path("new") in changed
    assert not [path for path in changed if "old" in path or path.startswith("leaderboard/old")]
    outside = [path for path in changed if not path.startswith(("runs/", "experiments/"))]
    assert len(outside) <= 5, outside


@pytest.mark.parametrize("at_rest", [20, 60])
def test_a_look_at_what_goes_on_reads_no_more_than_it_shows(large, monkeypatch, at_rest):
    large.with_runs(ended=at_rest, going=3)
    monkeypatch.setattr(listing, "ROWS", 8)
    with counted() as counts:
        shown = listing.lately(large.snapshot)
    assert (len(shown.runs), shown.more) == (8, at_rest + 3 - 8)
    assert counts["ledger and tree files"] < 256 + 4 * (8 + 3) + 5  # 256 are where runs stand


def test_rows_that_were_kept_give_the_same_front_page_as_the_records(large):
    going = large.with_runs(ended=30, going=3)
    put_heartbeats(large.opened(), going)
    put_results(large.opened(), going[:1])
    large.sync()
    put_results(large.opened(), going[1:])
    large.sync()
    snapshot = large.snapshot
    front = (snapshot.read("README.md") or b"").decode()
    assert front == leaderboard_pages([listed(one) for one in _standings(snapshot)])["README.md"]


def _standings(snapshot: Any) -> list[Any]:
    from runner.ledger.documents import experiment_of
    from runner.report.headline import candidates
    from runner.report.leaderboard import Standing

    found = []
    for name, entry in snapshot.experiments().items():
        records = tuple(snapshot.records(entry.runs).values())
        heads = candidates(experiment_of(snapshot, records[0].run_id))
        found.append(Standing(name, heads, records))
    return found


SCRIPT = """\
apiVersion: rollbook/v1
trainer: script
script: {{command: [python, train.py], files: [train.py]}}
training: {{steps: 8, prompts_per_step: 1, learning_rate: 1.0e-3}}
resources: {{cpus: 2}}
seeds: [{seed}]
"""


@pytest.mark.parametrize("new", [2, 12])
def test_an_apply_is_two_pushes_however_many_runs_are_new(large, tmp_path, new):
    remotes = (f"['remote \"{n}\"']\n    url = {tmp_path}/dvc\n" for n in ("data", "checkpoints"))
    specs = {f"experiments/a/x{n}.yaml": SCRIPT.format(seed=n) for n in range(new)}
    large.commit({".dvc/config": "".join(remotes), "train.py": "print(1)\n", **specs})
    git(large.folder, "push", "-q", "origin", "main")
    launcher = CountingLauncher()
    counts = operate("apply", large.opened(), launcher)
    assert counts["push"] == 2
    assert launcher.calls == {"find": 1, "submit": new}
    assert len(large.snapshot.active()) == new


def test_who_shares_a_run_is_found_beside_its_record(large):
    large.commit(a__one=_spec(1), a__two=_spec(1), b__three=_spec(1))
    [run_id] = large.run("ended")
    snapshot = large.snapshot
    record = snapshot.find(run_id)
    assert sorted(experiments_of(snapshot, {run_id: record})) == ["a/one", "a/two", "b/three"]
