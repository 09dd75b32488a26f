"""What all commands share: the group, options, and opening the registry."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runner import __version__, screen

if TYPE_CHECKING:
    from runner.git.repository import Repository
    from runner.workspace import Workspace

MODULES = ("specs", "runs", "looking", "ci", "datasets", "rewards", "money", "upkeep")
"""Where the commands are, in the order in which they are looked for."""

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
launcher_option = click.option(
    "--launcher", metavar="NAME", help="Instead of registry.yaml's; there are: local, skypilot."
)
yes_option = click.option("--yes", "-y", is_flag=True, help="Agree to what it may cost.")
wait_option = click.option("--wait", is_flag=True, help="Follow the runs until they have ended.")


class Commands(click.Group):
    """The commands, of which only those are loaded that stand in a module with the one called."""

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """Return the command `name`, None where there is none."""
        for module in MODULES:
            if name in self.commands:
                break
            import_module(f"runner.cli.{module}")
        return self.commands.get(name)

    def resolve_command(
        self, context: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that is called; a misspelt one is refused with the one meant."""
        try:
            return super().resolve_command(context, args)
        except click.UsageError as error:
            from runner.spec.fields import nearest

            if near := nearest(args[0], self.list_commands(context)):
                error.message += f" Did you mean '{near}'?"
            raise

    def list_commands(self, context: click.Context) -> list[str]:
        """Return the names of all commands, sorted."""
        for module in MODULES:
            import_module(f"runner.cli.{module}")
        return sorted(self.commands)


@click.group(
    cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="runner")
@click.option(
    "-C", "directory", type=click.Path(exists=True, file_okay=False, path_type=Path), default=".",
    help="Work in this folder.", metavar="DIR",
)  # fmt: skip
@click.option("-q", "--quiet", is_flag=True, help="Print results and errors alone.")
@click.option(
    "-v", "--verbose", is_flag=True, help="Say what is asked of git, run store and launcher."
)
@click.option("--no-color", is_flag=True, help="No colours; so does NO_COLOR.")
@click.pass_context
def cli(
    context: click.Context, directory: Path, quiet: bool, verbose: bool, no_color: bool
) -> None:
    """Run LLM post-training experiments from the specs in a git repository."""
    import os

    context.obj = directory
    if no_color or os.environ.get("NO_COLOR"):
        context.color = False
    screen.use_colour(context.color)
    screen.keep_quiet(quiet)
    screen.log_to_standard_error(verbose)


def begin_registry(context: click.Context, revision: str | None) -> Repository:
    """Return the repository of the registry, of which git has begun to read what a plan asks."""
    from runner.git.repository import Repository
    from runner.root import find_root

    repository = Repository(find_root(context.obj))
    repository.begin(revision)
    return repository


def open_registry(context: click.Context) -> Workspace:
    """Return the registry that a command works on."""
    from runner.workspace import open_workspace

    return open_workspace(context.obj)


def launcher_of(workspace: Workspace, name: str | None) -> Any:
    """Return the launcher of that name, else the registry's."""
    from runner.launchers import LAUNCHERS

    chosen = name or workspace.registry.launcher
    if chosen not in LAUNCHERS:
        raise click.UsageError(f"no launcher {chosen!r}; there are: {', '.join(LAUNCHERS)}")
    return LAUNCHERS[chosen](workspace)
