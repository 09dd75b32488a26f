"""The launchers: one file or folder each, one line each in this table."""

from __future__ import annotations

from collections.abc import Callable

from runner.launchers.base import Launcher
from runner.launchers.local import LocalLauncher
from runner.launchers.skypilot import SkyPilotLauncher
from runner.workspace import Workspace

LAUNCHERS: dict[str, Callable[[Workspace], Launcher]] = {
    "local": lambda workspace: LocalLauncher(workspace.state),
    "skypilot": SkyPilotLauncher,
}
