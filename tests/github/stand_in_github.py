"""A stand-in for GitHub: its REST API and its git over HTTP, on two ports of this machine.

Every request to the API and every answer of it is held to GitHub's published description; what
does not fit is kept in `violations`, which the fixture in conftest.py asserts to be empty.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from git_http import GitHttp
from github_answers import Answers, Urls
from github_call import Answer, Call, Problem
from github_description import Description
from github_faults import refusal
from github_operations import OPERATIONS, Operation, breaches
from github_pulls import PullRequests
from github_state import ACTIONS_BOT, Level, Repository, State, Token
from github_tokens import demand, token_of
from stand_in_faults import Fault, Faults, cut_connection
from werkzeug import Request, Response
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

DOCUMENTATION = "https://docs.github.com/rest"
INSTALLATION_LIMIT, PERSON_LIMIT = 1_000, 5_000
"""Requests an hour."""


class Logged(NamedTuple):
    """One request to the API, in the order of answers."""

    method: str
    path: str
    """With its query."""
    token: str
    """The token's name; `nobody` without one, empty for an unknown one."""
    time: float
    """When it arrived, in seconds of time.monotonic."""
    body: Any
    status: int
    """Of the answer; 0 where the connection was cut before anything was done."""


class Quiet(WSGIRequestHandler):
    """Says nothing on the terminal."""

    def log(self, *_: object) -> None:
        """Say nothing."""


class GitHub(PullRequests):
    """One repository at GitHub: what people do at its pages (PullRequests), and its servers."""

    def __init__(self, folder: Path, full_name: str = "octo/registry") -> None:
        super().__init__(State(), folder, full_name)
        self.violations: list[str] = []
        self.log: list[Logged] = []
        self.faults = Faults()
        """For both servers; `arm` adds to them."""
        self._api = _server(self._answer_api)
        git = GitHttp(folder, self.state, self.faults, self.observe_push)
        self._git = _server(git.answer)
        self.git_log = git.log
        self.urls = Urls(_address(self._api), _address(self._git))
        self.answers = Answers(self.urls, self.state)
        self._description = Description(self.urls.api)
        self._routes = _routes().bind(urlsplit(self.urls.api).netloc)

    @property
    def clone_url(self) -> str:
        return f"{self.urls.server}/{self.repository.full_name}.git"

    def arm(self, kind: str, **about: Any) -> None:
        """Let something go wrong with the next requests that fit: see Fault.

        Also `secondary_limit` (403) and `too_many` (429), whose `retry-after` is `seconds`, and
        `bad_gateway` (502).
        """
        self.faults.arm(Fault(kind, **about))

    # Tokens

    def workflow_token(
        self,
        name: str = "workflow",
        *,
        limit: int = INSTALLATION_LIMIT,
        repository: Repository | None = None,
        **permissions: Level,
    ) -> str:
        """Return a GITHUB_TOKEN with `permissions` (`pull_requests="write"`).

        It writes to one repository alone, a fork's if `repository` says so.
        """
        return self._keep(name, ACTIONS_BOT, limit, permissions, repository or self.repository)

    def fork_token(self, name: str = "fork") -> str:
        """Return the GITHUB_TOKEN of a workflow for a fork's request: it reads and nothing more."""
        resources = ("contents", "issues", "pull_requests", "statuses", "checks")
        levels: dict[str, Level] = dict.fromkeys(resources, "read")
        return self._keep(name, ACTIONS_BOT, INSTALLATION_LIMIT, levels, self.repository)

    def personal_token(self, login: str, *, limit: int = PERSON_LIMIT) -> str:
        """Return a token of the person `login`, who may what `repository.collaborators` says."""
        return self._keep(login, login, limit)

    def _keep(
        self,
        name: str,
        login: str,
        limit: int,
        permissions: dict[str, Level] | None = None,
        repository: Repository | None = None,
    ) -> str:
        with self.state.lock:
            prefix = "ghp" if permissions is None else "ghs"
            value = f"{prefix}_{name}{self.state.new_id()}".ljust(40, "x")
            person = self.state.person(login)
            token = Token(value, name, person, permissions, limit, repository)
            self.state.tokens[value] = token
        return value

    # The API

    def _answer_api(self, request: Request) -> Response:
        arrived, fault = time.monotonic(), self.faults.take(request)
        if fault and fault.kind == "slow":
            time.sleep(fault.seconds)
        with self.state.lock:
            token, answer = self._considered(request, fault)
            status = 0 if fault and fault.kind == "reset" else answer.status_code
            path = request.full_path.rstrip("?")
            body = request.get_json(silent=True)
            self.log.append(Logged(request.method, path, token, arrived, body, status))
        if fault and fault.kind in ("reset", "lost"):
            cut_connection(request)
        return answer

    def _considered(self, request: Request, fault: Fault | None) -> tuple[str, Response]:
        """Return the name of the token and the answer."""
        try:
            token = token_of(self.state, request)
        except Problem as problem:
            return "", _error(problem)
        if fault and fault.kind == "reset":
            return token.name, Response()
        if fault and (refused := refusal(fault)):
            status, message, headers = refused
            return token.name, _error(Problem(status, message, **headers))
        answer = self._limited(token, request)
        _add_limits(answer, token)
        return token.name, answer

    def _limited(self, token: Token, request: Request) -> Response:
        free = request.path == "/rate_limit"
        if token.used >= token.limit and not free:
            return _error(Problem(403, "API rate limit exceeded for installation ID 1."))
        if "User-Agent" not in request.headers:
            return _error(Problem(403, "Request forbidden by administrative rules."))
        answer = self._checked(token, request)
        tag = f'W/"{hashlib.sha256(answer.get_data()).hexdigest()}"'
        if request.method == "GET" and answer.status_code == 200:
            answer.headers["etag"] = tag
            if request.headers.get("If-None-Match") == tag:
                return Response(status=304, headers={"etag": tag})
        token.used += 0 if free else 1
        return answer

    def _checked(self, token: Token, request: Request) -> Response:
        """Return an answer that fits the description; one of 500 where anything does not."""
        legacy = re.sub(r"/statuses/([^/]+)$", r"/commits/\1/statuses", request.path)
        if request.method == "GET" and legacy != request.path:
            # GitHub answers here too ("legacy route"), and PyGithub asks here.
            request = Request({**request.environ, "PATH_INFO": legacy})
        try:
            endpoint, names = self._routes.match(request.path, request.method)
        except HTTPException:
            return self._violated(request, "the stand-in does not know this operation")
        if problem := self._description.request_problem(request, endpoint[1]):
            return self._violated(request, problem)
        try:
            answer = _plain(self._perform(token, request, OPERATIONS[endpoint], names))
        except Problem as refused:
            answer = _error(refused)
        problem = self._description.answer_problem(request, answer)
        return self._violated(request, f"our answer: {problem}") if problem else answer

    def _perform(
        self, token: Token, request: Request, operation: Operation, names: Mapping[str, Any]
    ) -> Answer:
        full_name = f"{names['owner']}/{names['repo']}" if names.get("repo") else None
        repository = self.state.repositories.get(full_name or self.repository.full_name)
        if repository is None:
            raise Problem(404, "Not Found")
        demand(token, repository, operation, write=request.method != "GET")
        body = request.get_json(silent=True) or {}
        if broken := breaches(operation, body):
            self.violations += [f"{request.method} {request.path}: {breach}" for breach in broken]
            raise Problem(422, "Validation Failed", *broken)
        query = request.args.to_dict()
        url = self.urls.api + request.path
        call = Call(self.state, self.answers, repository, token, dict(names), query, body, url)
        return operation.answer(call)

    def _violated(self, request: Request, problem: str) -> Response:
        self.violations.append(f"{request.method} {request.full_path.rstrip('?')}: {problem}")
        return _error(Problem(500, f"the stand-in for GitHub: {problem}"))

    # Life

    def start(self) -> None:
        for server in (self._api, self._git):
            threading.Thread(target=server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        for server in (self._api, self._git):
            server.shutdown()
            server.server_close()


def _routes() -> Map:
    pattern = str.maketrans("{}", "<>")
    return Map(
        [
            Rule(path.translate(pattern), methods=[method], endpoint=(method, path))
            for method, path in OPERATIONS
        ]
    )


def _server(answer: Any) -> BaseWSGIServer:
    application = Request.application(answer)
    return make_server("127.0.0.1", 0, application, threaded=True, request_handler=Quiet)


def _address(server: BaseWSGIServer) -> str:
    return f"http://127.0.0.1:{server.server_port}"


def _plain(answer: Answer) -> Response:
    text = json.dumps(answer.body)
    kind = "application/json; charset=utf-8"
    return Response(text, answer.status, answer.headers, content_type=kind)


def _error(problem: Problem) -> Response:
    body: dict[str, Any] = {"message": problem.message, "documentation_url": DOCUMENTATION}
    if problem.details:
        body["errors"] = [{"code": "custom", "message": text} for text in problem.details]
    body["status"] = str(problem.status)
    return _plain(Answer(problem.status, body, problem.headers))


def _add_limits(answer: Response, token: Token) -> None:
    reset = (int(time.time()) // 3600 + 1) * 3600
    left = max(0, token.limit - token.used)
    values = {"limit": token.limit, "remaining": left, "used": token.used, "reset": reset}
    for name, value in values.items():
        answer.headers[f"x-ratelimit-{name}"] = str(value)
    answer.headers["x-ratelimit-resource"] = "core"


@contextlib.contextmanager
def serving_github(folder: Path, full_name: str = "octo/registry") -> Iterator[GitHub]:
    """Serve a GitHub with one empty repository; fails at the end for what is in `violations`."""
    github = GitHub(folder, full_name)
    github.start()
    try:
        yield github
    finally:
        github.stop()
    assert not github.violations, "\n".join(github.violations)
