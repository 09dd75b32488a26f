"""A server that answers as the hubs of models do, as far as a revision is asked for.

The forms are those that the hubs' own clients read: huggingface_hub's `model_info`,
modelscope_hub's `list_revisions_detail`.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

COMMIT, OTHER = "a0" * 20, "b1" * 20


def _revisions(*tags: str) -> dict[str, Any]:
    listed = [{"Revision": tag, "CreatedAt": 1700000000 + n} for n, tag in enumerate(tags)]
    branches = [{"Revision": "master", "CreatedAt": 1600000000}]
    return {"Code": 200, "Data": {"RevisionMap": {"Branches": branches, "Tags": listed}}}


ANSWERS: dict[str, Any] = {
    "/api/models/Qwen/Qwen2.5-0.5B/revision/main": {"id": "Qwen/Qwen2.5-0.5B", "sha": COMMIT},
    "/api/models/Qwen/Qwen2.5-0.5B/revision/v1%2Fx": {"id": "Qwen/Qwen2.5-0.5B", "sha": OTHER},
    "/api/models/Qwen/odd/revision/main": ["no", "mapping"],
    "/api/v1/models/Qwen/Qwen2.5-0.5B/revisions": _revisions("v1.0", "v1.1"),
    "/api/v1/models/Qwen/untagged/revisions": _revisions(),
}


class Hub(BaseHTTPRequestHandler):
    """Answers what is asked for above, and remembers what was asked."""

    seen: list[tuple[str, str | None]]
    status: int

    def do_GET(self) -> None:
        """Answer a request."""
        self.seen.append((self.path, self.headers.get("Authorization")))
        answer = ANSWERS.get(self.path.partition("?")[0])
        found = 200 if answer else 404
        body = json.dumps(answer).encode()
        self.send_response(found if self.status == 200 else self.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def serving() -> Iterator[tuple[type[Hub], str]]:
    """Serve a hub of its own, and give its handler and address."""
    handler = type("OneHub", (Hub,), {"seen": [], "status": 200})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield handler, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
