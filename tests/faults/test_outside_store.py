"""The run store is away: refused, forbidden, broken or hanging. Nothing is told that is not so."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from faulty_s3 import FaultyS3, faulty
from node_forks import NodeForks, forking
from node_scenario import Places, Scenario

from runner.errors import OutsideError
from runner.node.lease import acquire, current
from runner.storage import store as storage
from runner.storage.store import RunStore

sys.path.insert(0, str(Path(__file__).parents[1] / "github"))
from stand_in_s3 import S3, serving_s3


@pytest.fixture(scope="module")
def forks() -> Iterator[NodeForks]:
    with forking() as made:
        yield made


@pytest.fixture
def s3(monkeypatch) -> Iterator[tuple[S3, FaultyS3]]:
    import s3fs

    with serving_s3() as served, faulty(served.url) as front:
        for name, value in {**served.environment, "AWS_ENDPOINT_URL": front.url}.items():
            monkeypatch.setenv(name, value)
        s3fs.S3FileSystem.clear_instance_cache()
        yield served, front
        s3fs.S3FileSystem.clear_instance_cache()


@pytest.mark.parametrize(
    "mode", ["forbidden", "broken", "hangs", pytest.param("refused", marks=pytest.mark.slow)]
)
def test_each_operation_says_so_within_its_deadline(s3, monkeypatch, mode):
    monkeypatch.setattr(storage, "ANSWER_SECONDS", 60.0)  # a busy machine is no fault
    served, front = s3
    store = RunStore(f"s3://{served.bucket}/runs")
    store.put("there", b"1")
    front.be(mode)
    if mode == "hangs":
        monkeypatch.setattr(storage, "ANSWER_SECONDS", 1.0)
    reads = (lambda: store.get("there"), store.list, lambda: store.modified("there"))
    writes = (lambda: store.put("there", b"2"), lambda: store.create("lease", b""))
    acts = (*reads, *writes, lambda: store.delete("there"), lambda: store.exists("there"))
    # All but the last take a driver's retries, which are slow: of each kind one.
    for act in acts if mode in ("hangs", "forbidden") else (reads[0], writes[0]):
        began = time.monotonic()
        with pytest.raises(OutsideError, match=SAID[mode]) as caught:
            act()
        assert time.monotonic() - began < 60
        assert "credentials" in str(caught.value.cure)
    front.be("well")
    monkeypatch.setattr(storage, "ANSWER_SECONDS", 60.0)
    # What was given up is not carried out late: it would undo what came after it.
    assert store.get("there") == b"1"
    assert store.list() == ["there"]


SAID = {
    "refused": "Could not connect to the endpoint URL",
    "forbidden": "(?i)AccessDenied|forbidden",
    "broken": "InternalError|Internal Server Error|500",
    "hangs": "no answer for 1 s",
}


@pytest.mark.parametrize("mode", [pytest.param("refused", marks=pytest.mark.slow), "hangs"])
def test_a_store_that_is_away_for_a_while_costs_no_run(s3, forks, tmp_path, monkeypatch, mode):
    """It is away when the node takes its lease; nobody takes its silence for an end."""
    monkeypatch.setattr(storage, "ANSWER_SECONDS", 1.0 if mode == "hangs" else 60.0)
    served, front = s3
    places = Places(f"s3://{served.bucket}/{mode}/store", str(tmp_path / "exports"))
    scenario = Scenario(tmp_path, forks, places, "local")
    scenario.starter.more["FAULT_ANSWER"] = "1"
    try:
        front.be(mode)
        scenario.apply(monkeypatch)
        before = scenario.record
        for command in ("sync", "logs demo", "status"):
            answer = scenario.runner(command)
            assert answer.exit_code == 3, (command, answer.stderr)
            assert "run store s3://" in answer.stderr
        assert scenario.record == before
        front.be("well")
        monkeypatch.setattr(storage, "ANSWER_SECONDS", 60.0)
        scenario.to_the_end()
        scenario.check_end()
        assert scenario.record.latest.number == 1
        assert current(scenario.store, "a1").epoch == 1
    finally:
        scenario.close()


def test_a_lease_whose_answer_was_lost_is_known_again(tmp_path):
    """Else a node that asks again takes its own lease for that of a start before it."""
    store = RunStore(str(tmp_path))
    claim = (store, "a1", "abcd00000000", "a1", "job", "n")
    first = acquire(*claim, start="one")
    assert acquire(*claim, start="one") == first
    second = acquire(*claim, start="two")
    assert (second.epoch, acquire(*claim, start="two")) == (2, second)
    assert current(store, "a1") == second
