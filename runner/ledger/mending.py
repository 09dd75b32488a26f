"""The way back from a damaged file of the ledger: its last whole version, put back by plain git."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Callable

from runner.errors import OutsideError, Refused
from runner.git.repository import Repository

MOST_VERSIONS = 20
"""Of a file, the newest ones among which a whole one is looked for."""
_FOLDER = ".rollbook/mend"


def unreadable(
    repository: Repository,
    commit: str | None,
    path: str,
    error: ValueError,
    parse: Callable[[bytes], object],
    home: str,
) -> Refused:
    """Return what is to be told of the file at `path` of the ledger's `commit`.

    `error` is what `parse` made of it. `home` says where `git push` brings a mended ledger.
    """
    said = f"{path} of the ledger cannot be read: {_in_a_line(error)}"
    whole = None
    with contextlib.suppress(OutsideError):
        whole = commit and _last_whole(repository, commit, path, parse)
    show = f"git show {commit}:{path}   shows it; a newer runner may have written it"
    if not commit or not whole:
        return Refused(said, cure=show)
    return Refused(
        f"{said}; it could be until {whole[:12]}",
        cure=f"{_command(commit, whole, path, home)}   puts that back; {show}",
    )


def _last_whole(
    repository: Repository, commit: str, path: str, parse: Callable[[bytes], object]
) -> str | None:
    """Return the newest commit whose version of the file can be read."""
    for changed in repository.history.changes(commit, path, most=MOST_VERSIONS):
        content = repository.read_paths(changed, [path]).get(path)
        if content is None:
            continue
        try:
            parse(content)
        except ValueError:
            continue
        return changed
    return None


def _command(commit: str, whole: str, path: str, home: str) -> str:
    """Return the commands, in one line, that put one file back; nothing else is checked out."""
    there, file = f"git -C {_FOLDER}", shlex.quote(path)
    return " && ".join(
        (
            f"git worktree add --quiet --detach --no-checkout {_FOLDER} {commit}",
            f"{there} read-tree {commit}",
            f"{there} checkout {whole} -- {file}",
            f"{there} commit --quiet -m {shlex.quote(f'Put back {path} [skip ci]')}",
            f"{there} push --quiet {home}",
            f"git worktree remove --force {_FOLDER}",
        )
    )


def _in_a_line(error: ValueError) -> str:
    """Return the first that `error` says; pydantic's errors say many lines."""
    found = getattr(error, "errors", None)
    return str(found()[0]["msg"]) if callable(found) else str(error).splitlines()[0]
