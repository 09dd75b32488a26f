"""A remote of the repository: where its branches are, fetching by commit, pushing with a lease."""

from __future__ import annotations

from runner.errors import OutsideError, Refused
from runner.git.objects import Objects
from runner.git.process import Answer, GitProcess


class Remote:
    """One configured remote; every call talks to it with a deadline."""

    def __init__(self, git: GitProcess, objects: Objects, name: str, seconds: float) -> None:
        """Use `git` to reach the remote `name`, waiting at most `seconds` for each answer."""
        self.name = name
        self._git = git
        self._objects = objects
        self._seconds = seconds

    def head(self) -> tuple[str, str]:
        """Return its default branch and that branch's commit, as it says now.

        Raises OutsideError when it does not answer, Refused when it has no default branch.
        """
        branch = commit = ""
        for value, name in self._list("--symref", "HEAD"):
            if value.startswith("ref: refs/heads/"):
                branch = value.removeprefix("ref: refs/heads/")
            elif name == "HEAD":
                commit = value
        if not branch or not commit:
            raise Refused(
                f"remote {self.name} has no default branch: its HEAD names none that is there",
                cure=f"git push {self.name} HEAD; if that was done, let its HEAD name the pushed "
                "branch: git symbolic-ref HEAD refs/heads/main   in the remote repository",
            )
        return branch, commit

    def reference(self, name: str) -> str | None:
        """Ask where the full reference `name` is now, None when it is not there.

        Raises OutsideError when the remote does not answer.
        """
        return next((oid for oid, found in self._list(name) if found == name), None)

    def look_ahead(self, name: str) -> None:
        """Let git begin to ask for what `reference` will."""
        self._git.begin(*_question(name=self.name, pattern=name))

    def fetch(self, reference: str, commit: str) -> None:
        """Fetch `reference` so that `commit`, which the remote named, is here; moves no local ref.

        Raises OutsideError when the remote fails or does not hold the commit any more.
        """
        if self._has(commit):
            return
        options = ["--quiet", "--no-tags", "--refmap=", "--no-write-fetch-head", "--no-auto-gc"]
        self._must_succeed(self._ask("fetch", *options, "--", self.name, reference))
        if not self._has(commit):
            raise OutsideError(
                f"{reference} of {self.name} was rewritten while it was fetched", cure="try again"
            )

    def push(self, reference: str, new: str, old: str | None) -> Answer:
        """Move the remote's `reference` from `old` (None: create it) to `new`, if it is there.

        The lease names `old`: a bare one trusts whatever was fetched last, and a plain push creates
        a deleted branch again. The answer may report a failure although the remote has taken it:
        ask `reference` before believing it. Raises OutsideError when there is no answer in time.
        """
        lease = f"--force-with-lease={reference}:{old or ''}"
        options = ["--no-verify", "--no-follow-tags", "--no-signed", "--recurse-submodules=no"]
        return self._ask("push", *options, lease, "--", self.name, f"{new}:{reference}")

    def _list(self, *arguments: str) -> list[tuple[str, str]]:
        *options, pattern = arguments
        answer = self._ask(*_question(*options, name=self.name, pattern=pattern))
        self._must_succeed(answer)
        lines = (line.partition("\t") for line in answer.text.splitlines())
        return [(value, name) for value, _, name in lines]

    def _has(self, commit: str) -> bool:
        return self._objects.one(f"{commit}^{{commit}}") is not None

    def _ask(self, *arguments: str) -> Answer:
        return self._git.ask(*arguments, seconds=self._seconds)

    def _must_succeed(self, answer: Answer) -> None:
        if answer.status:
            raise OutsideError(
                f"remote {self.name} does not answer: {answer.last_line}",
                cure=f"git ls-remote {self.name}   must work without asking for a password",
            )


def _question(*options: str, name: str, pattern: str) -> tuple[str, ...]:
    return ("ls-remote", *options, "--", name, pattern)
