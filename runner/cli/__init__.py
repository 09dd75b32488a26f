"""The command line: parse, call one function, render. What a command does is said elsewhere.

A command's module is loaded when it is called, and what the command needs inside it, so that
`--help` and `validate` answer at once.
"""

from __future__ import annotations

from runner.cli.base import cli

__all__ = ["cli"]
