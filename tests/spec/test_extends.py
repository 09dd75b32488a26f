"""`extends`: what a file inherits, what it does not, and whose line a finding names."""

from itertools import pairwise

import pytest
from spec_texts import GRPO, SCRIPT, load, load_one, put

from runner.errors import Refused
from runner.spec.check import load_experiments
from runner.spec.tree import MemoryTree, WorkTree


def extend(text: str, base: str = GRPO):
    return load_one(f"extends: bases/b\n{text}", bases__b=base).experiment


def test_mappings_merge_and_everything_else_is_replaced():
    base = put("tags: [a, b]", put("overrides: {x.y: [1, 2], z: 1}"))
    spec = extend("training: {steps: 5}\ntags: [c]\noverrides: {x.y: [3]}\n", base)
    assert (spec.training.steps, spec.training.prompts_per_step) == (5, 8)
    assert spec.tags == ("c",)
    assert spec.overrides == {"x.y": [3], "z": 1}


def test_null_brings_a_default_back():
    base = put("budget: {usd_per_run: 5}", put("algorithm: {name: grpo, kl: {coefficient: 1}}"))
    spec = extend("budget: null\nalgorithm: {kl: null}\n", base)
    assert spec.budget is None
    assert spec.algorithm.kl is None


def test_several_bases_lie_over_each_other_in_order():
    loaded = load_one(
        "extends: [bases/a, bases/b]\ntraining: {warmup_steps: 3}\n",
        bases__a=GRPO,
        bases__b="extends: bases/c\ntraining: {steps: 7, save_every: 7}\n",
        bases__c="training: {save_every: 9, evaluate_every: 9}\n",
    )
    training = loaded.experiment.training
    assert (training.steps, training.save_every, training.evaluate_every) == (7, 7, 9)
    assert training.warmup_steps == 3
    folder = "experiments/bases"
    assert loaded.bases == (f"{folder}/a.yaml", f"{folder}/c.yaml", f"{folder}/b.yaml")
    assert loaded.own == {"extends": ["bases/a", "bases/b"], "training": {"warmup_steps": 3}}


def test_another_algorithm_inherits_nothing_of_the_former():
    base = put("algorithm: {name: grpo, group_size: 4, entropy_coefficient: 0.5}")
    assert extend("algorithm: {name: sft}\nreward: null\n", base).algorithm.name == "sft"
    same = extend("algorithm: {name: grpo, group_size: 2}\n", base).algorithm
    assert (same.group_size, same.entropy_coefficient) == (2, 0.5)


def test_pins_do_not_outlive_what_they_pin():
    base = put("image: a@sha256:0", put("overrides: {a: 1}"))
    assert extend("model: {path: other/model}\n", base).model.revision is None
    assert extend("model: {revision: abc}\n", base).model.path == "Qwen/Qwen2.5-0.5B"
    newer = extend("trainer: verl==0.9.2\n", base)
    assert (newer.image, newer.overrides) == (None, {"a": 1})
    script = extend(SCRIPT.replace("apiVersion: rollbook/v1\n", ""), base)
    assert (script.image, script.overrides) == (None, {})


def test_an_experiment_may_extend_another_one_without_a_matrix():
    loaded = load(a=GRPO, b="extends: a\nseeds: [7]\n")
    assert [one.name for one in loaded.experiments] == ["a", "b"]
    assert [run.seed for run in loaded.experiments[1].runs] == [7]
    (finding,) = load(
        a=f"{GRPO}matrix: {{grid: {{training.steps: [1]}}}}\n", b="extends: a\n"
    ).findings
    assert (finding.path, finding.line, finding.column) == ("experiments/b.yaml", 1, 10)
    assert "`a` has a matrix" in finding.message


def test_a_base_is_no_experiment_and_has_no_matrix():
    assert load(bases__b=GRPO) == ((), (), {})
    (finding,) = load(bases__b="matrix: {grid: {training.steps: [1]}}\n").findings
    assert (finding.rule, finding.line, finding.key) == ("spec.matrix", 1, "matrix")


def test_a_finding_names_the_file_and_line_that_the_value_came_from():
    loaded = load(x="extends: bases/b\ntraining: {steps: 0}\n", bases__b=put("seeds: [a]"))
    places = [(one.path, one.line, one.key) for one in loaded.findings]
    assert places == [
        ("experiments/bases/b.yaml", 8, "seeds[0]"),
        ("experiments/x.yaml", 2, "training.steps"),
    ]
    assert loaded.refused == {"x": tuple(sorted(loaded.findings, key=lambda one: one.line))}


def test_a_base_is_checked_even_if_nothing_extends_it_yet():
    (finding,) = load(bases__b="training: {stepz: 1}\n").findings
    assert (finding.rule, finding.key) == ("spec.unknown_key", "training.stepz")


def test_a_finding_in_a_base_is_given_once_and_refuses_all_that_extend_it():
    loaded = load(x="extends: bases/b\n", y="extends: bases/b\n", z=GRPO, bases__b=put("seeds: 1"))
    assert len(loaded.findings) == 1
    assert set(loaded.refused) == {"x", "y"}
    assert [one.name for one in loaded.experiments] == ["z"]


def test_circles_are_shown_as_the_way_they_go():
    loaded = load(x="extends: y\n", y="extends: z\n", z="extends: [y]\n")
    assert "in a circle: y -> z -> y" in loaded.refused["y"][0].message
    assert "in a circle: x -> y -> z -> y" in loaded.refused["x"][0].message
    assert loaded.refused["x"][0].path == "experiments/z.yaml"


@pytest.mark.parametrize("order", [1, -1])
def test_ten_files_deep_is_the_limit_in_whatever_order_they_are_read(order):
    names = [f"n{index:02}" for index in range(12)][::order]
    files = {name: f"extends: {below}\n" for below, name in pairwise(names)}
    loaded = load(**files, **{names[0]: GRPO})
    assert set(loaded.refused) == set(names[10:])
    assert {one.rule for one in loaded.findings} == {"spec.limit"}


def test_a_web_of_bases_is_read_once_each():
    def base(level: int) -> str:
        below = ", ".join(f"bases/b{level - 1}{index}" for index in range(8))
        return f"extends: [{below}]\n" if level else GRPO

    files = {f"bases__b{level}{index}": base(level) for level in range(8) for index in range(8)}
    loaded = load_one("extends: [bases/b70, bases/b71]\n", **files)
    assert len(loaded.bases) == 8 * 7 + 2


@pytest.mark.parametrize(
    ("name", "cure"),
    [
        ("bases/grpoo", "did you mean `bases/grpo`?"),
        ("grpo", "did you mean `bases/grpo`?"),
        ("bases/grpo.yaml", "write bases/grpo"),
        ("experiments/bases/grpo", "write bases/grpo"),
        ("bases/../bases/grpo", "did you mean `bases/grpo`?"),
        ("/etc/passwd", "name a file below experiments/, without .yaml"),
    ],
)
def test_a_base_that_is_not_there_is_named_if_one_is_near(name, cure):
    (finding,) = load(x=f"extends: {name}\n", bases__grpo=GRPO).findings
    assert (finding.rule, finding.cure) == ("spec.extends", cure)


def test_names_of_files():
    files = [
        "a.yml",
        "Upper.yaml",
        "a b.yaml",
        "-a.yaml",
        ".hidden.yaml",
        "ok/x-1.2_b.yaml",
        "README.md",
    ]
    tree = MemoryTree({f"experiments/{name}": GRPO.encode() for name in files})
    loaded = load_experiments(tree)
    assert [one.name for one in loaded.experiments] == ["ok/x-1.2_b"]
    assert {one.rule for one in loaded.findings} == {"spec.name"}
    assert len(loaded.findings) == 5
    cures = {one.path: one.cure for one in loaded.findings}
    assert cures["experiments/a.yml"] == "git mv experiments/a.yml experiments/a.yaml"


def test_only_loads_what_is_asked_for_by_name_or_path():
    tree = MemoryTree({"experiments/a.yaml": GRPO.encode(), "experiments/b.yaml": b"]"})
    for name in ("a", "experiments/a.yaml", "./experiments/a.yaml"):
        assert [one.name for one in load_experiments(tree, [name]).experiments] == ["a"]
    assert load_experiments(tree, ["a", "a"]).findings == ()
    with pytest.raises(Refused, match="there is no experiment `c`"):
        load_experiments(tree, ["c"])


def test_links_that_leave_the_repository_are_refused(tmp_path):
    (tmp_path / "outside.yaml").write_text(GRPO)
    folder = tmp_path / "registry" / "experiments"
    folder.mkdir(parents=True)
    (folder / "inside.yaml").write_text(GRPO)
    (folder / "link.yaml").symlink_to(tmp_path / "outside.yaml")
    (folder / "near.yaml").symlink_to(folder / "inside.yaml")
    (folder / "circle.yaml").symlink_to(folder / "circle.yaml")
    (folder / "linked").symlink_to(tmp_path)
    loaded = load_experiments(WorkTree(tmp_path / "registry"))
    assert [one.name for one in loaded.experiments] == ["inside", "near"]
    assert set(loaded.refused) == {"link", "circle"}
    assert "leads out of the repository" in loaded.refused["link"][0].message
    with pytest.raises(Refused):
        WorkTree(tmp_path / "registry").read("../outside.yaml")
    with pytest.raises(Refused):
        WorkTree(tmp_path / "registry").paths("experiments/linked", "")
