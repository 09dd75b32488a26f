"""YAML's syntax errors in plain words: what is wrong on the line, and what to write."""

from __future__ import annotations

from typing import NamedTuple

from yaml import MarkedYAMLError, YAMLError

from runner.findings import Finding, Mark, at
from runner.spec.scalars import shown


class Wording(NamedTuple):
    """How one family of the parser's messages reads in plain words."""

    context: str
    """Must occur in the parser's context; empty: any."""
    problem: str
    """Must occur in the parser's problem; empty: any."""
    message: str
    cure: str
    at_start: bool = False
    """Whether the finding belongs where the broken thing begins, not where it was noticed."""


_INDENTATION = "indent it like the lines that it belongs with, with spaces"
_WORDINGS = (
    Wording("quoted scalar", "escape", "a backslash in double quotes begins an unknown escape",
            "use single quotes, or write the backslash twice"),
    Wording("quoted scalar", "", "a quote is opened here and never closed",
            "close the quote, on the same line", at_start=True),
    Wording("simple key", "", "this line is neither `key: value` nor part of the value above",
            "write a `:` and a space after the key"),
    Wording("", "could not find expected ':'",
            "this line is neither `key: value` nor part of the value above",
            "write a `:` and a space after the key"),
    Wording("flow sequence", "", "the list that begins here with `[` is not closed properly",
            "close it with `]`, and write commas between its values", at_start=True),
    Wording("flow mapping", "", "the mapping that begins here with `{` is not closed properly",
            "close it with `}`, and write commas between its keys", at_start=True),
    Wording("block scalar", "", "the text block after `|` or `>` does not begin properly",
            "write nothing after `|` or `>`, and indent the text below it"),
    Wording("block collection", "", "this line is no entry of the list above",
            f"begin it with `- `, or {_INDENTATION}"),
    Wording("block mapping", "", "this line does not continue the mapping above", _INDENTATION),
    Wording("tag", "", "tags (`!…`) are not allowed", "write the value without the tag"),
    Wording("", "tag handle", "tags (`!…`) are not allowed", "write the value without the tag"),
    Wording("anchor", "", "anchors (`&…`) are not allowed", "use `extends` to share values"),
    Wording("alias", "", "aliases (`*…`) are not allowed", "use `extends` to share values"),
    Wording("directive", "", "directives (`%…`) are not allowed", "take the line out"),
    Wording("", "incompatible YAML document", "directives (`%…`) are not allowed",
            "take the line out"),
    Wording("", "mapping values are not allowed",
            "a `:` stands where no key can be",
            "put text that holds `: ` in quotes, or check the indentation"),
    Wording("", "sequence entries are not allowed", "a list entry stands where none can be",
            "put the list on lines of its own below its key"),
    Wording("", "expected <document start>", "there is more after the end of the mapping",
            _INDENTATION),
    Wording("", "did not find expected <document start>",
            "there is more after the end of the mapping", _INDENTATION),
    Wording("", "node content", "a value is missing or a bracket too much", "write the value"),
)  # fmt: skip


def finding(error: YAMLError, text: str, path: str) -> Finding:
    """Return the finding for a syntax `error` of the parser in `text`."""
    if not isinstance(error, MarkedYAMLError) or error.problem_mark is None:
        return at(Mark(path, 1, 1), "", "spec.syntax", "this is no YAML", "write `key: value`")
    context, problem = error.context or "", error.problem or ""
    if "cannot start any token" in problem:
        return _wrong_start(error, text, path)
    for wording in _WORDINGS:
        if wording.context in context and wording.problem in problem:
            start = error.context_mark if wording.at_start else None
            mark = start or error.problem_mark
            return at(_mark(mark, path), "", "spec.syntax", wording.message, wording.cure)
    message = "this is not valid YAML from here on"
    return at(_mark(error.problem_mark, path), "", "spec.syntax", message, _INDENTATION)


def _wrong_start(error: MarkedYAMLError, text: str, path: str) -> Finding:
    mark = error.problem_mark
    line = text.splitlines()[mark.line] if mark else ""
    letter = line[mark.column : mark.column + 1] if mark else ""
    message = f"a value cannot begin with {shown(letter)}"
    return at(_mark(mark, path), "", "spec.syntax", message, "put the value in quotes")


def _mark(mark: object, path: str) -> Mark:
    return Mark(path, getattr(mark, "line", 0) + 1, getattr(mark, "column", 0) + 1)
