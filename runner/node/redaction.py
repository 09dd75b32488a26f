"""Secrets blotted out of what a run writes, however an encoder or a log has spelt them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

SHORTEST_SECRET = 6
"""Shorter values would blot out ordinary words, and protect nothing."""
SHORTEST_LINE = 8
"""Of a secret of several lines, such as a key in PEM."""
BLOT = "***"


class Redactor:
    """Replaces the values of secrets: whole, line by line, and as JSON or Python quotes them."""

    def __init__(self, secrets: Iterable[str]) -> None:
        """Look for the values `secrets`."""
        forms = {form for secret in secrets for form in _forms(secret)}
        # The longest first, so that no part of a secret is left beside a blot.
        self._forms = sorted(forms, key=lambda form: (-len(form), form))
        self._bytes = [form.encode(errors="surrogateescape") for form in self._forms]

    def text(self, text: str) -> str:
        """Return `text` without the secrets; for what is encoded afterwards."""
        for form in self._forms:
            text = text.replace(form, BLOT)
        return text

    def data(self, data: bytes) -> bytes:
        """Return `data` without the secrets."""
        for form in self._bytes:
            data = data.replace(form, BLOT.encode())
        return data


def _forms(secret: str) -> Iterator[str]:
    for part in _parts(secret):
        yield part
        yield json.dumps(part)[1:-1]
        yield json.dumps(part, ensure_ascii=False)[1:-1]
        yield repr(part)[1:-1]


def _parts(secret: str) -> Iterator[str]:
    if len(secret) >= SHORTEST_SECRET:
        yield secret
    for line in secret.splitlines():
        if len(line.strip()) >= SHORTEST_LINE:
            yield line.strip()
