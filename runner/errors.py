"""The tree of errors, and what each means for the person at the command line.

    RunnerError
    ├── Refused               exit 1   the input is at fault: says what, where, why, cure
    │   ├── InvalidSpec       exit 1   findings with file, line, column and key
    │   └── LeaseHeld         exit 1   another job is already the training of this attempt
    ├── OutsideError          exit 3   something outside failed; trying again may help
    │   └── Unclear           exit 3   nobody knows whether it has happened all the same
    └── Inconclusive          exit 4   evidence does not decide

That a run failed, an expectation did, or a result was not reproduced is no error but a result: exit
5. A usage error is click's (exit 2), an interrupt is 130. Anything else that escapes is a bug: exit
70, with a log file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runner.findings import Finding

EXIT_REFUSED = 1
EXIT_OUTSIDE = 3
EXIT_INCONCLUSIVE = 4
EXIT_RUN_FAILED = 5
EXIT_SOMETHING_TO_DO = 6
EXIT_BUG = 70
EXIT_INTERRUPTED = 130


class RunnerError(Exception):
    """What went wrong, in one sentence, with the cure as a second line where there is one."""

    exit_code = EXIT_BUG

    def __init__(self, message: str, *, cure: str | None = None) -> None:
        """Keep `message` (what and why) and `cure` (what to do about it, often a command)."""
        super().__init__(message)
        self.message = message
        self.cure = cure


class Refused(RunnerError):
    """The input is refused: it is invalid, not permitted, or contradicts the ledger."""

    exit_code = EXIT_REFUSED


class InvalidSpec(Refused):
    """A spec is refused, with every finding that says why."""

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        """Keep all `findings`; the message is the first one's."""
        super().__init__(findings[0].message, cure=findings[0].cure)
        self.findings = findings


class LeaseHeld(Refused):
    """Another job holds the lease of this attempt: this one stops without touching anything.

    Refused and no OutsideError, because trying again would not help: a lease does not run out.
    """


class OutsideError(RunnerError):
    """A remote, a server, a disk or another program failed; the same command may work later."""

    exit_code = EXIT_OUTSIDE


class Unclear(OutsideError):
    """The answer to a request was lost: it may have been carried out, or may be yet."""


class Inconclusive(RunnerError):
    """The evidence at hand does not decide the question."""

    exit_code = EXIT_INCONCLUSIVE
