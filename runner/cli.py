"""The command line: parse, call one function, render. What a command does is said elsewhere.

Commands import what they need inside, so that `--help` and `validate` answer at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runner import __version__, screen
from runner.errors import EXIT_REFUSED, EXIT_SOMETHING_TO_DO

if TYPE_CHECKING:
    from runner.actions import Forced
    from runner.workspace import Workspace

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
launcher_option = click.option(
    "--launcher", metavar="NAME", help="Instead of registry.yaml's; there is: local."
)
wait_option = click.option("--wait", is_flag=True, help="Follow the runs until they have ended.")


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="runner")
@click.option(
    "-C", "directory", type=click.Path(exists=True, file_okay=False, path_type=Path), default=".",
    help="Work in this folder.", metavar="DIR",
)  # fmt: skip
@click.option("--no-color", is_flag=True, help="No colours; so does NO_COLOR.")
@click.pass_context
def cli(context: click.Context, directory: Path, no_color: bool) -> None:
    """Run LLM post-training experiments from the specs in a git repository."""
    import os

    context.obj = directory
    if no_color or os.environ.get("NO_COLOR"):
        context.color = False
    screen.use_colour(context.color)


def _open(context: click.Context) -> Workspace:
    from runner.workspace import open_workspace

    return open_workspace(context.obj)


def _launcher(workspace: Workspace, name: str | None) -> Any:
    from runner.launchers import LAUNCHERS

    chosen = name or workspace.registry.launcher
    if chosen not in LAUNCHERS:
        raise click.UsageError(f"no launcher {chosen!r}; there are: {', '.join(LAUNCHERS)}")
    return LAUNCHERS[chosen](workspace)


@cli.command(short_help="Make a git repository a registry.")
@click.argument("directory", required=False, type=click.Path(file_okay=False, path_type=Path))
@click.pass_context
def init(context: click.Context, directory: Path | None) -> None:
    """Make a git repository a registry; nothing that is there is overwritten."""
    from runner.initialize import initialize

    target = directory or context.obj
    for path in initialize(target):
        click.echo(f"  wrote {path}")
    click.echo(f"{target} is a registry. Next: commit these files, then runner plan")


@cli.command(short_help="Write a commented spec from a recipe.")
@click.argument("name", required=False)
@click.option("--from", "source", metavar="NAME", help="A recipe or an experiment; default: grpo.")
@click.option("--list", "as_list", is_flag=True, help="Show what one can begin from.")
@click.pass_context
def new(context: click.Context, name: str | None, source: str | None, as_list: bool) -> None:
    """Write a commented spec that validates, with what it names and is not there."""
    from runner import new as spec
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
@click.option("--deep", is_flag=True, help="Also read every row of their datasets.")
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


@cli.command()
@click.option("--head", metavar="REV", help="Plan a commit instead of the work tree.")
@click.option("--only", metavar="SPEC", multiple=True, help="Only these experiments.")
@click.option("--exit-code", is_flag=True, help="Exit 6 when there is something to do.")
@json_option
@click.pass_context
def plan(
    context: click.Context, head: str | None, only: tuple[str, ...], exit_code: bool, as_json: bool
) -> int:
    """Show what apply would do, each run with its reason."""
    from runner.planning import plan_here

    result = plan_here(_open(context), head, only)
    if as_json:
        screen.print_json(result.model_dump(mode="json"))
    else:
        screen.print_plan(result)
    if result.count("refuse"):
        return EXIT_REFUSED
    busy = any(result.count(verb) for verb in ("launch", "hold", "stale", "wait", "orphan"))
    return EXIT_SOMETHING_TO_DO if exit_code and busy else 0


@cli.command()
@launcher_option
@wait_option
@json_option
@click.pass_context
def apply(context: click.Context, launcher: str | None, wait: bool, as_json: bool) -> int:
    """Launch what the default branch asks for and has not been run."""
    from runner.follow import apply_and_follow

    workspace = _open(context)
    done = apply_and_follow(workspace, _launcher(workspace, launcher), wait=wait, quiet=as_json)
    return _show_applied(done, as_json=as_json)


def _show_applied(done: Any, *, as_json: bool) -> int:
    if as_json:
        screen.print_json(done.document())
    else:
        done.show()
    return int(done.exit_code)


def _launch_only(
    context: click.Context, forced: Forced, launcher: str | None, *, wait: bool, as_json: bool
) -> int:
    from runner.follow import apply_and_follow

    workspace = _open(context)
    chosen = _launcher(workspace, launcher)
    done = apply_and_follow(workspace, chosen, wait=wait, forced=forced, quiet=as_json)
    return _show_applied(done, as_json=as_json)


@cli.command()
@click.argument("name")
@launcher_option
@wait_option
@json_option
@click.pass_context
def launch(
    context: click.Context, name: str, launcher: str | None, wait: bool, as_json: bool
) -> int:
    """Launch an experiment that is held."""
    from runner.actions import Forced

    forced = Forced(launch=frozenset({name}))
    return _launch_only(context, forced, launcher, wait=wait, as_json=as_json)


@cli.command(short_help="Launch an experiment whose inputs have changed.")
@click.argument("name")
@launcher_option
@wait_option
@json_option
@click.pass_context
def rerun(
    context: click.Context, name: str, launcher: str | None, wait: bool, as_json: bool
) -> int:
    """Launch an experiment that is stale: data, code or a base under it has changed."""
    from runner.actions import Forced

    forced = Forced(rerun=frozenset({name}))
    return _launch_only(context, forced, launcher, wait=wait, as_json=as_json)


@cli.command(short_help="Give an ended run another attempt.")
@click.argument("run")
@launcher_option
@wait_option
@json_option
@click.pass_context
def retry(context: click.Context, run: str, launcher: str | None, wait: bool, as_json: bool) -> int:
    """Give an ended run another attempt, from its last checkpoint where it has one."""
    from runner.follow import retry_and_follow

    workspace = _open(context)
    done = retry_and_follow(workspace, _launcher(workspace, launcher), run, wait=wait)
    return _show_applied(done, as_json=as_json)


@cli.command()
@click.argument("run")
@click.option("--lost", is_flag=True, help="Only write it off: its machine is gone for good.")
@click.pass_context
def cancel(context: click.Context, run: str, lost: bool) -> None:
    """Stop a run that is going on."""
    from runner.follow import cancel_run

    record = cancel_run(_open(context), run, lost=lost)
    screen.print_result(f"{record.run_id} {record.experiment}: {record.latest.outcome}")


@cli.command()
@click.option("--watch", is_flag=True, help="Go on until no run is active.")
@json_option
@click.pass_context
def sync(context: click.Context, watch: bool, as_json: bool) -> None:
    """Follow runs: states, verdicts, pages, statuses."""
    from runner.follow import sync_here
    from runner.report.outcome import describe
    from runner.status import status_document

    workspace = _open(context)
    changed = sync_here(workspace, watch=watch)
    if as_json:
        for _ in changed:
            pass  # to the end: the document tells how things stand then
        screen.print_json(status_document(workspace, all_runs=False))
        return
    for record in changed:
        screen.print_result(f"{record.run_id} {record.experiment}: {describe(record.latest)}")


@cli.command()
@click.option("--all", "all_runs", is_flag=True, help="Also runs of earlier versions.")
@json_option
@click.pass_context
def status(context: click.Context, all_runs: bool, as_json: bool) -> None:
    """Show the runs as a table."""
    from runner.status import print_status, status_document

    workspace = _open(context)
    if as_json:
        screen.print_json(status_document(workspace, all_runs=all_runs))
    else:
        print_status(workspace, all_runs=all_runs)


@cli.command()
@click.argument("run")
@click.option("--follow", "-f", is_flag=True, help="Go on until the run has ended.")
@click.pass_context
def logs(context: click.Context, run: str, follow: bool) -> None:
    """Print the trainer's output of a run."""
    from runner.status import follow_log

    for text in follow_log(_open(context), run, follow=follow):
        click.echo(text, nl=False)


@cli.command()
@click.argument("name")
@click.option("--markdown", is_flag=True, help="Print the page's Markdown source.")
@click.pass_context
def show(context: click.Context, name: str, markdown: bool) -> None:
    """Show the page of an experiment or of a run."""
    from runner.status import show_page

    show_page(_open(context), name, markdown=markdown)


@cli.command()
@click.argument("spec")
@click.option(
    "--what", type=click.Choice(["command", "config"]), default="command", show_default=True,
    help="The trainer's command, or its config with the origin of each value.",
)  # fmt: skip
@click.pass_context
def render(context: click.Context, spec: str, what: str) -> None:
    """Print exactly what would be run."""
    from runner.render import render as rendered

    click.echo(rendered(_open(context), spec, what))


@cli.command("try", short_help="Train a few steps of an uncommitted spec.")
@click.argument("spec")
@click.option(
    "--steps", default=2, show_default=True, type=click.IntRange(min=1), help="How many at most."
)
@click.pass_context
def try_(context: click.Context, spec: str, steps: int) -> int:
    """Train a few steps of an uncommitted spec here; nothing is recorded."""
    from runner.trial import try_spec

    return try_spec(_open(context), spec, steps)


@cli.command(short_help="Run a recorded run again: does its result hold?")
@click.argument("run")
@click.option(
    "--require", type=click.Choice(["bitwise", "curve", "statistical", "claim"]),
    help="Level that has to be reached; default: claim, without expectations curve.",
)  # fmt: skip
@launcher_option
@click.option("--only-check", is_flag=True, help="Say what would be done, and do nothing.")
@json_option
@click.pass_context
def reproduce(
    context: click.Context,
    run: str,
    require: Any,
    launcher: str | None,
    only_check: bool,
    as_json: bool,
) -> int:
    """Run a recorded run again, and say with evidence whether its result holds."""
    from runner.reproduce import Request
    from runner.reproduce import reproduce as run_again

    workspace = _open(context)
    request = Request(run, require, only_check=only_check)
    done = run_again(workspace, _launcher(workspace, launcher), request)
    if done is None:
        return 0
    if as_json:
        screen.print_json(done.document())
    else:
        done.show()
    return done.exit_code


@cli.command("eval", short_help="Measure a run's checkpoint on validation sets.")
@click.argument("run")
@click.option(
    "--data", "sets", metavar="NAME=PATH", multiple=True,
    help="A validation set; default: those of the run's spec.",
)  # fmt: skip
@click.option("--reward", metavar="FILE:FUNCTION", help="Default: that of the run's spec.")
@click.option(
    "--samples", default=1, show_default=True, type=click.IntRange(1, 1024),
    help="Answers per prompt.",
)  # fmt: skip
@click.option(
    "--temperature", type=click.FloatRange(0, 10), help="Default: 0 for one answer, else 1."
)
@json_option
@click.pass_context
def eval_(
    context: click.Context,
    run: str,
    sets: tuple[str, ...],
    reward: str | None,
    samples: int,
    temperature: float | None,
    as_json: bool,
) -> int:
    """Measure a run's checkpoint on validation sets, here; nothing is recorded."""
    from runner.evaluate import Question, evaluate
    from runner.spec.rollout import Validation

    heat = temperature if temperature is not None else float(samples > 1)
    sampling = Validation(samples=samples, temperature=heat)
    question = Question(run, _named_sets(sets), reward, sampling)
    done = evaluate(_open(context), question)
    if as_json:
        screen.print_json(done.document())
    else:
        done.show()
    return done.exit_code


def _named_sets(sets: tuple[str, ...]) -> dict[str, str]:
    named = {}
    for text in sets:
        name, separator, path = text.partition("=")
        if not (name and separator and path):
            raise click.UsageError(f"--data {text!r}: write it as <name>=<path>")
        named[name] = path
    return named


@cli.command(short_help="Pin models, images and trainers to what they are now.")
@click.argument("specs", nargs=-1, required=True)
@click.option("--check", is_flag=True, help="Only say what can move; exit 6 when something can.")
@click.pass_context
def pin(context: click.Context, specs: tuple[str, ...], check: bool) -> int:
    """Fill in revisions, digests and versions; comments and layout stay as they are."""
    from runner.pin import find_loose
    from runner.pin import pin as pin_specs

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


@cli.group()
def data() -> None:
    """Dataset cards and checks."""


@data.command("add", short_help="Track datasets with DVC, with their cards.")
@click.argument("paths", nargs=-1, required=True)
@click.pass_context
def data_add(context: click.Context, paths: tuple[str, ...]) -> None:
    """Track datasets with DVC (`dvc add`), and keep a card of each beside it."""
    from runner.datasets.commands import add

    done = add(_open(context), context.obj, paths)
    for path, card, holder in done:
        screen.print_result(f"{path}: {card.told()}; {holder}")
    screen.say(f"Next: git add {' '.join(dict.fromkeys(one[2] for one in done))}, commit, dvc push")


@data.command("card")
@click.argument("path")
@click.option("--write", is_flag=True, help="Keep the card in the data's .dvc file or stage.")
@click.pass_context
def data_card(context: click.Context, path: str, write: bool) -> None:
    """Describe a dataset: rows, columns, lengths, duplicates, format, faulty rows."""
    from runner.datasets.commands import make_card

    described = make_card(_open(context), context.obj, path, write=write)
    screen.print_json(described.model_dump(mode="json"))


@data.command("check", short_help="Check the rows of an experiment's datasets, or of one.")
@click.argument("target", metavar="SPEC|PATH")
@click.option(
    "--sample", default=1000, show_default=True, type=click.IntRange(min=1),
    help="How many rows to look at, evenly spread.",
)  # fmt: skip
@click.option("--deep", is_flag=True, help="Look at all rows; only then repetitions are counted.")
@json_option
@click.pass_context
def data_check(context: click.Context, target: str, sample: int, deep: bool, as_json: bool) -> int:
    """Check the rows of an experiment's datasets for its training, or those of one dataset.

    Exits with 1 when training would fail, or learn from nothing.
    """
    from runner.datasets.commands import check_target
    from runner.datasets.show import lines

    result = check_target(_open(context), context.obj, target, None if deep else sample)
    if as_json:
        screen.print_json(result.document())
    else:
        for line in lines(result):
            screen.print_result(line)
    return EXIT_REFUSED if result.errors else 0


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
    from runner import docs

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


@cli.command(hidden=True)
@click.argument("task", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--slot", type=click.Path(path_type=Path))
def node(task: Path, slot: Path | None) -> int:
    """Run a task where the GPUs are; not for people."""
    from runner.node.program import main

    return main(task, slot)
