"""Commands that look at runs."""

from __future__ import annotations

import click

from runner import screen
from runner.cli.base import cli, json_option, open_registry


@cli.command()
@click.option("--all", "all_runs", is_flag=True, help="Also runs of earlier versions.")
@json_option
@click.pass_context
def status(context: click.Context, all_runs: bool, as_json: bool) -> None:
    """Show the runs as a table."""
    from runner.status import print_status, status_document

    workspace = open_registry(context)
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

    for text in follow_log(open_registry(context), run, follow=follow):
        click.echo(text, nl=False)


@cli.command()
@click.argument("name")
@click.option("--markdown", is_flag=True, help="Print the page's Markdown source.")
@click.pass_context
def show(context: click.Context, name: str, markdown: bool) -> None:
    """Show the page of an experiment or of a run."""
    from runner.status import show_page

    show_page(open_registry(context), name, markdown=markdown)
