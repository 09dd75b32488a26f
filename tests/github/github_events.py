"""What GitHub tells a workflow about the event that started it: the file GITHUB_EVENT_PATH.

Each payload is held to GitHub's published description of the webhook with the same content.
"""

from __future__ import annotations

from typing import Any

from github_description import Description
from github_git import bare_git
from github_state import Comment, Person, PullRequest
from stand_in_github import GitHub


class Events:
    """Payloads of events in the stand-in's repository, as JSON values."""

    def __init__(self, github: GitHub) -> None:
        self._github = github
        self._description = Description(github.urls.api)

    def pull_request(
        self, pull: PullRequest, action: str = "opened", before: str | None = None
    ) -> dict[str, Any]:
        """`action` is opened, synchronize (then `before` was the head until now) or closed."""
        content = {"number": pull.number, "pull_request": self._github.answers.whole_pull(pull)}
        if action == "synchronize":
            assert before, "synchronize says which commit was the head before"
            content |= {"before": before, "after": pull.head}
        return self._payload(f"pull-request-{action}", pull.author, action=action, **content)

    def comment(self, comment: Comment) -> dict[str, Any]:
        """Somebody has written `comment`."""
        github, answers = self._github, self._github.answers
        pull = github.state.pull(comment.number)
        root = f"{github.urls.api}/repos/{github.repository.full_name}"
        issue: dict[str, Any] = {
            **dict.fromkeys(("active_lock_reason", "milestone", "closed_at", "assignee")),
            "id": comment.number,
            "node_id": f"I_{comment.number}",
            "number": comment.number,
            "title": pull.title if pull else "A question",
            "body": None,
            "state": pull.state if pull else "open",
            "locked": False,
            "labels": [],
            "assignees": [],
            "comments": len(github.state.comments_of(comment.number)),
            "user": answers.person(pull.author if pull else comment.author),
            "author_association": "NONE",
            "created_at": comment.created_at,
            "updated_at": comment.updated_at,
        }
        own = f"{root}/issues/{comment.number}"
        issue |= {"url": own, "repository_url": root, "labels_url": f"{own}/labels{{/name}}"}
        issue |= {f"{name}_url": f"{own}/{name}" for name in ("comments", "events", "timeline")}
        written = answers.comment(github.repository, comment)
        issue["html_url"] = written["html_url"].partition("#")[0]
        issue["reactions"] = written["reactions"] | {"url": f"{own}/reactions"}
        if pull is not None:
            whole = answers.pull(pull)
            names = ("url", "html_url", "diff_url", "patch_url", "merged_at")
            issue["pull_request"] = {name: whole[name] for name in names}
        content = {"issue": issue, "comment": written}
        return self._payload("issue-comment-created", comment.author, action="created", **content)

    def push(self, before: str, after: str, by: str = "octocat") -> dict[str, Any]:
        """The default branch has moved."""
        github, person = self._github, self._github.state.person(by)
        page = f"{github.urls.server}/{github.repository.full_name}/compare"
        head = self._commit(after)
        content = {
            "ref": f"refs/heads/{github.repository.default_branch}",
            "before": before,
            "after": after,
            "base_ref": None,
            "created": False,
            "deleted": False,
            "forced": False,
            "compare": f"{page}/{before[:12]}...{after[:12]}",
            "commits": [head],
            "head_commit": head,
            "pusher": {"name": by, "email": f"{by}@users.noreply.example"},
        }
        return self._payload("push", person, **content)

    def merge_group(self, head: str, base: str) -> dict[str, Any]:
        """The merge queue asks about the commit `head`, made by it on top of `base`."""
        branch = self._github.repository.default_branch
        group = {
            "head_sha": head,
            "head_ref": f"refs/heads/gh-readonly-queue/{branch}/pr-1-{base}",
            "base_sha": base,
            "base_ref": f"refs/heads/{branch}",
            "head_commit": self._commit(head),
        }
        queue = self._github.state.person("github-merge-queue[bot]")
        content = {"action": "checks_requested", "merge_group": group}
        return self._payload("merge-group-checks-requested", queue, **content)

    def dispatch(self, workflow: str, by: str, **inputs: str) -> dict[str, Any]:
        """Somebody starts `workflow`, a file's name, by hand."""
        content = {
            "inputs": inputs or None,
            "ref": f"refs/heads/{self._github.repository.default_branch}",
            "workflow": f".github/workflows/{workflow}",
        }
        return self._payload("workflow-dispatch", self._github.state.person(by), **content)

    def _commit(self, sha: str) -> dict[str, Any]:
        folder, repository = self._github.repository.folder, self._github.repository
        form = "%T%x00%aI%x00%an%x00%ae%x00%cn%x00%ce%x00%B"
        shown = bare_git(folder, "show", "--no-patch", f"--format={form}", sha).split("\0")
        tree, time, author, email, committer, committer_email, message = shown
        return {
            "id": sha,
            "tree_id": tree,
            "message": message,
            "timestamp": time,
            "distinct": True,
            "url": f"{self._github.urls.server}/{repository.full_name}/commit/{sha}",
            "author": {"name": author, "email": email},
            "committer": {"name": committer, "email": committer_email},
        }

    def _payload(self, event: str, sender: Person, **content: Any) -> dict[str, Any]:
        answers = self._github.answers
        about = {
            "repository": answers.repository(self._github.repository),
            "sender": answers.person(sender),
        }
        payload = content | about
        problem = self._description.event_problem(event, payload)
        assert problem is None, f"{event}: {problem}"
        return payload
