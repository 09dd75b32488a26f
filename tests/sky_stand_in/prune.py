"""Prune the description of SkyPilot's API server to the operations of the tests' stand-in.

    python tests/sky_stand_in/prune.py tests/sky_stand_in/openapi.pruned.json

README.md in this folder says where the description comes from.
"""

from __future__ import annotations

import json
import sys
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

OPERATIONS = {
    "/api/health": "get",
    "/api/get": "get",
    "/api/status": "get",
    "/enabled_clouds": "get",
    "/validate": "post",
    "/upload_v2/blob": "get",
    "/upload_v2": "post",
    "/jobs/launch": "post",
    "/jobs/queue/v2": "post",
    "/jobs/cancel": "post",
    "/jobs/logs": "post",
    "/launch": "post",
    "/status": "post",
    "/queue": "post",
    "/cancel": "post",
    "/down": "post",
    "/logs": "post",
}
PROSE = {"description", "title", "summary", "example", "examples", "tags", "operationId"}
"""Keys that say nothing about what is valid."""
NAMED = {"properties", "schemas"}
"""Mappings whose keys are names, which may read like prose."""


def without_prose(value: Any, names: bool = False) -> Any:
    """Return `value` without prose; `names` where its keys are names."""
    if isinstance(value, list):
        return [without_prose(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: without_prose(item, names=not names and key in NAMED)
        for key, item in value.items()
        if names or key not in PROSE
    }


def references(value: Any) -> set[str]:
    """Return the names of the schemas that `value` refers to."""
    if isinstance(value, list):
        return set().union(*map(references, value))
    if not isinstance(value, dict):
        return set()
    own = {value["$ref"].rpartition("/")[2]} if isinstance(value.get("$ref"), str) else set()
    return own.union(*map(references, value.values()))


def prune(document: dict[str, Any]) -> dict[str, Any]:
    """Return the part of `document` that describes `OPERATIONS`."""
    paths = {
        path: {method: without_prose(document["paths"][path][method])}
        for path, method in OPERATIONS.items()
    }
    kept: dict[str, Any] = {}
    waiting = references(paths)
    while waiting:
        name = waiting.pop()
        if name not in kept:
            kept[name] = without_prose(document["components"]["schemas"][name])
            waiting |= references(kept[name])
    about = {
        "title": "SkyPilot API server",
        "version": version("skypilot"),
        "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
    }
    schemas = {"schemas": dict(sorted(kept.items()))}
    return {"openapi": document["openapi"], "info": about, "paths": paths, "components": schemas}


def published() -> dict[str, Any]:
    """Return what the API server of the installed version answers to GET /openapi.json."""
    from sky.server.server import app

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of two operations with one id, neither of them ours
        described: dict[str, Any] = app.openapi()
    return described


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(prune(published()), indent=0) + "\n")
