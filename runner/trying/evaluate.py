"""`runner eval`: a run's checkpoint on validation sets, without training. Nothing is recorded.

The policy that a run has exported answers each prompt of the sets, and the reward function scores
the answers: by verl's own validation (`trainer.val_only`), whatever trainer made the checkpoint.
Datasets and reward function are the work tree's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from runner import screen
from runner.algorithms.grpo import Grpo
from runner.errors import EXIT_RUN_FAILED, Refused
from runner.ledger.documents import experiment_of
from runner.ledger.record import RunRecord
from runner.planning.asked import newest_snapshot
from runner.repeating.original import find_succeeded
from runner.report.curves import read_curves
from runner.report.notation import number
from runner.spec.experiment import Data, Experiment, Model, Run
from runner.spec.identity import identify
from runner.spec.inputs import DvcOutputs, resolve
from runner.spec.resolve import ResolvedRun
from runner.spec.rollout import Validation
from runner.spec.training import Training
from runner.spec.tree import WorkTree
from runner.trainers import TRAINERS
from runner.trying.scratch import run_here, say_the_log, say_why_there_is_nothing
from runner.workspace import Workspace

TRAINER = "verl"


class Question(NamedTuple):
    """What a person asks of a checkpoint."""

    run: str
    """A run, or an experiment: then its newest run that succeeded."""
    data: Mapping[str, str]
    """Validation sets by name; empty for those of the run's spec."""
    reward: str | None
    """`<file>:<function>`; None for that of the run's spec."""
    sampling: Validation


class Evaluation(NamedTuple):
    """What was measured; empty when it failed."""

    record: RunRecord
    metrics: dict[str, float]
    exit_code: int

    def document(self) -> dict[str, object]:
        """Return the JSON of `eval --json`."""
        return {"run_id": self.record.run_id, "metrics": self.metrics}

    def show(self) -> None:
        """Print each metric beside the last one of the run itself."""
        then = self.record.latest.metrics
        for name, value in sorted(self.metrics.items()):
            was = f"   (at the end of the run {number(then[name])})" if name in then else ""
            screen.print_result(f"{name:<40} {number(value):>10}{was}")


def evaluate(workspace: Workspace, question: Question) -> Evaluation:
    """Measure the checkpoint on the sets.

    Raises Refused when the run has left no checkpoint, or there is no set or no reward to use.
    """
    snapshot = newest_snapshot(workspace)
    record = find_succeeded(snapshot, question.run)
    if record.latest.checkpoint is None:
        raise Refused(
            f"run {record.run_id} has exported no checkpoint",
            cure="checkpoints.export: huggingface and training.save_every leave one",
        )
    spec = evaluation_of(experiment_of(snapshot, record.run_id), record, question)
    run = Run(experiment=record.experiment, seed=record.seed, point={}, spec=spec)
    tree = WorkTree(workspace.root)
    inputs = resolve(run, tree, DvcOutputs(tree), workspace.registry, record.run_id)
    resolved = ResolvedRun(run, inputs, identify(run, inputs))
    screen.say(f"Evaluating   {record.experiment}, seed {record.seed}, run {record.run_id}")
    part = run_here(
        workspace, resolved, record, title=f"{record.experiment} (evaluation)", steps=None
    )
    evidence = part.evidence()
    if evidence is None:
        return Evaluation(record, {}, say_why_there_is_nothing(part))
    found = read_curves(part.metrics_lines()).canonical
    metrics = {name: curve.last for name, curve in found.items() if name.startswith("val/")}
    if evidence.exit_code != 0 or not metrics:
        screen.print_error("the evaluation ended without a measurement", None)
        say_the_log(part, evidence)
        return Evaluation(record, {}, EXIT_RUN_FAILED)
    return Evaluation(record, metrics, 0)


def evaluation_of(spec: Experiment, record: RunRecord, question: Question) -> Experiment:
    """Return the spec that evaluates the checkpoint of `record`, which `spec` has made."""
    sets = dict(question.data) or (spec.data.val if spec.data else {})
    reward = question.reward or spec.reward
    if not sets:
        raise Refused(
            "the run's spec names no validation set", cure="--data <name>=<path> names one"
        )
    if reward is None:
        raise Refused(
            "the run's spec names no reward function to score answers with",
            cure="--reward reward/<file>.py:<function>   names one",
        )
    limits = spec.data or Data(train="none")
    return Experiment(
        apiVersion=spec.apiVersion,
        trainer=f"{TRAINER}=={TRAINERS[TRAINER].versions[-1]}",
        model=Model(source="run", path=f"{record.experiment}@{record.run_id}"),
        algorithm=Grpo(name="grpo", group_size=2),  # verl asks for one, and does not use it
        data=limits.model_copy(update={"train": next(iter(sets.values())), "val": sets}),
        reward=reward,
        training=Training(
            steps=1,
            prompts_per_step=spec.resources.devices,
            learning_rate=0.0,
            precision=spec.training.precision,
            evaluate_before_training=True,
        ),
        rollout=spec.rollout.model_copy(update={"validation": question.sampling}),
        resources=spec.resources,
        secrets=spec.secrets,
        overrides={"trainer.val_only": True},
    )
