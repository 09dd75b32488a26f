"""Specs with `launch: manual` may wait for data that a stage makes, and for machines."""

import subprocess
import sys

import pytest
from planned_registry import SPEC, PlannedRegistry
from real_git import MakeRepository, write_files

from runner.errors import Refused
from runner.planning.actions import Forced
from runner.spec.inputs import DvcOutputs
from runner.spec.tree import MemoryTree

STAGE = "stages:\n  words:\n    cmd: cp data/a.jsonl data/made.jsonl\n    outs: [data/made.jsonl]\n"
UNMADE = SPEC.replace("data/a.jsonl", "data/made.jsonl")
MANUAL = f"{UNMADE}launch: manual\n"
LAUNCHED = Forced(launch=frozenset({"x"}))


def registry(make_repository: MakeRepository, **specs: str) -> PlannedRegistry:
    files = {f"experiments/{name}.yaml": text for name, text in specs.items()}
    return PlannedRegistry.with_files(make_repository(), {"dvc.yaml": STAGE, **files})


def test_a_manual_experiment_is_held_until_its_data_is_made(make_repository):
    made = registry(make_repository, x=MANUAL)
    action = made.action()
    assert (action.action, action.run_id) == ("hold", None)
    assert (
        action.reason == "data/made.jsonl has not been made; dvc repro words   and commit dvc.lock"
    )
    assert made.forced(LAUNCHED)[0].action == "hold"

    for command in (["init", "--quiet"], ["repro", "--quiet", "words"]):
        subprocess.run([sys.executable, "-m", "dvc", *command], cwd=made.folder, check=True)
    made.commit()
    assert made.action().reason == "new; launch: manual, lifted by runner launch x"
    assert made.forced(LAUNCHED)[0].action == "launch"


def test_one_that_a_merge_launches_is_refused_until_its_data_is_made(make_repository):
    action = registry(make_repository, x=UNMADE).action()
    assert action.action == "refuse"
    assert action.reason == "the stage `words` makes `data/made.jsonl`, and has not run"


def test_more_machines_than_there_are_are_waited_for_also_when_launched(make_repository):
    wide = SPEC + "launch: manual\nresources: {accelerators: 'H100:8', nodes: 2}\n"
    wide = wide.replace("prompts_per_step: 8", "prompts_per_step: 16")
    made = registry(make_repository, x=wide)
    (action,) = made.forced(LAUNCHED)
    assert action.action == "hold"
    assert action.reason.endswith("the local launcher has one machine, not 2")


@pytest.mark.parametrize(
    ("path", "stage"),
    [
        ("data/a.jsonl", "plain"),
        ("./data/a.jsonl", "plain"),
        ("data/folder/x.jsonl", "plain"),
        ("deep/b.jsonl", "deep/dvc.yaml:low"),
        ("work/c.jsonl", "elsewhere"),
        ("data/other.jsonl", None),
        ("data/${item}.jsonl", None),
        ("odd", None),
    ],
)
def test_the_stage_that_makes_a_file_is_found(path, stage):
    tree = MemoryTree(
        {
            "dvc.yaml": b"stages:\n"
            b"  plain: {cmd: x, outs: [data/a.jsonl: {cache: false}, data/folder]}\n"
            b"  elsewhere: {cmd: x, wdir: work, outs: [c.jsonl]}\n"
            b"  each: {foreach: [1], do: {cmd: x, outs: ['data/${item}.jsonl']}}\n"
            b"  odd: 3\n  none: {cmd: x}\n  text: {cmd: x, outs: odd}\n",
            "deep/dvc.yaml": b"stages: {low: {cmd: x, outs: [b.jsonl]}}",
            "my.dvc.yaml": b"stages: {no: {cmd: x, outs: [data/other.jsonl]}}",
        }
    )
    assert DvcOutputs(tree).stage_of(path) == stage


def test_stages_without_names_are_named():
    tree = MemoryTree({"odd/dvc.yaml": b"stages: [1]"})
    with pytest.raises(Refused, match=r"odd/dvc\.yaml cannot be read"):
        DvcOutputs(tree).stage_of("data/a.jsonl")


def test_a_pipeline_that_is_no_yaml_is_named(make_repository):
    made = registry(make_repository, x=MANUAL)
    write_files(made.folder, {"dvc.yaml": "stages: {a: ["})
    made.commit()
    with pytest.raises(Refused, match=r"dvc\.yaml cannot be read"):
        made.plan()
