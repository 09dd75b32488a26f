"""Which commits changed a file: GitPython asks `git rev-list`, with a deadline.

It is loaded when history is asked for; what every command needs, `process` and `objects` call.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from runner.errors import OutsideError
from runner.git.process import LOCAL_SECONDS, GitProcess

if TYPE_CHECKING:
    from git import Repo


class History:
    """The history of one repository, along first parents: what a merge brought is one change."""

    def __init__(self, git: GitProcess) -> None:
        """Look at the repository of `git`; nothing is read before it is asked for."""
        self._git = git

    def last_change(self, commit: str, path: str) -> str | None:
        """Return the newest commit of the history of `commit` that changed `path`.

        None when it was never there, or was changed before a shallow clone begins.
        """
        found = self.changes(commit, path, most=1)
        return found[0] if found and found[0] not in self._where_it_begins() else None

    def changes(self, commit: str, path: str, *, most: int = -1) -> list[str]:
        """Return the commits of the history of `commit` that changed `path`, the newest first.

        What was changed before a shallow clone begins is missing. Raises OutsideError when git
        fails or takes too long.
        """
        from git.exc import GitCommandError

        try:
            listed = self._repository.git.rev_list(
                commit, "--", path, first_parent=True, max_count=most,
                kill_after_timeout=LOCAL_SECONDS,
            )  # fmt: skip
        except GitCommandError as error:
            raise OutsideError(f"git rev-list failed: {error.stderr.strip()}") from error
        return str(listed).split()

    @cached_property
    def _repository(self) -> Repo:
        import git

        repository = git.Repo(self._git.root)
        # Not those of a hook, which may be another repository's.
        own = {"GIT_DIR": repository.git_dir, "GIT_WORK_TREE": repository.working_dir}
        repository.git.update_environment(**{name: str(value) for name, value in own.items()})
        return repository

    def _where_it_begins(self) -> list[str]:
        """Return the commits whose parents a shallow clone lacks."""
        try:
            return (self._git.folder / "shallow").read_text().split()
        except FileNotFoundError:
            return []
