"""What strangers chose to write, such as names of files, for messages that go to a log."""

from __future__ import annotations

LONGEST = 200
"""Characters that are shown."""


def one_line(text: str) -> str:
    """Return `text` on one line, control characters escaped, its middle cut where it is long.

    `::` and `##[` are pulled apart: either could begin a command to a forge's runner.
    """
    plain = text if text.isprintable() else ascii(text)[1:-1]
    if len(plain) > LONGEST:
        plain = f"{plain[: LONGEST // 2]}…{plain[1 - LONGEST // 2 :]}"
    while "::" in plain:
        plain = plain.replace("::", ": :")
    return plain.replace("##[", "## [")
