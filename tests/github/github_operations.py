"""The operations of GitHub's REST API that the stand-in knows: one function each, and a table."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from github_call import Answer, Call, Problem, invalid, listed, not_found, page
from github_git import commit_of, is_ancestor
from github_state import Comment, PullRequest, Reaction, Status, now

DESCRIPTION_LIMIT, CONTEXT_LIMIT, COMMENT_LIMIT = 140, 255, 65_536
STATUSES_LIMIT = 1_000
"""Statuses of one commit and context."""


# The account and the repository


def rate_limit(call: Call) -> Answer:
    left = call.token.limit - call.token.used
    core = {"limit": call.token.limit, "remaining": left, "used": call.token.used}
    core["reset"] = (int(time.time()) // 3600 + 1) * 3600
    return Answer(200, {"resources": {"core": core, "search": core}, "rate": core})


def own_account(call: Call) -> Answer:
    if call.token.is_installation:
        raise Problem(403, "Resource not accessible by integration")
    return Answer(200, call.answers.own_account(call.token.person))


def repository(call: Call) -> Answer:
    return Answer(200, call.answers.repository(call.repository))


def permission(call: Call) -> Answer:
    login = call.names["username"]
    if not call.token.is_installation and not call.repository.may_write(call.token.person.login):
        raise Problem(403, "Must have push access to view collaborator permission.")
    if login not in call.state.people:
        not_found()
    nothing = "none" if call.repository.private else "read"
    role = call.repository.collaborators.get(login, nothing)
    # The older word knows four levels only.
    level = {"maintain": "write", "triage": "read"}.get(role, role)
    user = {**call.answers.person(call.state.person(login)), "role_name": role}
    return Answer(200, {"permission": level, "role_name": role, "user": user})


# Statuses


def _commit(call: Call) -> str:
    found = commit_of(call.repository.folder, call.names["ref"])
    return found or not_found()


def statuses(call: Call) -> Answer:
    return listed(call, call.state.statuses_of(call.repository, _commit(call)), call.answers.status)


def combined_status(call: Call) -> Answer:
    sha = _commit(call)
    newest: dict[str, Status] = {}
    for status in call.state.statuses_of(call.repository, sha):
        newest.setdefault(status.context.lower(), status)  # "this field is case-insensitive"
    states = {status.state for status in newest.values()}
    worst = "failure" if states & {"failure", "error"} else "pending"
    commit_url = call.url.removesuffix("/status").rpartition("/")[0] + f"/{sha}"
    chosen, headers = page(call, list(newest.values()))
    body = {
        "state": "success" if states == {"success"} else worst,
        "statuses": [call.answers.simple_status(status) for status in chosen],
        "sha": sha,
        "total_count": len(newest),
        "repository": call.answers.repository(call.repository),
        "commit_url": commit_url,
        "url": f"{commit_url}/status",
    }
    return Answer(200, body, headers)


def create_status(call: Call) -> Answer:
    sha, body = call.names["sha"], call.body
    if commit_of(call.repository.folder, sha) != sha:
        raise Problem(422, f"No commit found for SHA: {sha}")
    context, target = body.get("context", "default"), body.get("target_url")
    if target and urlsplit(target).scheme not in ("http", "https"):
        invalid("target_url must use http(s) scheme")
    same = [
        s
        for s in call.state.statuses_of(call.repository, sha)
        if s.context.lower() == context.lower()
    ]
    if len(same) >= STATUSES_LIMIT:
        invalid("This SHA and context has reached the maximum number of statuses.")
    made = Status(
        id=call.state.new_id(),
        repository=call.repository,
        sha=sha,
        context=context,
        state=body["state"],
        description=body.get("description"),
        target_url=target,
        creator=call.token.person,
    )
    call.state.statuses.append(made)
    return Answer(201, call.answers.status(made))


# Pull requests


def _own_pulls(call: Call) -> list[PullRequest]:
    return [pull for pull in call.state.pulls if pull.base_repository is call.repository]


def pulls(call: Call) -> Answer:
    query = call.query
    state, base, head = query.get("state", "open"), query.get("base"), query.get("head")
    found = [
        pull
        for pull in _own_pulls(call)
        if state in ("all", pull.state)
        and base in (None, pull.base)
        and head in (None, f"{pull.head_repository.owner}:{pull.branch}")
    ]
    order = query.get("direction", "asc" if query.get("sort") else "desc")
    return listed(call, found if order == "asc" else found[::-1], call.answers.pull)


def pull(call: Call) -> Answer:
    wanted = int(call.names["pull_number"])
    found = next((pull for pull in _own_pulls(call) if pull.number == wanted), None)
    return Answer(200, call.answers.whole_pull(found or not_found()))


def pulls_of_commit(call: Call) -> Answer:
    """The merged request that brought a commit of the default branch; else the open ones."""
    folder, sha = call.repository.folder, call.names["commit_sha"]
    if commit_of(folder, sha) is None:
        raise Problem(422, f"No commit found for SHA: {sha}")

    def associated(pull: PullRequest) -> bool:
        if is_ancestor(folder, sha, call.repository.default_branch):
            return sha in pull.brought
        in_head = is_ancestor(folder, sha, pull.head)
        return pull.state == "open" and in_head and not is_ancestor(folder, sha, pull.base_sha)

    return listed(call, [p for p in _own_pulls(call) if associated(p)], call.answers.pull)


# Comments


def _thread(call: Call) -> int:
    number = int(call.names["issue_number"])
    pulls_here = [pull.number for pull in _own_pulls(call)]
    if (call.repository, number) not in call.state.issues and number not in pulls_here:
        not_found()
    return number


def _written(call: Call, comment: Comment) -> dict[str, Any]:
    return call.answers.comment(call.repository, comment)


def comments(call: Call) -> Answer:
    since = call.query.get("since", "")
    found = [c for c in call.state.comments_of(_thread(call)) if c.updated_at >= since]
    return listed(call, found, lambda comment: _written(call, comment))


def create_comment(call: Call) -> Answer:
    number = _thread(call)
    if not call.body["body"].strip():
        invalid("Body cannot be blank")
    person, by_app = call.token.person, call.token.is_installation
    made = Comment(call.state.new_id(), number, person, call.body["body"], by_app)
    call.state.comments.append(made)
    return Answer(201, _written(call, made))


def _comment(call: Call) -> Comment:
    wanted = int(call.names["comment_id"])
    found = next((comment for comment in call.state.comments if comment.id == wanted), None)
    return found or not_found()


def comment(call: Call) -> Answer:
    return Answer(200, _written(call, _comment(call)))


def edit_comment(call: Call) -> Answer:
    """Whoever may write to the repository may edit anybody's comment, as at GitHub."""
    found, person = _comment(call), call.token.person
    person_may = found.author is person or call.repository.may_write(person.login)
    if not (call.token.is_installation or person_may):
        raise Problem(403, "Must have admin rights to Repository.")
    found.body, found.updated_at = call.body["body"], now()
    return Answer(200, _written(call, found))


def reactions(call: Call) -> Answer:
    wanted = call.query.get("content")
    found = [r for r in _comment(call).reactions if wanted in (None, r.content)]
    return listed(call, found, call.answers.reaction)


def react(call: Call) -> Answer:
    found, person = _comment(call), call.token.person
    for reaction in found.reactions:
        if reaction.person is person and reaction.content == call.body["content"]:
            return Answer(200, call.answers.reaction(reaction))
    made = Reaction(call.state.new_id(), person, call.body["content"])
    found.reactions.append(made)
    return Answer(201, call.answers.reaction(made))


class Operation(NamedTuple):
    """One operation, and the permission that it needs: any of `resources`, at its level."""

    answer: Callable[[Call], Answer]
    resources: tuple[str, ...] = ()
    """As a workflow names them, with `_`; empty where every token may."""


REPOSITORY = "/repos/{owner}/{repo}"
_TALK = ("issues", "pull_requests")
OPERATIONS = {
    ("get", "/rate_limit"): Operation(rate_limit),
    ("get", "/user"): Operation(own_account),
    ("get", REPOSITORY): Operation(repository, ("metadata",)),
    ("get", REPOSITORY + "/collaborators/{username}/permission"): Operation(
        permission, ("metadata",)
    ),
    ("get", REPOSITORY + "/commits/{commit_sha}/pulls"): Operation(
        pulls_of_commit, ("pull_requests",)
    ),
    ("get", REPOSITORY + "/commits/{ref}/status"): Operation(combined_status, ("statuses",)),
    ("get", REPOSITORY + "/commits/{ref}/statuses"): Operation(statuses, ("statuses",)),
    ("get", REPOSITORY + "/issues/comments/{comment_id}"): Operation(comment, _TALK),
    ("patch", REPOSITORY + "/issues/comments/{comment_id}"): Operation(edit_comment, _TALK),
    ("get", REPOSITORY + "/issues/comments/{comment_id}/reactions"): Operation(reactions, _TALK),
    ("post", REPOSITORY + "/issues/comments/{comment_id}/reactions"): Operation(react, _TALK),
    ("get", REPOSITORY + "/issues/{issue_number}/comments"): Operation(comments, _TALK),
    ("post", REPOSITORY + "/issues/{issue_number}/comments"): Operation(create_comment, _TALK),
    ("get", REPOSITORY + "/pulls"): Operation(pulls, ("pull_requests",)),
    ("get", REPOSITORY + "/pulls/{pull_number}"): Operation(pull, ("pull_requests",)),
    ("post", REPOSITORY + "/statuses/{sha}"): Operation(create_status, ("statuses",)),
}


def breaches(operation: Operation, body: dict[str, Any]) -> list[str]:
    """Return how `body` breaks the limits that GitHub's description leaves out."""
    limits = {"description": DESCRIPTION_LIMIT, "context": CONTEXT_LIMIT, "body": COMMENT_LIMIT}
    if operation.answer not in (create_status, create_comment, edit_comment):
        return []
    return [
        f"{name} is too long (maximum is {limit} characters)"
        for name, limit in limits.items()
        if len(body.get(name) or "") > limit
    ]
