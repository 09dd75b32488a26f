"""A stand-in for SkyPilot's API server on a port of this machine; SkyPilot's own SDK talks to it.

Every request and every answer is held to SkyPilot's published description; what does not fit is
kept in `violations`, which the fixture asserts to be empty.
"""

from __future__ import annotations

import base64
import contextlib
import json
import pickle
import threading
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

from sky_description import Description
from sky_operations import OPERATIONS, Operation
from sky_state import Asked, Job, State
from stand_in_faults import Fault, Faults, cut_connection
from werkzeug import Request, Response
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

VERSION = "0.14.1"
API_VERSION = "62"


class Logged(NamedTuple):
    """One request, in the order of answers."""

    method: str
    path: str
    time: float
    """When it arrived, in seconds of time.monotonic."""
    status: int
    """Of the answer; 0 where the connection was cut."""


class Quiet(WSGIRequestHandler):
    """Says nothing on the terminal."""

    def log(self, *_: object) -> None:
        """Say nothing."""


class Sky(State):
    """An API server."""

    def __init__(self, *, checks: bool = True) -> None:
        """Serve; without `checks` nothing is held to the description, which takes its time."""
        super().__init__()
        self.token: str | None = None
        """The service account token that it asks for; None lets everybody in."""
        self.api_version = API_VERSION
        self.violations: list[str] = []
        self.log: list[Logged] = []
        self._faults = Faults()
        self._server = _serve(self._answer, port=0)
        self._port = self._server.server_port
        self.url = f"http://127.0.0.1:{self._port}"
        self._description = Description(self.url) if checks else None

    # What tests order

    def arm(self, kind: str, **about: Any) -> None:
        """Let something go wrong with the next requests that fit: see Fault.

        Also `busy` (503); `fails`: the request is taken up, and ends with `error`; `held`: it is
        taken up, and carried out after `seconds`.
        """
        self._faults.arm(Fault(kind, **about))

    def named(self, name: str) -> Job:
        """Return the one managed job of this name."""
        (found,) = [job for job in self.jobs.values() if job.name == name]
        return found

    def become(self, job: Job, status: str, **told: Any) -> None:
        """Let a job get into `status`, with fields of its record."""
        with self.lock:
            job.status = status
            job.told |= told

    def asked(self, path: str) -> int:
        """Return how often `path` was asked for."""
        return sum(logged.path == path for logged in self.log)

    def down(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def up(self) -> None:
        self._server = _serve(self._answer, self._port)

    # Answering

    def _answer(self, request: Request) -> Response:
        arrived, fault = time.monotonic(), self._faults.take(request)
        kind = fault.kind if fault else ""
        if fault and kind == "slow":
            time.sleep(fault.seconds)
        answer = Response() if kind == "reset" else self._checked(request, fault)
        answer.headers["X-SkyPilot-API-Version"] = self.api_version
        answer.headers["X-SkyPilot-Version"] = VERSION
        cut = kind in ("reset", "lost")
        with self.lock:
            status = 0 if cut else answer.status_code
            self.log.append(Logged(request.method, request.path, arrived, status))
        if cut:
            cut_connection(request)
        return answer

    def _checked(self, request: Request, fault: Fault | None) -> Response:
        """Return an answer that fits the description; one of 500 where anything does not."""
        if self.token and request.headers.get("Authorization") != f"Bearer {self.token}":
            return _json({"detail": "Authentication required"}, 401)
        if fault and fault.kind == "busy":
            return _json({"detail": "busy"}, 503)
        if self._description and (problem := self._description.request_problem(request)):
            return self._violated(request, problem)
        answer = self._performed(request, fault)
        if self._description is None or answer.mimetype != "application/json":
            return answer
        problem = self._description.answer_problem(request, answer)
        return self._violated(request, f"our answer: {problem}") if problem else answer

    def _performed(self, request: Request, fault: Fault | None) -> Response:
        if operation := OPERATIONS.get(request.path):
            return self._taken_up(operation, request.get_json(), fault)
        if request.path == "/enabled_clouds":
            return self._taken_up(Operation("sky.enabled_clouds", _places), {}, fault)
        if request.path in ("/jobs/logs", "/logs"):
            return self._logs(request.path, request.get_json())
        with self.lock:
            return self._at_once(request)

    def _at_once(self, request: Request) -> Response:
        if request.path == "/api/health":
            return _json(_health(self.api_version))
        if request.path == "/api/status":
            active = (one for one in self.requests.values() if not one.done.is_set())
            return _json([one.listed() for one in active])
        if request.path == "/upload_v2/blob":
            return _json({"exists": request.args["blob_id"] in self.blobs})
        if request.path == "/upload_v2":
            self.blobs[request.args["upload_id"]] = request.get_data()
            return _json({"status": "completed"})
        if request.path == "/api/get":
            return self._result(request.args["request_id"])
        return _json(None)  # /validate

    def _taken_up(self, operation: Operation, body: Any, fault: Fault | None) -> Response:
        asked = Asked(operation.name, body)
        with self.lock:
            self.requests[asked.id] = asked
        if fault and fault.kind == "held":
            threading.Timer(fault.seconds, self._carry_out, (operation, asked, fault)).start()
        else:
            self._carry_out(operation, asked, fault)
        return _json(None, headers={"X-Skypilot-Request-ID": asked.id})

    def _carry_out(self, operation: Operation, asked: Asked, fault: Fault | None) -> None:
        with self.lock:
            if fault and fault.error:
                asked.error = _serialized(fault.error)
            else:
                asked.value = operation.carry_out(self, asked.body)
            asked.done.set()

    def _result(self, request_id: str) -> Response:
        asked = self.requests.get(request_id)
        if asked is None:
            return _json({"detail": f"Request {request_id} not found"}, 404)
        self.lock.release()  # others may be what it waits for
        try:
            asked.done.wait()
        finally:
            self.lock.acquire()
        record = asked.record()
        return _json({"detail": record}, 500) if asked.error else _json(record)

    def _logs(self, path: str, body: Any) -> Response:
        asked = Asked(f"sky{path.replace('/', '.')}", body)
        with self.lock:
            jobs = self.clusters[body["cluster_name"]].jobs if path == "/logs" else self.jobs
            text = jobs[body["job_id"]].log
        headers = {"X-Skypilot-Request-ID": asked.id}
        return Response(text, headers=headers, content_type="text/plain")

    def _violated(self, request: Request, problem: str) -> Response:
        self.violations.append(f"{request.method} {request.full_path.rstrip('?')}: {problem}")
        return _json({"detail": f"the stand-in for SkyPilot: {problem}"}, 500)


def _places(*_: object) -> list[str]:
    return ["slurm/virtual"]


def _health(api_version: str) -> dict[str, Any]:
    return {
        "status": "healthy",
        "api_version": api_version,
        "version": VERSION,
        "version_on_disk": VERSION,
        "commit": "0" * 40,
        "basic_auth_enabled": False,
        "user": None,
    }


def _serialized(error: Exception) -> dict[str, Any]:
    """Return an error as the server keeps it; the SDK makes it anew from its type."""
    from sky.exceptions import serialize_exception

    pickled = base64.b64encode(pickle.dumps(serialize_exception(error))).decode()
    return {"object": pickled, "type": type(error).__name__, "message": str(error)}


def _json(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(json.dumps(value), status, headers, content_type="application/json")


def _serve(answer: Any, port: int) -> BaseWSGIServer:
    application = Request.application(answer)
    server = make_server("127.0.0.1", port, application, threaded=True, request_handler=Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


@contextlib.contextmanager
def serving_sky() -> Iterator[Sky]:
    """Serve an API server without jobs; fails at the end for what is in `violations`."""
    sky = Sky()
    try:
        yield sky
    finally:
        sky.down()
    assert not sky.violations, "\n".join(sky.violations)
