"""A model that is another experiment's run: what a plan would refuse, validation finds."""

import pytest
from rule_specs import FILES, GOOD, REGISTRY

from runner.rules import check
from runner.spec.check import load_experiments
from runner.spec.tree import MemoryTree

HUB = "{path: Qwen/Qwen2.5-0.5B, revision: 060db6499f32}"


def after(path: str, more: str = "") -> str:
    return GOOD.replace(HUB, f"{{source: run, path: {path}}}") + more


def findings(only: list[str] | None = None, **specs: str):
    texts = {f"experiments/{name}.yaml": text.encode() for name, text in specs.items()}
    tree = MemoryTree({**FILES, **texts})
    return [
        (one.path, one.line, one.message)
        for one in check(load_experiments(tree, only), tree, REGISTRY)
        if one.rule == "model.source"
    ]


def test_a_run_of_a_valid_experiment_may_be_started_from():
    assert findings(up=GOOD, x=after("up")) == []


@pytest.mark.parametrize("only", [None, ["x"]], ids=["all", "one of them"])
def test_an_upstream_that_is_no_valid_spec_is_found_where_it_is_named(only):
    ((path, line, message),) = findings(only, up=f"{GOOD}nonsense: 1\n", x=after("up"))
    assert (path, line) == ("experiments/x.yaml", 3)
    assert message == "`model` starts from `up`, which is no valid experiment here"


def test_a_misspelt_upstream_is_found_with_the_one_that_is_meant():
    cures = {"ups": "did you mean `up`? Else", "far": "mend experiments/far.yaml, or"}
    for path, cure in cures.items():
        texts = {"experiments/up.yaml": GOOD, "experiments/x.yaml": after(path)}
        tree = MemoryTree({**FILES, **{name: text.encode() for name, text in texts.items()}})
        found = check(load_experiments(tree), tree, REGISTRY)
        assert [one.cure for one in found if one.rule == "model.source"] == [
            f"{cure} pin a run: path: {path}@<run id>"
        ]


@pytest.mark.parametrize("path", ["bases/up", "Up", "../up", "up/"])
def test_what_is_no_name_of_an_experiment_is_no_experiment(path):
    assert len(findings(x=after(path), **{"bases/up": GOOD})) == 1


def test_of_several_runs_one_must_have_the_seed():
    up = f"{GOOD}seeds: [1, 2]\n"
    assert findings(up=up, x=after("up", "seeds: [1, 2]\n")) == []
    ((_, line, message),) = findings(up=up, x=after("up", "seeds: [1, 3]\n"))
    assert (line, message) == (3, "`model` starts from `up`, which has 0 runs with seed 3")
    grid = f"{GOOD}matrix: {{grid: {{algorithm.group_size: [2, 4]}}}}\n"
    ((_, _, message),) = findings(up=grid, x=after("up"))
    assert message == "`model` starts from `up`, which has 2 runs with seed 1"


def test_circles_are_followed_over_several_experiments():
    found = findings(a=after("b"), b=after("c"), c=after("a"))
    assert [message for _, _, message in found] == [
        "`model` goes in a circle: a -> b -> c -> a",
        "`model` goes in a circle: b -> c -> a -> b",
        "`model` goes in a circle: c -> a -> b -> c",
    ]


def test_what_starts_from_a_circle_has_no_beginning_either():
    found = findings(["x"], a=after("b"), b=after("a"), x=after("a"))
    assert [message for _, _, message in found] == ["`model` goes in a circle: x -> a -> b -> a"]
