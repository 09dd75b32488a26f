"""As much of a W&B server as a run needs that logs a history: runs, resuming, the file stream.

It keeps what the client sends as it is: which steps are sent is the client's doing.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HISTORY = "wandb-history.jsonl"
PROJECT = {"id": "m", "name": "p", "entity": {"id": "e", "name": "team"}}


class StandIn:
    """The lines of history that each run has sent, by the run's id."""

    def __init__(self) -> None:
        self.url = ""
        self.runs: dict[str, list[str]] = {}

    def steps(self, run: str) -> list[int]:
        return [json.loads(line)["_step"] for line in self.runs[run]]

    def values(self, run: str, name: str) -> dict[int, Any]:
        rows = (json.loads(line) for line in self.runs[run])
        return {row["_step"]: row[name] for row in rows if name in row}

    def answer(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        if path.endswith("/graphql"):
            return {"data": self._query(body)}
        if path.endswith("/file_stream"):
            sent = (body.get("files") or {}).get(HISTORY)
            if sent:
                lines = self.runs.setdefault(path.split("/")[-2], [])
                lines[sent["offset"] :] = sent["content"]
        return {}

    def _query(self, body: dict[str, Any]) -> dict[str, Any]:
        found = re.search(r"(?:query|mutation)\s+(\w+)", body["query"])
        name, told = found[1] if found else "", body.get("variables") or {}
        if name == "Viewer":
            teams: dict[str, Any] = {"edges": []}
            return {"viewer": {"id": "u", "entity": "team", "flags": "{}", "teams": teams}}
        if name == "RunResumeStatus":
            return {"model": {**PROJECT, "bucket": self._bucket(told["name"])}}
        if name == "UpsertBucket":
            self.runs.setdefault(told["name"], [])
            bucket = {"id": "x", "name": told["name"], "displayName": "n", "config": "{}"}
            return {"upsertBucket": {"bucket": {**bucket, "project": PROJECT}, "inserted": True}}
        if name == "CreateRunFiles":
            return {"createRunFiles": {"runID": "x", "uploadHeaders": [], "files": []}}
        return {}

    def _bucket(self, run: str) -> dict[str, Any] | None:
        lines = self.runs.get(run)
        if not lines:
            return None
        return {
            "id": "x",
            "name": run,
            "displayName": "n",
            "config": "{}",
            "tags": [],
            "summaryMetrics": "{}",
            "wandbConfig": '{"t": 1}',
            "eventsTail": "[]",
            "logLineCount": 0,
            "eventsLineCount": 0,
            "historyLineCount": len(lines),
            "historyTail": json.dumps(lines[-1:]),
        }


@contextlib.contextmanager
def serving() -> Iterator[StandIn]:
    """Serve a stand-in on a free port of this machine."""
    stand_in = StandIn()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def do_GET(self) -> None:
            self._reply({})

        def do_PUT(self) -> None:
            self._body()
            self._reply({})

        def do_POST(self) -> None:
            try:
                body = json.loads(self._body())
            except ValueError:
                body = None
            self._reply(stand_in.answer(self.path, body) if isinstance(body, dict) else {})

        def _body(self) -> bytes:
            content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            zipped = self.headers.get("Content-Encoding") == "gzip"
            return gzip.decompress(content) if zipped else content

        def _reply(self, answer: dict[str, Any]) -> None:
            content = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    stand_in.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield stand_in
    finally:
        server.shutdown()
        server.server_close()
