"""Commands on datasets."""

from __future__ import annotations

import click

from runner import screen
from runner.cli.base import cli, json_option, open_registry
from runner.errors import EXIT_REFUSED


@cli.group()
def data() -> None:
    """Dataset cards and checks."""


@data.command("add", short_help="Track datasets with DVC, with their cards.")
@click.argument("paths", nargs=-1, required=True)
@click.pass_context
def data_add(context: click.Context, paths: tuple[str, ...]) -> None:
    """Track datasets with DVC (`dvc add`), and keep a card of each beside it."""
    from runner.datasets.commands import add

    done = add(open_registry(context), context.obj, paths)
    for path, card, holder in done:
        screen.print_result(f"{path}: {card.told()}; {holder}")
    screen.say(f"Next: git add {' '.join(dict.fromkeys(one[2] for one in done))}, commit, dvc push")


@data.command("card")
@click.argument("path")
@click.option("--write", is_flag=True, help="Keep the card in the data's .dvc file or stage.")
@click.option(
    "--sample", type=click.IntRange(1, 20), metavar="N",
    help="With --write: N rows for the reward check in a file beside the data, to be committed.",
)  # fmt: skip
@click.pass_context
def data_card(context: click.Context, path: str, write: bool, sample: int | None) -> None:
    """Describe a dataset: rows, columns, lengths, duplicates, format, faulty rows."""
    from runner.datasets.commands import make_card

    if sample and not write:
        raise click.UsageError("--sample writes a file: add --write")
    workspace = open_registry(context)
    described = make_card(workspace, context.obj, path, write=write, sample=sample)
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

    result = check_target(open_registry(context), context.obj, target, None if deep else sample)
    if as_json:
        screen.print_json(result.document())
    else:
        for line in lines(result):
            screen.print_result(line)
    return EXIT_REFUSED if result.errors else 0
