"""How a key and its value are spelled on SkyRL's command line.

SkyRL hands its arguments to `OmegaConf.from_cli`, which reads what stands behind the first `=` as
YAML. It then checks the names of keys and not the types of values, so these have to be right here.
"""

from __future__ import annotations

import re
from typing import Any

from runner.errors import Refused

_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*(?:\.[A-Za-z_][A-Za-z0-9_-]*)*")
_PLAIN = re.compile(r"[A-Za-z_/$][A-Za-z0-9_/.@+-]*")
_WORDS_WITH_MEANING = frozenset(
    {"null", "true", "false", "yes", "no", "on", "off", "y", "n", "inf", "nan"}
)
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t"}


def argument(key: str, value: Any) -> str:
    """Return `key=value` as one argument.

    Raises Refused for what is no key; one with `+` in front too, as SkyRL has no way to add keys.
    """
    if not _KEY.fullmatch(key):
        raise Refused(
            f"`{ascii(key)[1:-1][:60]}` is no key of SkyRL's config",
            cure="write it like trainer.policy.optimizer_config.max_grad_norm; SkyRL takes no +key",
        )
    return f"{key}={spell(value)}"


def spell(value: Any) -> str:
    """Return `value` in YAML on one line, such that reading gives the same value and type."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list | tuple):
        return "[" + ", ".join(spell(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_quoted(key)}: {spell(one)}" for key, one in value.items()) + "}"
    text = str(value)
    is_plain = _PLAIN.fullmatch(text) and text.lower() not in _WORDS_WITH_MEANING
    return text if is_plain else _quoted(text)


def _quoted(text: str) -> str:
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
