"""What an unquoted scalar means: YAML 1.2's core schema, minus numbers that have no one meaning.

Source: YAML 1.2.2, section 10.3.2. PyYAML's own rules are YAML 1.1, where `1e-6` is text, `no` is
false, `012` is 10 and `1:30` is 90.
"""

from __future__ import annotations

import math
import re

from runner.spec.node import Scalar

LARGEST = 2**53 - 1
"""Beyond this an integer loses digits in JSON (RFC 8785), so identities could not hold it."""

_WORDS: dict[str, Scalar] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_STARTS = frozenset("+-.0123456789")
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_LEADING_ZERO = re.compile(r"[-+]?0[0-9]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")

_YES_NO = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}
_SEXAGESIMAL = re.compile(r"[-+]?[0-9]+(?::[0-5]?[0-9])+(?:\.[0-9]*)?")
_UNDERSCORED = re.compile(r"[-+]?[0-9][0-9_]*\.?[0-9_]*")
_BINARY = re.compile(r"0b[01_]+")


class BadScalar(Exception):
    """A scalar without one safe meaning: the rule that it breaks, why, and the cure."""

    def __init__(self, rule: str, message: str, cure: str) -> None:
        """Keep the parts of the finding."""
        super().__init__(message)
        self.rule, self.message, self.cure = rule, message, cure


def shown(text: str, limit: int = 60) -> str:
    """Return `text` in backticks, on one line and short enough for a message."""
    printable = "".join(
        letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text[: limit + 1]
    )
    return f"`{printable[:limit]}…`" if len(printable) > limit else f"`{printable}`"


def resolve(text: str) -> Scalar:
    """Return what the unquoted `text` means; raises BadScalar when no number can hold it."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _STARTS:
        return text
    if _INTEGER.fullmatch(text):
        return _integer(text)
    if _FLOAT.fullmatch(text):
        return _finite(text)
    if _NOT_FINITE.fullmatch(text):
        raise BadScalar("spec.value", f"{shown(text)} is not a finite number", "write a number")
    return text


def _integer(text: str) -> int:
    if _LEADING_ZERO.fullmatch(text):
        plain = text.lstrip("+-0") or "0"
        raise BadScalar(
            "spec.value",
            f"{shown(text)} begins with a zero: some YAML readers take it as octal",
            f"write {plain[:40]}, or put it in quotes if it is text",
        )
    base = {"0o": 8, "0x": 16}.get(text[:2], 10)
    if len(text) > 20 or abs(number := int(text, base)) > LARGEST:
        raise BadScalar(
            "spec.limit",
            f"{shown(text)} is beyond ±{LARGEST} and would lose digits",
            "write a smaller number, or put it in quotes if it is text",
        )
    return number


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise BadScalar("spec.value", f"{shown(text)} is too large for a number", "write less")
    return number


def meant(text: str) -> str | None:
    """Return what YAML 1.1 would have read in `text`, as it is to be written; None if the same."""
    if text.lower() in _YES_NO:
        return _YES_NO[text.lower()]
    if _SEXAGESIMAL.fullmatch(text):
        return _from_sexagesimal(text)
    if "_" in text and _UNDERSCORED.fullmatch(text):
        return text.replace("_", "")
    if _BINARY.fullmatch(text) and len(text) < 60:
        return str(int(text.replace("_", ""), 2))
    return None


def _from_sexagesimal(text: str) -> str:
    total = 0.0
    for part in text.lstrip("+-").split(":")[:8]:
        total = total * 60 + float(part[:15])
    return f"{'-' if text[0] == '-' else ''}{total:.15g}"
