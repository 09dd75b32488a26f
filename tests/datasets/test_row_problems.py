# ruff: noqa: E501 - a table reads better in long lines
"""Every problem of a row is found in its column; sound rows have none."""

import pytest
from row_values import TOOL, assistant, sums, user

from runner.datasets.formats import FORMATS
from runner.datasets.problems import problems_of

FORM = {f"{one.stage}: {one.name}": one for one in FORMATS}
CHAT, PAIR = FORM["sft: messages"], FORM["preference: prompt + chosen + rejected"]
QA, RL = FORM["sft: question + answer"], FORM["rl: prompt + reward_model.ground_truth"]
BARE = FORM["preference: chosen + rejected"]
Q, A, B = user("1+1"), assistant("2"), assistant("3")
CALL = {"role": "assistant", "content": None, "tool_calls": [{"function": {"name": "add"}}]}


def scored(truth):
    return {"prompt": "1+1", "reward_model": {"ground_truth": truth}}


PROBLEMS = [
    (CHAT, {}, "messages", "missing", "is missing"),
    (CHAT, {"messages": None}, "messages", "missing", "is missing"),
    (CHAT, {"messages": []}, "messages", "empty", "is empty"),
    (CHAT, {"messages": "1+1"}, "messages", "type", "is text, not messages"),
    (CHAT, {"messages": [{"from": "human"}]}, "messages", "type", "is a list, not messages"),
    (CHAT, {"messages": [Q]}, "messages", "last", "ends with a message of `user`, not of the assistant"),
    (CHAT, {"messages": [{**Q, "role": "human"}, A]}, "messages", "role", "messages[0] has the role `human`, which chat templates do not know: write `user`"),
    (CHAT, {"messages": [{**Q, "role": "judge"}, A]}, "messages", "role", "`judge`, which chat templates do not know: they know system, developer, user"),
    (CHAT, {"messages": [Q, {**A, "content": ""}]}, "messages", "empty", "messages[1] (assistant) is empty"),
    (CHAT, {"messages": [Q, {"role": "assistant"}]}, "messages", "content", "messages[1] has no content, not text"),
    (CHAT, {"messages": [{**Q, "content": 3}, A]}, "messages", "content", "messages[0] has a number as content, not text"),
    (CHAT, {"messages": [Q, A], "tools": "[nothing"}, "tools", "type", "is text that is no JSON"),
    (CHAT, {"messages": [Q, A], "tools": [{"type": "function"}]}, "tools", "type", "tools[0] is no schema of a function"),
    (CHAT, {"messages": [Q, A], "tools": '{"name": "add"}'}, "tools", "type", "is an object, not a list"),
    (QA, {"question": " \n", "answer": "2"}, "question", "empty", "is empty"),
    (QA, {"question": "1+1", "answer": ""}, "answer", "empty", "is empty"),
    (QA, {"question": "1+1", "answer": 2}, "answer", "type", "is a number, not text or messages"),
    (RL, scored(""), "reward_model.ground_truth", "empty", "is empty"),
    (RL, scored(None), "reward_model.ground_truth", "missing", "is missing"),
    (RL, {"prompt": "1+1", "reward_model": None}, "reward_model.ground_truth", "missing", "is missing"),
    (RL, {**scored("2"), "prompt": [Q, A]}, "prompt", "last", "nothing left to answer"),
    (RL, {**scored("2"), "data_source": 3}, "data_source", "type", "is a number, not text"),
    (PAIR, {"prompt": "1+1", "chosen": "2", "rejected": "2"}, "rejected", "same", "is the same as `chosen`"),
    (PAIR, {"prompt": "1+1", "chosen": "2", "rejected": [B]}, "rejected", "type", "is messages, and `chosen` is text"),
    (PAIR, {"prompt": "1+1", "chosen": [A, Q], "rejected": [B]}, "chosen", "last", "ends with a message of `user`"),
    (BARE, {"chosen": "2", "rejected": "3"}, "chosen", "prompt", "do not begin with the same prompt"),
    (BARE, {"chosen": [A], "rejected": [B]}, "chosen", "prompt", "do not begin with the same prompt"),
]  # fmt: skip
SOUND = [
    (CHAT, {"messages": [Q, A]}),
    (CHAT, {"messages": [{"role": "system", "content": ""}, Q, A]}),
    (CHAT, {"messages": [Q, CALL, {"role": "tool", "content": "2"}, A], "tools": [TOOL]}),
    (CHAT, {"messages": [Q, A], "tools": '[{"name": "add"}]'}),
    (CHAT, {"messages": [Q, A], "tools": None}),
    (CHAT, {"messages": [{**Q, "content": [{"type": "text", "text": "1+1"}]}, A]}),
    (QA, {"question": "1+1", "answer": "2"}),
    (RL, sums(1)[0]),
    (RL, scored(0)),
    (RL, scored(False)),
    (RL, scored(["2", "two"])),
    (PAIR, {"prompt": "1+1", "chosen": "2", "rejected": "3"}),
    (PAIR, {"prompt": [Q], "chosen": [A], "rejected": [B]}),
    (BARE, {"chosen": [Q, A], "rejected": [Q, B]}),
]


@pytest.mark.parametrize(("form", "row", "column", "kind", "message"), PROBLEMS)
def test_a_problem_is_named_with_its_column(form, row, column, kind, message):
    problem = next(problems_of(row, form))
    assert (problem.column, problem.kind) == (column, kind)
    assert message in problem.message
    assert problem.level == ("hint" if kind == "same" else "error")


@pytest.mark.parametrize(("form", "row"), SOUND)
def test_a_sound_row_has_no_problem(form, row):
    assert list(problems_of(row, form)) == []


def test_each_message_is_looked_at():
    row = {"messages": [{**Q, "role": "human"}, {**A, "role": "gpt"}, {**Q, "content": ""}, A]}
    assert [problem.message.partition(" ")[0] for problem in problems_of(row, CHAT)] == [
        "messages[0]",
        "messages[1]",
        "messages[2]",
    ]
