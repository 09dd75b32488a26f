"""The command that tells what runs have cost."""

from __future__ import annotations

import click

from runner import screen
from runner.cli.base import cli, json_option, open_registry


@cli.command(short_help="Show what runs have cost, by experiment and place.")
@click.argument("name", required=False)
@json_option
@click.pass_context
def cost(context: click.Context, name: str | None, as_json: bool) -> None:
    """Show what runs have cost: all, or those of an experiment, or one run; and this month's sum.

    Runs on this machine cost nothing and are in no sum of money.
    """
    from runner.looking.bill import bill, document, show

    found = bill(open_registry(context), name)
    if as_json:
        screen.print_json(document(found))
    else:
        show(found, by_attempt=name is not None)
