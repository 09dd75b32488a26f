"""A plan passes over experiments of which nothing has changed since their runs were attempted."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from planned_registry import SPEC, PlannedRegistry
from real_git import MakeRepository, git

from runner.apply import claim
from runner.launchers.local import LocalLauncher
from runner.ledger.branch import Changes
from runner.ledger.settled import Settled, read_settled, settled_json, settled_path
from runner.ledger.standing import standing_path
from runner.ledger.watermark import FEW, READERS, WATERMARK, Watermark, watermark_json
from runner.planning.actions import Forced, Plan
from runner.planning.asked import plan_here
from runner.planning.footprint import TracedTree, footprint
from runner.planning.settling import find_settled
from runner.rules import Checker
from runner.spec.check import load_experiments
from runner.spec.inputs import DvcOutputs
from runner.spec.resolve import Resolver
from runner.workspace import open_workspace

MATRIX = SPEC + "matrix: {grid: {training.learning_rate: [1.0e-6, 2.0e-6]}}\nseeds: [1, 2]\n"
DERIVED = "extends: bases/b\nseeds: [7]\n"
POINTER = "outs:\n- md5: {md5}\n  hash: md5\n  path: d.jsonl\n"
STARTS = SPEC.replace(
    "model: {path: Qwen/Qwen2.5-0.5B, revision: 060db6499f32}",
    "model: {source: run, path: plain}",
)
FILES = {
    "experiments/bases/b.yaml": SPEC,
    "experiments/plain.yaml": SPEC.replace("steps: 2", "steps: 3"),
    "experiments/derived.yaml": DERIVED,
    "experiments/matrix.yaml": MATRIX,
    "experiments/tracked.yaml": SPEC.replace("data/a.jsonl", "data/d.jsonl"),
    "data/d.jsonl.dvc": POINTER.format(md5="a" * 32),
    "experiments/helped.yaml": SPEC.replace("reward/sums.py", "reward/helped.py"),
    "reward/helped.py": "import reward.extra\ndef score(solution):\n    return 1.0\n",
    "reward/extra.py": "",
}


@pytest.fixture
def registry(make_repository: MakeRepository, monkeypatch: pytest.MonkeyPatch) -> PlannedRegistry:
    monkeypatch.setenv("RUNNER_TRAIN_PYTHON", sys.executable)
    registry = PlannedRegistry.with_files(make_repository(), FILES)
    apply(registry)
    return registry


def apply(registry: PlannedRegistry, forced: Forced | None = None) -> Plan:
    workspace = registry.workspace
    head, launcher = workspace.repository.head(), LocalLauncher(workspace.state)
    return claim(workspace, launcher, head, forced or Forced())[0]


def looked_at(registry: PlannedRegistry) -> set[str]:
    plan = plan_here(registry.workspace, None).plan
    found = {action.experiment for action in plan.actions}
    assert plan.settled is not None
    assert found == plan.settled.looked_at
    assert found.isdisjoint(plan.settled.names())
    return found


def test_nothing_is_looked_at_when_nothing_has_changed(registry: PlannedRegistry) -> None:
    assert looked_at(registry) == set()
    plan = plan_here(registry.workspace, None).plan
    assert plan.count("keep") == 8
    assert plan.settled is not None
    names = [one.experiment for one in plan.settled.kept()]
    assert names == sorted(names)
    assert len(names) == 8
    runs = {(a.experiment, a.run_id, a.seed, str(a.point)) for a in plan.whole().actions}
    forget(registry)
    again = plan_here(registry.workspace, None).plan
    assert {(a.experiment, a.run_id, a.seed, str(a.point)) for a in again.actions} == runs
    assert again.digest == plan.digest


def forget(registry: PlannedRegistry, *paths: str) -> None:
    found = paths or [f"settled/{name}" for name in registry.snapshot.names("settled")]
    files: dict[str, bytes | None] = dict.fromkeys(found)
    registry.workspace.ledger.transact(lambda _: Changes(files, "Forget"))


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
    counted = plan_here(registry.workspace, None).plan.count("keep")
    assert counted == known.count("keep") == kept(known)
    forget(registry, WATERMARK)
    assert looked_at(registry) == expected
    compared = registry.plan()
    assert (verbs(compared), compared.count("keep")) == (verbs(known), known.count("keep"))
    forget(registry)
    assert verbs(registry.plan()) == verbs(known)


def kept(plan: Plan) -> int:
    return sum(one.action == "keep" for one in plan.whole().actions)


def verbs(plan: Plan) -> set[tuple[str, str | None, str, str]]:
    return {(one.experiment, one.run_id, one.action, one.reason) for one in plan.actions}


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


# The watermark


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
    assert registry.plan().count("keep") == mark(registry).runs == 8
    apply(registry, Forced(launch=frozenset({"held"})))
    assert looked_at(registry) == {"held"}  # that apply was of one experiment alone
    assert registry.plan().count("keep") == 9
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
        assert kept(plan) == plan.count("keep") == 7
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
    assert plan.count("keep") == kept(plan) == 8


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


def end_all(registry: PlannedRegistry) -> None:
    ended = {"state": "ended", "outcome": "succeeded", "checkpoint": f"md5:{'a' * 32}"}
    for run_id in registry.snapshot.active():
        registry.advance(run_id, ended_at="2026-01-02T00:00:00Z", **ended)


def test_a_request_is_planned_where_a_note_is_damaged(registry: PlannedRegistry) -> None:
    end_all(registry)
    git(registry.folder, "switch", "--quiet", "--create", "topic")
    registry.commit(plain=FILES["experiments/plain.yaml"] + "# why\n")
    damage = {settled_path("plain"): b"["}
    registry.workspace.ledger.transact(lambda _: Changes(damage, "Damage"))
    assert plan_here(registry.workspace, "topic", (), "main").plan.actions == ()


def mark(registry: PlannedRegistry) -> Watermark:
    found = registry.snapshot.watermark
    assert found is not None
    return found


# Footprints hold all that is read


def traced_alone(registry: PlannedRegistry, name: str) -> Iterator[str]:
    """Yield what is read when only this experiment is checked and resolved, all caches cold."""
    workspace = registry.workspace
    tree = TracedTree(workspace.repository, workspace.repository.head())
    everything = load_experiments(tree)
    loaded = tuple(one for one in everything.experiments if one.name == name)
    with tree.tracing(name):
        load_experiments(tree, [name])
        Checker(loaded, tree, workspace.registry).check(loaded[0])
        list(Resolver(tree, workspace.registry, everything.experiments).runs(loaded[0]))
    yield from (path for path in tree.trace(name).files if tree.blob(path))


def test_a_footprint_holds_all_that_is_read_for_an_experiment(registry: PlannedRegistry) -> None:
    registry.commit(starts=STARTS)
    workspace = registry.workspace
    tree = TracedTree(workspace.repository, workspace.repository.head())
    loaded = load_experiments(tree).experiments
    checker, resolver = (
        Checker(loaded, tree, workspace.registry),
        Resolver(tree, workspace.registry, loaded),
    )
    for one in loaded:  # together, as a plan does: what is shared is read for the first alone
        with tree.tracing(one.name):
            checker.check(one)
            list(resolver.runs(one))
    outputs = DvcOutputs(tree)
    for one in reversed(loaded):
        held = footprint(one.name, {one.name: one for one in loaded}, tree, outputs, {}).files
        read = set(traced_alone(registry, one.name))
        read -= {f"experiments/{one.name}.yaml"}
        # Other pointers are read to find the one that holds a dataset.
        read -= {path for path in read if path.endswith(".dvc") and path not in held}
        assert read <= held.keys(), one.name


def test_a_work_tree_knows_settled_experiments_too(registry: PlannedRegistry) -> None:
    git(registry.folder, "status")
    (registry.folder / "experiments" / "other.yaml").write_text(SPEC)
    assert looked_at(registry) == {"other"}
    found = find_settled(load_tree(registry), registry.snapshot, registry.workspace.registry)
    assert found.names() == sorted(registry.snapshot.settled)


def load_tree(registry: PlannedRegistry) -> TracedTree:
    repository = registry.workspace.repository
    return TracedTree(repository, repository.head())


def test_a_shallow_clone_without_blobs_fetches_what_has_changed_and_the_index(
    registry: PlannedRegistry, tmp_path: Path
) -> None:
    former = {
        path: registry.workspace.repository.files("HEAD")[path].oid
        for path in ("experiments/plain.yaml", "experiments/tracked.yaml", "reward/helped.py")
    }
    registry.commit(matrix=MATRIX.replace("[1, 2]\n", "[1, 2, 3]\n"))
    git(registry.folder, "config", "uploadpack.allowFilter", "true")
    git(registry.folder, "config", "uploadpack.allowAnySHA1InWant", "true")
    clone = tmp_path / "clone"
    url = f"file://{registry.folder}"
    options = ("--depth=1", "--no-single-branch", "--filter=blob:none", "--no-checkout")
    git(tmp_path, "clone", "--quiet", *options, url, str(clone))
    git(clone, "checkout", "HEAD", "--", "registry.yaml")
    plan = plan_here(open_workspace(clone), "HEAD").plan
    assert {action.experiment for action in plan.actions} == {"matrix"}
    assert plan.count("launch") == 2
    assert plan.count("keep") == 8
    here = git(clone, "cat-file", "--batch-all-objects", "--batch-check=%(objectname)").split()
    assert not set(former.values()) & set(here)
