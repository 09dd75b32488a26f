"""One training: of many processes one gets the lease, and only the same job takes it over."""

from __future__ import annotations

import json
import multiprocessing
import uuid
from pathlib import Path

import pytest

from runner.errors import LeaseHeld, OutsideError
from runner.node.lease import Lease, acquire, current, holder, refused
from runner.storage.store import RunStore

FOLDER = "runs/ab/abcd00000000/a1"


@pytest.fixture(params=["folder", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> RunStore:
    if request.param == "memory":
        return RunStore(f"memory://bucket-{uuid.uuid4().hex}")
    return RunStore(str(tmp_path / "store"))


def take(store: RunStore, job: str = "17", nonce: str = "n", attempt: str = "a1") -> Lease:
    return acquire(store, FOLDER, "abcd00000000", attempt, job, nonce)


def test_nobody_holds_a_new_folder(store: RunStore) -> None:
    assert current(store, FOLDER) is None
    lease = take(store)
    assert (lease.epoch, lease.folder) == (1, "epoch-1")
    assert current(store, FOLDER) == lease
    assert store.exists(f"{FOLDER}/lease.json")


def test_the_same_job_takes_over_with_the_next_epoch(store: RunStore) -> None:
    first = take(store)
    assert [take(store).epoch for _ in range(3)] == [2, 3, 4]
    assert store.exists(f"{FOLDER}/lease.epoch-4.json")
    newest = current(store, FOLDER)
    assert newest is not None
    assert newest.epoch == 4
    assert Lease.model_validate_json(store.get(f"{FOLDER}/lease.json") or b"") == first


@pytest.mark.parametrize(
    "other", [{"job": "18/b"}, {"nonce": "another"}, {"attempt": "a2"}], ids=str
)
def test_anything_else_stops_with_a_mark(store: RunStore, other: dict[str, str]) -> None:
    take(store)
    held = take(store)
    with pytest.raises(LeaseHeld, match="being trained by job 17") as caught:
        take(store, **other)
    assert caught.value.exit_code == 1
    assert current(store, FOLDER) == held
    [mark] = refused(store, FOLDER)
    assert "/" not in mark
    assert json.loads(store.get(f"{FOLDER}/{mark}") or b"")["held_by"]["job"] == "17"


def test_a_managed_job_is_the_same_after_its_server_was_restarted() -> None:
    first = {"SKYPILOT_MANAGED_JOB_ID": "7", "SKYPILOT_TASK_ID": "sky-managed-09-00_demo_7-0"}
    restarted = {**first, "SKYPILOT_TASK_ID": "sky-managed-09-30_demo_7-0"}
    assert holder("demo", restarted) == holder("demo", first)
    # Submitted twice there are two jobs of one name, also on clusters; a process has no number.
    others = [
        {**first, "SKYPILOT_MANAGED_JOB_ID": "8"},
        {"SKYPILOT_TASK_ID": "sky-09-00_demo_1"},
        {"SKYPILOT_TASK_ID": "sky-09-30_demo_1"},
        {},
    ]
    assert len({holder("demo", one) for one in (first, *others)}) == 5
    assert holder("demo", {}) == "demo"


def test_a_lease_that_cannot_be_read_is_not_taken(store: RunStore) -> None:
    store.put(f"{FOLDER}/lease.json", b"")
    for act in (lambda: take(store), lambda: current(store, FOLDER)):
        with pytest.raises(OutsideError, match=r"lease\.json cannot be read"):
            act()


def test_other_folders_are_other_leases(store: RunStore) -> None:
    take(store)
    again = acquire(store, FOLDER.replace("a1", "a2"), "abcd00000000", "a2", "18", "m")
    assert again.epoch == 1


def _contend(folder: str, job: str, results: multiprocessing.Queue[int]) -> None:
    try:
        results.put(take(RunStore(folder), job).epoch)
    except LeaseHeld:
        results.put(0)


@pytest.mark.parametrize("same", [False, True])
def test_many_processes_at_once(tmp_path: Path, same: bool) -> None:
    context = multiprocessing.get_context("fork")
    results: multiprocessing.Queue[int] = context.Queue()
    jobs = ["17" if same else str(number) for number in range(12)]
    processes = [
        context.Process(target=_contend, args=(str(tmp_path), job, results)) for job in jobs
    ]
    for process in processes:
        process.start()
    epochs = sorted(results.get(timeout=60) for _ in processes)
    for process in processes:
        process.join()
    assert epochs == (list(range(1, 13)) if same else [0] * 11 + [1])
    assert len(refused(RunStore(str(tmp_path)), FOLDER)) == (0 if same else 11)
