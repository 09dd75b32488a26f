"""The launchers: one file each, one line each in this table."""

from __future__ import annotations

from collections.abc import Callable

from runner.launchers.base import Launcher
from runner.launchers.local import LocalLauncher
from runner.workspace import Workspace

LAUNCHERS: dict[str, Callable[[Workspace], Launcher]] = {
    "local": lambda workspace: LocalLauncher(workspace.state),
}
