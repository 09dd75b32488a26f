"""Commands of the repository itself, and of nodes."""

from __future__ import annotations

from pathlib import Path

import click

from runner import screen
from runner.cli.base import cli, json_option, launcher_of, launcher_option, open_registry
from runner.errors import EXIT_REFUSED


@cli.command(short_help="Write the JSON Schemas and reference pages.")
@click.option("--check", is_flag=True, help="Exit 1 when a committed schema is stale.")
@click.option("--trainer", metavar="NAME==VERSION", help="Write a trainer's keys instead.")
@click.option(
    "--wheel", type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The trainer's wheel; by default pip downloads it.",
)  # fmt: skip
@click.pass_context
def schema(context: click.Context, check: bool, trainer: str | None, wheel: Path | None) -> int:
    """Write the JSON Schemas of specs and settings, and reference pages where docs/ has them."""
    from runner.authoring import docs

    if trainer:
        from runner.trainers.keys.generate import write as write_keys

        click.echo(f"  wrote {write_keys(trainer, wheel)}")
        return 0
    from runner.spec.schema import is_current, write

    folder, pages = context.obj / "schemas", context.obj / "docs"
    has_pages = docs.are_kept_in(pages)
    if not check:
        write(folder)
        if has_pages:
            docs.write(pages)
        return 0
    if is_current(folder) and (not has_pages or docs.is_current(pages)):
        return 0
    screen.print_error("a schema or a reference page is stale", "runner schema")
    return EXIT_REFUSED


@cli.command(short_help="What works, and the cure for what does not.")
@click.option(
    "--leaks", is_flag=True,
    help="List what goes on or holds machines and no record explains; exit 6 when there is any.",
)  # fmt: skip
@launcher_option
@json_option
@click.pass_context
def doctor(context: click.Context, leaks: bool, launcher: str | None, as_json: bool) -> int:
    """Look at all that the registry needs from here: git, ledger, stores, launcher, tokens.

    Exits with 3 when something that is needed does not work.
    """
    from runner.looking.doctor import diagnose, look_for_leaks

    workspace = open_registry(context)
    chosen = launcher_of(workspace, launcher)
    done = look_for_leaks(workspace, chosen) if leaks else diagnose(workspace, chosen)
    if as_json:
        screen.print_json(done.document())
    else:
        done.show()
    return done.exit_code


@cli.command(hidden=True)
@click.argument("task", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--slot", type=click.Path(path_type=Path))
def node(task: Path, slot: Path | None) -> int:
    """Run a task where the GPUs are; not for people."""
    from runner.node.program import main

    return main(task, slot)
