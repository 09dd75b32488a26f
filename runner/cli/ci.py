"""Commands that workflows of a forge call; each reads the event that started the workflow."""

from __future__ import annotations

from pathlib import Path

import click

from runner.cli.base import cli, open_registry

_artifact = click.option(
    "--artifact", type=click.Path(file_okay=False, path_type=Path),
    help="Write what the workflow keeps into this folder.", metavar="DIR",
)  # fmt: skip


@cli.group()
def ci() -> None:
    """What workflows call; people use plan, apply and sync."""


@ci.command("plan")
@_artifact
@click.pass_context
def plan_request(context: click.Context, artifact: Path | None) -> int:
    """Plan a pull request or merge group, and tell it; nothing of it is executed."""
    from runner.ci.request import plan_event

    return plan_event(open_registry(context), artifact)


@ci.command("reward-report")
@click.argument("result", type=click.Path(dir_okay=False, path_type=Path))
@click.pass_context
def reward_report(context: click.Context, result: Path) -> int:
    """Put what the reward check found into the pull request's plan."""
    from runner.ci.request import report_rewards

    return report_rewards(open_registry(context), result)


@ci.command()
@click.pass_context
def replan(context: click.Context) -> int:
    """Plan the open pull requests again whose plan has changed with the default branch."""
    from runner.ci.replan import plan_open_requests

    return plan_open_requests(open_registry(context))


@ci.command("apply")
@click.pass_context
def apply_tip(context: click.Context) -> int:
    """Apply the default branch, or do what was asked for by hand."""
    from runner.ci.deploy import apply_event

    return apply_event(open_registry(context))


@ci.command("sync")
@click.pass_context
def sync_tip(context: click.Context) -> int:
    """Follow the runs, then apply for what waits."""
    from runner.ci.deploy import sync_event

    return sync_event(open_registry(context))


@ci.command()
@click.pass_context
def command(context: click.Context) -> int:
    """Do what a comment asks for, if its author may."""
    from runner.ci.command import answer_comment

    return answer_comment(open_registry(context))


@ci.command("fetch-trial")
@click.pass_context
def fetch_trial(context: click.Context) -> int:
    """Fetch what `runner ci try` executes: the last step that has a token."""
    from runner.ci.trial import fetch_trial as fetch

    return fetch(open_registry(context))


@ci.command("try")
def try_request() -> int:
    """Train two steps of an experiment of a pull request, without any token."""
    from runner.ci.trial import try_request as try_it

    return try_it()
