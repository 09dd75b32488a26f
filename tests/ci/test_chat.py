"""Comments: what is a command, what is not, and what nobody may smuggle in."""

from __future__ import annotations

import pytest

from runner.ci.chat import VERBS, parse
from runner.errors import Refused


@pytest.mark.parametrize(
    ("body", "verb", "name"),
    [
        ("/runner retry gsm8k/grpo", "retry", "gsm8k/grpo"),
        ("/runner launch b71c0e4d91aa\nthank you", "launch", "b71c0e4d91aa"),
        ("/runner\tcancel  a.b-c_d  ", "cancel", "a.b-c_d"),
        ("/runner try smoke/sft\r\n", "try", "smoke/sft"),
        ("/runner", "help", ""),
        ("/runner help", "help", ""),
    ],
)
def test_a_command_is_a_verb_and_a_name(body: str, verb: str, name: str) -> None:
    assert parse(body) == (verb, name)


@pytest.mark.parametrize(
    "body",
    ["", "looks good", "see /runner help", "> /runner retry x", "/runnerx retry y", "\n/runner"],
)
def test_other_comments_are_nobodys_business(body: str) -> None:
    assert parse(body) is None


@pytest.mark.parametrize(
    "body",
    [
        "/runner retry",
        "/runner explode gsm8k/grpo",
        "/runner retry a b",
        "/runner retry ../../etc/passwd",
        "/runner retry $(touch${IFS}x)",
        "/runner retry --lost",
        "/runner launch a;b",
        "/runner launch `id`",
        "/runner launch ${{ secrets.TOKEN }}",
        "/runner launch Großbuchstaben",
        "/runner launch a\u202eb",
    ],
)
def test_what_is_no_name_is_refused_with_what_there_is(body: str) -> None:
    with pytest.raises(Refused) as refused:
        parse(body)
    assert refused.value.cure == "/runner help"


def test_every_verb_is_explained() -> None:
    assert all(text for text in VERBS.values())
