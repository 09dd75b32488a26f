"""A registry at a GitHub, whose workflows run: what a person does there, and what comes of it.

`open`, `merge` and the like act as people do, and start nothing; `plan`, `apply`, `sync`,
`comment`, `dispatch` and `queue` start the workflow that GitHub would, from the commit that it
would take it from, with the token that its permissions say, and wait for it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from act_runner import Act, Event, Finished, Forge, permissions
from github_git import bare_git, merge_commit, run_git
from github_state import Comment, PullRequest
from stand_in_github import GitHub

Texts = Mapping[str, str | bytes | None]
"""By path; a name without a suffix is an experiment, None deletes."""

OWNER = "octo"
"""Administers the repository."""


class Shown(NamedTuple):
    """One line beside a commit."""

    state: str
    description: str


class HostedRegistry:
    """The registry, its forge, and the secrets and variables that its repository has."""

    def __init__(self, github: GitHub, folder: Path) -> None:
        self.github = github
        self.secrets: dict[str, str] = {}
        self.variables: dict[str, str] = {}
        urls = github.urls
        self._act = Act(folder, Forge(github.repository.full_name, urls.api, urls.server))

    # What people do

    @property
    def tip(self) -> str:
        return self.github.tip()

    def push(self, files: Texts, message: str = "change") -> str:
        """Commit straight to the default branch."""
        return self.github.commit(_paths(files), message=message)

    def open(
        self, files: Texts, branch: str = "topic", author: str = "octocat", *, fork: bool = False
    ) -> PullRequest:
        """Open a pull request with one commit of `files`; with `fork`, from the author's own."""
        return self.github.open_pull_request(
            branch, files=_paths(files), author=author, from_fork=fork
        )

    def change(self, pull: PullRequest, files: Texts) -> str:
        return self.github.push_to(pull, _paths(files))

    def merge(self, pull: PullRequest) -> str:
        return self.github.merge(pull, by=OWNER)

    # What GitHub starts

    def plan(self, pull: PullRequest, action: str = "opened") -> Finished:
        """Run plan.yml as the pull request's merge has it."""
        whole = self.github.answers.whole_pull(pull)
        payload = {"action": action, "number": pull.number, "pull_request": whole}
        commit = pull.test_merge or pull.head
        ref = f"refs/pull/{pull.number}/merge"
        event = self._event("pull_request", payload, commit, ref, pull.author.login)
        return self._run("plan.yml", event, commit, fork=pull.from_fork)

    def queue(self, *pulls: PullRequest) -> Finished:
        """Run plan.yml for a merge group of `pulls`, in order."""
        folder, base, head = self.github.repository.folder, self.tip, self.tip
        for pull in pulls:
            head = merge_commit(folder, head, pull.head, f"Merge #{pull.number}", OWNER) or ""
            assert head, f"pull request {pull.number} conflicts"
        ref = f"refs/heads/gh-readonly-queue/main/pr-{pulls[-1].number}-{base}"
        bare_git(folder, "update-ref", ref, head)
        group = {"head_sha": head, "head_ref": ref, "base_sha": base, "base_ref": "refs/heads/main"}
        payload = {"action": "checks_requested", "merge_group": group}
        return self._run("plan.yml", self._event("merge_group", payload, head, ref), head)

    def apply(self, commit: str | None = None) -> Finished:
        """Run apply.yml for the push of `commit` (the tip), also when it is no news any more."""
        commit = commit or self.tip
        payload = {"ref": "refs/heads/main", "before": "0" * 40, "after": commit}
        return self._run("apply.yml", self._event("push", payload, commit), commit)

    def dispatch(self, verb: str, name: str = "", by: str = OWNER) -> Finished:
        """Run apply.yml as somebody starts it by hand."""
        payload = {"inputs": {"verb": verb, "name": name}, "ref": "refs/heads/main"}
        event = self._event("workflow_dispatch", payload, self.tip, by=by)
        return self._run("apply.yml", event, self.tip)

    def sync(self) -> Finished:
        """Run sync.yml as the schedule does."""
        event = self._event("schedule", {"schedule": "7,22,37,52 * * * *"}, self.tip)
        return self._run("sync.yml", event, self.tip)

    def comment(self, pull: PullRequest, body: str, by: str = OWNER) -> Finished:
        """Write a comment, and run commands.yml for it."""
        written = self.github.write_comment(pull.number, body, by)
        repository = self.github.repository
        url = f"{self.github.urls.api}/repos/{repository.full_name}/pulls/{pull.number}"
        payload = {
            "action": "created",
            "issue": {"number": pull.number, "pull_request": {"url": url}},
            "comment": self.github.answers.comment(repository, written),
        }
        event = self._event("issue_comment", payload, self.tip, by=by)
        return self._run("commands.yml", event, self.tip)

    # What can be seen

    def comments(self, pull: PullRequest) -> list[Comment]:
        return self.github.state.comments_of(pull.number)

    def plan_comment(self, pull: PullRequest) -> str:
        """Return the one comment that holds the plan."""
        marked = "<!-- rollbook:plan:v1 "
        [found] = [one for one in self.comments(pull) if one.body.startswith(marked)]
        return found.body

    def statuses(self, commit: str) -> dict[str, Shown]:
        """Return the newest status of each context."""
        shown: dict[str, Shown] = {}
        for status in self.github.state.statuses_of(self.github.repository, commit):
            shown.setdefault(status.context, Shown(status.state, status.description or ""))
        return shown

    def ledger(self, path: str) -> str | None:
        """Return a file of the ledger's branch, or None."""
        done = run_git(self.github.repository.folder, "show", f"runs:{path}")
        return done.stdout.decode() if done.returncode == 0 else None

    def records(self) -> list[dict[str, Any]]:
        """Return every run's record."""
        listing = bare_git(
            self.github.repository.folder, "ls-tree", "-r", "--name-only", "runs", "runs/"
        )
        paths = [path for path in listing.splitlines() if path.endswith("/record.json")]
        return [json.loads(self.ledger(path) or "") for path in paths]

    # How

    def _event(
        self,
        name: str,
        payload: dict[str, Any],
        commit: str,
        ref: str = "refs/heads/main",
        by: str = OWNER,
    ) -> Event:
        about = {
            "repository": self.github.answers.repository(self.github.repository),
            "sender": self.github.answers.person(self.github.state.person(by)),
        }
        return Event(name, {**payload, **about}, commit, ref, by)

    def _run(self, name: str, event: Event, commit: str, *, fork: bool = False) -> Finished:
        # The action is the one that is checked out: the base's.
        files = {**self._files(self.tip), **self._files(commit)}
        workflow = files[f".github/workflows/{name}"]
        tokens = {
            job: self._token(job, allowed, fork) for job, allowed in permissions(workflow).items()
        }
        return self._act.run(
            files,
            name,
            event,
            tokens=tokens,
            secrets={} if fork else self.secrets,
            variables={} if fork else self.variables,
        )

    def _token(self, job: str, allowed: Mapping[str, str], fork: bool) -> str:
        """Return what GitHub gives a job; for a fork's request it only reads."""
        levels = {
            name.replace("-", "_"): "read" if fork else level for name, level in allowed.items()
        }
        return self.github.workflow_token(job, **levels)  # type: ignore[arg-type]

    def _files(self, commit: str) -> dict[str, str]:
        folder = self.github.repository.folder
        listing = bare_git(folder, "ls-tree", "-r", "--name-only", commit, ".github/")
        names = [name for name in listing.splitlines() if name.endswith(".yml")]
        return {name: bare_git(folder, "show", f"{commit}:{name}") + "\n" for name in names}


def _paths(files: Texts) -> dict[str, str | bytes | None]:
    return {
        name if "." in Path(name).name else f"experiments/{name}.yaml": content
        for name, content in files.items()
    }
