"""A plan passes over experiments of which nothing has changed since their runs were attempted."""

from __future__ import annotations

import pytest
from planned_registry import SPEC, PlannedRegistry
from settled_registry import (
    FILES,
    POINTER,
    STARTS,
    apply,
    end_all,
    forget,
    kept,
    looked_at,
    verbs,
)

from runner.ledger.draft import Changes
from runner.ledger.settled import Settled, read_settled, settled_json, settled_path
from runner.ledger.standing import standing_path
from runner.ledger.watermark import WATERMARK
from runner.planning.actions import Forced
from runner.planning.asked import plan_here


def test_nothing_is_looked_at_when_nothing_has_changed(registry: PlannedRegistry) -> None:
    assert looked_at(registry) == set()
    plan = plan_here(registry.workspace, None).plan
    assert plan.number_of("keep") == 8
    assert plan.settled is not None
    names = [one.experiment for one in plan.settled.kept()]
    assert names == sorted(names)
    assert len(names) == 8
    runs = {(a.experiment, a.run_id, a.seed, str(a.point)) for a in plan.whole().actions}
    forget(registry)
    again = plan_here(registry.workspace, None).plan
    assert {(a.experiment, a.run_id, a.seed, str(a.point)) for a in again.actions} == runs
    assert again.digest == plan.digest


OF_GIT = {"plain", "derived", "matrix", "helped"}
"""Their data are git's: any pointer might say that DVC has them now."""
CHANGES = {
    "its own file": ("experiments/plain.yaml", FILES["experiments/plain.yaml"] + "seeds: [1, 2]\n",
                     {"plain"}),
    "a comment in it": ("experiments/plain.yaml", FILES["experiments/plain.yaml"] + "# why\n",
                        {"plain"}),
    "a base": ("experiments/bases/b.yaml", SPEC.replace("steps: 2", "steps: 9"), {"derived"}),
    "a reward": ("reward/sums.py", "def score(solution):\n    return 0.5\n",
                 {"plain", "derived", "matrix", "tracked"}),
    "a module that a reward imports": ("reward/extra.py", "X = 1\n", {"helped"}),
    "a module that a reward would import first": ("reward/extra/__init__.py", "", {"helped"}),
    "a package above a reward": (
        "reward/__init__.py", "", {"plain", "derived", "matrix", "tracked", "helped"}),
    "a dataset of git": ("data/a.jsonl", '{"a": 1}\n', OF_GIT),
    "a dataset of DVC": ("data/d.jsonl.dvc", POINTER.format(md5="b" * 32),
                         {"tracked", *OF_GIT}),
    "another dataset of DVC": ("data/e.jsonl.dvc", POINTER.format(md5="c" * 32).replace("d.", "e."),
                               OF_GIT),
    "something else": ("notes.md", "words\n", set()),
    "a new experiment": ("experiments/new.yaml", SPEC.replace("steps: 2", "steps: 8"), {"new"}),
}  # fmt: skip


@pytest.mark.parametrize("committed", [True, False], ids=["committed", "in the work tree"])
@pytest.mark.parametrize("what", CHANGES)
def test_what_has_changed_is_looked_at_and_no_more(
    registry: PlannedRegistry, what: str, committed: bool
) -> None:
    path, content, expected = CHANGES[what]
    place = registry.folder / path
    place.parent.mkdir(exist_ok=True)
    place.write_text(content)
    if committed:
        registry.commit()
    assert looked_at(registry) == expected
    known = registry.plan()
    counted = plan_here(registry.workspace, None).plan.number_of("keep")
    assert counted == known.number_of("keep") == kept(known)
    forget(registry, WATERMARK)
    assert looked_at(registry) == expected
    compared = registry.plan()
    assert (verbs(compared), compared.number_of("keep")) == (verbs(known), known.number_of("keep"))
    forget(registry)
    assert verbs(registry.plan()) == verbs(known)


def test_settings_and_the_program_concern_all(
    registry: PlannedRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runner.planning.settling.program", lambda: "another")
    assert len(looked_at(registry)) == 5
    apply(registry)
    assert looked_at(registry) == set()


def test_a_deleted_experiment_is_forgotten(registry: PlannedRegistry) -> None:
    assert "plain" in registry.snapshot.settled
    registry.remove("plain")
    apply(registry)
    assert "plain" not in registry.snapshot.settled


def test_a_former_run_that_goes_on_is_an_orphan(registry: PlannedRegistry) -> None:
    former = registry.snapshot.settled["plain"].runs[0].run_id
    registry.commit(plain=FILES["experiments/plain.yaml"].replace("steps: 3", "steps: 5"))
    apply(registry)
    plan = plan_here(registry.workspace, None).plan
    assert [(a.action, a.run_id) for a in plan.actions if a.action == "orphan"] == [
        ("orphan", former)
    ]


def test_one_that_starts_from_a_settled_run_is_planned_without_its_spec(
    registry: PlannedRegistry,
) -> None:
    registry.commit(starts=STARTS)
    (action,) = plan_here(registry.workspace, None).plan.actions
    upstream = registry.snapshot.settled["plain"].runs[0].run_id
    assert (action.experiment, action.action) == ("starts", "wait")
    assert upstream in action.reason


@pytest.mark.parametrize("content", [None, b"", b"[]", b"{", b'[{},{"plain": [1]}]'])
def test_a_missing_or_damaged_file_only_costs_time(
    registry: PlannedRegistry, content: bytes | None
) -> None:
    path = settled_path("plain")
    beside = {name for name in registry.snapshot.settled if settled_path(name) == path}
    registry.workspace.ledger.transact(lambda _: Changes({path: content}, "Damage"))
    assert looked_at(registry) == beside
    apply(registry)
    assert looked_at(registry) == set()


def test_a_run_of_which_no_standing_is_known_is_looked_up(registry: PlannedRegistry) -> None:
    run_id = registry.snapshot.settled["plain"].runs[0].run_id
    known = kept(registry.plan())
    forget(registry, standing_path(run_id))
    assert kept(registry.plan()) == known
    end_all(registry)  # or its claim is looked up too
    apply(registry)
    forget(registry, standing_path(run_id))
    assert looked_at(registry) == set()
    forget(registry, WATERMARK)
    assert "plain" in looked_at(registry)


def test_the_file_reads_as_it_was_written(registry: PlannedRegistry) -> None:
    known: dict[str, Settled] = registry.snapshot.settled
    assert len(known) == 5
    assert read_settled(settled_json(known), {}) == known


def test_of_two_of_one_identity_the_one_that_is_named_is_launched(
    registry: PlannedRegistry,
) -> None:
    new = SPEC.replace("steps: 2", "steps: 8")
    registry.commit(one=new, two=new)
    assert [(a.experiment, a.action) for a in registry.forced(Forced(only=frozenset({"two"})))] == [
        ("two", "launch")
    ]


def test_a_new_file_anywhere_counts_in_an_uncommitted_tree(registry: PlannedRegistry) -> None:
    """The module would be imported in the place of one that is nowhere else."""
    code = "import lib.more\ndef score(solution):\n    return 1.0\n"
    (registry.folder / "reward" / "helped.py").write_text(code)
    registry.commit()
    apply(registry, Forced(rerun=frozenset({"helped"})))
    apply(registry)
    (registry.folder / "lib").mkdir()
    (registry.folder / "lib" / "more.py").write_text("X = 1\n")
    (registry.folder / "experiments" / "plain.yaml").write_text(SPEC)  # so it is uncommitted
    assert looked_at(registry) == {"plain", "helped"}
