"""The entry point: runs a command, and turns every error into its exit code and a clear text."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from pathlib import Path

import click

from runner.errors import EXIT_BUG, EXIT_INTERRUPTED, InvalidSpec, RunnerError


def main() -> None:
    """Run the command line and exit."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run the command of `arguments` and return its exit code."""
    from runner.cli import cli

    try:
        result = cli.main(arguments, prog_name="runner", standalone_mode=False)
    except click.exceptions.Abort:
        return EXIT_INTERRUPTED
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except RunnerError as error:
        _tell(error, arguments)
        return error.exit_code
    except BrokenPipeError:
        # Whoever read our output has gone; there is nobody left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception:
        return _tell_bug()
    return result if isinstance(result, int) else 0


def _tell(error: RunnerError, arguments: list[str]) -> None:
    """Print the error to standard error; with --json also one document to standard output."""
    from runner import screen

    if "--json" in arguments:
        screen.print_json({"error": {"message": error.message, "cure": error.cure}})
    if isinstance(error, InvalidSpec):
        screen.print_findings(error.findings)
    else:
        screen.print_error(error.message, error.cure)


def _tell_bug() -> int:
    """Keep the traceback in a file, and say where."""
    with tempfile.NamedTemporaryFile("w", prefix="runner-bug-", suffix=".log", delete=False) as log:
        traceback.print_exc(file=log)
    last = traceback.format_exc().strip().splitlines()[-1]
    click.echo(f"runner: this is a bug of the runner: {last}", err=True)
    click.echo(f"  log: {Path(log.name)}   please report it with this file", err=True)
    return EXIT_BUG


if __name__ == "__main__":
    main()
