"""The other ranks of a job: they join rank 0, prepare what it has prepared, and end as it does.

    dial -> data, model, checkpoint -> Ray -> the command, where it starts on all -> shards -> end

They take no lease and write no metrics, heartbeat or evidence; what they leave is below
`epoch-N/node-<rank>/` in the run's store.
"""

from __future__ import annotations

import contextlib
import math
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from runner.errors import OutsideError, RunnerError
from runner.node import job, ray, shared_memory
from runner.node.channel import TRAINER_LOG, Channel
from runner.node.checkpoints import fetch, step_of
from runner.node.company import SHARED, about_this_node
from runner.node.cpu import INSIDE
from runner.node.mirror import Mirror
from runner.node.observe import MachineSampler
from runner.node.prepare import DOWNLOAD_DEADLINE, Prepared, bring, composed, reward_log
from runner.node.process import guarded, stop
from runner.node.ranks import (
    KEY,
    MEETING_SECONDS,
    Fellows,
    Message,
    RankLost,
    Ranks,
    join,
    variables,
)
from runner.node.rewards import RewardRecord
from runner.node.shards import ShardSender
from runner.node.stopping import Stopped, ignore_stops, interrupt
from runner.node.task import NodeTask
from runner.node.training import SAMPLE_SECONDS
from runner.spec.experiment import Run
from runner.storage.files import write_atomically
from runner.storage.store import RunStore
from runner.trainers import TRAINERS

BEAT_SECONDS = 2.0
"""Between looks at what goes on here; a message of rank 0 is heard at once."""
LEAVING_SECONDS = 60.0
"""For rank 0 to end the job after this node was asked to stop, or has failed."""


def accompany(task: NodeTask, folder: Path, own: Ranks) -> int:
    """Be the rank `own` of `task`, with `folder` for its own files; return rank 0's exit code.

    Raises RankLost when rank 0 has not told one, or this rank failed before it could.
    """
    fellows = join(own, task.job, about_this_node(task), interrupt)
    is_signal = False
    try:
        error = _work(task, folder, own, fellows)
        ignore_stops()
    except Stopped:
        is_signal, error = True, fellows.fault or "it was stopped by a signal"
    if fellows.end is None and not fellows.fault:
        _fail(fellows, error, is_signal=is_signal)
    fellows.close()
    if fellows.end is None:
        raise RankLost(error)
    return fellows.end


def _work(task: NodeTask, folder: Path, own: Ranks, fellows: Fellows) -> str:
    """Do this rank's part; return why it is over, should rank 0 not have told the end."""
    try:
        _Companion(task, folder, own, fellows.listen()).work()
    except RunnerError as problem:
        return fellows.fault or problem.message
    except Exception as problem:  # rank 0 must hear of it even if the fault is ours
        _fail(fellows, f"{type(problem).__name__}: {problem}", is_signal=False)
        raise
    return f"{own.name(0)} has not ended the job within {LEAVING_SECONDS:.0f} s"


def _fail(fellows: Fellows, error: str, *, is_signal: bool) -> None:
    """Tell rank 0 what went wrong here, and let it leave its result.

    A launcher may kill all ranks as soon as one has ended badly, as Slurm does.
    """
    fellows.tell("failed", error=error, signal=is_signal)
    fellows.await_end(LEAVING_SECONDS)


class _Companion:
    """One rank that is not the first."""

    def __init__(self, task: NodeTask, folder: Path, own: Ranks, fellows: Fellows) -> None:
        self.own, self.fellows, self.folder = own, fellows, folder
        welcome = fellows.gather("welcome", MEETING_SECONDS)[0]
        self.is_shared = _has_token(Path(welcome["scratch"]) / SHARED, welcome["token"])
        self.links: list[Path] = []
        self.task = self.placed(task, welcome)
        self.store = RunStore(task.store)
        named = (KEY, *task.spec.secrets, *task.node_variables)
        secrets = [own.ray_token(), *(os.environ.get(name, "") for name in named)]
        prefix = f"{welcome['prefix']}/node-{own.rank}"
        self.channel = Channel(folder / "published", self.store, prefix, secrets)
        self.mirror = Mirror(self.channel.publish)
        self.sampler = MachineSampler(self.channel)
        self.rewards = RewardRecord(reward_log(Path(self.task.scratch)))
        self.raylet: subprocess.Popen[bytes] | None = None
        self.command: subprocess.Popen[bytes] | None = None
        self.finish_by = math.inf
        self.grace = 0.0

    def placed(self, task: NodeTask, welcome: Message) -> NodeTask:
        """Return `task` as it is on this node.

        With a disk of its own it has places of its own; in a Ray cluster they are found by rank 0's
        paths too, which its command line and its workers name.
        """
        name = job.name_on(task.job, self.own.rank)
        places = {"code": welcome["code"], "scratch": welcome["scratch"]}
        if self.is_shared:
            return task.model_copy(update={**places, "job": name})
        # So that a sweep finds what is to be removed, should this process be killed.
        write_atomically(self.folder / job.TASK, task.model_dump_json(by_alias=True).encode())
        run = Run(experiment=task.experiment, seed=task.seed, point={}, spec=task.spec)
        if not TRAINERS[task.spec.pin.name].needs_ray(run):
            return task.model_copy(update={"job": name})
        mine = {"code": task.code, "scratch": task.scratch, "inside": str(INSIDE)}
        for key, here in mine.items():
            self.links += _linked(here, welcome[key])
        return task.model_copy(update={**places, "job": name})

    def work(self) -> None:
        """Prepare, join Ray, and serve until rank 0 says the end."""
        try:
            prepared = self.prepare()
            folder = Path(prepared.layout.checkpoints)
            shards = ShardSender(folder, self.store, self.fellows, is_shared=self.is_shared)
            self.fellows.tell("ready")
            with self.cluster(prepared) as environment, contextlib.closing(shards):
                self.serve(prepared, environment, shards)
        finally:
            ignore_stops()
            if self.command:
                stop(self.command, self.grace)
            with contextlib.suppress(OutsideError):
                self.mirror.flush()
            for link in self.links:
                link.unlink(missing_ok=True)

    def prepare(self) -> Prepared:
        """Bring what rank 0 has brought to the same places; nothing where it has the same disk."""
        if self.is_shared:
            told = self.fellows.gather("prepared", DOWNLOAD_DEADLINE)[0]
            layout, _ = bring(self.task, is_there=True)
        else:
            layout, _ = bring(self.task)
            told = self.fellows.gather("prepared", DOWNLOAD_DEADLINE)[0]
            self.restore(told["resumed"], Path(layout.checkpoints))
        return composed(self.task, layout, told["steps"], told["resumed"])

    def restore(self, name: str | None, folder: Path) -> None:
        """Bring the checkpoint that rank 0 goes on from: all of it, as ranks may have moved."""
        if name is None:
            return
        if fault := fetch(self.store, name, folder):
            raise OutsideError(f"checkpoint {name} cannot be restored: {fault}")
        TRAINERS[self.task.spec.pin.name].resume(folder, step_of(name))

    @contextlib.contextmanager
    def cluster(self, prepared: Prepared) -> Iterator[dict[str, str]]:
        """Yield the command's environment, with this node in rank 0's Ray if there is one."""
        told = prepared.for_the_trainer(self.task)
        if not prepared.trainer.needs_ray(prepared.run):
            yield told
            return
        address = self.fellows.gather("ray", ray.START_DEADLINE * 2)[0]["address"]
        told = {**told, **ray.authentication(self.own.ray_token())}
        seat = ray.seat(self.task, self.own)
        log = self.channel.folder / ray.LOG
        with ray.worker(prepared.layout.python, seat, address, told, log) as self.raylet:
            yield {**told, "RAY_ADDRESS": address}

    def serve(self, prepared: Prepared, environment: dict[str, str], shards: ShardSender) -> None:
        """Do what rank 0 asks for, until it says the end; asked to stop, ask it to end soon."""
        patience = math.inf
        while self.fellows.end is None and time.monotonic() < patience:
            try:
                for _, message in self.fellows.taken("train"):
                    self.start(prepared, environment, message)
                shards.advance()
                self.look()
                self.fellows.wait(BEAT_SECONDS)
            except Stopped:
                if self.fellows.fault or self.fellows.end is not None:
                    raise
                self.fellows.tell("leaving")
                patience = time.monotonic() + LEAVING_SECONDS
            if self.fellows.fault:
                raise OutsideError(self.fellows.fault)

    def start(self, prepared: Prepared, environment: dict[str, str], message: Message) -> None:
        """Start the command, which starts on every node."""
        with (self.channel.folder / TRAINER_LOG).open("ab") as output:
            self.command = subprocess.Popen(
                guarded(prepared.command.argv),
                cwd=self.task.code,
                env={**environment, **variables(self.own, message["port"])},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def look(self) -> None:
        """Tell rank 0 what is new here, and mirror it to the store."""
        if not self.is_shared and self.task.spec.reward:
            before = self.rewards.summary
            if (summary := self.rewards.advance()) != before:
                self.fellows.tell("rewards", summary=summary.model_dump())
        if self.sampler.is_due(SAMPLE_SECONDS):
            processes = job.marked_processes(self.task.job)
            shared_memory.note(self.folder, processes)
            self.sampler.sample(processes)
        self.mirror.advance()
        self.look_at_ends()

    def look_at_ends(self) -> None:
        """Tell that the command or Ray has ended here; end the command when rank 0's has ended."""
        for _, message in self.fellows.taken("finish"):
            self.finish_by = time.monotonic() + float(message["seconds"])
            self.grace = float(message["grace"])
        if self.raylet and self.raylet.poll() is not None and self.finish_by == math.inf:
            said = ray.last_words(self.channel.folder / ray.LOG)
            raise OutsideError(f"Ray has ended on it: {said}")
        if self.command and (exit_code := self.command.poll()) is not None:
            self.fellows.tell("exited", exit_code=exit_code)
            self.command = None
        if self.finish_by < math.inf and (not self.command or time.monotonic() > self.finish_by):
            if self.command:
                stop(self.command, self.grace)
                self.command = None
            self.finish_by = math.inf
            self.raylet = None  # it may end from now on
            self.fellows.tell("finished")


def _has_token(path: Path, token: str) -> bool:
    try:
        return path.read_text() == token
    except OSError:
        return False


def _linked(here: str, there: str) -> Iterator[Path]:
    """Make what is `here` be found at the path `there` too, unless it is; yield a link made.

    Raises OutsideError where that path cannot be made.
    """
    link = Path(there)
    if link.exists():
        return
    try:
        Path(here).mkdir(parents=True, exist_ok=True)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(here)
    except OSError as error:
        raise OutsideError(f"cannot make {there}, where node 0 has it: {error.strerror}") from error
    yield link
