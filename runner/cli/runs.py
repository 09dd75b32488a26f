"""Commands that make something run, stop or be measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from runner import screen
from runner.cli.base import (
    cli,
    json_option,
    launcher_of,
    launcher_option,
    open_registry,
    wait_option,
    yes_option,
)
from runner.errors import EXIT_OUTSIDE

if TYPE_CHECKING:
    from runner.planning.actions import Forced


@cli.command()
@click.option("--only", metavar="NAME", multiple=True, help="Only these experiments.")
@click.option("--plan", "expected", metavar="DIGEST", help="Only if `plan --json` still says it.")
@launcher_option
@wait_option
@json_option
@click.pass_context
def apply(
    context: click.Context,
    only: tuple[str, ...],
    expected: str | None,
    launcher: str | None,
    wait: bool,
    as_json: bool,
) -> int:
    """Launch what the default branch asks for and has not been run."""
    from runner.launching.follow import apply_and_follow
    from runner.planning.actions import Forced

    workspace = open_registry(context)
    forced = Forced(only=frozenset(only))
    chosen = launcher_of(workspace, launcher)
    done = apply_and_follow(
        workspace, chosen, wait=wait, forced=forced, expected=expected, quiet=as_json
    )
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
    from runner.planning.actions import Forced

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
    from runner.planning.actions import Forced

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
    from runner.forges import open_forge
    from runner.launching.follow import retry_and_follow
    from runner.policy.ceilings import may_lift

    workspace = open_registry(context)
    by_owner = may_lift(workspace, open_forge(workspace))
    chosen = launcher_of(workspace, launcher)
    done = retry_and_follow(workspace, chosen, run, wait=wait, by_owner=by_owner)
    return _show_applied(done, as_json=as_json)


@cli.command()
@click.argument("run")
@click.option("--lost", is_flag=True, help="Only write it off: its machine is gone for good.")
@click.pass_context
def cancel(context: click.Context, run: str, lost: bool) -> None:
    """Stop a run that is going on."""
    from runner.launching.follow import cancel_run

    record = cancel_run(open_registry(context), run, lost=lost)
    screen.print_result(f"{record.run_id} {record.experiment}: {record.latest.outcome}")


@cli.command(short_help="Stop everything of an experiment.")
@click.argument("name")
@click.pass_context
def down(context: click.Context, name: str) -> int:
    """Stop all runs and repeats of an experiment, and give back the clusters kept for them.

    NAME may also be one run. Exits with 3 when something is left, and says what.
    """
    from runner.stopping.down import take_down

    done = take_down(open_registry(context), name)
    done.show(name)
    return done.exit_code


@cli.command(short_help="Follow runs: states, verdicts, pages, statuses.")
@click.option("--watch", is_flag=True, help="Go on until no run is active.")
@json_option
@click.pass_context
def sync(context: click.Context, watch: bool, as_json: bool) -> int:
    """Follow runs: states, verdicts, pages, statuses; exit 3 when those could not be told."""
    from runner.launching.follow import sync_here
    from runner.looking.status import print_document
    from runner.report.outcome import describe

    workspace = open_registry(context)
    untold: tuple[str, ...] = ()
    news = 0
    for synced in sync_here(workspace, watch=watch):
        untold, news = synced.untold, news + len(synced.changed)
        for record in () if as_json else synced.changed:
            screen.print_result(f"{record.run_id} {record.experiment}: {describe(record.latest)}")
    if as_json:
        print_document(workspace, all_runs=False)
    elif not news:
        screen.say("nothing has changed; runner status shows the runs")
    return EXIT_OUTSIDE if untold else 0


@cli.command(short_help="Run a recorded run again: does its result hold?")
@click.argument("run")
@click.option(
    "--require", type=click.Choice(["bitwise", "curve", "statistical", "claim"]),
    help="Level that has to be reached; default: claim, without expectations curve.",
)  # fmt: skip
@launcher_option
@click.option("--only-check", is_flag=True, help="Say what would be done, and do nothing.")
@click.option("--attach", metavar="rN", help="Come back to a repeat that goes on, and judge it.")
@click.option(
    "--wait", is_flag=True,
    help="Follow it to the verdict in CI and in pipes too, where it is else submitted and left.",
)  # fmt: skip
@yes_option
@json_option
@click.pass_context
def reproduce(
    context: click.Context,
    run: str,
    require: Any,
    launcher: str | None,
    only_check: bool,
    attach: str | None,
    wait: bool,
    yes: bool,
    as_json: bool,
) -> int:
    """Run a recorded run again, and say with evidence whether its result holds.

    Through SkyPilot it shows the price and asks first. Ctrl-C leaves it running; --attach comes
    back to it.
    """
    from runner import reproduce as again

    workspace = open_registry(context)
    done: Any
    if attach:
        done = again.attach(workspace, run, attach, require)
    else:
        request = again.Request(run, require, only_check=only_check, wait=wait, yes=yes)
        done = again.reproduce(workspace, launcher_of(workspace, launcher), request)
    if done is None:
        return 0
    if as_json:
        screen.print_json(done.document())
    else:
        done.show()
    return int(done.exit_code)


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
    from runner.spec.rollout import Validation
    from runner.trying.evaluate import Question, evaluate

    heat = temperature if temperature is not None else float(samples > 1)
    sampling = Validation(samples=samples, temperature=heat)
    question = Question(run, _named_sets(sets), reward, sampling)
    done = evaluate(open_registry(context), question)
    if as_json:
        screen.print_json(done.document())
    else:
        done.show()
    return done.exit_code


def _show_applied(done: Any, *, as_json: bool) -> int:
    if as_json:
        screen.print_json(done.document())
    else:
        done.show()
    return int(done.exit_code)


def _launch_only(
    context: click.Context, forced: Forced, launcher: str | None, *, wait: bool, as_json: bool
) -> int:
    from runner.forges import open_forge
    from runner.launching.follow import apply_and_follow
    from runner.policy.ceilings import may_lift

    workspace = open_registry(context)
    chosen = launcher_of(workspace, launcher)
    forced = forced._replace(by_owner=may_lift(workspace, open_forge(workspace)))
    done = apply_and_follow(workspace, chosen, wait=wait, forced=forced, quiet=as_json)
    return _show_applied(done, as_json=as_json)


def _named_sets(sets: tuple[str, ...]) -> dict[str, str]:
    named = {}
    for text in sets:
        name, separator, path = text.partition("=")
        if not (name and separator and path):
            raise click.UsageError(f"--data {text!r}: write it as <name>=<path>")
        named[name] = path
    return named
