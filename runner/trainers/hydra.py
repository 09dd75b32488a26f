"""How a key and its value are spelled on the command line of a trainer configured by Hydra.

Grammar: Hydra 1.3, "The command line override parser".
"""

from __future__ import annotations

import re
from typing import Any

from runner.errors import Refused

_PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_/.:@-]*")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_KEY = re.compile(r"(?:\+\+?|~)?[A-Za-z_][A-Za-z0-9_./@-]*")
_WORDS_WITH_MEANING = frozenset({"true", "false", "null", "inf", "nan", "on", "off", "yes", "no"})


def override(key: str, value: Any) -> str:
    """Return `key=value` as one argument.

    Raises Refused for a key that is none of a config: it could be read as an option of the program.
    """
    if not _KEY.fullmatch(key):
        raise Refused(
            f"`{ascii(key)[1:-1][:60]}` is no key of the trainer's config",
            cure="write it like actor_rollout_ref.actor.grad_clip, or with + for a new key",
        )
    return f"{key}={spell(value)}"


def spell(value: Any) -> str:
    """Return `value` in Hydra's grammar, such that parsing gives the same value and type.

    Raises Refused for a mapping's key that the grammar has no way to write as text.
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list | tuple):
        return "[" + ",".join(spell(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{_name(key)}:{spell(item)}" for key, item in value.items()) + "}"
    return _text(str(value))


def _name(key: str) -> str:
    """Return the key of a mapping: Hydra reads no quotes there, so it must read as a word."""
    if not _NAME.fullmatch(key) or key.lower() in _WORDS_WITH_MEANING:
        raise Refused(
            f"`{ascii(key)[1:-1][:60]}` cannot be a key of a mapping on the command line",
            cure="use a key of letters, digits and `_` that is no number, true, false or null",
        )
    return key


def _text(text: str) -> str:
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS_WITH_MEANING:
        return text
    # In a quoted value only the quote itself, and backslashes before it, are escaped.
    body = re.sub(r"(\\*)'", r"\1\1\\'", text)
    body = re.sub(r"(\\+)$", r"\1\1", body)
    return f"'{body}'"
