"""Commands on specs: making, checking, pinning, planning and trying them."""

from __future__ import annotations

from pathlib import Path

import click

from runner import screen
from runner.cli.base import (
    begin_registry,
    cli,
    json_option,
    launcher_of,
    launcher_option,
    open_registry,
    yes_option,
)
from runner.errors import EXIT_REFUSED, EXIT_SOMETHING_TO_DO


@cli.command(short_help="Make a git repository a registry.")
@click.argument("directory", required=False, type=click.Path(file_okay=False, path_type=Path))
@click.pass_context
def init(context: click.Context, directory: Path | None) -> None:
    """Make a git repository a registry; nothing that is there is overwritten."""
    from runner.authoring.initialize import initialize, next_steps

    target = directory or context.obj
    for path in initialize(target):
        click.echo(f"  wrote {path}")
    click.echo(f"{target.resolve()} is a registry. Next:")
    for number, step in enumerate(next_steps(target), start=1):
        click.echo(f"  {number}. {step}")


@cli.command(short_help="Write a commented spec from a recipe.")
@click.argument("name", required=False)
@click.option("--from", "source", metavar="NAME", help="A recipe or an experiment; default: grpo.")
@click.option("--list", "as_list", is_flag=True, help="Show what one can begin from.")
@click.pass_context
def new(context: click.Context, name: str | None, source: str | None, as_list: bool) -> None:
    """Write a commented spec that validates, with what it names and is not there."""
    from runner.authoring import new as spec
    from runner.validate import validate as check

    if as_list:
        begin = (*spec.recipes(), *spec.experiments(context.obj))
        screen.print_table(("from", ""), [(one.name, one.summary) for one in begin])
        return
    if name is None:
        raise click.UsageError("Missing argument 'NAME'; --list shows what one can begin from.")
    for path in spec.new(context.obj, name, source or spec.DEFAULT):
        click.echo(f"  wrote {path}")
    screen.print_findings(check(context.obj, [name]).findings)
    click.echo(f"Next: edit it, then runner pin {name} && runner try {name} --steps 2")


@cli.command()
@click.argument("specs", nargs=-1)
@click.option(
    "--deep", is_flag=True, help="Also read every row of their datasets, and try their rewards."
)
@json_option
@click.pass_context
def validate(context: click.Context, specs: tuple[str, ...], deep: bool, as_json: bool) -> int:
    """Check specs against every rule; all of them by default."""
    from runner.validate import validate as check

    result = check(context.obj, specs, deep=deep)
    if as_json:
        screen.print_json(result.document())
    else:
        screen.print_findings(result.findings)
        click.echo(result.summary())
    return EXIT_REFUSED if result.errors else 0


@cli.command(short_help="Pin models, images and trainers to what they are now.")
@click.argument("specs", nargs=-1, required=True)
@click.option("--check", is_flag=True, help="Only say what can move; exit 6 when something can.")
@click.pass_context
def pin(context: click.Context, specs: tuple[str, ...], check: bool) -> int:
    """Fill in revisions, digests and versions; comments and layout stay as they are."""
    from runner.authoring.pin import find_loose
    from runner.authoring.pin import pin as pin_specs

    if check:
        loose = find_loose(context.obj, specs)
        for one in loose:
            screen.print_result(str(one))
        return EXIT_SOMETHING_TO_DO if loose else 0
    done = pin_specs(context.obj, specs)
    for pinned in done.pins:
        screen.print_result(str(pinned))
    for failure in done.failures:
        screen.print_error(failure.message, failure.cure)
    if not done.pins and not done.failures:
        screen.say("everything is pinned")
    return max((failure.exit_code for failure in done.failures), default=0)


@cli.command()
@click.option("--head", metavar="REV", help="Plan a commit instead of the work tree.")
@click.option("--base", metavar="REV", help="Plan what merging it into this commit changes.")
@click.option("--only", metavar="SPEC", multiple=True, help="Only these experiments.")
@click.option(
    "--markdown", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
    help="Also write the plan as a pull request shows it.",
)  # fmt: skip
@click.option("--exit-code", is_flag=True, help="Exit 6 when there is something to do.")
@json_option
@click.pass_context
def plan(
    context: click.Context,
    head: str | None,
    base: str | None,
    only: tuple[str, ...],
    markdown: Path | None,
    exit_code: bool,
    as_json: bool,
) -> int:
    """Show what apply would do, each run with its reason."""
    repository = begin_registry(context, head)

    from runner.workspace import workspace_of

    workspace = workspace_of(repository)
    workspace.look_ahead(head)

    from runner.planning.asked import plan_here

    planned = plan_here(workspace, head, only, base)
    result = planned.plan
    if markdown is not None:
        from runner.report.plan.about import about_plan
        from runner.report.plan.comment import whole_plan

        markdown.write_text(whole_plan(result.whole(), about_plan(planned)))
    if as_json:
        screen.print_json(result.document())
    else:
        screen.print_plan(result)
    if result.number_of("refuse"):
        return EXIT_REFUSED
    busy = any(result.number_of(verb) for verb in ("launch", "hold", "stale", "wait", "orphan"))
    return EXIT_SOMETHING_TO_DO if exit_code and busy else 0


@cli.command()
@click.argument("spec")
@click.option(
    "--what", type=click.Choice(["task", "command", "config"]), default="command",
    show_default=True,
    help="SkyPilot's task, the trainer's command, or its config with the origin of each value.",
)  # fmt: skip
@click.option(
    "--to", "folder", type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
    help="Write the task with all that it sends into DIR, and print how to launch it.",
)  # fmt: skip
@click.pass_context
def render(context: click.Context, spec: str, what: str, folder: Path | None) -> None:
    """Print exactly what would be run."""
    from runner.launching.render import render as rendered
    from runner.launching.render import write_task

    workspace = open_registry(context)
    if folder is None:
        click.echo(rendered(workspace, spec, what))
    elif what == "task":
        click.echo(write_task(workspace, spec, folder))
    else:
        raise click.UsageError("--to writes a task: add --what task")


@cli.command("try", short_help="Train a few steps of an uncommitted spec.")
@click.argument("spec")
@click.option(
    "--steps", default=2, show_default=True, type=click.IntRange(min=1), help="How many at most."
)
@click.option(
    "--gpus", type=click.IntRange(min=1), metavar="N",
    help="On one node with N of the spec's GPUs, instead of all that it asks for.",
)  # fmt: skip
@launcher_option
@yes_option
@click.pass_context
def try_(
    context: click.Context,
    spec: str,
    steps: int,
    gpus: int | None,
    launcher: str | None,
    yes: bool,
) -> int:
    """Train a few steps of an uncommitted spec, for an hour at most; nothing is recorded.

    Through SkyPilot it shows the price and asks first. Ctrl-C stops it; when it is over nothing of
    it is left.
    """
    from runner.trying.trial import Trial, try_spec

    workspace = open_registry(context)
    chosen = launcher_of(workspace, launcher)
    return try_spec(workspace, chosen, Trial(spec, steps, gpus, yes))
