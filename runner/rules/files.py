"""Rules on the files that a script's command needs."""

from __future__ import annotations

from collections.abc import Iterator

from runner.findings import Finding
from runner.rules.base import Subject


def exist(subject: Subject) -> Iterator[Finding]:
    """Every file and folder in `script.files` exists in the repository."""
    tree, script = subject.context.tree, subject.spec.script
    for index, path in enumerate(script.files if script else ()):
        if tree.read(path) is None and not tree.paths(path, ""):
            message = f"`{path}` does not exist in the repository"
            yield subject.at(("script", "files", index), message, "correct the path, or add it")
