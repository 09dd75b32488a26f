"""Who may do what at the stand-in: by token, as GitHub answers."""

from __future__ import annotations

import base64
import binascii

from github_call import Problem, not_found
from github_operations import Operation, own_account, permission
from github_state import Repository, State, Token
from werkzeug import Request

NOT_BY_INTEGRATION = "Resource not accessible by integration"


def token_of(state: State, request: Request) -> Token:
    """Return the token of a request to the API, or of git; raises Problem for an unknown one."""
    header = request.headers.get("Authorization", "")
    if not header:
        return state.nobody
    scheme, _, value = header.partition(" ")
    if scheme.lower() == "basic":
        try:
            value = base64.b64decode(value).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            value = ""
    found = state.tokens.get(value)
    if found is None:
        raise Problem(401, "Bad credentials")
    return found


def may(token: Token, repository: Repository, resource: str, *, write: bool) -> bool:
    """Return whether `token` reads or writes `resource`; everybody reads of a public one."""
    if not write and not repository.private:
        return True
    if token.permissions is None:
        login = token.person.login
        return repository.may_write(login) if write else login in repository.collaborators
    if token.repository is not repository:
        return False
    if resource == "metadata":
        return not write
    return token.permissions.get(resource, "none") in (("write",) if write else ("read", "write"))


def demand(token: Token, repository: Repository, operation: Operation, *, write: bool) -> None:
    """Raise Problem where `token` may not do `operation`."""
    personal = operation.answer in (own_account, permission)
    if not token.value and (write or personal):
        raise Problem(401, "Requires authentication")
    if not operation.resources:
        return
    # Everybody may talk below a request of a public repository; a workflow needs the permission.
    talk = operation.resources[0] == "issues" and not token.is_installation
    if talk and not repository.private:
        return
    if any(may(token, repository, resource, write=write) for resource in operation.resources):
        return
    if token.is_installation:
        level = "write" if write else "read"
        accepted = "; ".join(f"{resource}={level}" for resource in operation.resources)
        raise Problem(403, NOT_BY_INTEGRATION, x_accepted_github_permissions=accepted)
    not_found()
