"""The forges: one file each, one line each in this table."""

from __future__ import annotations

from collections.abc import Callable

from runner.forges.base import Forge
from runner.forges.none import NoForge
from runner.workspace import Workspace


def _none(workspace: Workspace) -> Forge:
    return NoForge()


def _github(workspace: Workspace) -> Forge:
    from runner.forges.github_settings import open_github

    return open_github(workspace)


FORGES: dict[str, Callable[[Workspace], Forge]] = {"none": _none, "github": _github}


def open_forge(workspace: Workspace) -> Forge:
    """Return the forge that registry.yaml names."""
    return FORGES[workspace.registry.forge](workspace)
