"""Hostile texts, read by a real Markdown parser."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from runner.report.markdown import code, code_block, escape, to_markdown
from runner.report.page import Code, Folded, Link, Log, Page, Table, cells, paragraph

MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])
BREAK = "\u200b"

hostile = st.text(st.sampled_from("ab1 \\`*_[]()<>|~#&@!$^:/.-+=\n\t'\"é\u202e\x1b"), max_size=40)


def inline(markdown: str) -> list[Token]:
    """The inline tokens of one paragraph, and proof that it is nothing but one paragraph."""
    tokens = MARKDOWN.parse(markdown)
    assert [token.type for token in tokens] in ([], ["paragraph_open", "inline", "paragraph_close"])
    return list(tokens[1].children or []) if tokens else []


def flat(text: str) -> str:
    return " ".join(re.sub("[\u202e\x1b]", "", text).split())


@given(hostile)
def test_escaped_text_is_text_and_nothing_else(text: str) -> None:
    tokens = inline(escape(text))
    assert {token.type for token in tokens} <= {"text", "text_special"}
    assert "".join(token.content for token in tokens).replace(BREAK, "") == flat(text)


@given(hostile)
def test_code_is_code_and_nothing_else(text: str) -> None:
    tokens = inline(code(text))
    assert [token.type for token in tokens] == (["code_inline"] if flat(text) else [])
    assert "".join(token.content for token in tokens) == flat(text)


@given(st.lists(hostile.map(lambda text: text.replace("\n", " ")), max_size=5))
def test_a_block_of_code_holds_every_line(lines: list[str]) -> None:
    (token,) = MARKDOWN.parse(code_block(tuple(lines)))
    assert token.type == "fence"
    assert token.content.count("\n") == len(lines)


@given(hostile, hostile)
def test_a_table_keeps_its_cells(left: str, right: str) -> None:
    table = Table(("a", "b"), (cells(left, Code(right)),))
    tokens = MARKDOWN.parse(to_markdown(Page((table,))))
    assert [token.type for token in tokens].count("td_open") == 2
    assert tokens[0].type == "table_open"
    assert tokens[-1].type == "table_close"


@pytest.mark.parametrize(
    ("text", "never"),
    [
        ("ping @octocat", "@octocat"),
        ("@org/team", "@org"),
        ("closes #12", "#12"),
        ("org/repo#12", "#12"),
        ("GH-12", "GH-12"),
        ("https://example.invalid", "://"),
        ("www.example.invalid", "www."),
        ("<img src=x onerror=alert(1)>", "<"),
        ("<!-- hidden -->", "<!--"),
        ("</details>", "</"),
        ("$\\sqrt{2}$", " $"),
        ("[x](javascript:alert(1))", "[x]"),
        ("a\u202eb", "\u202e"),
    ],
)
def test_what_a_site_would_act_on_is_gone(text: str, never: str) -> None:
    for shown in (escape(text), escape(f"see {text} there")):
        assert never not in re.sub(r"\\([\[\]])", "", shown)


@pytest.mark.parametrize(
    "text", ["val/gsm8k/accuracy", "0.912", "-0.5", "+0.02", "under_trained", "a-b"]
)
def test_plain_text_stays_as_it_is(text: str) -> None:
    assert escape(text) == text


def test_a_link_s_target_cannot_break_out() -> None:
    text = to_markdown(Page((paragraph(Link("a](b)", "x)<y> z/README.md")),)))
    (link, *_) = inline(text)
    assert link.attrGet("href") == "x%29%3Cy%3E%20z/README.md"


def test_a_summary_cannot_end_what_it_folds() -> None:
    text = to_markdown(Page((Folded("</summary><b> @all *x*", (paragraph("inside"),)),)))
    assert "&lt;/summary>&lt;b> @\u200ball *x*" in text.replace("&gt;", ">")


def test_a_log_cannot_end_its_block() -> None:
    text = to_markdown(Page((Log(("```", "</details>", "# title")),)))
    assert [token.type for token in MARKDOWN.parse(text)] == ["fence"]


def test_this_parser_sees_markup_where_it_is() -> None:
    assert [token.type for token in inline("<b>*x*")] != ["text"]
