"""Commands on reward functions."""

from __future__ import annotations

import click

from runner.cli.base import cli, open_registry
from runner.errors import EXIT_REFUSED


@cli.group()
def reward() -> None:
    """Checks of reward functions."""


@reward.command("check", short_help="Try a reward on known answers, with the network cut.")
@click.argument("target", metavar="FILE[:FUNCTION]")
@click.pass_context
def reward_check(context: click.Context, target: str) -> int:
    """Try a reward on right, wrong and odd answers, in a process without network or secrets.

    The function is `compute_score` unless it is named. Exits with 1 when nothing sound can be
    learned by the reward: it is constant, rejects right answers, pays for wrong ones, or fails.
    """
    from runner.report.terminal import show_page
    from runner.reward_check.here import check_file
    from runner.reward_check.show import page

    table = check_file(open_registry(context).root, context.obj, target).table
    show_page(page(table))
    return EXIT_REFUSED if table.verdict == "bad" else 0
