"""The entry point: runs a command, and turns every error into its exit code and a clear text."""

from __future__ import annotations

import atexit
import errno
import gc
import os
import sys
import traceback
from contextlib import suppress
from pathlib import Path
from types import ModuleType

import click

from runner.errors import EXIT_BUG, EXIT_INTERRUPTED, InvalidSpec, OutsideError, RunnerError
from runner.printable import one_line

_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO})
"""What a system call says of a disk that is full, may not be written or fails."""
_YOUNG = 200_000
"""Objects made, less those that are gone, before the garbage collector looks at them: Python's own
number is 700, and what a plan loads makes 70,000."""


def main() -> None:
    """Run the command line and exit."""
    # Modules and models are made once and stay: the collector need not go over them again and
    # again while they are loaded.
    gc.set_threshold(_YOUNG, 20, 20)
    _pass_over_plugins()
    ended: list[int] = []
    atexit.register(_leave_at_once, ended)  # the first to be registered is the last to be called
    ended.append(run(sys.argv[1:]))
    sys.exit(ended[0])


def _pass_over_plugins() -> None:
    """Let pydantic look for no plugins: it reads the metadata of every package there is for them.

    Where they are switched off, the module that would read it is loaded all the same, with half of
    the email package: it takes longer than all our rules.
    """
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    none = ModuleType("pydantic.plugin._loader")
    none.get_plugins = tuple  # type: ignore[attr-defined]
    sys.modules.setdefault(none.__name__, none)


def _leave_at_once(ended: list[int]) -> None:
    """End the process without taking every module apart, which takes as long as loading some."""
    if ended:
        with suppress(BrokenPipeError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(ended[0])


def run(arguments: list[str]) -> int:
    """Run the command of `arguments` and return its exit code."""
    try:
        return _run(arguments)
    except BrokenPipeError:
        # Whoever read our output has gone; there is nobody left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0


def _run(arguments: list[str]) -> int:
    from runner.cli import cli

    as_json, output = "--json" in arguments, sys.stdout
    try:
        result = cli.main(arguments, prog_name="runner", standalone_mode=False)
    except SystemExit as error:
        if sys.stdout is output:
            raise
        # click has put a silent output in place and exits: nobody reads ours any more.
        raise BrokenPipeError from error
    except (click.exceptions.Abort, KeyboardInterrupt):
        return _interrupted(as_json=as_json)
    except click.ClickException as error:
        _print_failure(error.format_message(), None, as_json=as_json)
        error.show()
        return error.exit_code
    except RunnerError as error:
        _tell(error, as_json=as_json)
        return error.exit_code
    except Exception as error:
        if isinstance(error, BrokenPipeError):
            raise
        if fault := _fault_of_a_disk(error):
            _tell(fault, as_json=as_json)
            return fault.exit_code
        _print_failure(f"a bug of the runner: {error!r}", None, as_json=as_json)
        return _tell_bug()
    return result if isinstance(result, int) else 0


def _fault_of_a_disk(error: Exception) -> OutsideError | None:
    """Return what is to be told of a disk that takes no more; None for any other error."""
    if not isinstance(error, OSError) or error.errno not in _DISK:
        return None
    where = f"{error.filename}: " if error.filename else ""
    return OutsideError(
        f"{where}{os.strerror(error.errno)}",
        cure="see to the disk, then give the same command again: it goes on where it was",
    )


def _tell(error: RunnerError, *, as_json: bool) -> None:
    """Print the error to standard error; with --json also one document to standard output."""
    from runner import screen

    if isinstance(error, InvalidSpec):
        findings = [finding._asdict() for finding in error.findings]
        _print_failure(error.message, error.cure, as_json=as_json, findings=findings)
        screen.print_findings(error.findings)
    else:
        _print_failure(error.message, error.cure, as_json=as_json)
        screen.print_error(error.message, error.cure)


def _interrupted(*, as_json: bool) -> int:
    _print_failure("interrupted", None, as_json=as_json)
    return EXIT_INTERRUPTED


def _print_failure(message: str, cure: str | None, *, as_json: bool, **more: object) -> None:
    """Print the one document that --json promises, when a command has none of its own."""
    from runner import screen

    if as_json:
        screen.print_json({"error": {"message": message, "cure": cure}, **more})


def _tell_bug() -> int:
    """Keep the traceback in a file, and say where."""
    import tempfile

    with tempfile.NamedTemporaryFile("w", prefix="runner-bug-", suffix=".log", delete=False) as log:
        traceback.print_exc(file=log)
    kind, error, _ = sys.exc_info()
    first = str(error).strip().splitlines()[:1]  # it may quote what a stranger wrote
    name = kind.__name__ if kind else "an error"
    click.echo(f"runner: this is a bug of the runner: {name}: {one_line(''.join(first))}", err=True)
    click.echo(f"  log: {Path(log.name)}   please report it with this file", err=True)
    return EXIT_BUG


if __name__ == "__main__":
    main()
