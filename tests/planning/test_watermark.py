"""A plan looks at what differs from the commit up to which everything is settled."""

from __future__ import annotations

import pytest
from planned_registry import SPEC, PlannedRegistry
from real_git import git
from settled_registry import (
    FILES,
    STARTS,
    apply,
    end_all,
    forget,
    kept,
    looked_at,
    mark,
    verbs,
)

from runner.ledger.draft import Changes
from runner.ledger.settled import settled_path
from runner.ledger.watermark import FEW, READERS, WATERMARK, watermark_json
from runner.planning.actions import Forced
from runner.planning.asked import plan_here


@pytest.mark.parametrize("path", [WATERMARK, READERS])
@pytest.mark.parametrize("content", [None, b"", b"[]", b"{", b"[1, 2]", b'{"commit": "x"}'])
def test_a_missing_or_damaged_watermark_only_costs_time(
    registry: PlannedRegistry, path: str, content: bytes | None
) -> None:
    registry.workspace.ledger.transact(lambda _: Changes({path: content}, "Damage"))
    assert looked_at(registry) == set()
    registry.commit(plain=FILES["experiments/plain.yaml"] + "# why\n")
    assert looked_at(registry) == {"plain"}
    apply(registry)
    assert registry.snapshot.watermark is not None
    assert registry.snapshot.readers is not None
    assert looked_at(registry) == set()


def test_what_is_held_stays_open_until_it_is_launched(registry: PlannedRegistry) -> None:
    registry.commit(held=SPEC.replace("steps: 2", "steps: 8") + "launch: manual\n")
    apply(registry)
    assert mark(registry).open == ("held",)
    assert looked_at(registry) == {"held"}
    assert registry.plan().number_of("keep") == mark(registry).runs == 8
    apply(registry, Forced(launch=frozenset({"held"})))
    assert looked_at(registry) == {"held"}  # that apply was of one experiment alone
    assert registry.plan().number_of("keep") == 9
    apply(registry)
    assert looked_at(registry) == set()
    assert mark(registry).runs == 9


def test_an_apply_of_one_experiment_opens_it_for_the_next_plan(registry: PlannedRegistry) -> None:
    registry.commit(plain=FILES["experiments/plain.yaml"].replace("steps: 3", "steps: 5"))
    before = mark(registry)
    apply(registry, Forced(only=frozenset({"plain"})))
    assert mark(registry) == before._replace(open=("plain",), runs=before.runs - 1)
    registry.commit(plain=FILES["experiments/plain.yaml"])
    plan = plan_here(registry.workspace, None).plan
    assert {one.action for one in plan.actions if one.experiment == "plain"} == {"keep", "orphan"}
    assert kept(plan) == 8


def test_an_experiment_with_a_former_run_stays_open_while_that_goes_on(
    registry: PlannedRegistry,
) -> None:
    former = registry.snapshot.settled["plain"].runs[0].run_id
    registry.commit(plain=FILES["experiments/plain.yaml"].replace("steps: 3", "steps: 5"))
    apply(registry)
    assert mark(registry).open == ("plain",)
    registry.advance(former, state="ended", outcome="cancelled")
    apply(registry)
    assert mark(registry).open == ()
    assert kept(registry.plan()) == mark(registry).runs == 8


def test_a_link_in_place_of_a_spec_is_refused_by_every_plan(registry: PlannedRegistry) -> None:
    place = registry.folder / "experiments" / "plain.yaml"
    place.unlink()
    place.symlink_to("matrix.yaml")
    registry.commit()
    for _ in range(2):
        plan = registry.plan()
        assert [(a.experiment, a.action) for a in plan.actions if a.action == "refuse"] == [
            ("plain", "refuse")
        ]
        assert kept(plan) == plan.number_of("keep") == 7
        apply(registry)


def test_more_readers_than_are_named_are_found_all_the_same(registry: PlannedRegistry) -> None:
    many = {f"many{n}": SPEC.replace("steps: 2", f"steps: {n}") for n in range(20, 20 + FEW)}
    registry.commit(**many)
    apply(registry)
    readers = registry.snapshot.readers
    assert readers is not None
    assert readers.files["reward/sums.py"] is None
    assert readers.files["reward/extra.py"] == ["helped"]
    assert "experiments/plain.yaml" not in readers.files  # nobody else reads it
    (registry.folder / "reward" / "sums.py").write_text("def score(solution):\n    return 0.5\n")
    assert looked_at(registry) == {"plain", "derived", "matrix", "tracked", *many}


def test_of_a_commit_that_is_out_of_reach_all_notes_are_compared(
    registry: PlannedRegistry,
) -> None:
    known = mark(registry)
    gone = watermark_json(known._replace(commit="1" * 40))
    registry.workspace.ledger.transact(lambda _: Changes({WATERMARK: gone}, "Damage"))
    assert looked_at(registry) == set()


def test_a_file_that_is_back_in_the_work_tree_counts_once(registry: PlannedRegistry) -> None:
    registry.remove("plain")
    registry.write(plain=FILES["experiments/plain.yaml"])
    plan = plan_here(registry.workspace, None).plan
    assert plan.number_of("keep") == kept(plan) == 8


def test_a_link_that_is_no_module_of_a_commit_is_none_of_its_work_tree(
    registry: PlannedRegistry,
) -> None:
    end_all(registry)
    place = registry.folder / "reward" / "extra.py"
    place.unlink()
    place.symlink_to("sums.py")
    registry.commit()
    registry.commit(helped=FILES["experiments/helped.yaml"] + "seeds: [2]\n")
    apply(registry)
    assert mark(registry).open == ()
    registry.write(plain=FILES["experiments/plain.yaml"] + "# why\n")
    known = registry.plan()
    forget(registry)
    assert verbs(registry.plan()) == verbs(known)


def test_what_one_read_that_was_applied_alone_is_known_ever_after(
    registry: PlannedRegistry,
) -> None:
    end_all(registry)
    own = {"reward/own.py": FILES["reward/helped.py"]}
    registry.commit(own, plain=FILES["experiments/plain.yaml"].replace("sums", "own"))
    apply(registry, Forced(only=frozenset({"plain"})))
    known = mark(registry)
    gone = watermark_json(known._replace(commit="1" * 40))  # all notes are compared next
    registry.workspace.ledger.transact(lambda _: Changes({WATERMARK: gone}, "Damage"))
    apply(registry)
    assert mark(registry).open == ()
    registry.commit({"reward/own.py": "def score(solution):\n    return 0.0\n"})
    assert looked_at(registry) == {"plain"}


def test_what_is_read_for_a_run_that_another_starts_from_concerns_both_and_all_that_follow(
    registry: PlannedRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.commit(
        {"lib/own.py": "X = 1\n", "reward/own.py": "import lib.own\n" + FILES["reward/helped.py"]},
        zz=SPEC.replace("reward/sums", "reward/own"),  # is resolved for `mid`, which comes first
        mid=STARTS.replace("path: plain", "path: zz"),
        last=STARTS.replace("path: plain", "path: mid"),
        also=STARTS.replace("path: plain", "path: mid"),
    )
    for _ in range(3):
        apply(registry)
        end_all(registry)
    monkeypatch.setattr("runner.planning.settling.program", lambda: "another")
    apply(registry)  # looks at all of them at once
    registry.commit({"lib/own.py": "X = 2\n"})
    assert looked_at(registry) == {"zz", "mid", "last", "also"}


def test_a_request_is_planned_where_a_note_is_damaged(registry: PlannedRegistry) -> None:
    end_all(registry)
    git(registry.folder, "switch", "--quiet", "--create", "topic")
    registry.commit(plain=FILES["experiments/plain.yaml"] + "# why\n")
    damage = {settled_path("plain"): b"["}
    registry.workspace.ledger.transact(lambda _: Changes(damage, "Damage"))
    assert plan_here(registry.workspace, "topic", (), "main").plan.actions == ()
