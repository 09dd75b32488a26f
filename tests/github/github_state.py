"""What the stand-in GitHub remembers: people, tokens, repositories, pull requests, comments."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

Level = Literal["none", "read", "write"]
Role = Literal["read", "triage", "write", "maintain", "admin"]
WRITERS = ("write", "maintain", "admin")
ACTIONS_BOT = "github-actions[bot]"


def now() -> str:
    """Return the time as GitHub writes it: to the second, in UTC."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class Person:
    login: str
    id: int
    type: Literal["User", "Bot"] = "User"


@dataclass
class Token:
    """What stands behind `Authorization`; an installation's (a workflow's) or a person's."""

    value: str
    name: str
    """How the request log calls it."""
    person: Person
    permissions: Mapping[str, Level] | None
    """Of an installation, by resource; None for a person's token: what the person may do."""
    limit: int
    """Requests an hour."""
    repository: Repository | None = None
    """Of an installation: the one that it may write to."""
    used: int = 0

    @property
    def is_installation(self) -> bool:
        return self.permissions is not None


@dataclass
class Status:
    id: int
    repository: Repository
    sha: str
    context: str
    state: str
    description: str | None
    target_url: str | None
    creator: Person
    created_at: str = field(default_factory=now)


@dataclass
class Comment:
    id: int
    number: int
    """Of the pull request or issue."""
    author: Person
    body: str
    by_app: bool = False
    created_at: str = field(default_factory=now)
    updated_at: str = field(default_factory=now)
    reactions: list[Reaction] = field(default_factory=list)


@dataclass
class Reaction:
    id: int
    person: Person
    content: str
    created_at: str = field(default_factory=now)


@dataclass(eq=False)
class Repository:
    """One repository; its git side is the bare repository in `folder`."""

    id: int
    full_name: str
    folder: Path
    private: bool = False
    parent: Repository | None = None
    """What it is a fork of."""
    default_branch: str = "main"
    collaborators: dict[str, Role] = field(default_factory=dict)
    created_at: str = field(default_factory=now)

    @property
    def owner(self) -> str:
        return self.full_name.partition("/")[0]

    @property
    def name(self) -> str:
        return self.full_name.partition("/")[2]

    def may_write(self, login: str) -> bool:
        return self.collaborators.get(login) in WRITERS


@dataclass
class PullRequest:
    number: int
    id: int
    title: str
    author: Person
    base_repository: Repository
    base: str
    """The branch that it asks to be merged into."""
    head_repository: Repository
    branch: str
    head: str
    """The commit at the tip of `branch`."""
    base_sha: str
    """The commit of the base branch that it was last compared with."""
    body: str = ""
    state: Literal["open", "closed"] = "open"
    test_merge: str | None = None
    """The commit of `refs/pull/N/merge`; None where it conflicts."""
    merge_commit: str | None = None
    merged_by: Person | None = None
    brought: frozenset[str] = frozenset()
    """The commits that the merge brought to the base branch."""
    created_at: str = field(default_factory=now)
    closed_at: str | None = None

    @property
    def from_fork(self) -> bool:
        return self.head_repository is not self.base_repository

    @property
    def merged(self) -> bool:
        return self.merge_commit is not None


class State:
    """Everything, behind one lock."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.people: dict[str, Person] = {}
        self.nobody = Token("", "nobody", Person("", 0), None, limit=60)
        self.tokens: dict[str, Token] = {}
        self.repositories: dict[str, Repository] = {}
        self.pulls: list[PullRequest] = []
        self.issues: list[tuple[Repository, int]] = []
        self.comments: list[Comment] = []
        self.statuses: list[Status] = []
        self._ids: Iterator[int] = itertools.count(1001)
        self._numbers: Iterator[int] = itertools.count(1)

    def new_id(self) -> int:
        return next(self._ids)

    def new_number(self) -> int:
        """Return the next number; issues and pull requests share them."""
        return next(self._numbers)

    def person(self, login: str) -> Person:
        """Return the account `login`, made on first mention."""
        kind: Literal["User", "Bot"] = "Bot" if login.endswith("[bot]") else "User"
        return self.people.setdefault(login, Person(login, self.new_id(), kind))

    def pull(self, number: int) -> PullRequest | None:
        return next((pull for pull in self.pulls if pull.number == number), None)

    def comments_of(self, number: int) -> list[Comment]:
        return [comment for comment in self.comments if comment.number == number]

    def statuses_of(self, repository: Repository, sha: str) -> list[Status]:
        """Return the statuses of a commit, the newest first."""
        found = [s for s in self.statuses if s.sha == sha and s.repository is repository]
        return found[::-1]
