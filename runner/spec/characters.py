"""From the bytes of a file to text that a reviewer sees as the parser reads it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from runner.errors import InvalidSpec
from runner.findings import Finding, Mark, at

MAX_BYTES = 256 * 1024
MAX_FINDINGS = 50

_TAB = r"(?m)^[ ]*(\t)"
# C0 and C1 controls except tab and line ends, line separators of other systems, byte order
# marks, and the marks that reorder text on the screen (so that a review sees what is read).
_UNSEEN = (
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff"
    "\ud800-\udfff\ufffe\uffff]"
)


def unseen(text: str) -> Iterator[re.Match[str]]:
    """Yield the invisible characters of `text`: what can be printed is none."""
    if not text.replace("\n", "").isprintable():
        yield from re.finditer(_UNSEEN, text)


def decode(text: bytes, path: str) -> str:
    """Return the characters of the file `path`; raises InvalidSpec with what cannot be read."""
    if len(text) > MAX_BYTES:
        message = f"the file has {len(text):,} bytes; the limit is {MAX_BYTES:,}"
        raise _invalid(Mark(path, 1, 1), "spec.limit", message, "split it, with `extends`")
    try:
        characters = text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _not_utf8(text, error.start, path) from None
    findings = tuple(islice(_unreadable(characters, path), MAX_FINDINGS))
    if findings:
        raise InvalidSpec(findings)
    return characters


def _not_utf8(text: bytes, position: int, path: str) -> InvalidSpec:
    before = text[:position]
    line_start = before.rfind(b"\n") + 1
    column = len(before[line_start:].decode("utf-8", "replace")) + 1
    mark = Mark(path, before.count(b"\n") + 1, column)
    message = f"byte 0x{text[position]:02x} is not UTF-8"
    return _invalid(mark, "spec.syntax", message, "save the file as UTF-8")


def _unreadable(text: str, path: str) -> Iterator[Finding]:
    for match in unseen(text):
        message = f"an invisible character, U+{ord(match[0]):04X}, stands here"
        yield at(_mark(text, match.start(), path), "", "spec.syntax", message, "delete it")
    for match in re.finditer(_TAB, text) if "\t" in text else ():
        mark = _mark(text, match.start(1), path)
        yield at(mark, "", "spec.syntax", "a tab indents this line", "indent with spaces")


def _mark(text: str, position: int, path: str) -> Mark:
    line_start = text.rfind("\n", 0, position) + 1
    return Mark(path, text.count("\n", 0, position) + 1, position - line_start + 1)


def _invalid(mark: Mark, rule: str, message: str, cure: str) -> InvalidSpec:
    return InvalidSpec((at(mark, "", rule, message, cure),))
