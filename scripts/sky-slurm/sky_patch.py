"""What SkyPilot 0.14.1 gives no setting for, changed as its modules are imported.

- Its controller looks at a managed job only where https://8.8.8.8 or https://1.1.1.1 answers; on a
  machine without internet a job would run for ever. The API server itself is asked instead.
- It looks every 15 seconds whether a job has ended, and every 5 whether it has started: shorter,
  so that tests are.
"""

from __future__ import annotations

import importlib.abc
import importlib.util
import os
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

_PORT = os.environ.get("SKYPILOT_API_SERVER_LOCAL_PORT", "46580")
_CHANGES: dict[str, dict[str, Any]] = {
    "sky.backends.backend_utils": {"_TEST_IP_LIST": [f"http://127.0.0.1:{_PORT}/docs"]},
    "sky.jobs.utils": {
        "JOB_STATUS_CHECK_GAP_SECONDS": 2,
        "JOB_STARTED_STATUS_CHECK_GAP_SECONDS": 1,
    },
    # How often a job is asked whether it has started, before that is an error: as long as before.
    "sky.jobs.recovery_strategy": {"MAX_JOB_CHECKING_RETRY": 50},
}


class _Finder(importlib.abc.MetaPathFinder):
    """Finds a module that is to be changed, as the others would, and changes it once executed."""

    def find_spec(self, name: str, path: object, target: object = None) -> ModuleSpec | None:
        if name not in _CHANGES:
            return None
        sys.meta_path.remove(self)
        try:
            spec = importlib.util.find_spec(name)
        finally:
            sys.meta_path.insert(0, self)
        if spec is None or spec.loader is None:
            raise ImportError(name)
        execute = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            execute(module)
            for attribute, value in _CHANGES[name].items():
                if not hasattr(module, attribute):
                    raise ImportError(f"{name} has no {attribute} any more")
                setattr(module, attribute, value)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


sys.meta_path.insert(0, _Finder())
