"""Datasets and exports on the node: pulled and pushed by digest with DVC.

The node has no git repository. A small DVC workspace of its own is made, with one pointer file per
output that says the path and the digest; `dvc pull` then brings exactly that content or fails.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from itertools import takewhile
from pathlib import Path, PurePosixPath

from runner.errors import OutsideError
from runner.node.task import Input, NodeTask
from runner.storage.store import is_url

PULL_DEADLINE = 3600.0
_REMOTE = "remote"
_AFTER_TARGETS = "Is your cache up to date?"


class DvcWorkspace:
    """A folder in which DVC works without git, with one remote."""

    def __init__(self, folder: Path, remote_url: str, endpoint: str = "") -> None:
        """Make `folder` a DVC workspace whose remote is `remote_url`, at the server `endpoint`."""
        self.folder, self._remote = folder, remote_url
        configuration = folder / ".dvc" / "config"
        configuration.parent.mkdir(parents=True, exist_ok=True)
        _write_configuration(configuration, remote_url, endpoint)

    def pull(self, inputs: Iterable[Input]) -> None:
        """Bring `inputs` to their paths.

        Raises OutsideError when the remote lacks an object or does not answer.
        """
        targets = [self._point(item) for item in inputs]
        if targets:
            self._dvc("pull", *targets)

    def add(self, folder: Path) -> str:
        """Track `folder`, which lies in the workspace, and return its digest."""
        path = str(folder.relative_to(self.folder))
        self._dvc("add", path)
        return digest_of((self.folder / f"{path}.dvc").read_text())

    def push(self, folder: Path) -> None:
        """Upload `folder`, which is tracked.

        Raises OutsideError when the remote does not take it.
        """
        self._discard_partial()
        self._dvc("push", f"{folder.relative_to(self.folder)}.dvc")

    def _discard_partial(self) -> None:
        """Delete from a remote that is a folder what a push that was killed has left half there.

        Where a file system may clone files DVC 3.67 opens an object under its own name first, and
        whatever it finds under that name later it takes for whole (dvc_objects/fs/system.py).
        """
        if is_url(self._remote):
            return
        cache = self.folder / ".dvc" / "cache"
        for path in (cache / "files").rglob("*"):
            there = Path(self._remote) / path.relative_to(cache)
            if path.is_file() and there.is_file() and there.stat().st_size != path.stat().st_size:
                there.unlink()

    def _point(self, item: Input) -> str:
        path = PurePosixPath(item.path)
        pointer = self.folder / f"{path}.dvc"
        pointer.parent.mkdir(parents=True, exist_ok=True)
        # JSON is YAML: no quoting of paths to get wrong.
        pointer.write_text(json.dumps(pointer_of(item.md5, path.name)) + "\n")
        return f"{path}.dvc"

    def _dvc(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "dvc", *arguments]
        try:
            done = subprocess.run(
                command, cwd=self.folder, capture_output=True, text=True, timeout=PULL_DEADLINE
            )
        except subprocess.TimeoutExpired as error:
            raise OutsideError(f"dvc {arguments[0]} took over {PULL_DEADLINE:.0f} s") from error
        if done.returncode:
            said = (done.stderr.strip() or done.stdout.strip()).splitlines()
            raise OutsideError(
                f"dvc {arguments[0]} failed: {_reason(said)}",
                cure="dvc push   from a clone that has the data, then runner retry",
            )


def workspace_of(task: NodeTask, folder: Path, remote_url: str) -> DvcWorkspace:
    """Make `folder` a DVC workspace of the task's remote at `remote_url`."""
    return DvcWorkspace(folder, remote_url, task.endpoints.get(remote_url, ""))


def _reason(said: list[str]) -> str:
    """Return in one line what DVC says went wrong."""
    starts = (n for n, line in enumerate(said, 1) if line.endswith("for following targets:"))
    if start := next(starts, 0):
        targets = ", ".join(takewhile(lambda line: line != _AFTER_TARGETS, said[start:]))
        if any("Missing cache files" in line for line in said):
            return f"the remote has no {targets}"
        return f"what the remote has for {targets} is not what its digest says"
    errors = [line for line in said if line.startswith("ERROR")]
    return (errors or said or ["no message"])[-1].removeprefix("ERROR: ")


def _write_configuration(path: Path, remote_url: str, endpoint: str) -> None:
    # DVC reads it with this library: a URL with `#`, quotes or spaces survives.
    from configobj import ConfigObj

    core = {"no_scm": "true", "analytics": "false", "check_update": "false", "remote": _REMOTE}
    # Verified: an object whose content is not what its name says is refused.
    remote = {"url": remote_url, "verify": "true"}
    remote |= {"endpointurl": endpoint} if endpoint else {}
    config = ConfigObj({"core": core, f'remote "{_REMOTE}"': remote}, encoding="utf-8")
    with path.open("wb") as file:
        config.write(file)


def pointer_of(md5: str, name: str) -> dict[str, list[dict[str, str]]]:
    """Return the content of a .dvc file for the output `name` with digest `md5`."""
    return {"outs": [{"md5": md5, "hash": "md5", "path": name}]}


def digest_of(pointer: str) -> str:
    """Return the digest that the text of a .dvc file states."""
    import yaml

    return str(yaml.safe_load(pointer)["outs"][0]["md5"])
