"""What runs where the training is: one resolved file in, the run's folder in the store out.

    lease -> turn -> meeting of the nodes -> data, model -> Ray -> train, watched
          -> checkpoint -> evidence -> result

This is the story of rank 0, which on most runs is the only one; the other nodes'
(runner.node.companion) join it and end as it does. Its exit code tells the truth: 0 the trainer
ended by itself without an error, 5 it did not, 3 something outside the run failed. Whether the run
is to be believed is judged from the evidence.

A start that its launcher follows with another one (runner.node.restarts) leaves neither evidence
nor result, and the next goes on from its last checkpoint. A start that finds the result of one
before it has nothing left to do, and ends as that did. One that was cancelled while it was being
submitted, or has been started too often, leaves a result at once.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from runner.errors import RunnerError
from runner.node import job, ray, restarts
from runner.node.budget import Pace, is_in_vain, meter_of, without_meter
from runner.node.channel import HEARTBEAT, RESULT, TRAINER_LOG, Channel, timestamp
from runner.node.companion import accompany
from runner.node.company import LAST_SECONDS, Company
from runner.node.continuation import continued, lost_steps
from runner.node.lease import TASK_ID, acquire, holder
from runner.node.mirror import Mirror
from runner.node.patience import at_the_start, patiently
from runner.node.prepare import Prepared, prepare
from runner.node.process import guarded, stop
from runner.node.ranks import KEY, RankLost, Ranks, ranks, turn_away
from runner.node.stopping import Stopped, ignore_stops, stoppable
from runner.node.task import EXIT_FAILED, EXIT_OUTSIDE, NodeTask, Result, Stop, read_task
from runner.node.training import Training
from runner.node.whereabouts import WHERE, whereabouts
from runner.report.notation import plural
from runner.storage.store import RunStore

BEAT_SECONDS = 2.0
"""Between looks at a running trainer: metrics, heartbeat, publishing."""
GRACE_SECONDS = 30.0
"""For a trainer to end after SIGTERM."""


def main(task_file: Path, slot: Path | None) -> int:
    """Run the task in `task_file`, taking turns for `slot`; return the exit code."""
    folder = task_file.parent.resolve()
    task = read_task(task_file)
    own = ranks(task.spec.resources.nodes)
    name = job.name_on(task.job, own.rank)
    os.environ[job.MARKER] = name
    if TASK_ID in os.environ:
        os.environ[job.START] = secrets.token_hex(4)
    home = folder / name if own.rank else folder
    with job.held(home), stoppable():
        try:
            return accompany(task, home, own) if own.rank else _lead(task, home, own, slot)
        finally:
            job.sweep(home)


def _lead(task: NodeTask, home: Path, own: Ranks, slot: Path | None) -> int:
    """Be rank 0 of `task`; the other ranks end with it where it must not even begin."""
    try:
        node = _Node(task, home, own)
    except RunnerError as error:
        turn_away(own, task.job, error.exit_code)
        raise
    exit_code = node.ended_before()
    if exit_code is None:
        return node.work(slot)
    turn_away(own, task.job, exit_code)
    return exit_code


class _Node:
    """One run of the node program."""

    def __init__(self, task: NodeTask, folder: Path, own: Ranks) -> None:
        self.folder, self.own = folder, own
        self.store = RunStore(task.store)
        self.started = time.monotonic()
        self.training: Training | None = None
        self.stopped: Stop = ""
        mine = holder(task.job, os.environ)
        claim = (task.attempt, task.run_id, task.attempt, mine, task.nonce, secrets.token_hex(8))
        lease = at_the_start(lambda: acquire(self.store, *claim))
        prefix = f"{task.attempt}/{lease.folder}"
        self.restarts = at_the_start(
            lambda: restarts.restarts_of(self.store, task.attempt, lease.epoch, task.limits)
        )
        resumed = at_the_start(lambda: continued(task, self.store, lease.epoch))
        self.task = task = resumed
        self.where = whereabouts(task, os.environ)
        self.meter = at_the_start(lambda: meter_of(resumed, self.store, lease.epoch, self.where))
        self.pace = Pace()
        named = (KEY, *task.spec.secrets, *task.node_variables)
        blotted = [own.ray_token(), *(os.environ.get(name, "") for name in named)]
        self.channel = Channel(folder / "published", self.store, prefix, blotted)
        self.mirror = Mirror(self.publish)
        self.company = Company(own, task, self.channel.say)
        self.channel.write("task.json", task.model_dump_json(by_alias=True, indent=1).encode())
        self.channel.write(WHERE, self.where.model_dump_json(indent=1).encode())

    def publish(self) -> None:
        """Take what is new to the store; called in the mirror's thread."""
        self.channel.publish()
        if self.training:
            self.training.publish_checkpoints()

    def ended_before(self) -> int | None:
        """Return the exit code of a start that must not train; None where it is to.

        Its result is in the store then.
        """
        if self.restarts.last:
            return self.restarts.last.exit_code
        if self.is_cancelled():  # its job was sent all the same, by whoever had not heard of it
            result = self.stopped_early()
        elif self.restarts.excess:
            result = Result(exit_code=EXIT_OUTSIDE, error=self.restarts.excess)
        else:
            return None
        ignore_stops()
        self.end(result)
        return result.exit_code

    def work(self, slot: Path | None) -> int:
        """Do the run and leave its result in the store, whatever happens."""
        result = Result(exit_code=EXIT_OUTSIDE)
        try:
            self.announce("queued")
            with job.queued(slot) if slot else contextlib.nullcontext():
                self.started = time.monotonic()
                result = self.train()
        except Stopped:
            result = self.stopped_early()
        except RankLost as error:
            result = self.lost(error.message)
        except RunnerError as error:
            cure = f" ({error.cure})" if error.cure else ""
            result = Result(exit_code=EXIT_OUTSIDE, error=f"{error.message}{cure}")
        except OSError as error:  # most likely a disk that is full
            result = Result(exit_code=EXIT_OUTSIDE, error=f"{socket.gethostname()}: {error}")
        except Exception as error:  # the result must be told even if the fault is ours
            result = Result(exit_code=EXIT_OUTSIDE, error=f"{type(error).__name__}: {error}")
            raise
        finally:
            ignore_stops()
            try:
                self.end(result)
            finally:
                self.company.end(result.exit_code)
        return result.exit_code

    def stopped_early(self) -> Result:
        """Return the result of a run that was stopped before its trainer was."""
        if self.company.fellows.fault:
            return self.lost(self.company.fellows.fault)
        self.stopped = self.why_stopped()
        cancelled = self.stopped == "cancelled"
        why = "cancelled" if cancelled else "stopped by a signal from outside (a shutdown?)"
        return Result(exit_code=EXIT_FAILED, error=f"{why} before it trained", cancelled=cancelled)

    def lost(self, why: str) -> Result:
        """Return the result of a run that cannot go on without another node.

        One that is gone without a word counts as taken away, as this one after a signal would.
        """
        if self.company.fellows.is_taken_away:
            self.stopped = self.stopped or self.why_stopped()
        if self.stopped == "cancelled":
            return Result(exit_code=EXIT_FAILED, error=f"cancelled: {why}", cancelled=True)
        return Result(exit_code=EXIT_OUTSIDE, error=why)

    def is_cancelled(self) -> bool:
        """Whether a person wanted the stop, and not just any signal came."""
        return restarts.is_cancelled(self.folder, self.store, self.task.attempt)

    def end(self, result: Result) -> None:
        """Leave `result` here and in the store, unless the launcher starts the attempt again."""
        told = result.model_copy(update={"error": self.channel.redactor.text(result.error)})
        phase = self.restarts.phase_after(result, self.stopped)
        final = told.model_dump_json(indent=1).encode() if phase == restarts.ENDED else b""
        try:
            if final:
                self.channel.write(RESULT, final)
            elif told.error:
                self.channel.say(told.error)
            reached = self.training.follower.last_step if self.training else 0
            self.beat(phase, reached, self.training.prepared.steps if self.training else None)
        except OSError:  # there is no room for it here
            patiently(self.mirror.flush)
            if final:
                patiently(lambda: self.channel.send(RESULT, final))
            return
        patiently(self.mirror.flush)

    def train(self) -> Result:
        """Prepare, train and gather the evidence."""
        if self.own.nodes > 1:
            self.announce("waiting for the other nodes")
            self.company.meet(self.channel.prefix)
        self.announce("preparing")
        prepared = prepare(self.task, self.store, self.channel.say)
        self.tell_where(prepared)
        if unkept := "" if self.meter else without_meter(self.task, self.where):
            self.channel.say(unkept)
        self.company.prepared(prepared)
        training = Training(self.task, prepared, self.channel, self.folder, self.company)
        log = self.channel.folder / TRAINER_LOG
        with self.cluster(prepared, log) as environment:
            self.training = training
            exit_code, self.stopped = self.watch(training, environment, log)
            ignore_stops()
            elsewhere = self.finish()
        exit_code = exit_code or elsewhere
        failed = exit_code != 0 or self.stopped != ""
        cancelled = self.stopped == "cancelled"
        result = Result(exit_code=EXIT_FAILED if failed else 0, cancelled=cancelled)
        phase = self.restarts.phase_after(result, self.stopped)
        training.close()
        saving = "saving" if phase == restarts.ENDED else phase
        self.beat(saving, training.follower.last_step, prepared.steps)
        patiently(self.mirror.flush)
        saved = training.save(finished=not failed, final=phase == restarts.ENDED)
        if phase == restarts.ENDED:
            seconds = time.monotonic() - self.started
            training.write_evidence(exit_code, self.stopped, saved, seconds)
            patiently(self.mirror.flush)
        training.upload_extras()
        return result

    def tell_where(self, prepared: Prepared) -> None:
        """Say from which step on this start trains, and what that costs."""
        first, epoch = prepared.first_step, self.restarts.epoch
        lost = at_the_start(lambda: lost_steps(self.store, self.task.attempt, epoch, first))
        self.where = self.where.model_copy(
            update={"first_step": first, "lost_steps": lost, "wandb": prepared.wandb}
        )
        self.channel.write(WHERE, self.where.model_dump_json(indent=1).encode())
        if epoch > 1:
            source = f"from {prepared.resumed}" if prepared.resumed else "without a checkpoint"
            self.channel.say(
                f"start {epoch}, {source}: trains on after step {first}, "
                f"{plural(lost, 'step')} again"
            )

    @contextlib.contextmanager
    def cluster(self, prepared: Prepared, log: Path) -> Iterator[dict[str, str]]:
        """Yield the trainer's environment, with Ray up where the trainer needs it.

        What only the node program needs to know stays out, also of what Ray's workers inherit.
        """
        told, python = prepared.for_the_trainer(self.task), prepared.layout.python
        if not prepared.trainer.needs_ray(prepared.run):
            yield told
            return
        self.announce("starting ray")
        told |= ray.authentication(self.own.ray_token())
        seat = ray.seat(self.task, self.own)
        with ray.head(python, seat, told, log.with_name(ray.LOG)) as address:
            self.company.join_ray(python, address, told, seat.devices)
            yield {**told, "RAY_ADDRESS": address}

    def watch(self, training: Training, environment: dict[str, str], log: Path) -> tuple[int, Stop]:
        """Run the trainer to its end, its limit or a stop; return its exit code and why."""
        environment = environment | self.company.train(training.prepared)
        with log.open("ab") as output:
            process = subprocess.Popen(
                guarded(training.prepared.command.argv),
                cwd=self.task.code,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        stopped: Stop = ""
        elsewhere = 0
        self.mirror.restart_patience()
        try:
            while process.poll() is None and not stopped and not elsewhere:
                self.look(training)
                stopped, elsewhere = self.limit_reached(training), self.company.failure()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(BEAT_SECONDS)
            if process.poll() and self.restarts.outlasts_a_signal:
                time.sleep(restarts.SHUTDOWN_SECONDS)
        except Stopped:
            if self.company.fellows.fault:
                raise
            stopped = self.why_stopped()
        finally:
            ignore_stops()
            exit_code = stop(process, self.grace(stopped))
        return elsewhere or exit_code, stopped

    def finish(self) -> int:
        """Have the other nodes end the training too; return the code of one that failed, or 0."""
        patience = 0.0 if self.stopped else LAST_SECONDS
        return self.company.finish(seconds=patience, grace=self.grace(self.stopped))

    def why_stopped(self) -> Stop:
        """Return what a signal meant."""
        return "cancelled" if self.is_cancelled() else "signal"

    def grace(self, stopped: Stop) -> float:
        """Return the seconds that a trainer has for its end."""
        hurries = stopped == "signal" and self.restarts.outlasts_a_signal
        return restarts.INTERRUPTED_GRACE_SECONDS if hurries else GRACE_SECONDS

    def look(self, training: Training) -> None:
        """Take over what is new and have it published."""
        training.advance()
        self.pace.advance(training.follower.last_step, time.monotonic())
        self.beat("training", training.follower.last_step, training.prepared.steps)
        self.mirror.advance()

    def limit_reached(self, training: Training) -> Stop:
        """Return the limit that the attempt has reached, if any."""
        elapsed = time.monotonic() - self.started
        if self.company.is_leaving():
            return self.why_stopped()
        if self.meter and (self.meter.is_over(elapsed) or self.is_in_vain(training, elapsed)):
            return "budget"
        return "time_limit" if self.restarts.seconds + elapsed > self.task.limits.seconds else ""

    def is_in_vain(self, training: Training, elapsed: float) -> bool:
        """Whether the budget ends before anything more is kept."""
        left = self.meter.seconds - elapsed if self.meter and self.meter.seconds else None
        step, end = training.follower.last_step, training.prepared.steps
        return is_in_vain(self.task.spec, self.pace.fastest, left, step, training.kept, end)

    def announce(self, phase: str) -> None:
        """Say in the store what comes before the training.

        One that is away for longer than START_PATIENCE ends the run.
        """
        self.beat(phase)
        at_the_start(self.mirror.flush)

    def beat(self, phase: str, step: int = 0, steps: int | None = None) -> None:
        """Note that the node lives, and what it does."""
        elapsed = time.monotonic() - self.started
        self.channel.write_json(
            HEARTBEAT,
            {
                "time": timestamp(),
                "phase": phase,
                "step": step,
                "steps": steps,
                "seconds": round(elapsed, 1),
                "usd": round(self.meter.spent(elapsed), 4) if self.meter else None,
            },
        )
