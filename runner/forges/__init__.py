"""The forges: one file each, one line each in this table."""

from __future__ import annotations

from collections.abc import Callable

from runner.forges.base import Forge
from runner.forges.none import NoForge
from runner.workspace import Workspace


def _none(workspace: Workspace) -> Forge:
    return NoForge()


FORGES: dict[str, Callable[[Workspace], Forge]] = {"none": _none}


def open_forge(workspace: Workspace) -> Forge:
    """Return the forge that registry.yaml names."""
    return FORGES[workspace.registry.forge](workspace)
