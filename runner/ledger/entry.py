"""What the ledger says of an experiment, as `experiments/<name>/index.json`."""

from __future__ import annotations

from pydantic import Field

from runner.ledger.record import ledger_json
from runner.spec.expectation import Expectation
from runner.spec.section import Section

FOLDER = "experiments"
INDEX = "index.json"


class ExperimentEntry(Section):
    """An experiment as it was when last reconciled."""

    name: str
    own_digest: str
    """Digest of what its own file means, without bases and inputs."""
    runs: tuple[str, ...] = Field(strict=False)
    """Ids of the runs that it stands for now, in the order of its points and seeds."""
    history: tuple[str, ...] = Field(default=(), strict=False)
    """Ids of all runs that it ever stood for, oldest first."""
    commit: str
    """The commit that was reconciled."""
    expect: tuple[Expectation, ...] = Field(default=(), strict=False)
    """What its spec expects; it bears no identity, so it may change after the runs."""

    @property
    def path(self) -> str:
        """Where the entry is on the ledger branch."""
        return entry_path(self.name)

    def to_json(self) -> bytes:
        """Return the entry as its file holds it."""
        return ledger_json(self.model_dump(mode="json"))

    def after(self, before: ExperimentEntry | None) -> ExperimentEntry:
        """Return this entry with a history that forgets no run of `before` or of its own."""
        old = before.history if before else ()
        history = tuple(dict.fromkeys((*old, *self.history, *self.runs)))
        return self.model_copy(update={"history": history})


def entry_path(name: str) -> str:
    """Return where the entry of the experiment `name` is on the ledger branch."""
    return f"{FOLDER}/{name}/{INDEX}"
