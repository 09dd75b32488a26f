"""Rules on what a run that is interrupted goes on from."""

from __future__ import annotations

from collections.abc import Iterator

from runner.findings import Finding
from runner.rules.base import Subject
from runner.rules.raw import raw_keys, raw_value

FOLDERS = ("trainer.default_local_dir", "trainer.ckpt_path", "output_dir")
"""Where verl, SkyRL and TRL keep checkpoints, as their command lines spell it."""

OUTSIDE = ("/", "~", "$HOME", "s3://", "gs://")
"""How places begin that are there before and after a run; a relative one is the run's own."""


def preempted(subject: Subject) -> Iterator[Finding]:
    """A run that may lose its machine saves on its way: preemptible capacity needs `save_every`."""
    candidates = subject.spec.resources.candidates
    if subject.spec.training.save_every is not None:
        return
    for index, candidate in enumerate(candidates):
        if candidate.spot:
            message = f"`{candidate.infra}` may take the machine away at any time, and nothing is "
            message += "saved to go on from"
            place = ("resources", "candidates", index, "spot")
            yield subject.at(place, message, "add `training.save_every`")
            return


def restarted(subject: Subject) -> Iterator[Finding]:
    """Restarts after errors go on from a checkpoint."""
    errors = subject.spec.resources.recover.errors
    if errors and subject.spec.training.save_every is None:
        times = "once" if errors == 1 else f"up to {errors} times"
        message = f"the run is restarted {times}, each time from step 0: nothing is saved"
        yield subject.at(("resources", "recover", "errors"), message, "add `training.save_every`")


def epochs(subject: Subject) -> Iterator[Finding]:
    """The trainer's own count of epochs is left alone: the steps decide.

    Resumed exactly at the end of an epoch, verl's supervised trainer goes through an empty one
    first: with a tight count it ends with steps undone and exit code 0 (verl issue 7401).
    """
    said = raw_keys(subject.spec).get("trainer.total_epochs")
    if said and subject.spec.pin.name == "verl":
        message = f"with trainer.total_epochs: {said.value} a resumed run may end with steps undone"
        yield subject.at(said.path, message, "delete it; `training.epochs` or `steps` say how long")


def folder(subject: Subject) -> Iterator[Finding]:
    """A script keeps its checkpoints in the run's own folder, ROLLBOOK_CHECKPOINTS.

    In a folder outside of it, which runs share, one may find another's and go on from them.
    """
    said = raw_value(subject, *FOLDERS) if subject.spec.script else None
    if said and str(said.value).startswith(OUTSIDE):
        message = f"runs share `{said.value}`: one may go on from another's checkpoints there, and "
        message += "none of them is kept"
        cure = "let the script read the folder from its environment: ROLLBOOK_CHECKPOINTS"
        yield subject.at(said.path, message, cure)
