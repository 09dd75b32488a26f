"""The webhook, against a real HTTP server on this machine."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from runner.errors import OutsideError
from runner.telling import webhook as module
from runner.telling.webhook import LINES, Webhook, escape, link

SECRET = "T000-B000-secret"


class Receiver:
    """A server that answers as it is told, then with 200."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, dict[str, str]]] = []
        self.bodies: list[dict[str, Any]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, headers = receiver.answers.pop(0) if receiver.answers else (200, {})
                if status == 200:
                    receiver.bodies.append(json.loads(body))
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Keep quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/services/{SECRET}"

    @property
    def texts(self) -> list[str]:
        return [body["text"] for body in self.bodies]


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    found = Receiver()
    thread = threading.Thread(target=found.server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("CHAT_URL", found.url)
    monkeypatch.setattr(module.time, "sleep", lambda seconds: None)
    yield found
    found.server.shutdown()
    found.server.server_close()
    thread.join()


HOOK = Webhook("CHAT_URL")


def fault() -> str:
    with pytest.raises(OutsideError) as caught:
        HOOK.send(["x"])
    told = f"{caught.value.message} {caught.value.cure}"
    assert SECRET not in told
    assert "CHAT_URL" in told
    return caught.value.message


def test_lines_are_one_message(receiver: Receiver) -> None:
    HOOK.send(["✅ one", "❌ two"])
    assert receiver.bodies == [{"text": "✅ one\n❌ two"}]


def test_many_lines_are_counted(receiver: Receiver) -> None:
    HOOK.send([str(number) for number in range(LINES + 5)])
    assert receiver.texts[0].splitlines()[LINES:] == ["… and 5 more"]


def test_a_fault_that_passes_is_tried_again(receiver: Receiver) -> None:
    receiver.answers = [(503, {}), (429, {"Retry-After": "1"})]
    HOOK.send(["x"])
    assert receiver.texts == ["x"]


def test_a_fault_that_stays_is_told_without_the_address(receiver: Receiver) -> None:
    receiver.answers = [(500, {})] * 3
    assert "HTTP status 500" in fault()
    receiver.answers = [(404, {})]
    assert "HTTP status 404" in fault()
    assert receiver.answers == []


def test_a_long_pause_is_left_to_the_next_sync(receiver: Receiver) -> None:
    receiver.answers = [(429, {"Retry-After": "3600"})]
    assert "429" in fault()
    assert receiver.texts == []


def test_it_is_not_led_elsewhere(receiver: Receiver) -> None:
    receiver.answers = [(302, {"Location": "/elsewhere"})]
    assert "302" in fault()


@pytest.mark.parametrize(
    "url",
    [f"file:///{SECRET}", f"http://127.0.0.1:1/{SECRET}", f"https://a b/{SECRET}\n", "", "x"],
)
def test_an_address_that_leads_nowhere(
    url: str, monkeypatch: pytest.MonkeyPatch, receiver: Receiver
) -> None:
    monkeypatch.setenv("CHAT_URL", url)
    fault()


def test_text_of_a_spec_stays_text() -> None:
    assert escape("<!channel> a&b\n<http://x|y>") == ("&lt;!channel&gt; a&amp;b &lt;http://x|y&gt;")
    assert link("a|<b>", "https://x") == "<https://x|a¦&lt;b&gt;>"
    assert link("a", "") == "a"
