"""Specs that differ a little from the one of planned_registry."""

from planned_registry import SPEC

FASTER = SPEC.replace("1.0e-6", "5.0e-7")
AFTER = SPEC.replace("path: Qwen/Qwen2.5-0.5B, revision: 060db6499f32", "source: run, path: up")


def put(line: str, text: str = SPEC) -> str:
    """Return the spec with one more line."""
    return f"{text}{line}\n"
