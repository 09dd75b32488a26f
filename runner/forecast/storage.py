"""What a run writes: checkpoints in the run store, and what lies on a node's disk meanwhile."""

from __future__ import annotations

from typing import NamedTuple

from runner.models.architecture import Architecture
from runner.spec.experiment import Experiment

GIB = 2**30
GB = 10**9
DEFAULT_DISK_GB = 256
"""Disk of a SkyPilot node where nothing else is asked for (SkyPilot 0.14, `disk_size`)."""


class Storage(NamedTuple):
    """Sizes in bytes, per run."""

    state: float
    """Weights and Adam's two moments of one checkpoint, all as fp32."""
    model: float
    """The weights once more in Hugging Face format, fp32, in each checkpoint."""
    written: int | None
    """Checkpoints over the whole run; 0 when it saves none, null when its steps are not known."""
    kept: int
    """How many of them stay in the run store."""
    exported: float
    """The final export that DVC tracks."""
    node: float
    """The most that one node holds at a time: kept checkpoints, the next one, the model."""

    @property
    def checkpoint(self) -> float:
        """One checkpoint."""
        return self.state + self.model

    @property
    def store(self) -> float:
        """What the run store holds when the run has ended."""
        return self.kept * self.checkpoint + self.exported


def storage(spec: Experiment, architecture: Architecture, steps: int | None) -> Storage | None:
    """Return what `spec` writes; None for trainers whose checkpoints are not modelled.

    verl 0.9.1 saves fp32 weights and optimizer states: 4 + 8 bytes a parameter (85 GiB at 7.6
    billion), and beside them the model in Hugging Face format. With adapters the states are those
    of the adapters alone. A critic is as large as the policy.
    """
    if spec.pin.name != "verl" or spec.algorithm is None:
        return None
    lora, models = spec.training.lora, 2 if spec.algorithm.terms().advantage == "gae" else 1
    trained = architecture.parameters
    if lora:
        trained = architecture.adapter_parameters(lora.rank)
    state = models * (4.0 * architecture.parameters + 8.0 * trained)
    model = 4.0 * architecture.parameters
    written, last = _written(spec, steps), spec.checkpoints.keep_last
    kept = last + (spec.checkpoints.keep_best is not None)
    on_node = _at_most(written, last + 1) * (state + model)
    return Storage(
        state=state,
        model=model,
        written=written,
        kept=_at_most(written, kept),
        exported=model if written != 0 and spec.checkpoints.export == "huggingface" else 0.0,
        node=on_node / spec.resources.nodes + 2.0 * architecture.parameters,
    )


def _written(spec: Experiment, steps: int | None) -> int | None:
    """Return how many checkpoints a run writes: every `save_every` steps, and the last step."""
    every = spec.training.save_every
    if every is None:
        return 0
    return None if steps is None else -(-steps // every)


def _at_most(written: int | None, limit: int) -> int:
    return limit if written is None else min(written, limit)
