"""`python -m runner` with jobs that are files of all, and a note of how often it lost a race.

    python counting_runner.py SERVER ENDPOINT NOTE command …

SERVER is the folder of a `JobServer`, ENDPOINT where its jobs are said to live, NOTE a file that
gets `{"lost": n, "commits": n, "seconds": s}`: races lost in a row at most, and the commits made.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS / "faults")]

from counting_launcher import CountingLauncher  # noqa: E402

from runner.__main__ import main  # noqa: E402
from runner.launchers import LAUNCHERS  # noqa: E402
from runner.launchers.base import Reach  # noqa: E402
from runner.ledger.branch import Ledger  # noqa: E402


class Elsewhere(CountingLauncher):
    """The launcher of an endpoint of its own."""

    endpoint_name = ""

    def endpoint(self) -> str:
        return self.endpoint_name

    def reach(self, endpoint: str) -> Reach:
        return "here" if endpoint == self.endpoint_name else "elsewhere"


def count_races(note: Path) -> None:
    """Write to `note` how the ledger's pushes fared, after each of them."""
    publish, began, told = Ledger._publish, time.monotonic(), {"lost": 0, "commits": 0}
    in_a_row = [0]

    def counted(ledger: Ledger, new: str, old: str | None) -> str:
        failure = publish(ledger, new, old)
        in_a_row[0] = in_a_row[0] + 1 if failure else 0
        told["lost"] = max(told["lost"], in_a_row[0])
        told["commits"] += not failure
        note.write_text(json.dumps({**told, "seconds": time.monotonic() - began}))
        return failure

    Ledger._publish = counted  # type: ignore[method-assign]


if __name__ == "__main__":
    server, Elsewhere.endpoint_name, note = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    LAUNCHERS["skypilot"] = lambda _: Elsewhere(server)  # type: ignore[assignment,return-value]
    count_races(note)
    sys.argv[1:] = sys.argv[4:]
    main()
