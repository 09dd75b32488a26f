"""Prune GitHub's OpenAPI description to the operations and events of the tests' stand-in.

    python tests/github/prune.py api.github.com.json tests/github/api.github.com.pruned.json

README.md in this folder says where the first file comes from.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

REPOSITORY = "/repos/{owner}/{repo}"
OPERATIONS = {
    "/rate_limit": ("get",),
    "/user": ("get",),
    REPOSITORY: ("get",),
    f"{REPOSITORY}/collaborators/{{username}}/permission": ("get",),
    f"{REPOSITORY}/commits/{{commit_sha}}/pulls": ("get",),
    f"{REPOSITORY}/commits/{{ref}}/status": ("get",),
    f"{REPOSITORY}/commits/{{ref}}/statuses": ("get",),
    f"{REPOSITORY}/issues/comments/{{comment_id}}": ("get", "patch"),
    f"{REPOSITORY}/issues/comments/{{comment_id}}/reactions": ("get", "post"),
    f"{REPOSITORY}/issues/{{issue_number}}/comments": ("get", "post"),
    f"{REPOSITORY}/pulls": ("get",),
    f"{REPOSITORY}/pulls/{{pull_number}}": ("get",),
    f"{REPOSITORY}/statuses/{{sha}}": ("post",),
}
EVENTS = (
    "issue-comment-created",
    "merge-group-checks-requested",
    "pull-request-closed",
    "pull-request-opened",
    "pull-request-synchronize",
    "push",
    "workflow-dispatch",
)
"""Names of webhooks; what starts a workflow has their payload."""
PROSE = {"description", "title", "summary", "example", "examples", "externalDocs", "tags"}
"""Keys that say nothing about what is valid."""
NAMED = {"properties", "schemas", "parameters", "responses", "headers"}
"""Mappings whose keys are names, which may read like prose: a repository has a `description`."""


def without_prose(value: Any, names: bool = False) -> Any:
    """Return `value` without prose and extensions; `names` where its keys are names."""
    if isinstance(value, list):
        return [without_prose(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: without_prose(item, names=not names and key in NAMED)
        for key, item in value.items()
        if names or not (key in PROSE or key.startswith("x-"))
    }


def references(value: Any) -> set[str]:
    """Return every `$ref` in `value`."""
    if isinstance(value, list):
        return set().union(*map(references, value))
    if not isinstance(value, dict):
        return set()
    own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
    return own.union(*map(references, value.values()))


def components(document: dict[str, Any], paths: dict[str, Any]) -> dict[str, Any]:
    """Return the components that `paths` and the events need, directly or through others."""
    kept: dict[str, Any] = {}
    waiting = references(paths) | {f"#/components/schemas/webhook-{event}" for event in EVENTS}
    while waiting:
        section, name = waiting.pop().removeprefix("#/components/").split("/")
        found = without_prose(document["components"][section][name])
        if name not in kept.setdefault(section, {}):
            kept[section][name] = found
            waiting |= references(found)
    return {section: dict(sorted(found.items())) for section, found in sorted(kept.items())}


def prune(document: dict[str, Any]) -> dict[str, Any]:
    """Return the part of `document` that describes `OPERATIONS` and `EVENTS`."""
    paths = {
        path: {method: without_prose(document["paths"][path][method]) for method in methods}
        for path, methods in OPERATIONS.items()
    }
    about = {key: document["info"][key] for key in ("title", "version", "license")}
    return {
        "openapi": document["openapi"],
        "info": about,
        "servers": document["servers"],
        "paths": paths,
        "components": components(document, paths),
    }


if __name__ == "__main__":
    source, target = map(Path, sys.argv[1:])
    target.write_text(json.dumps(prune(json.loads(source.read_text())), indent=0) + "\n")
