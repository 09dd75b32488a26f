"""Nonces of claims, and which of them nobody can have submitted yet.

A process knows of the claims that it has made itself that nobody else submits them before it has
tried to: others leave a young claim alone.
"""

from __future__ import annotations

import secrets

_UNTRIED: set[str] = set()
"""Made by this process, which has not tried to submit them."""


def new_nonce() -> str:
    """Return a nonce for a claim that this process makes."""
    nonce = secrets.token_hex(16)
    _UNTRIED.add(nonce)
    return nonce


def is_untried(nonce: str) -> bool:
    """Whether it is certain that nobody has tried to submit the claim with this nonce."""
    return nonce in _UNTRIED


def note_tried(nonce: str) -> None:
    """Note that the claim with this nonce is being submitted."""
    _UNTRIED.discard(nonce)
