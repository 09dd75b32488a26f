"""What is gathered of a training while it goes on, and what is left of it at its end."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import NamedTuple

import yaml

from runner.errors import OutsideError
from runner.node import evidence as facts
from runner.node import job, shared_memory
from runner.node.channel import CONFIG, EVIDENCE, REWARDS, TRAINER_LOG, Channel
from runner.node.checkpoints import CheckpointPublisher, export
from runner.node.company import Company
from runner.node.continuation import earlier_metrics, earlier_rewards
from runner.node.data import workspace_of
from runner.node.observe import MachineSampler, MetricsFollower
from runner.node.patience import at_the_start, patiently
from runner.node.prepare import Prepared, reward_log
from runner.node.rewards import RewardRecord, merged, reward_evidence
from runner.node.shards import Shards
from runner.node.task import Evidence, NodeTask, RewardEvidence, Stop

SAMPLE_SECONDS = 10.0
"""Between samples of memory and CPU; one costs some tenths of a second."""
HYDRA_CONFIG = Path("hydra") / ".hydra" / "config.yaml"
"""Below the scratch folder: where a trainer that uses Hydra leaves its resolved config."""


class Saved(NamedTuple):
    """What the store and DVC hold of the weights."""

    step: int | None
    """Of the newest complete checkpoint; none when there is none."""
    md5: str | None
    """Digest of its export; none when none is wanted."""


class Training:
    """Follows one training, and mirrors what it leaves."""

    def __init__(
        self, task: NodeTask, prepared: Prepared, channel: Channel, folder: Path, company: Company
    ) -> None:
        """Follow what `prepared` will write; `folder` is the job's, `company` the other nodes."""
        self._task, self._channel, self._folder = task, channel, folder
        self._company = company
        self._scratch = Path(task.scratch)
        self.prepared = prepared
        self.follower = MetricsFollower(
            Path(prepared.layout.metrics), prepared.trainer, prepared.run, channel
        )
        self.follower.last_step = prepared.first_step
        self._rewards = RewardRecord(reward_log(self._scratch))
        if prepared.resumed:
            resumed = prepared.resumed
            measured = at_the_start(lambda: earlier_metrics(channel.store, resumed))
            self.follower.latest.update(measured)
            earlier = at_the_start(lambda: earlier_rewards(channel.store, resumed))
            self._rewards = RewardRecord(reward_log(self._scratch), earlier)
        self._checkpoints = CheckpointPublisher(
            Path(prepared.layout.checkpoints),
            prepared.trainer,
            channel,
            task.spec.checkpoints.keep_last,
            Shards(company.fellows),
        )
        self._sampler = MachineSampler(channel)
        self._is_open = True

    def advance(self) -> None:
        """Take over what is new, without asking the store anything."""
        self.follower.advance()
        self._take_rewards()
        self._take_config()
        if self._sampler.is_due(SAMPLE_SECONDS):
            processes = job.marked_processes(self._task.job)
            shared_memory.note(self._folder, processes)
            self._sampler.sample(processes)

    @property
    def kept(self) -> int:
        """The newest step whose checkpoint is whole in the store; 0 before the first."""
        return self._checkpoints.newest or self.prepared.first_step

    def publish_checkpoints(self) -> None:
        """Start uploading checkpoints; after the rest: where one is, the metrics up to it are."""
        if self._is_open:
            self._checkpoints.advance()

    def close(self) -> None:
        """Take over the rest, now that the trainer has ended."""
        self.follower.close()
        self._take_rewards()
        self._take_config()

    def _take_rewards(self) -> None:
        if self._task.spec.reward:
            summary = merged(self._rewards.advance(), self._company.rewards())
            self._replace(REWARDS, summary.model_dump_json().encode() + b"\n")

    def _take_config(self) -> None:
        hydra = self._scratch / HYDRA_CONFIG
        if self._task.spec.pin.name == "script":
            spec = self._task.spec.model_dump(mode="json", by_alias=True, exclude_none=True)
            self._replace(CONFIG, yaml.safe_dump(spec, sort_keys=False).encode())
        elif hydra.exists():
            self._replace(CONFIG, hydra.read_bytes())

    def _replace(self, name: str, data: bytes) -> None:
        path = self._channel.folder / name
        if not path.exists() or path.read_bytes() != data:
            self._channel.write(name, data)

    def save(self, *, finished: bool, final: bool = True) -> Saved:
        """Finish the uploads, and if it is `final` give the export to DVC.

        Raises OutsideError when the store or the remote is away for longer than STORE_PATIENCE.
        """
        self._is_open = False
        newest = self._checkpoints.close(finished=finished)
        step = newest.step if newest else None
        is_trial = self._task.limits.steps is not None
        if self._task.spec.checkpoints.export == "none" or is_trial or not final:
            return Saved(step, None)
        is_attempt = self._task.attempt.startswith("a")
        dvc = workspace_of(self._task, self._scratch / "export", self._task.checkpoint_remote)
        return Saved(step, export(newest, dvc, upload=is_attempt))

    def write_evidence(self, exit_code: int, stopped: Stop, saved: Saved, seconds: float) -> None:
        """Write what was found, to be published."""
        blotted = self._channel.redactor.text
        found = Evidence(
            exit_code=exit_code,
            stopped=stopped,
            last_step=self.follower.last_step,
            steps=self.prepared.steps,
            metrics=self.follower.latest,
            reward=self._reward(),
            checkpoint_md5=saved.md5,
            checkpoint_step=saved.step,
            inputs=self._task.inputs,
            # Before it is encoded: JSON spells a secret otherwise.
            log_tail=tuple(map(blotted, facts.log_tail(self._channel.folder / TRAINER_LOG))),
            environment=facts.environment(self.prepared.layout.python),
            seconds=round(seconds, 3),
            peak_memory_bytes=self._sampler.peak_memory_bytes,
        )
        self._channel.write(EVIDENCE, found.model_dump_json(indent=1).encode())

    def _reward(self) -> RewardEvidence | None:
        if not self._task.spec.reward:
            return None
        file = Path(self._task.code) / self._task.spec.reward.partition(":")[0]
        return reward_evidence(merged(self._rewards.advance(), self._company.rewards()), file)

    def upload_extras(self) -> None:
        """Put W&B's files and the samples into the store; without them a run is no worse."""
        for name in ("wandb", "samples"):
            try:
                patiently(partial(self._channel.upload_folder, self._scratch / name, name))
            except OutsideError as error:
                self._channel.say(f"{name} is not in the store: {error.message}")
