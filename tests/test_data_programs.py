"""Rows that data/prepare makes of the hub's; the hub itself is out of reach of a test."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from reward import dapo_math, gsm8k
from reward import math as reward_math

ROOT = Path(__file__).parents[1]
Load = Callable[[str], ModuleType]


@pytest.fixture
def prepare(monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    """Import a program of data/prepare as it runs: with its folder on the path."""
    monkeypatch.syspath_prepend(str(ROOT / "data/prepare"))
    names = {path.stem for path in (ROOT / "data/prepare").glob("*.py")}
    yield importlib.import_module
    for name in names:
        sys.modules.pop(name, None)


def hub(rows: list[dict[str, Any]]) -> Callable[..., list[dict[str, Any]]]:
    """Return what stands in for a download."""
    return lambda *names, **options: rows


def test_gsm8k_asks_for_the_form_that_its_reward_reads(prepare: Load) -> None:
    program = prepare("gsm8k")
    problem = {"question": "6 times 200?", "answer": "6 * 200 = <<6*200=1200>>1,200\n#### 1,200"}
    row = program.rl_row("train", 3, problem)
    right = row["reward_model"]["ground_truth"]
    assert right == "1200"
    assert '"####"' in row["prompt"][0]["content"]
    assert gsm8k.compute_score("", problem["answer"], right) == 1.0
    assert program.sft_row(problem)["messages"][1]["content"] == problem["answer"]


@pytest.mark.parametrize(
    ("solution", "answer"),
    [
        (r"so $\boxed{42}$.", "42"),
        (r"\boxed{1}, no: \boxed{\frac{1}{2}}", r"\frac{1}{2}"),
        (r"$\boxed 5$ it is", "5"),
    ],
)
def test_the_right_answer_of_math_is_what_the_last_box_holds(
    prepare: Load, monkeypatch: pytest.MonkeyPatch, solution: str, answer: str
) -> None:
    program = prepare("competition_math")
    problem = {"problem": "?", "solution": solution, "level": "Level 1"}
    monkeypatch.setattr(program, "load", hub([problem]))
    row = next(program.rl_rows("train", "train"))
    assert row["reward_model"]["ground_truth"] == answer
    assert r"\boxed{}" in row["prompt"][0]["content"]
    assert reward_math.compute_score("", rf"\boxed{{{answer}}}", answer) == 1.0


@pytest.mark.parametrize("solution", ["no box", r"\boxed{1"])
def test_a_solution_without_an_answer_is_an_error(prepare: Load, solution: str) -> None:
    with pytest.raises(ValueError, match=r"boxed|braces"):
        prepare("competition_math").last_boxed(solution)


def dapo_row(name: str, answer: str) -> dict[str, Any]:
    prompt = [{"role": "user", "content": f"Solve {name}. … Answer: $Answer"}]
    reward = {"ground_truth": answer, "style": "rule"}
    return {"prompt": prompt, "reward_model": reward, "extra_info": {"index": name}}


def test_a_problem_of_dapo_math_stands_once(prepare: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    program = prepare("dapo_math")
    rows = [dapo_row("a", "34"), dapo_row("b", "7"), dapo_row("a", "34"), dapo_row("b", "7")]
    monkeypatch.setattr(program, "load", hub(rows))
    made = list(program.rl_rows())
    assert [row["prompt"] for row in made] == [rows[0]["prompt"], rows[1]["prompt"]]
    assert [row["reward_model"]["ground_truth"] for row in made] == ["34", "7"]
    assert [row["extra_info"]["index"] for row in made] == [0, 1]


def test_two_answers_to_one_problem_are_an_error(
    prepare: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = prepare("dapo_math")
    monkeypatch.setattr(program, "load", hub([dapo_row("a", "34"), dapo_row("a", "35")]))
    with pytest.raises(ValueError, match="two answers to the problem a: 34 and 35"):
        list(program.rl_rows())


def test_aime_asks_for_the_form_that_its_reward_reads(
    prepare: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = prepare("aime")
    monkeypatch.setattr(program, "load", hub([{"problem": "How many?", "answer": 33}]))
    (row,) = program.rl_rows(program.EXAMS[2025])
    prompt = row["prompt"][0]["content"]
    assert "\n\nHow many?\n\n" in prompt
    assert "Answer: $Answer" in prompt
    right = row["reward_model"]["ground_truth"]
    assert dapo_math.compute_score("", "It is so.\nAnswer: 33", right)["acc"] == 1.0


def test_a_comparison_of_hh_rlhf_is_one_prompt_with_two_answers(
    prepare: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = prepare("hh_rlhf")
    start = "\n\nHuman: Hi\n\nAssistant: Hello\n\nHuman: Why?\n\nAssistant:"
    pairs = [
        {"chosen": f"{start} Because.", "rejected": f"{start} No."},
        {"chosen": f"{start} Same.", "rejected": f"{start} Same."},
        {"chosen": f"{start} Because.", "rejected": "\n\nHuman: Other\n\nAssistant: No."},
    ]
    monkeypatch.setattr(program, "load", hub(pairs))
    (row,) = program.preference_rows("train")
    assert [message["role"] for message in row["prompt"]] == ["user", "assistant", "user"]
    assert (row["chosen"][0]["content"], row["rejected"][0]["content"]) == ("Because.", "No.")


def test_files_of_rows_have_the_same_bytes_everywhere(prepare: Load, tmp_path: Path) -> None:
    rows = prepare("rows")
    path = tmp_path / "deep" / "x.jsonl"
    rows.write_rows(path, iter([{"b": "é", "a": 1}]))
    assert path.read_bytes() == '{"a": 1, "b": "é"}\n'.encode()
    assert json.loads(path.read_text()) == {"a": 1, "b": "é"}
