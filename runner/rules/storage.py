"""Rules on disk space."""

from __future__ import annotations

from collections.abc import Iterator

from runner.findings import Finding
from runner.forecast.storage import DEFAULT_DISK_GB, GB, GIB
from runner.forecast.storage import storage as forecast
from runner.rules.base import Subject
from runner.trainers.base import steps_planned


def disk(subject: Subject) -> Iterator[Finding]:
    """A node's checkpoints fit on the disk that SkyPilot gives it unless told otherwise."""
    spec, facts = subject.spec, subject.context.models.find(subject.spec.model)
    if facts is None or spec.data is None or spec.resources.accelerators is None:
        return
    steps = steps_planned(spec.training, subject.context.cards.rows(spec.data.train))
    found = forecast(spec, facts.architecture, steps)
    if found is None or found.written == 0 or found.node <= DEFAULT_DISK_GB * GB:
        return
    count = spec.checkpoints.keep_last + 1
    if found.written is not None:
        count = min(found.written, count)
    message = f"a node's disk holds up to {found.node / GIB:.0f} GiB: {count} checkpoints of "
    message += (
        f"{found.checkpoint / GIB:.0f} GiB ({found.state / GIB:.0f} of weights and optimizer "
    )
    message += f"states) and the model; SkyPilot's default is {DEFAULT_DISK_GB} GB"
    cure = "ask for a larger disk"
    if spec.checkpoints.keep_last > 1:
        cure += ", or write checkpoints.keep_last: 1"
    yield subject.at(("training", "save_every"), message, cure)
