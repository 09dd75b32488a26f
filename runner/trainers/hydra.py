"""How a key and its value are spelled on the command line of a trainer configured by Hydra.

Grammar: Hydra 1.3, "The command line override parser".
"""

from __future__ import annotations

import re
from typing import Any

_PLAIN = re.compile(r"[A-Za-z_/.][A-Za-z0-9_/.:@-]*")
_WORDS_WITH_MEANING = frozenset({"true", "false", "null", "inf", "nan", "on", "off", "yes", "no"})


def override(key: str, value: Any) -> str:
    """Return `key=value` as one argument."""
    return f"{key}={spell(value)}"


def spell(value: Any) -> str:
    """Return `value` in Hydra's grammar, such that parsing gives the same value and type."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list | tuple):
        return "[" + ",".join(spell(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{spell(item)}" for key, item in value.items()) + "}"
    return _text(str(value))


def _text(text: str) -> str:
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS_WITH_MEANING:
        return text
    # In a quoted value only the quote itself, and backslashes before it, are escaped.
    body = re.sub(r"(\\*)'", r"\1\1\\'", text)
    body = re.sub(r"(\\+)$", r"\1\1", body)
    return f"'{body}'"
