"""A secret is found however it is spelt, and ordinary words stay."""

from __future__ import annotations

import json

import pytest

from runner.node.redaction import Redactor

PEM = "-----BEGIN KEY-----\nMIIEvQIBADAN\nshort\n-----END KEY-----\n"
HARD = ['with "quotes" in it', "back\\slash\\ed", "Schlüsselbund", PEM, "tab\tand'quote"]


@pytest.mark.parametrize("secret", HARD)
@pytest.mark.parametrize(
    "encode",
    [str, repr, json.dumps, lambda s: json.dumps(s, ensure_ascii=False)],
    ids=["plain", "repr", "json", "json in UTF-8"],
)
def test_a_secret_is_blotted_out_in_every_spelling(secret, encode):
    text = f"token={encode(secret)};"
    for found in (Redactor([secret]).text(text), Redactor([secret]).data(text.encode()).decode()):
        assert "***" in found
        for part in secret.split("\n"):
            for piece in part.split("\\"):
                assert len(piece) < 6 or piece not in found


def test_a_line_of_a_secret_of_several_lines_is_blotted_out():
    assert Redactor([PEM]).text("log: MIIEvQIBADAN\n") == "log: ***\n"


def test_ordinary_words_stay():
    assert Redactor(["", "a", "cat"]).text("a cat sat") == "a cat sat"
    assert Redactor([PEM]).text("in short") == "in short"


def test_the_longer_of_two_secrets_leaves_nothing():
    assert Redactor(["correct", "correct-horse"]).text("correct-horse") == "***"


def test_bytes_that_are_no_text_stay():
    assert Redactor(["correct-horse"]).data(b"\xff\x00correct-horse") == b"\xff\x00***"
