"""The words of findings about values: what was written, what is permitted, what to write."""

from __future__ import annotations

from typing import Any

from runner.spec.fields import nearest
from runner.spec.scalars import BadScalar, meant, resolve, shown

EXPECTED = {
    "bool_type": "true or false",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "string_type": "text",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a mapping of keys to values",
    "model_type": "a mapping of keys to values",
    "model_attributes_type": "a mapping of keys to values",
}
"""What the type of each kind of error is called."""

BOUNDS = {
    "greater_than": ("gt", "greater than {}"),
    "greater_than_equal": ("ge", "at least {}"),
    "less_than": ("lt", "less than {}"),
    "less_than_equal": ("le", "at most {}"),
    "too_short": ("min_length", "at least {} long"),
    "too_long": ("max_length", "at most {} long"),
    "string_too_short": ("min_length", "at least {} characters long"),
    "string_too_long": ("max_length", "at most {} characters long"),
}
"""For each kind of error the name of its limit, and how the limit reads."""

FORMS = {
    r"^[a-z0-9][a-z0-9_.-]*$": "write a name of small letters, digits, `_`, `.` and `-`",
    r"^[a-z0-9][a-z0-9_-]*$": "write the name of a tool format, like `hermes`",
    r"^[A-Za-z0-9._-]+:[1-9]\d*$": "write GPU type and number per node, like `H100:8`",
    r"^[^:\s]+\.py:[A-Za-z_]\w*$": "write `<file>.py:<function>`, like `reward/gsm8k.py:score`",
    r"^[A-Z][A-Z0-9_]{0,99}$": "write the name of a secret, like `HF_TOKEN`; never its value",
    r"^[A-Za-z0-9][A-Za-z0-9._/-]*$": "write the name of a git branch, like `runs`",
    r"^[^\s@]+@sha256:[0-9a-f]{64}$": "write the image by digest: `<name>@sha256:<64 hex digits>`",
    r"^(/[A-Za-z0-9._-]+)+$": "write the whole path of a folder, like `/cache`; plain characters",
    r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$": "write the name of a volume, as `sky volumes ls` does",
    r"^[0-9a-f]{32}$": "write 32 hex digits; `runner init` makes them",
}
"""For each pattern of the models, what to write."""

_SECRET = r"^[A-Z][A-Z0-9_]{0,99}$"  # noqa: S105 - the form of a name, no secret


def described(value: Any) -> str:
    """Return `value` with its type, such as "the number `3`"."""
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, int | float):
        return f"the number `{value}`"
    if isinstance(value, str):
        return f"the text {shown(value)}"
    return "a list" if isinstance(value, list | tuple) else "a mapping"


def wrong_type(key: str, kind: str, value: Any) -> str:
    """Say that `key` takes another type than `value` has."""
    given = "is empty" if value is None else f"is {described(value)}"
    return f"`{key}` {given}; it takes {EXPECTED[kind]}" if key else f"it takes {EXPECTED[kind]}"


def type_cure(kind: str, value: Any) -> str:
    """Say what to write where `value` has the wrong type."""
    expected = EXPECTED[kind]
    if value is None:
        return f"write {expected}, or delete the line"
    if expected == "text":
        return "put it in quotes" if isinstance(value, bool | int | float) else "write text"
    if expected == "a list" and isinstance(value, str | int | float):
        return f"write it in brackets: [{str(value)[:60]}]"
    if isinstance(value, str):
        return _text_cure(value, expected)
    return f"write {expected}"


def _text_cure(text: str, expected: str) -> str:
    wants_bool = expected == "true or false"
    instead = meant(text)
    if instead and wants_bool == (instead in ("true", "false")):
        return f"write {instead}"
    try:
        unquoted = resolve(text.strip())
    except BadScalar:
        unquoted = None
    if isinstance(unquoted, bool) == wants_bool and isinstance(unquoted, bool | int | float):
        return f"leave out the quotes: {text.strip()}"
    return f"write {expected}"


def not_one_of(key: str, value: Any, allowed: list[str]) -> str:
    """Say that `value` is none of the permitted ones."""
    return f"`{key}` is {described(value)}; it takes one of: {', '.join(allowed)}"


def choice_cure(value: Any, allowed: list[str]) -> str:
    """Name the permitted value that is meant, or all."""
    near = choice_meant(value, allowed)
    return f"did you mean `{near}`?" if near else f"write {' or '.join(allowed)}"


def choice_meant(value: Any, allowed: list[str]) -> str:
    """Return the permitted value that `value` is spelled like; empty without one."""
    return (nearest(value, allowed) or "") if isinstance(value, str) else ""


def out_of_bounds(key: str, kind: str, value: Any, context: dict[str, Any]) -> tuple[str, str]:
    """Say which limit `value` breaks, and what to write."""
    name, words = BOUNDS[kind]
    bound = context[name]
    limit = words.format(f"{bound:g}" if isinstance(bound, float) else bound)
    if kind in ("too_short", "too_long"):
        limit = f"a list {limit}"
        return f"`{key}` has {len(value)} entries; it must be {limit}", f"write {limit}"
    if kind.startswith("string"):
        return f"`{key}` has {len(value)} characters; it must be {limit}", f"make it {limit}"
    return f"`{key}` is {value}; it must be {limit}", f"write a number {limit}"


def wrong_form(key: str, value: Any, pattern: str) -> tuple[str, str]:
    """Say that a text has not its required form, and which that is."""
    given = "its value" if pattern == _SECRET else shown(str(value))
    message = f"`{key}`: {given} is not of the required form" if key else (
        f"the key {given} is not of the required form"
    )  # fmt: skip
    return message, FORMS.get(pattern, f"write it so that it matches {pattern}")
