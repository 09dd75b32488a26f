"""`matrix`: the points that a grid, `exclude` and `include` make, and their runs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from spec_texts import GRPO, load, load_one, put

from runner.spec.matrix import fingerprint


def points(matrix: str, text: str = GRPO):
    return [run.point for run in load_one(f"{text}matrix:\n{matrix}").runs]


def test_the_last_key_varies_fastest_and_seeds_vary_within_a_point():
    loaded = load_one(
        put("seeds: [3, 1]")
        + "matrix: {grid: {training.steps: [2, 1], algorithm.group_size: [4, 8]}}\n"
    )
    found = [
        (run.spec.training.steps, run.spec.algorithm.group_size, run.seed) for run in loaded.runs
    ]
    assert found == [(s, g, seed) for s in (2, 1) for g in (4, 8) for seed in (3, 1)]
    assert loaded.experiment == loaded.runs[0].spec
    assert {run.experiment for run in loaded.runs} == {"x"}


def test_without_a_matrix_there_is_one_empty_point():
    (run,) = load_one(GRPO).runs
    assert (run.point, run.seed) == ({}, 1)


def test_exclude_takes_out_what_has_all_of_its_values():
    found = points(
        "  grid: {training.steps: [1, 2, 3], training.save_every: [1, 2]}\n"
        "  exclude: [{training.steps: 1}, {training.steps: 2, training.save_every: 2.0}]\n"
    )
    assert [tuple(point.values()) for point in found] == [(2, 1), (3, 1), (3, 2)]


def test_include_means_what_it_means_in_github_actions():
    # The example of GitHub's documentation, in our keys.
    found = points(
        "  grid: {owner: [apple, pear], image: [cat, dog]}\n".replace("owner", "overrides.fruit")
        + "  include:\n"
        "    - {model.revision: green}\n"
        "    - {model.revision: pink, image: cat}\n"
        "    - {overrides.fruit: apple, model.path: circle}\n"
        "    - {overrides.fruit: banana}\n"
        "    - {overrides.fruit: banana, image: cat}\n"
    )
    assert found == [
        {
            "overrides.fruit": "apple",
            "image": "cat",
            "model.revision": "pink",
            "model.path": "circle",
        },
        {
            "overrides.fruit": "apple",
            "image": "dog",
            "model.revision": "green",
            "model.path": "circle",
        },
        {"overrides.fruit": "pear", "image": "cat", "model.revision": "pink"},
        {"overrides.fruit": "pear", "image": "dog", "model.revision": "green"},
        {"overrides.fruit": "banana"},
        {"overrides.fruit": "banana", "image": "cat"},
    ]


def test_include_alone_makes_points():
    found = points(
        "  include: [{training.steps: 1}, {training.steps: 2, training.save_every: 1}]\n"
    )
    assert found == [{"training.steps": 1}, {"training.steps": 2, "training.save_every": 1}]


def test_a_point_lies_over_the_spec_like_a_file_over_its_base():
    loaded = load_one(
        put("rollout: {temperature: 0.5, top_p: 0.5}").replace(
            "reward: reward/arithmetic.py:compute_score\n", ""
        )
        + "matrix: {grid: {algorithm.name: [grpo, sft], rollout: [{top_p: 1}]}}\n"
    )
    one, other = (run.spec for run in loaded.runs)
    assert (one.algorithm.group_size, other.algorithm.name) == (4, "sft")
    assert (one.rollout.temperature, one.rollout.top_p) == (0.5, 1.0)


def test_a_required_key_may_come_from_the_matrix_alone():
    text = GRPO.replace(", learning_rate: 1.0e-6", "")
    runs = load_one(f"{text}matrix: {{grid: {{training.learning_rate: [1e-6, 1e-5]}}}}\n").runs
    assert [run.spec.training.learning_rate for run in runs] == [1e-6, 1e-5]


def test_below_overrides_and_sets_the_rest_is_one_key():
    (run,) = load_one(
        f"{GRPO}matrix: {{grid: {{overrides.a.b.c: [1], data.val.a.b: [data/x]}}}}\n"
    ).runs
    assert run.spec.overrides == {"a.b.c": 1}
    assert run.spec.data.val == {"arith": "data/b.jsonl", "a.b": "data/x"}


def test_the_marks_of_a_run_name_the_matrix_line():
    loaded = load_one(f"{GRPO}matrix:\n  grid:\n    training.steps:\n      - 1\n      - 2\n")
    marks = loaded.run_marks[1]
    assert marks.value(("training", "steps")) == ("experiments/x.yaml", 12, 9)
    assert marks.key(("training", "steps")) == ("experiments/x.yaml", 10, 5)
    assert marks.value(("training", "prompts_per_step")).line == 7
    assert loaded.marks.value(("training", "steps")).line == 7


def test_every_point_is_validated_and_common_findings_are_given_once():
    loaded = load(
        x=put("owner: 5") + "matrix: {grid: {training.steps: [0, 1, -1], image: [a, 5]}}\n"
    )
    assert [(one.key, one.line) for one in loaded.findings] == [
        ("owner", 8), ("training.steps", 9), ("training.steps", 9), ("image", 9),
    ]  # fmt: skip


def test_unclear_texts_for_the_trainer_are_refused_in_the_matrix_too():
    (finding,) = load(x=f"{GRPO}matrix: {{grid: {{overrides.a: [yes, 'no']}}}}\n").findings
    assert (finding.key, finding.cure[:10]) == ("overrides.a", "write true")


def test_a_thousand_runs_are_the_limit():
    runs = load_one(f"{GRPO}matrix: {{grid: {{training.steps: {list(range(1, 1001))}}}}}\n").runs
    assert len(runs) == 1000
    assert load(x=put(f"seeds: {list(range(1001))}")).findings[0].rule == "spec.value"


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        (1, 1.0, True),
        (1, True, False),
        ("1", 1, False),
        ([1], [1.0], True),
        ({"a": 0}, {"a": False}, False),
    ],
)
def test_values_compare_as_json(one, other, equal):
    assert (fingerprint(one) == fingerprint(other)) is equal


sizes = st.lists(st.integers(1, 4), min_size=1, max_size=3)


@given(sizes, st.integers(1, 3))
def test_a_grid_has_as_many_runs_as_its_combinations_times_seeds(lengths, seeds):
    keys = ("training.steps", "training.save_every", "data.max_prompt_tokens")
    grid = ", ".join(
        f"{key}: {list(range(1, length + 1))}" for key, length in zip(keys, lengths, strict=False)
    )
    runs = load_one(put(f"seeds: {list(range(seeds))}") + f"matrix: {{grid: {{{grid}}}}}\n").runs
    number = seeds
    for length in lengths:
        number *= length
    assert len(runs) == number
    assert len({(fingerprint(run.point), run.seed) for run in runs}) == number
