"""Where a run's files may be when the machine that launches it is gone an hour later."""

from __future__ import annotations

import os

from runner.errors import Refused
from runner.store import is_url
from runner.tasks import dvc_remote_url
from runner.workspace import Workspace


def is_ci() -> bool:
    """Return whether this process is a job of CI, by the variable that all of them set."""
    return os.environ.get("CI", "").lower() in ("true", "1")


def check_places(workspace: Workspace) -> None:
    """In a job of CI refuse a run store or DVC remote in a folder: its disk ends with the job.

    Asked before something is claimed. Raises OutsideError when DVC does not know a remote that
    registry.yaml names.
    """
    if not is_ci():
        return
    registry = workspace.registry
    places = {"run_store of registry.yaml": registry.run_store}
    for name in (registry.dvc_remotes.data, registry.dvc_remotes.checkpoints):
        places[f"DVC's remote `{name}`"] = dvc_remote_url(workspace, name)
    for what, place in places.items():
        if not is_url(place):
            raise Refused(
                f"{what} is the folder {place}, and this is a job of CI: what a run leaves there "
                "would be gone with the job",
                cure="name a URL, such as s3://bucket/runs; docs/github.md has the whole way",
            )
