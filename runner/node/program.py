"""What runs where the training is: one resolved file in, the run's folder in the store out.

    lease -> turn -> data, model -> Ray -> train, watched -> checkpoint -> evidence -> result

Its exit code tells the truth: 0 the trainer ended by itself without an error, 5 it did not, 3
something outside the run failed. Whether the run is to be believed is judged from the evidence.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Literal

from runner.errors import OutsideError, RunnerError
from runner.node import evidence as facts
from runner.node import job, ray
from runner.node.channel import EVIDENCE, HEARTBEAT, RESULT, TRAINER_LOG, Channel, timestamp
from runner.node.checkpoints import CheckpointPublisher, Export, export
from runner.node.lease import acquire
from runner.node.observe import MachineSampler, MetricsFollower
from runner.node.prepare import Prepared, prepare, reward_log
from runner.node.process import guarded, stop
from runner.node.task import EXIT_FAILED, EXIT_OUTSIDE, Evidence, NodeTask, Result
from runner.store import RunStore

Stop = Literal["", "time_limit", "cancelled", "reward"]
BEAT_SECONDS = 2.0
"""Between looks at a running trainer: metrics, heartbeat, publishing."""
SAMPLE_SECONDS = 10.0
"""Between samples of memory and CPU; one costs some tenths of a second."""
STORE_PATIENCE = 900.0
"""Seconds for which the run store may be away while a trainer runs, before that is ended."""
GRACE_SECONDS = 30.0
"""For a trainer to end after SIGTERM."""


class Stopped(BaseException):
    """Somebody asked the node program to stop; nothing but the story below handles it."""


def main(task_file: Path, slot: Path | None) -> int:
    """Run the task in `task_file`, taking turns for `slot`; return the exit code."""
    folder = task_file.parent
    task = NodeTask.model_validate_json(task_file.read_bytes())
    os.environ[job.MARKER] = task.job
    with job.held(folder), _stoppable():
        try:
            return _Node(task, folder).work(slot)
        finally:
            job.sweep(folder)


class _Node:
    """One run of the node program."""

    def __init__(self, task: NodeTask, folder: Path) -> None:
        self.task = task
        self.folder = folder
        self.store = RunStore(task.store)
        self.started = self.published = time.monotonic()
        lease = acquire(self.store, task.attempt, task.run_id, task.attempt, task.job, task.nonce)
        prefix = f"{task.attempt}/epoch-{lease.epoch}"
        secrets = [os.environ.get(name, "") for name in task.spec.secrets]
        self.channel = Channel(folder / "published", self.store, prefix, secrets)
        self.sampler = MachineSampler(self.channel)
        self.channel.write("task.json", task.model_dump_json(by_alias=True, indent=1).encode())

    def work(self, slot: Path | None) -> int:
        """Do the run and leave its result in the store, whatever happens."""
        result = Result(exit_code=EXIT_OUTSIDE, error="the node program was stopped")
        try:
            self.beat("queued")
            with job.queued(slot) if slot else contextlib.nullcontext():
                self.started = self.published = time.monotonic()
                result = self.train()
        except Stopped:
            result = Result(exit_code=EXIT_FAILED, error="cancelled before it trained")
        except RunnerError as error:
            cure = f" ({error.cure})" if error.cure else ""
            result = Result(exit_code=EXIT_OUTSIDE, error=f"{error.message}{cure}")
        except Exception as error:  # the result must be told even if the fault is ours
            result = Result(exit_code=EXIT_OUTSIDE, error=f"{type(error).__name__}: {error}")
            raise
        finally:
            _ignore_stops()
            self.beat("ended")
            self.channel.write(RESULT, result.model_dump_json(indent=1).encode())
            self.channel.publish()
        return result.exit_code

    def train(self) -> Result:
        """Prepare, train and gather the evidence."""
        self.beat("preparing")
        prepared = prepare(self.task, self.store)
        log = self.channel.folder / TRAINER_LOG
        follower = MetricsFollower(
            Path(prepared.layout.metrics), prepared.trainer, prepared.run, self.channel
        )
        follower.last_step = prepared.first_step
        publisher = CheckpointPublisher(
            Path(prepared.layout.checkpoints),
            prepared.trainer,
            self.channel,
            self.task.spec.checkpoints.keep_last,
        )
        with self.cluster(prepared, log) as environment:
            exit_code, stopped = self.watch(prepared, environment, log, follower, publisher)
        _ignore_stops()
        follower.close()
        self.beat("saving", follower.last_step, prepared.steps)
        exported = self.save(publisher, finished=exit_code == 0 and stopped == "")
        self.write_evidence(prepared, follower, exit_code, stopped, exported)
        failed = exit_code != 0 or stopped != ""
        return Result(exit_code=EXIT_FAILED if failed else 0)

    @contextlib.contextmanager
    def cluster(self, prepared: Prepared, log: Path) -> Iterator[dict[str, str]]:
        """Yield the trainer's environment, with Ray up where the trainer needs it."""
        if not prepared.trainer.needs_ray(prepared.run):
            yield prepared.environment
            return
        self.beat("starting ray")
        devices = prepared.run.spec.resources.devices
        ray_log = log.with_name("ray.txt")
        python = prepared.layout.python
        folder = job.temporary_folder(self.task.job) / "ray"
        with ray.cluster(python, devices, prepared.environment, folder, ray_log) as address:
            yield {**prepared.environment, "RAY_ADDRESS": address}

    def watch(
        self,
        prepared: Prepared,
        environment: dict[str, str],
        log: Path,
        follower: MetricsFollower,
        publisher: CheckpointPublisher,
    ) -> tuple[int, Stop]:
        """Run the trainer to its end, its limit or a stop; return its exit code and why."""
        with log.open("ab") as output:
            process = subprocess.Popen(
                guarded(prepared.command.argv),
                cwd=self.task.code,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        stopped: Stop = ""
        try:
            while process.poll() is None and not stopped:
                self.look(prepared, follower, publisher)
                stopped = self.limit_reached()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(BEAT_SECONDS)
        except Stopped:
            stopped = "cancelled"
        _ignore_stops()
        return stop(process, GRACE_SECONDS), stopped

    def look(
        self, prepared: Prepared, follower: MetricsFollower, publisher: CheckpointPublisher
    ) -> None:
        """Take over what is new and publish it."""
        follower.advance()
        if self.sampler.is_due(SAMPLE_SECONDS):
            processes = job.marked_processes(self.task.job)
            job.note_shared_memory(self.folder, processes)
            self.sampler.sample(processes)
        self.beat("training", follower.last_step, prepared.steps)
        self.publish()
        publisher.advance()  # last: where a checkpoint is, the metrics up to it are too

    def publish(self) -> None:
        """Take what is new to the store; a store that is away for a while ends no training."""
        try:
            self.channel.publish()
            self.published = time.monotonic()
        except OutsideError:
            if time.monotonic() - self.published > STORE_PATIENCE:
                raise

    def limit_reached(self) -> Stop:
        """Return the limit that the attempt has reached, if any."""
        over = time.monotonic() - self.started > self.task.limits.seconds
        return "time_limit" if over else ""

    def save(self, publisher: CheckpointPublisher, *, finished: bool) -> Export | None:
        """Finish the uploads, and give the final export to DVC."""
        newest = publisher.close(finished=finished)
        is_trial = self.task.limits.steps is not None
        if self.task.spec.checkpoints.export == "none" or is_trial:
            return None
        is_attempt = self.task.attempt.startswith("a")
        workspace = Path(self.task.scratch) / "export"
        return export(newest, workspace, self.task.checkpoint_remote, upload=is_attempt)

    def write_evidence(
        self,
        prepared: Prepared,
        follower: MetricsFollower,
        exit_code: int,
        stopped: Stop,
        exported: Export | None,
    ) -> None:
        """Put what was found into the store."""
        spec, scratch = self.task.spec, Path(self.task.scratch)
        reward = None
        if spec.reward:
            file = Path(self.task.code) / spec.reward.partition(":")[0]
            reward = facts.reward_evidence(reward_log(scratch), file)
        found = Evidence(
            exit_code=exit_code,
            stopped=stopped,
            last_step=follower.last_step,
            steps=prepared.steps,
            metrics=follower.latest,
            reward=reward,
            checkpoint_md5=exported.md5 if exported else None,
            checkpoint_step=exported.step if exported else None,
            inputs=self.task.inputs,
            log_tail=facts.log_tail(self.channel.folder / TRAINER_LOG),
            environment=facts.environment(prepared.layout.python),
            seconds=round(time.monotonic() - self.started, 3),
            peak_memory_bytes=self.sampler.peak_memory_bytes,
        )
        self.channel.write(EVIDENCE, found.model_dump_json(indent=1).encode())
        for name in ("wandb", "samples"):
            if any((scratch / name).rglob("*")):
                self.store.upload(scratch / name, f"{self.channel.prefix}/{name}")

    def beat(self, phase: str, step: int = 0, steps: int | None = None) -> None:
        """Say that the node lives, and what it does."""
        self.channel.write_json(
            HEARTBEAT,
            {
                "time": timestamp(),
                "phase": phase,
                "step": step,
                "steps": steps,
                "seconds": round(time.monotonic() - self.started, 1),
            },
        )
        if phase != "training":  # while it trains, everything is published together
            self.channel.publish()


@contextlib.contextmanager
def _stoppable() -> Iterator[None]:
    """Turn SIGTERM and SIGINT into Stopped, once."""

    def raise_stopped(number: int, frame: FrameType | None) -> None:
        _ignore_stops()
        raise Stopped

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, raise_stopped)
    yield


def _ignore_stops() -> None:
    """From here on the node is ending; a second request must not cut the clean-up short."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
