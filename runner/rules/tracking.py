"""Rules on where metrics go besides the run store."""

from __future__ import annotations

from collections.abc import Iterator

from runner.findings import Finding
from runner.rules.base import Subject
from runner.rules.raw import raw_value
from runner.spec.node import Path

KEY = "WANDB_API_KEY"


def offline(subject: Subject) -> Iterator[Finding]:
    """Weights & Biases gets the metrics: a GPU run that asks for it names WANDB_API_KEY."""
    place = _asked_at(subject)
    if place and subject.spec.resources.gpus_per_node and KEY not in subject.spec.secrets:
        message = f"without {KEY} the run is tracked offline: nothing is seen while it runs"
        yield subject.at(place, message, f"add it: secrets: [{KEY}]", on_key=True)


def _asked_at(subject: Subject) -> Path | None:
    """Return where the spec asks for Weights & Biases: its own section, or a script's command."""
    if subject.spec.tracking.wandb:
        return ("tracking", "wandb")
    said = raw_value(subject, "trainer.logger", "report_to") if subject.spec.script else None
    return said.path if said and "wandb" in str(said.value) else None
