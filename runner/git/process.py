"""One bounded call of git: argument list in, bytes out, failures told apart.

Every call has a deadline, asks nobody for a password and speaks English, whatever the machine says.
"""

from __future__ import annotations

import fcntl
import logging
import os
import re
import shlex
import subprocess
import time
import weakref
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from runner.errors import OutsideError, Refused

LOCAL_SECONDS = 300.0
"""Deadline of a call that touches this machine only."""
NETWORK_SECONDS = 120.0
"""Deadline of a call that talks to a remote."""
_ENDING_SECONDS = 2.0
"""What git has to end in, with the helpers that it has started, before it is killed."""
_PIPE_BYTES = 2**20
"""What Linux gives to a pipe at most, unless an administrator changes it."""

_LOG = logging.getLogger(__name__)
_ENVIRONMENT = {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0"}
_OF_A_HOOK = (
    *("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_PREFIX"),
    *("GIT_OBJECT_DIRECTORY", "GIT_NAMESPACE"),
)
"""What git sets in a hook, maybe another repository's: it would win over the folder."""
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


class GitProcess:
    """Calls git in one repository."""

    def __init__(self, root: Path) -> None:
        """Use the repository whose work tree is `root`.

        Raises Refused when `root` is not the top folder of a git work tree, OutsideError when there
        is no git on this machine.
        """
        self.root = root
        self._begun: dict[tuple[str, ...], subprocess.Popen[bytes]] = {}
        self.folder = self._own_folder()

    def _own_folder(self) -> Path:
        """Return git's folder, that all work trees of the repository share."""
        usual = self.root / ".git"
        if (usual / "HEAD").is_file():
            return usual
        if not self.root.is_dir():
            raise Refused(f"there is no folder {self.root}")
        asked = self.ask("rev-parse", "--show-toplevel", "--git-common-dir")
        if asked.status:
            raise Refused(f"{self.root} is not in a git repository", cure="git init")
        top, _, folder = asked.text.partition("\n")
        if Path(top).resolve() != self.root.resolve():
            raise Refused(f"{self.root} is not the top folder of its git repository, {top} is")
        return self.root / folder

    def ask(
        self,
        *arguments: str,
        stdin: bytes = b"",
        seconds: float = LOCAL_SECONDS,
    ) -> Answer:
        """Call git and return its answer, whatever its status.

        Raises OutsideError when git cannot be started or has not ended after `seconds`.
        """
        started = time.monotonic()
        process = self._begun.pop(arguments, None) or self.start(*arguments)
        try:
            out, error = process.communicate(stdin, timeout=seconds)
        except subprocess.TimeoutExpired as late:
            raise OutsideError(
                f"git {arguments[0]} has not answered for {seconds:g} seconds",
                cure="try again; if it stays so, check the network and the remote's address",
            ) from late
        finally:
            _end(process)
        told, took = without_credentials(" ".join(arguments)), time.monotonic() - started
        _LOG.debug("git %s: status %d, %.2f s", told, process.returncode, took)
        said = without_credentials(error.decode("utf-8", "replace"))
        return Answer(process.returncode, out, said)

    def begin(self, *arguments: str) -> None:
        """Let git begin with a question that `ask` will ask in the same words, once."""
        if not self._begun:
            weakref.finalize(self, _abandon, self._begun)
        if arguments not in self._begun:
            self._begun[arguments] = process = self.start(*arguments)
            widen(process)

    def call(self, *arguments: str, stdin: bytes = b"", seconds: float = LOCAL_SECONDS) -> Answer:
        """Call git and return its answer; raises OutsideError when git reports a failure."""
        answer = self.ask(*arguments, stdin=stdin, seconds=seconds)
        if answer.status:
            raise OutsideError(f"git {arguments[0]} failed: {answer.last_line}", cure=answer.cure)
        return answer

    def start(self, *arguments: str, errors: int = subprocess.PIPE) -> subprocess.Popen[bytes]:
        """Start git, with pipes; raises OutsideError when there is none on this machine."""
        try:
            return subprocess.Popen(
                ["git", *arguments],
                cwd=self.root,
                env=_environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
            )
        except (FileNotFoundError, PermissionError) as error:
            raise OutsideError(f"git does not start: {error}", cure="install git") from error


def _environment() -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if name not in _OF_A_HOOK}
    return {**inherited, **_ENVIRONMENT}


def widen(process: subprocess.Popen[bytes]) -> None:
    """Let git write ahead of its reader: the list of some ten thousand files fits."""
    if process.stdout and hasattr(fcntl, "F_SETPIPE_SZ"):
        with suppress(OSError):  # an administrator allows less
            fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


def _abandon(begun: dict[tuple[str, ...], subprocess.Popen[bytes]]) -> None:
    """End what nobody has asked for."""
    for process in begun.values():
        process.kill()
        _close(process)
        process.wait()


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a call that was given up or interrupted; git takes its helpers with it."""
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(_ENDING_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    _close(process)


def _close(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe:
            with suppress(BrokenPipeError):
                pipe.close()
