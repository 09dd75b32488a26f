"""The one resolved file that drives `runner node`, and what a run's folder in the store holds.

In the run store, below `runs/<2 hex>/<run id>/<attempt>/` (attempt is `a1`, `a2`, … or `r1` for a
repeat), with every name that grows or changes below `epoch-<n>/` of the lease that writes it:

    lease.json               who may write: created exclusively, taken over only by the same job
    cancelled                mark of whoever stops the job on purpose
    launcher.txt             what the launcher printed of a job that ended without its node's word
    epoch-N/task.json        the resolved task
    epoch-N/where.json       `Whereabouts`: the place, and the step it goes on from
    epoch-N/heartbeat.json   {"time", "phase", "step", "steps", "seconds", "usd"}
    epoch-N/metrics.jsonl    {"step", "time", "metrics": {canonical: value}, "raw": {name: value}}
    epoch-N/system.jsonl     {"time", "cpu_percent", "memory_bytes", "processes", "gpus": […]}
    epoch-N/log.txt          the trainer's output
    epoch-N/config.yaml      the config as the trainer resolved it (verl: Hydra's); a script's spec
    epoch-N/rewards.json     `RewardSummary` so far, with that of the attempts it continues from
    epoch-N/evidence.json    `Evidence`, written once the trainer has ended
    epoch-N/result.json      `Result`, written last: the node's word that it has ended
    epoch-N/node-<rank>/     log.txt, system.jsonl and ray.txt of the other nodes of a run
    epoch-N/checkpoints/step-<n>/   a checkpoint; its manifest.json is written last
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Literal

from pydantic import Field

from runner.node.rate import Rate
from runner.spec.experiment import Experiment
from runner.spec.section import Section

EXIT_OUTSIDE: Literal[3] = 3
"""The node's exit code when something outside the run failed (no data, no lease, no disk)."""
EXIT_FAILED: Literal[5] = 5
"""The node's exit code when the run itself failed."""


Stop = Literal["", "time_limit", "budget", "cancelled", "reward", "signal"]


class Input(Section):
    """A DVC-tracked file or folder that the run needs, by digest."""

    path: str
    """Relative to the repository's root."""
    md5: str
    """DVC's content hash; a folder's ends in `.dir`."""


class Limits(Section):
    """When the node stops the trainer by itself."""

    seconds: int
    """Wall-clock limit of this attempt."""
    steps: int | None = None
    """Cap on steps, of a scratch run (`runner try`)."""
    usd: float | None = None
    """What this attempt may cost, by `NodeTask.rates`; none without a budget."""
    preemptions: int = 0
    """How often the launcher starts it again after its machines were taken away."""
    errors: int = 0
    """How often the launcher starts it again after it has failed."""


class NodeTask(Section):
    """Everything the node program needs to know."""

    run_id: str
    attempt: str
    """`a<n>`, `r<n>` for a repeat, `try` for a scratch run."""
    job: str
    """Name under which it was submitted; the lease is bound to it."""
    nonce: str
    experiment: str
    seed: int
    spec: Experiment
    steps: int | None
    """Planned steps of the trainer's outer loop; none when only the trainer can know."""
    commit: str
    code: str
    """Folder with the files of the commit that the run needs."""
    store: str
    """The run's folder in the run store, as an fsspec URL or absolute path."""
    scratch: str
    """Folder on this machine for what the run writes before it is published."""
    train_python: str
    """Python of the training environment; the node's own for `trainer: script`."""
    image: str | None = None
    """Container image, by digest, whose Python it trains with, where the launcher can start one."""
    lock: str | None = None
    """Pinned requirements among `code` of which a launcher makes the training environment, when
    there is no image."""
    inputs: tuple[Input, ...] = Field(default=(), strict=False)
    data_remote: str
    """URL or absolute path of the DVC remote of data."""
    checkpoint_remote: str
    endpoints: dict[str, str] = Field(default={})
    """By the URL of a remote, the server that has it, where DVC's configuration names one."""
    upstream: Input | None = None
    """Export on the checkpoints remote that `model: {source: run}` starts from."""
    resume: str | None = None
    """Checkpoint in the run store, of an earlier attempt of this run, to continue from."""
    node_variables: tuple[str, ...] = Field(default=(), strict=False)
    """Names of the variables with which the node program, and not the trainer, reaches the run
    store and the DVC remotes."""
    candidates: int = 1
    """How many of the spec's candidates are open to it, from the first on."""
    rates: tuple[Rate, ...] = Field(default=(), strict=False)
    """Known prices of the open candidates."""
    limits: Limits


def read_task(file: Path) -> NodeTask:
    """Return the task in `file`, whose relative places are below the file's folder.

    A task without `train_python` has that of RUNNER_TRAIN_PYTHON, else the node's own.
    """
    task = NodeTask.model_validate_json(file.read_bytes())
    folder = file.parent.resolve()
    return task.model_copy(
        update={
            "code": str(folder / task.code),
            "scratch": str(folder / task.scratch),
            "train_python": task.train_python
            or os.environ.get("RUNNER_TRAIN_PYTHON")
            or sys.executable,
        }
    )


class RewardSummary(Section):
    """What the reward function's own record says, of an attempt and those it continues from."""

    calls: int = 0
    failures: int = 0
    """Calls that raised."""
    lowest: float | None = None
    highest: float | None = None


class RewardEvidence(RewardSummary):
    """The whole record, and whose it is."""

    sha256: str
    """Digest of the function's file as it was loaded."""


class Evidence(Section):
    """What was found when the trainer had ended: facts, no verdict."""

    exit_code: int | None
    """The trainer's; none when it never started."""
    stopped: Stop = ""
    """Why the node stopped the trainer, if it did; `signal`: by one that is no cancellation."""
    last_step: int
    steps: int | None
    metrics: dict[str, float]
    """Last value per canonical metric."""
    reward: RewardEvidence | None
    checkpoint_md5: str | None
    """DVC digest of the final export; none when there is none or none is wanted."""
    checkpoint_step: int | None
    """Step of the newest complete checkpoint, exported or not."""
    inputs: tuple[Input, ...] = Field(default=(), strict=False)
    """What was pulled, with the digests found."""
    log_tail: tuple[str, ...] = Field(default=(), strict=False)
    """The last lines of the trainer's output."""
    environment: dict[str, str]
    """Versions of trainer, torch, vLLM, Ray, Python; processor; memory; host."""
    seconds: float
    """Wall-clock time from lease to end."""
    peak_memory_bytes: int


class Result(Section):
    """The node's last word."""

    exit_code: Literal[0, 3, 5]
    error: str = ""
    """What went wrong outside the run, when exit_code is 3."""
    cancelled: bool = False
    """Whether a person has cancelled it (`runner cancel`), and not just any signal stopped it."""
