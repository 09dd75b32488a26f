"""What people do at GitHub's pages: open, change, merge and close pull requests.

Each keeps the API's state and the git side in step, as does `observe_push` after a push by git.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from github_git import (
    bare_git,
    commit_of,
    commit_to,
    commits_between,
    is_ancestor,
    make_bare,
    merge_commit,
    squash_commit,
)
from github_state import Comment, Person, PullRequest, Repository, State, now

Files = Mapping[str, str | bytes | None]
"""Path to content; None deletes the file."""


class PullRequests:
    """The pull requests of one repository, `repository`."""

    def __init__(self, state: State, folder: Path, full_name: str) -> None:
        self.state = state
        self._folder = folder
        self.repository = self._add_repository(full_name, None)

    def _add_repository(self, full_name: str, parent: Repository | None) -> Repository:
        folder = self._folder / f"{full_name}.git"
        make_bare(folder, parent.folder if parent else None)
        made = Repository(self.state.new_id(), full_name, folder, parent=parent)
        made.collaborators[made.owner] = "admin"
        self.state.repositories[full_name] = made
        return made

    def fork(self, login: str) -> Repository:
        """Return the fork that `login` has, made on first mention."""
        full_name = f"{login}/{self.repository.name}"
        found = self.state.repositories.get(full_name)
        return found or self._add_repository(full_name, self.repository)

    def tip(self, branch: str | None = None) -> str:
        """Return the commit at the tip of `branch`, of the default branch without."""
        name = branch or self.repository.default_branch
        return bare_git(self.repository.folder, "rev-parse", f"refs/heads/{name}")

    def commit(
        self,
        files: Files,
        branch: str | None = None,
        *,
        author: str = "octocat",
        message: str = "change",
    ) -> str:
        """Commit straight to a branch of the repository, as with the pages' editor."""
        with self.state.lock:
            branch = branch or self.repository.default_branch
            made = self._commit(self.repository, branch, files, author, message)
            self.observe_push(self.repository)
        return made

    def _commit(
        self, repository: Repository, branch: str, files: Files, author: str, message: str
    ) -> str:
        folder = repository.folder
        start = commit_of(self.repository.folder, self.repository.default_branch)
        parent = commit_of(folder, f"refs/heads/{branch}") or start
        return commit_to(folder, branch, parent, files, author=author, message=message)

    def open_pull_request(
        self,
        branch: str,
        base: str = "main",
        *,
        files: Files | None = None,
        author: str = "octocat",
        from_fork: bool = False,
        title: str = "A change",
        body: str = "",
    ) -> PullRequest:
        """Ask to merge `branch` into `base`.

        With `files`, the branch gets a commit of them first, and is made where it is not there.
        With `from_fork`, the branch is in `author`'s fork.
        """
        with self.state.lock:
            repository = self.fork(author) if from_fork else self.repository
            if files is not None:
                self._commit(repository, branch, files, author, title)
            head = bare_git(repository.folder, "rev-parse", f"refs/heads/{branch}")
            made = PullRequest(
                number=self.state.new_number(),
                id=self.state.new_id(),
                title=title,
                author=self.state.person(author),
                base_repository=self.repository,
                base=base,
                base_sha=self.tip(base),
                head_repository=repository,
                branch=branch,
                head=head,
                body=body,
            )
            self.state.pulls.append(made)
            self._refresh(made)
        return made

    def push_to(self, pull: PullRequest, files: Files, message: str = "change") -> str:
        """Commit `files` to the branch of `pull` and return the commit."""
        with self.state.lock:
            repository, author = pull.head_repository, pull.author.login
            made = self._commit(repository, pull.branch, files, author, message)
            self.observe_push(repository)
        return made

    def merge(
        self,
        pull: PullRequest,
        method: Literal["merge", "squash"] = "merge",
        by: str = "octocat",
    ) -> str:
        """Press the button; returns the commit that it leaves on the base branch."""
        with self.state.lock:
            self._refresh(pull)
            assert pull.state == "open", f"pull request {pull.number} is {pull.state}"
            assert pull.test_merge, f"pull request {pull.number} conflicts with {pull.base}"
            folder, before = self.repository.folder, pull.base_sha
            title = f"Merge pull request #{pull.number} from {pull.branch}\n\n{pull.title}"
            if method == "squash":
                title = f"{pull.title} (#{pull.number})"
                made = squash_commit(folder, before, pull.test_merge, title, pull.author.login)
            else:
                made = merge_commit(folder, before, pull.head, title, by) or ""
            bare_git(folder, "update-ref", f"refs/heads/{pull.base}", made, before)
            self._close(pull, merged=made, before=before, by=self.state.person(by))
            self.observe_push(self.repository)
        return made

    def close(self, pull: PullRequest) -> None:
        """Close `pull` unmerged."""
        with self.state.lock:
            self._close(pull)

    def _close(
        self,
        pull: PullRequest,
        merged: str | None = None,
        before: str = "",
        by: Person | None = None,
    ) -> None:
        pull.state, pull.closed_at = "closed", now()
        pull.merge_commit, pull.merged_by = merged, by
        if merged:
            pull.brought = commits_between(self.repository.folder, before, merged)

    def observe_push(self, repository: Repository) -> None:
        """Bring the open pull requests up to date after a push to `repository`."""
        with self.state.lock:
            for pull in self.state.pulls:
                if pull.state == "open" and repository in (
                    pull.base_repository,
                    pull.head_repository,
                ):
                    self._refresh(pull)

    def _refresh(self, pull: PullRequest) -> None:
        """Look again at both branches; one whose head is in the base counts as merged."""
        folder, before = self.repository.folder, pull.base_sha
        head = commit_of(pull.head_repository.folder, f"refs/heads/{pull.branch}")
        if head is None:
            self._close(pull)
            return
        pull.head = head
        if pull.from_fork:
            bare_git(folder, "fetch", "--quiet", str(pull.head_repository.folder), pull.head)
        bare_git(folder, "update-ref", f"refs/pull/{pull.number}/head", pull.head)
        pull.base_sha = self.tip(pull.base)
        if pull.base_sha != before and is_ancestor(folder, pull.head, pull.base_sha):
            self._close(pull, merged=pull.base_sha, before=before, by=pull.author)
            return
        merge = f"Merge {pull.head} into {pull.base_sha}"
        pull.test_merge = merge_commit(folder, pull.base_sha, pull.head, merge, pull.author.login)
        if pull.test_merge:
            bare_git(folder, "update-ref", f"refs/pull/{pull.number}/merge", pull.test_merge)

    def open_issue(self) -> int:
        """Open an issue and return its number."""
        with self.state.lock:
            number = self.state.new_number()
            self.state.issues.append((self.repository, number))
        return number

    def write_comment(self, number: int, body: str, author: str) -> Comment:
        """Write a comment at GitHub's page of pull request or issue `number`."""
        with self.state.lock:
            person = self.state.person(author)
            made = Comment(self.state.new_id(), number, person, body)
            self.state.comments.append(made)
        return made
