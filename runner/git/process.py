"""One bounded call of git: argument list in, bytes out, failures told apart.

Every call has a deadline, asks nobody for a password and speaks English, whatever the machine says.
"""

from __future__ import annotations

import logging
import os
import re
import shlex
import tempfile
import threading
import time
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from runner.errors import OutsideError, Refused

if TYPE_CHECKING:
    from git import Repo

LOCAL_SECONDS = 300.0
"""Deadline of a call that touches this machine only."""
NETWORK_SECONDS = 120.0
"""Deadline of a call that talks to a remote."""

_LOG = logging.getLogger(__name__)
_ENVIRONMENT = {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0"}
_CREDENTIALS = re.compile(r"(\w://)[^/@\s]+@")


class Answer(NamedTuple):
    """What git answered: exit status, standard output, and standard error without credentials."""

    status: int
    out: bytes
    error: str

    @property
    def text(self) -> str:
        """Standard output as text, without the last line's end."""
        return self.out.decode("utf-8", "surrogateescape").rstrip("\n")

    @property
    def last_line(self) -> str:
        """The line of standard error that says most: the last with `fatal:` or `error:` in it."""
        # Git closes what was said before with these words, which say nothing.
        said = re.split("fatal: Could not read from remote|error: failed to push", self.error)[0]
        lines = [line.strip() for line in (said or self.error).splitlines() if line.strip()]
        telling = [line for line in lines if re.search(r"fatal: |error: |rejected", line)]
        return (telling or lines or [f"exit status {self.status}"])[-1]

    @property
    def cure(self) -> str | None:
        """What to do about a lock that a git which was killed has left; None for other failures."""
        lock = re.search(r"Unable to create '(.+\.lock)': File exists", self.error)
        return f"rm {shlex.quote(lock[1])}   if no git runs in this clone" if lock else None


def without_credentials(text: str) -> str:
    """Return `text` with the user and password of every URL in it taken out."""
    return _CREDENTIALS.sub(r"\1", text)


def open_repository(root: Path) -> Repo:
    """Return GitPython's repository whose work tree is `root`.

    Raises Refused when `root` is not the top folder of a git work tree, OutsideError when there is
    no git on this machine.
    """
    try:
        import git
    except ImportError as error:
        raise OutsideError(f"git does not start: {error}", cure="install git") from error
    try:
        repository = git.Repo(root, search_parent_directories=True)
    except (git.InvalidGitRepositoryError, git.NoSuchPathError) as error:
        raise Refused(f"{root} is not in a git repository", cure="git init") from error
    top = repository.working_tree_dir
    if top is None or Path(top).resolve() != root.resolve():
        raise Refused(f"{root} is not the top folder of its git repository, {top} is")
    return repository


class GitProcess:
    """Calls git in one repository."""

    def __init__(self, root: Path) -> None:
        """Open the repository at `root`; raises as `open_repository` does."""
        self._repository = open_repository(root)
        self._environment = {**_ENVIRONMENT, **self._instead_of_a_hooks()}
        self._reading = threading.Lock()
        # Ends the process that `blob` reads from, before its pipes are collected.
        weakref.finalize(self, self._repository.git.clear_cache)

    def _instead_of_a_hooks(self) -> dict[str, str]:
        """What replaces the variables that git sets in a hook, maybe another repository's.

        GitPython replaces GIT_DIR itself.
        """
        own = {
            "GIT_WORK_TREE": str(self._repository.working_tree_dir),
            "GIT_INDEX_FILE": str(Path(self._repository.git_dir) / "index"),
        }
        return {name: value for name, value in own.items() if name in os.environ}

    def ask(
        self,
        *arguments: str,
        stdin: bytes = b"",
        seconds: float = LOCAL_SECONDS,
    ) -> Answer:
        """Call git and return its answer, whatever its status.

        Raises OutsideError when git cannot be started or has not ended after `seconds`.
        """
        from git.exc import GitCommandNotFound

        started = time.monotonic()
        try:
            status, out, error = self._execute(arguments, stdin, seconds)
        except GitCommandNotFound as missing:
            raise OutsideError(f"git does not start: {missing}", cure="install git") from missing
        text = without_credentials(error.decode("utf-8", "replace"))
        told = without_credentials(" ".join(arguments))
        _LOG.debug("git %s: status %d, %.2f s", told, status, time.monotonic() - started)
        if text.startswith("Timeout: "):
            raise OutsideError(
                f"git {arguments[0]} has not answered for {seconds:g} seconds",
                cure="try again; if it stays so, check the network and the remote's address",
            )
        return Answer(status, out, text)

    def call(self, *arguments: str, stdin: bytes = b"", seconds: float = LOCAL_SECONDS) -> Answer:
        """Call git and return its answer; raises OutsideError when git reports a failure."""
        answer = self.ask(*arguments, stdin=stdin, seconds=seconds)
        if answer.status:
            raise OutsideError(f"git {arguments[0]} failed: {answer.last_line}", cure=answer.cure)
        return answer

    def blob(self, name: str) -> bytes | None:
        """Return the bytes of the blob `name` (an id, or `<commit>:<path>`), None without one.

        `name` is ASCII. All are read by one `git cat-file` that stays. It reads what is here: what
        a remote has promised is to be fetched before.
        """
        with self._reading:
            try:
                _, kind, _, content = self._repository.git.get_object_data(name)
            except ValueError:  # GitPython's word for a missing object
                return None
        return content if _as_bytes(kind) == b"blob" else None

    @property
    def configuration(self) -> Path:
        """The file with the repository's own settings."""
        return Path(self._repository.common_dir) / "config"

    def _execute(
        self,
        arguments: tuple[str, ...],
        stdin: bytes,
        seconds: float,
    ) -> tuple[int, bytes, bytes]:
        # A temporary file, not a pipe: GitPython writes no input, and a file cannot block.
        with tempfile.TemporaryFile() as stream:
            stream.write(stdin)
            stream.seek(0)
            git: Any = self._repository.git
            answer: tuple[int, bytes, bytes] = git.execute(
                ["git", *arguments],
                istream=stream,
                with_extended_output=True,
                with_exceptions=False,
                stdout_as_string=False,
                strip_newline_in_stdout=False,
                kill_after_timeout=seconds,
                env=self._environment,
            )
        status, out, error = answer
        return status, _as_bytes(out), _as_bytes(error)


def _as_bytes(value: bytes | str) -> bytes:
    """Whether GitPython decodes an answer depends on its version and the case."""
    return value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value
