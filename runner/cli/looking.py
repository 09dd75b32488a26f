"""Commands that look at runs."""

from __future__ import annotations

import click

from runner.cli.base import cli, json_option, open_registry


@cli.command()
@click.option("--all", "all_runs", is_flag=True, help="All runs, those of earlier versions too.")
@click.option("--watch", is_flag=True, help="Go on until no run is active; it only looks.")
@json_option
@click.pass_context
def status(context: click.Context, all_runs: bool, watch: bool, as_json: bool) -> None:
    """Show the runs as a table: what goes on, then what ended last."""
    from runner.looking.status import print_document, print_status, watch_status

    workspace = open_registry(context)
    if as_json:
        print_document(workspace, all_runs=all_runs)
    elif watch:
        watch_status(workspace, all_runs=all_runs)
    else:
        print_status(workspace, all_runs=all_runs)


@cli.command()
@click.argument("run")
@click.option("--follow", "-f", is_flag=True, help="Go on until the run has ended.")
@click.option(
    "--launcher-log", is_flag=True,
    help="What its launcher printed: bringing it up, setting it up, ending it.",
)  # fmt: skip
@click.pass_context
def logs(context: click.Context, run: str, follow: bool, launcher_log: bool) -> None:
    """Print the trainer's output of a run.

    Before there is any, and of a run that never came so far, the launcher's lines, marked as such.
    """
    from runner.looking.logs import follow_log

    workspace = open_registry(context)
    for text in follow_log(workspace, run, follow=follow, of_launcher=launcher_log):
        click.echo(text, nl=False)


@cli.command(short_help="Open a shell on a run's node.")
@click.argument("run")
@click.pass_context
def ssh(context: click.Context, run: str) -> int:
    """Open a shell on the first node of a run that goes on.

    What that takes is printed before it is called: ssh, kubectl or srun.
    """
    from runner.looking.reach import open_shell

    return open_shell(open_registry(context), run)


@cli.command("open", short_help="Open a run's pages: report, W&B, SkyPilot, Ray.")
@click.argument("run")
@click.argument(
    "page", required=False, type=click.Choice(["report", "wandb", "skypilot", "ray"]),
)  # fmt: skip
@click.option("--print", "only_print", is_flag=True, help="Print their addresses alone.")
@click.pass_context
def open_(context: click.Context, run: str, page: str | None, only_print: bool) -> None:
    """Open a run's pages in the browser, or one of them; print them where there is no browser.

    Ray's dashboard is on the run's node: `runner open RUN ray` forwards it until Ctrl-C.
    """
    from runner.looking.reach import open_pages

    open_pages(open_registry(context), run, page, only_print=only_print)


@cli.command()
@click.argument("name")
@click.option("--markdown", is_flag=True, help="Print the page's Markdown source.")
@click.pass_context
def show(context: click.Context, name: str, markdown: bool) -> None:
    """Show the page of an experiment or of a run."""
    from runner.looking.page import show_page

    show_page(open_registry(context), name, markdown=markdown)
