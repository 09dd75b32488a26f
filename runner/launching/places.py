"""Where a run's files may be: reachable from its nodes, and there when who launches it is gone."""

from __future__ import annotations

import os
from pathlib import Path

from runner.errors import Refused
from runner.launchers.base import Launcher
from runner.launchers.skypilot.server import ENDPOINT, is_loopback, server_url, without_password
from runner.launching.tasks import dvc_remote_url
from runner.storage.store import is_url
from runner.workspace import Workspace

_SHARED = "file:///"
"""With which a run store says that its path is the same on every node: a shared file system."""


def is_ci() -> bool:
    """Return whether this process is a job of CI, by the variable that all of them set."""
    return os.environ.get("CI", "").lower() in ("true", "1")


def check_places(workspace: Workspace, launcher: Launcher) -> None:
    """Refuse places that the nodes of `launcher` cannot reach, or that are gone with a job of CI.

    Asked before something is claimed. Raises OutsideError when DVC does not know a remote that
    registry.yaml names.
    """
    if launcher.is_remote:
        _check_reached(workspace)
    if is_ci():
        _check_lasting(workspace)
        if launcher.name == "skypilot" and is_loopback(server_url()):
            shown = without_password(server_url())
            raise Refused(
                f"SkyPilot's API server {shown} is this machine's own, and this is a job "
                "of CI: it would be gone with the job, and nobody would follow what it launched",
                cure=f"set {ENDPOINT} to the address of a lasting one",
            )


def _check_lasting(workspace: Workspace) -> None:
    for what, place in _places(workspace).items():
        if not is_url(place):
            raise Refused(
                f"{what} is the folder {place}, and this is a job of CI: what a run leaves there "
                "would be gone with the job",
                cure="name a URL, such as s3://bucket/runs; docs/github.md has the whole way",
            )


def _check_reached(workspace: Workspace) -> None:
    """Refuse what is a folder of this machine alone."""
    places = _places(workspace)
    is_shared = workspace.registry.run_store.startswith(_SHARED)
    for what, place in places.items():
        if is_url(place) or place.startswith(_SHARED):
            continue
        if not is_shared:
            raise Refused(
                f"{what} is the folder {place}, which SkyPilot's machines do not have",
                cure="name a URL, such as s3://bucket/runs; or where all machines share a file "
                "system: run_store: file:///the/path",
            )
        if Path(place).is_relative_to(workspace.root):  # a remote: DVC knows no file:// of its own
            raise Refused(
                f"{what} is a folder of this clone, {place}, which SkyPilot's machines do not have",
                cure="dvc remote modify NAME url /a/path/of/the/shared/file/system",
            )


def _places(workspace: Workspace) -> dict[str, str]:
    registry = workspace.registry
    places = {"run_store of registry.yaml": registry.run_store}
    for name in (registry.dvc_remotes.data, registry.dvc_remotes.checkpoints):
        places[f"DVC's remote `{name}`"] = dvc_remote_url(workspace, name)
    return places
