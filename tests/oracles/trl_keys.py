"""Asks TRL's scripts for their options, from the parsers that they make themselves.

Answers for each script with the fields of its dataclasses: default, choices and whether a value of
the option's type is a number.
"""

import dataclasses
import importlib
import json
import sys
from enum import Enum
from pathlib import Path


def plain(value):
    """Return a default as JSON has it."""
    if isinstance(value, Enum):
        return value.value
    return value if isinstance(value, str | int | float | list | dict | type(None)) else "?"


def default_of(field):
    """Return the default of a dataclass's field; `?` where it has none."""
    if field.default is not dataclasses.MISSING:
        return plain(field.default)
    if field.default_factory is not dataclasses.MISSING:
        return plain(field.default_factory())
    return "?"


def options(script):
    """Return what the script's parser takes, by the field's name."""
    parser = importlib.import_module(f"trl.scripts.{script}").make_parser()
    choices = {action.dest: action.choices for action in parser._actions}
    fields = [one for kind in parser.dataclass_types for one in dataclasses.fields(kind)]
    return {
        one.name: {"default": default_of(one), "choices": list(choices.get(one.name) or ())}
        for one in fields
        if one.init
    }


if __name__ == "__main__":
    answers = {script: options(script) for script in json.load(sys.stdin)}
    Path(sys.argv[1]).write_text(json.dumps(answers))
