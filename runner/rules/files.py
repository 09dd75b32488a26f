"""Rules on the files that a script's command needs."""

from __future__ import annotations

from collections.abc import Iterator

from runner.findings import Finding
from runner.rules.base import Subject

CODE = (".py", ".sh", ".yaml", ".yml", ".json", ".toml", ".cfg", ".txt")
"""How the names of files end that a command reads beside its data."""


def exist(subject: Subject) -> Iterator[Finding]:
    """Every file and folder in `script.files` exists in the repository."""
    tree, script = subject.context.tree, subject.spec.script
    for index, path in enumerate(script.files if script else ()):
        if tree.read(path) is None and not tree.paths(path, ""):
            message = f"`{path}` does not exist in the repository"
            yield subject.at(("script", "files", index), message, "correct the path, or add it")


def named(subject: Subject) -> Iterator[Finding]:
    """A file of the repository that a command names is among `script.files`."""
    script, reward = subject.spec.script, (subject.spec.reward or "").rpartition(":")[0]
    for index, word in enumerate(script.command if script else ()):
        path = word.removeprefix("./").partition(":")[0]
        travels = script and _covers((*script.files, reward), path)
        if _is_file(subject, path) and not travels:
            message = f"`{path}` is not among `script.files`: the run would not have it"
            yield subject.at(("script", "command", index), message, f"add {path} to script.files")


def _is_file(subject: Subject, path: str) -> bool:
    is_path = path.endswith(CODE) and not path.startswith(("/", "-")) and ".." not in path
    return is_path and path.isprintable() and subject.context.tree.read(path) is not None


def _covers(files: tuple[str, ...], path: str) -> bool:
    return any(path == one or path.startswith(f"{one.rstrip('/')}/") for one in files if one)
