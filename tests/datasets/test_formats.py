# ruff: noqa: E501 - a table reads better in long lines
"""Every format of every stage is recognised, and what is none is explained."""

import pytest
from row_values import TOOL, assistant, sums, user

from runner.datasets.formats import FORMATS, Format, Unknown, of_any_stage, recognise
from runner.datasets.kinds import Kinds

CHAT = [user("1+1"), assistant("2")]
EXAMPLES = {
    "sft: messages": ({"messages": CHAT, "tools": [TOOL]}, {}),
    "sft: prompt + response": ({"prompt": "1+1", "response": "2"}, {}),
    "sft: prompt + completion": ({"prompt": CHAT[:1], "completion": CHAT[1:]}, {}),
    "sft: question + answer": ({"question": "1+1", "answer": "2"}, {}),
    "sft: text + label": (
        {"text": "1+1", "label": "2", "messages": 3},
        {"prompt": "text", "response": "label"},
    ),
    "rl: prompt + reward_model.ground_truth": (sums(1)[0], {}),
    "rl: prompt + reward_spec.ground_truth": (
        {"prompt": "1+1", "reward_spec": {"ground_truth": 2}},
        {},
    ),
    "rl: prompt + ground_truth": ({"prompt": "1+1", "ground_truth": ["2", "two"]}, {}),
    "rl: question + answer": (
        {"question": "1+1", "answer": "2"},
        {"prompt": "question", "ground_truth": "answer"},
    ),
    "rl: prompt + extra_info.answer": (
        {"prompt": "1+1", "extra_info": {"answer": "2"}},
        {"ground_truth": "extra_info.answer"},
    ),
    "preference: prompt + chosen + rejected": ({"prompt": "?", "chosen": "a", "rejected": "b"}, {}),
    "preference: chosen + rejected": ({"chosen": CHAT, "rejected": CHAT}, {}),
    "preference: prompt + good + bad": (
        {"prompt": CHAT[:1], "good": CHAT[1:], "bad": CHAT[1:]},
        {"chosen": "good", "rejected": "bad"},
    ),
}


def columns_of(*rows):
    kinds = Kinds()
    for row in rows:
        kinds.add(row)
    return kinds.columns()


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_format_is_recognised(name):
    row, mapping = EXAMPLES[name]
    stage, _, columns = name.partition(": ")
    found = recognise(columns_of(row), stage, mapping)
    assert isinstance(found, Format)
    assert (found.stage, found.name) == (stage, columns)


def test_every_format_has_an_example():
    assert {f"{one.stage}: {one.name}" for one in FORMATS} <= set(EXAMPLES)


@pytest.mark.parametrize(
    ("stage", "row", "mapping", "message", "cure"),
    [
        ("rl", {"question": "q", "answer": "a"}, {}, "has the columns answer, question; needed are",
         "{prompt: question, ground_truth: answer}"),
        ("sft", {"conversations": CHAT}, {}, "has the columns conversations", "{messages: conversations}"),
        ("sft", {"a": 1}, {}, "needed are messages, or prompt + response, or", "say which columns"),
        ("sft", {"messages": "text"}, {}, "`messages` holds text, not messages", "correct the data"),
        ("preference", {"prompt": "q", "chosen": "a"}, {}, "needed are prompt + chosen + rejected", "say which"),
        ("rl", {"prompt": "q", "x": 1}, {"ground_truth": "y"}, "no column `y`; there are prompt, x", "one of them"),
        ("sft", {"prompt": "q"}, {"chosen": "prompt"}, "`chosen` is not read here; messages, prompt,", "delete"),
        ("sft", {"messages": CHAT, "a": "a"}, {"messages": "messages", "prompt": "a"},
         "no format has messages and prompt together", "fewer"),
    ],
)  # fmt: skip
def test_what_has_no_format_is_explained(stage, row, mapping, message, cure):
    found = recognise(columns_of(row), stage, mapping)
    assert isinstance(found, Unknown)
    assert message in found.message
    assert cure in found.cure


def test_columns_hold_what_rows_show():
    columns = columns_of(
        {"a": 1, "b": {"c": "x"}, "chat": CHAT},
        {"a": "one", "b": {}, "flag": True, "chat": []},
        {"a": "two", "b": None, "flag": None, "list": [1]},
    )
    assert columns == {
        "a": "text or number",
        "b": "object or none",
        "b.c": "none or text",
        "chat": "list or messages or none",
        "flag": "none or boolean",
        "list": "none or list",
    }


def test_a_row_of_many_formats_has_one_per_stage():
    row = {**sums(1)[0], "response": "2", "chosen": "2", "rejected": "3"}
    assert [one.stage for one in of_any_stage(columns_of(row))] == ["sft", "rl", "preference"]
