"""One spec, written in many ways: a hypothesis strategy over spellings of the same values."""

from __future__ import annotations

import json
import re
from typing import Any

from hypothesis import strategies as st

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9/._-]*( [A-Za-z0-9/._-]+)*")
_WORDS = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}
COMMENTS = st.sampled_from(["", "", "", "# a comment", "#", "# learning_rate: 1"])


@st.composite
def yaml_texts(draw: st.DrawFn, spec: dict[str, Any]) -> str:
    """Draw a way to write `spec`: order of keys, comments, quotes, flow and block, numbers."""
    return "\n".join(_mapping(draw, spec, 0)) + draw(st.sampled_from(["", "\n", "\n\n# end\n"]))


def _mapping(draw: st.DrawFn, tree: dict[str, Any], indent: int) -> list[str]:
    lines = []
    margin = " " * indent
    for key in draw(st.permutations(list(tree))):
        value = tree[key]
        if comment := draw(COMMENTS):
            lines.append(f"{margin}{comment}")
        name = f"{margin}{_string(draw, key)}:"
        if isinstance(value, dict) and value and draw(st.booleans()):
            lines += [name, *_mapping(draw, value, indent + draw(st.integers(1, 4)))]
        elif isinstance(value, list) and value and draw(st.booleans()):
            lines += [name, *(f"{margin}  - {_flow(draw, item)}" for item in value)]
        else:
            lines.append(f"{name} {_flow(draw, value)} {draw(COMMENTS)}".rstrip())
    return lines


def _flow(draw: st.DrawFn, value: Any) -> str:
    if isinstance(value, dict):
        keys = draw(st.permutations(list(value)))
        inner = (f"{_string(draw, key)}: {_flow(draw, value[key])}" for key in keys)
        return "{" + ", ".join(inner) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_flow(draw, item) for item in value) + "]"
    if isinstance(value, bool):
        return draw(st.sampled_from(["true", "True", "TRUE"] if value else ["false", "False"]))
    if isinstance(value, int):
        return draw(st.sampled_from([str(value), f"+{value}", hex(value)]))
    if isinstance(value, float):
        return draw(st.sampled_from(float_spellings(value)))
    return "null" if value is None else _string(draw, value)


def float_spellings(value: float) -> list[str]:
    """Return ways to write the number: shortest, fixed, exponents, and as an integer if it is."""
    ways = [repr(value), f"{value:.12f}", f"{value:.1e}", f"{value:E}", f"{value:.10e}"]
    ways += [str(int(value))] if value.is_integer() else []
    return [way for way in dict.fromkeys(ways) if float(way) == value]


def _string(draw: st.DrawFn, text: str) -> str:
    ways = [json.dumps(text), "'" + text.replace("'", "''") + "'"]
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        ways.append(text)
    return draw(st.sampled_from(ways))
