"""What GitHub answers when it refuses for a while."""

from __future__ import annotations

from stand_in_faults import Fault

SECONDARY = (
    "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
)


def refusal(fault: Fault) -> tuple[int, str, dict[str, str]] | None:
    """Return status, message and headers where a fault is an answer; None where it is not."""
    wait = {"retry-after": str(round(fault.seconds))}
    answers: dict[str, tuple[int, str, dict[str, str]]] = {
        "secondary_limit": (403, SECONDARY, wait),
        "too_many": (429, SECONDARY, wait),
        "bad_gateway": (502, "Server Error", {}),
    }
    return answers.get(fault.kind)
