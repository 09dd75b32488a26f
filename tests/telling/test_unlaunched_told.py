"""What was not launched is told too: why, and at the commit that brought it."""

from __future__ import annotations

from typing import Any

import pytest
from planned_registry import SPEC
from told_registry import RecordingForge, end, head, outbox, over_ceiling, tell, wait_a_little

from runner.ledger.outbox import Outbox

MANUAL = f"{SPEC}launch: manual\n"
BROKEN = SPEC.replace("learning_rate: 1.0e-6", "learning_rat: 1")


def test_held_and_refused_ones_say_why_at_the_commit_that_brought_them(make_registry: Any) -> None:
    registry = make_registry(one=MANUAL, two=BROKEN)
    brought = head(registry)
    registry.commit({"README.md": "another change\n"})
    forge = RecordingForge()
    assert tell(registry, forge, plan=registry.plan(head(registry))) == ()
    state, text = forge.at(brought)
    assert (state, text) == (
        "success",
        "not launched yet: launch: manual, lifted by runner launch one",
    )
    assert forge.at(brought, "two")[0] == "failure"
    assert forge.at(brought, "two")[1].startswith("refused: ")
    urls = {status.url for status in forge.written}
    assert f"https://forge.example/{brought}/experiments/one.yaml" in urls

    before, count = registry.snapshot.commit, len(forge.written)
    wait_a_little(registry)
    tell(registry, forge, plan=registry.plan(head(registry)))
    assert (registry.snapshot.commit, len(forge.written)) == (before, count)


def test_what_is_over_a_ceiling_waits_until_it_is_lifted(make_registry: Any) -> None:
    registry, forge = make_registry(), RecordingForge()
    brought = head(registry)
    tell(registry, forge, plan=over_ceiling(registry))
    assert forge.at(brought) == (
        "pending",
        "held: $270 more would make $6,500 of $6,000 this month; alice may lift it",
    )
    registry.commit({"README.md": "another change\n"})
    (run_id,) = registry.run("running", started_at="2026-01-01T00:00:00Z")
    tell(registry, forge, "one", plan=registry.plan(head(registry)))
    assert forge.at(brought) == forge.at(head(registry))
    end(registry, forge, run_id)
    assert forge.at(brought) == ("success", "1 run succeeded")
    assert outbox(registry) == Outbox()


@pytest.mark.parametrize("edit", [True, False])
def test_a_held_file_that_is_edited_or_deleted_leaves_nothing_pending(
    make_registry: Any, edit: bool
) -> None:
    registry, forge = make_registry(), RecordingForge()
    brought = head(registry)
    tell(registry, forge, plan=over_ceiling(registry))
    if edit:
        newer = registry.commit(one=SPEC.replace("steps: 2", "steps: 3"))
        tell(registry, forge, plan=over_ceiling(registry))
        assert forge.at(newer)[0] == "pending"
    else:
        registry.remove("one")
        tell(registry, forge, plan=registry.plan(head(registry)))
        assert outbox(registry) == Outbox()
    state, text = forge.at(brought)
    assert (state, text[:20]) == ("failure", f"not launched: {'edited' if edit else 'delete'}")
    assert outbox(registry).notes == ()


def test_a_held_seed_keeps_an_experiment_from_being_a_success(make_registry: Any) -> None:
    registry, forge = make_registry(), RecordingForge()
    (run_id,) = registry.run("running", started_at="2026-01-01T00:00:00Z")
    tell(registry, forge, plan=over_ceiling(registry))
    assert forge.at(head(registry))[1].startswith("step 0")
    end(registry, forge, run_id)
    assert forge.at(head(registry))[0] == "pending"
    assert forge.at(head(registry))[1].startswith("held: ")
