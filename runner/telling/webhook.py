"""The webhook: a line to a chat when a run ends, fails, goes over its budget or waits too long.

It is told in Slack's form, JSON of one `text` in mrkdwn, which Mattermost, Rocket.Chat and others
take as well. Its URL is a secret: it comes from the environment and is never printed.
"""

from __future__ import annotations

import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from http.client import HTTPException, HTTPMessage
from typing import IO, NamedTuple

from runner.errors import OutsideError

SECONDS = 10.0
"""Deadline of each try."""
TRIES = 3
LONGEST_PAUSE_S = 20.0
"""The longest that a `Retry-After` is obeyed; what asks for more is left to the next sync."""
LINES = 30
"""Lines of one message; what is more is counted."""
_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """An answer that leads elsewhere is a fault: what we send is for one address."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> None:
        return None


class Webhook(NamedTuple):
    """Where messages go."""

    variable: str
    """Environment variable that holds the URL."""

    @property
    def is_set(self) -> bool:
        """Whether the variable holds anything."""
        return bool(os.environ.get(self.variable))

    def send(self, lines: Sequence[str]) -> None:
        """Send lines of mrkdwn as one message.

        Raises OutsideError, without the URL, when it is not taken after a few tries.
        """
        more = len(lines) - LINES
        shown = [*lines[:LINES], *([f"… and {more} more"] if more > 0 else [])]
        body = json.dumps({"text": "\n".join(shown)}).encode()
        for tries in range(1, TRIES + 1):
            pause = self._post(body, last=tries == TRIES)
            if pause is None:
                return
            time.sleep(pause if pause else float(tries))

    def _post(self, body: bytes, *, last: bool) -> float | None:
        """Post once; return None when it was taken, else how long to wait (0: no word of it)."""
        url = os.environ.get(self.variable, "")
        if not url.startswith(("https://", "http://")):
            raise self._fault("it holds no http or https URL")
        try:
            request = urllib.request.Request(  # noqa: S310
                url, data=body, headers={"Content-Type": "application/json"}, method="POST"
            )
            with urllib.request.build_opener(_NoRedirect).open(request, timeout=SECONDS):
                return None
        except urllib.error.HTTPError as error:
            error.close()
            pause = _pause(error)
            if last or error.code not in _AGAIN or pause > LONGEST_PAUSE_S:
                raise self._fault(f"HTTP status {error.code}") from None
            return pause
        except (OSError, ValueError, HTTPException) as error:
            # Only the kind: the text of some of them has the URL in it.
            if last or isinstance(error, ValueError | HTTPException):
                raise self._fault(type(error).__name__) from None
            return 0.0

    def _fault(self, why: str) -> OutsideError:
        return OutsideError(
            f"the webhook that {self.variable} names did not take a message: {why}",
            cure=f"see that {self.variable} holds its URL; the next sync tells it again",
        )


def _pause(error: urllib.error.HTTPError) -> float:
    """Return the seconds that an answer asks to wait, 0 where it does not say."""
    text = error.headers.get("Retry-After", "")
    return float(text) if text.isdigit() else 0.0


def escape(text: str) -> str:
    """Return `text` as mrkdwn that mentions nobody and links nowhere, on one line."""
    return " ".join(text.split()).translate(_ESCAPES)


def link(label: str, url: str) -> str:
    """Return a link in mrkdwn; the label alone where there is no address."""
    shown = escape(label).replace("|", "¦")
    return f"<{url}|{shown}>" if url else shown
