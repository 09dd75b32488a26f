"""Git over HTTP as GitHub serves it, around `git http-backend`, with the API's tokens."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from github_call import Problem
from github_faults import refusal
from github_state import Repository, State, Token
from github_tokens import may, token_of
from stand_in_faults import Faults, cut_connection
from werkzeug import Request, Response

CHALLENGE = {"WWW-Authenticate": 'Basic realm="GitHub"'}


class GitRequest(NamedTuple):
    """One request of git, in the order of answers."""

    method: str
    path: str
    token: str
    status: int


class GitHttp:
    """Serves the bare repositories below a folder, one that is empty too."""

    def __init__(
        self,
        folder: Path,
        state: State,
        faults: Faults,
        after_push: Callable[[Repository], None],
    ) -> None:
        self._folder, self._state, self._faults = folder, state, faults
        self._after_push = after_push
        self.log: list[GitRequest] = []

    def answer(self, request: Request) -> Response:
        """Answer one request of git."""
        fault = self._faults.take(request)
        if fault and fault.kind == "slow":
            time.sleep(fault.seconds)
        if fault and fault.kind == "reset":
            cut_connection(request)
        name, answer = "", Response("Bad credentials", 401, CHALLENGE)
        try:
            token = token_of(self._state, request)
            name = token.name
            refused = refusal(fault) if fault else None
            answer = Response(refused[1], refused[0]) if refused else self._served(token, request)
        except Problem as problem:
            if problem.status != 401:
                answer = Response(problem.message, problem.status)
        path = request.full_path.rstrip("?")
        self.log.append(GitRequest(request.method, path, name, answer.status_code))
        if fault and fault.kind == "lost":
            cut_connection(request)
        return answer

    def _served(self, token: Token, request: Request) -> Response:
        owner, name, rest = [*request.path.strip("/").split("/", 2), "", ""][:3]
        repository = self._state.repositories.get(f"{owner}/{name.removesuffix('.git')}")
        push = "git-receive-pack" in (request.args.get("service"), rest)
        reads = repository is not None and may(token, repository, "contents", write=False)
        if not token.value and (push or not reads):
            raise Problem(401, "no token")
        if repository is None or not reads:
            raise Problem(404, "Repository not found.")
        if push and not may(token, repository, "contents", write=True):
            whom = f"{repository.full_name}.git denied to {token.person.login}."
            raise Problem(403, f"Permission to {whom}")
        answer = self._backend(request, f"/{repository.full_name}.git/{rest}", token)
        if rest == "git-receive-pack":
            self._after_push(repository)
        return answer

    def _backend(self, request: Request, path: str, token: Token) -> Response:
        """Return what `git http-backend`, a CGI program, says."""
        body = request.get_data()
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_PROJECT_ROOT": str(self._folder),
            "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
            "HTTP_CONTENT_ENCODING": request.headers.get("Content-Encoding", ""),
            "CONTENT_TYPE": request.content_type or "",
            "CONTENT_LENGTH": str(len(body)),
            "PATH_INFO": path,
            "QUERY_STRING": request.query_string.decode(),
            "REMOTE_ADDR": "127.0.0.1",
            "REMOTE_USER": token.person.login,
            "REQUEST_METHOD": request.method,
        }
        command = ["git", "http-backend"]
        done = subprocess.run(
            command, input=body, env=environment, check=True, capture_output=True, timeout=120
        )
        head, _, data = done.stdout.partition(b"\r\n\r\n")
        pairs = [line.split(": ", 1) for line in head.decode().split("\r\n")]
        headers = dict(pairs)
        status = int(headers.pop("Status", "200").split()[0])
        return Response(data, status, headers)
