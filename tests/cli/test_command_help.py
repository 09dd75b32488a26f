"""What every command says of itself, and that it is said at once."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import click
import pytest
from runner_process import run

from runner.cli import cli

HEAVY = ("torch", "ray", "sky", "dvc", "wandb", "git", "fsspec", "rich", "matplotlib", "pyarrow")


def commands(group: click.Group = cli, prefix: tuple[str, ...] = ()) -> Iterator[Any]:
    """Yield every command with the words that call it."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        yield (*prefix, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*prefix, name))


COMMANDS = dict(commands())


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_and_every_option_is_documented(words):
    command = COMMANDS[words]
    assert command.help, f"runner {' '.join(words)} has no help"
    options = [one for one in command.params if isinstance(one, click.Option)]
    silent = [one.opts[0] for one in options if not one.help and not command.hidden]
    assert silent == [], f"options of runner {' '.join(words)} without help"


def test_help_works_for_every_command_without_a_registry(tmp_path):
    for words in [(), *COMMANDS]:
        context = click.Context(cli, info_name="runner")
        command = COMMANDS.get(words, cli)
        assert "Usage:" in command.get_help(click.Context(command, context))
    for arguments in (["--help"], ["-h"], ["plan", "--help"], ["data", "card", "-h"]):
        done = run(tmp_path, *arguments)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("Usage: runner")


def test_the_version(tmp_path):
    done = run(tmp_path, "--version")
    assert done.returncode == 0
    assert re.fullmatch(r"runner, version \d+\.\d+\.\d+\n", done.stdout)


# What is loaded


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["validate"], ["plan", "--help"], ["validate", "--json"]],
    ids=" ".join,
)
def test_nothing_heavy_is_loaded_for_an_answer_at_once(folder, arguments):
    code = (
        "import sys\n"
        "from runner.__main__ import run\n"
        f"status = run({arguments!r})\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], status, file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True
    )
    assert done.stderr.strip() == "[] 0"


def test_importing_the_commands_loads_little_more_than_click():
    code = (
        "import sys, runner.cli\n"
        f"print([name for name in {(*HEAVY, 'pydantic', 'yaml', 'asyncio')!r} "
        "if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
