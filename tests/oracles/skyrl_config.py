"""Asks SkyRL whether it takes command lines: its own parser, then its own `validate_cfg`.

Reads a list of lists of arguments; answers for each with what SkyRL says against it, or the values
that it has understood, by dotted key.
"""

import dataclasses
import json
import sys
import typing
from pathlib import Path

import typing_extensions

# Under Python 3.11 pydantic refuses the TypedDict that skyrl/tinker/types.py takes from typing.
typing.TypedDict = typing_extensions.TypedDict

from skyrl.train.config import SkyRLTrainConfig  # noqa: E402
from skyrl.train.utils.utils import validate_cfg  # noqa: E402


def flat(tree, prefix=""):
    """Yield the leaves of nested dicts by dotted key, and the dicts too."""
    for key, value in tree.items():
        yield f"{prefix}{key}", value
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{key}.")


def judge(arguments):
    """Return what SkyRL makes of a command line."""
    try:
        config = SkyRLTrainConfig.from_cli_overrides(arguments)
        validate_cfg(config)
    except (AssertionError, ArithmeticError, ValueError, NotImplementedError) as error:
        return {"error": f"{type(error).__name__}: {error}"}
    return {"error": None, "values": dict(flat(dataclasses.asdict(config)))}


if __name__ == "__main__":
    answers = [judge(arguments) for arguments in json.load(sys.stdin)]
    Path(sys.argv[1]).write_text(json.dumps(answers))
