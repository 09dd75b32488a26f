"""The rules over specs: one small function each, one line each in this table.

Add one: write a function from Subject to findings in a module of its subject, with one line of
documentation as its docstring; add it here; add a spec that trips it to `tests/rules/`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from runner.datasets.small import describe
from runner.findings import Finding
from runner.forecast.earlier import Earlier
from runner.models.facts import Models
from runner.registry import Registry
from runner.rules import (
    algorithm,
    batch,
    columns,
    config_keys,
    dataset,
    expectations,
    files,
    memory,
    model,
    overrides,
    parallel,
    pins,
    places,
    policy,
    resources,
    resuming,
    reward,
    rows,
    schedule,
    secrets,
    signal,
    storage,
    tracking,
    trainer,
)
from runner.rules.base import Context, Rule, Subject
from runner.spec.cards import Cards
from runner.spec.check import Loaded, LoadedExperiment, in_order
from runner.spec.inputs import DvcOutputs
from runner.spec.tree import Tree

RULES: dict[str, Rule] = {
    "algorithm.clip_order": Rule("hint", algorithm.clip_order),
    "algorithm.critic": Rule("error", algorithm.critic),
    "algorithm.dual_clip": Rule("error", algorithm.dual_clip),
    "algorithm.group": Rule("error", algorithm.group),
    "algorithm.kl_once": Rule("error", algorithm.kl_once),
    "batch.devices": Rule("error", batch.devices),
    "batch.divides": Rule("error", batch.divides),
    "batch.leftover": Rule("hint", rows.are_left_over),
    "batch.samples": Rule("error", batch.samples),
    "batch.tokens": Rule("error", batch.tokens),
    "data.cut": Rule("hint", columns.fit),
    "data.duplicates": Rule("hint", rows.are_different),
    "data.faults": Rule("error", columns.are_sound),
    "data.format": Rule("error", columns.are_there),
    "data.known": Rule("error", dataset.known),
    "data.made": Rule("hint", dataset.made),
    "data.overlap": Rule("hint", rows.are_held_out),
    "data.overlong": Rule("error", columns.do_not_stop_training),
    "data.recorded": Rule("hint", dataset.recorded),
    "data.train_rows": Rule("error", rows.fill_a_step),
    "data.val_rows": Rule("error", rows.fill_a_validation),
    "determinism.groups": Rule("error", algorithm.determinism),
    "environment.nodes": Rule("error", places.set_up),
    "environment.pinned": Rule("hint", pins.environment),
    "expect.measurable": Rule("error", expectations.measurable),
    "expect.moves": Rule("error", expectations.moves),
    "image.digest": Rule("error", pins.image),
    "memory.fits": Rule("error", memory.fits),
    "memory.tight": Rule("hint", memory.tight),
    "model.context": Rule("error", model.context),
    "model.gated": Rule("error", model.gated),
    "model.heads": Rule("error", model.heads),
    "model.pinned": Rule("hint", model.pinned),
    "model.source": Rule("error", model.source),
    "overrides.fields": Rule("error", overrides.say_once),
    "overrides.known": Rule("error", config_keys.are_keys),
    "overrides.read": Rule("error", config_keys.are_read),
    "overrides.replaced": Rule("hint", config_keys.replace_nothing),
    "overrides.values": Rule("error", config_keys.have_values),
    "parallel.sequence": Rule("error", parallel.sequence),
    "parallel.tensor": Rule("error", parallel.tensor),
    "policy.secrets": Rule("error", policy.secrets),
    "resources.accelerators": Rule("hint", resources.accelerator),
    "resources.approval": Rule("error", places.approval),
    "resources.cache": Rule("hint", places.cache),
    "resources.cluster": Rule("hint", resources.cluster),
    "resources.infra": Rule("hint", resources.infra),
    "resources.keep": Rule("error", places.keeps),
    "resources.keep_one": Rule("error", places.keeps_one),
    "resources.name": Rule("hint", resources.name),
    "resources.network": Rule("error", places.network),
    "resources.nodes": Rule("error", resources.literal_nodes),
    "resources.spot": Rule("error", resources.spot),
    "resources.volume": Rule("error", places.volume),
    "resources.volumes": Rule("hint", places.volume_left_out),
    "resume.epochs": Rule("error", resuming.epochs),
    "resume.folder": Rule("hint", resuming.folder),
    "resume.preempted": Rule("error", resuming.preempted),
    "resume.restarted": Rule("hint", resuming.restarted),
    "reward.accuracy": Rule("error", reward.says_accuracy),
    "reward.exists": Rule("error", reward.exists),
    "rollout.on_policy": Rule("hint", algorithm.on_policy),
    "rollout.sampling": Rule("error", algorithm.sampling),
    "script.files": Rule("error", files.exist),
    "script.named": Rule("error", files.named),
    "secrets.plain": Rule("error", secrets.in_plain_text),
    "signal.groups": Rule("hint", signal.groups),
    "spec.idle": Rule("hint", trainer.acts_on),
    "storage.disk": Rule("hint", storage.disk),
    "tracking.offline": Rule("hint", tracking.offline),
    "trainer.elsewhere": Rule("hint", trainer.has_more_machines),
    "trainer.keys": Rule("error", config_keys.are_written),
    "trainer.machines": Rule("error", trainer.has_one_machine),
    "trainer.terms": Rule("error", trainer.expresses),
    "trainer.version": Rule("error", trainer.is_known),
    "training.best": Rule("hint", schedule.best),
    "training.evaluates": Rule("error", schedule.evaluates),
    "training.length": Rule("error", schedule.length),
    "training.saves": Rule("error", schedule.saves),
    "training.warmup": Rule("error", schedule.warmup),
}
OF_LEDGER = ("signal.groups",)
"""Rules that look at earlier runs: at the plan, for what it launches."""


def check(
    loaded: Loaded,
    tree: Tree,
    registry: Registry,
    is_tracked: Callable[[str], bool] | None = None,
) -> tuple[Finding, ...]:
    """Return what the rules find in all experiments of `loaded`, each once, sorted by place."""
    found = check_each(loaded, tree, registry, is_tracked)
    return in_order(finding for findings in found.values() for finding in findings)


def check_each(
    loaded: Loaded,
    tree: Tree,
    registry: Registry,
    is_tracked: Callable[[str], bool] | None = None,
) -> dict[str, tuple[Finding, ...]]:
    """Return what the rules find in each experiment, by its name; see `Checker`."""
    checker = Checker(loaded.experiments, tree, registry, is_tracked)
    return {experiment.name: checker.check(experiment) for experiment in loaded.experiments}


class Checker:
    """Holds experiments of one tree to the rules; what they share is read once."""

    def __init__(
        self,
        experiments: Iterable[LoadedExperiment],
        tree: Tree,
        registry: Registry,
        is_tracked: Callable[[str], bool] | None = None,
        outputs: DvcOutputs | None = None,
    ) -> None:
        """Prepare for `experiments` of `tree`; the `outputs` of DVC in it may be known already.

        Without `is_tracked` a path counts as tracked when it is, or lies in, an output of DVC or
        the tree has it.
        """
        outputs = outputs or DvcOutputs(tree)
        tracked = is_tracked or _tracked_in(tree, outputs)
        models, cards = Models(tree, experiments), Cards(tree, describe)
        self._context = Context(tree, registry, tracked, outputs, cards, models)

    def check(self, experiment: LoadedExperiment) -> tuple[Finding, ...]:
        """Return what the rules find in `experiment`, sorted by place.

        A finding's path may be a base's: it stands where the value does.
        """
        return in_order(_check(experiment, self._context))


def check_launch(
    experiment: LoadedExperiment, tree: Tree, registry: Registry, earlier: Earlier
) -> tuple[Finding, ...]:
    """Return what the rules that ask the ledger find in an experiment about to be launched."""
    models = Models(tree, (experiment,))
    outputs = DvcOutputs(tree)
    tracked = _tracked_in(tree, outputs)
    context = Context(tree, registry, tracked, outputs, Cards(tree), models, earlier)
    return in_order(_check(experiment, context, OF_LEDGER))


def _check(
    experiment: LoadedExperiment, context: Context, names: Iterable[str] = ()
) -> Iterator[Finding]:
    for subject in _subjects(experiment, context):
        for name in names or RULES:
            rule = RULES[name]
            for finding in rule.check(subject):
                yield finding._replace(rule=name, level=rule.level)


def _subjects(experiment: LoadedExperiment, context: Context) -> Iterator[Subject]:
    """Yield each point of the matrix once; seeds share their spec."""
    former = None
    for run, marks in zip(experiment.runs, experiment.run_marks, strict=True):
        if run.spec is not former:
            yield Subject(experiment.name, run.spec, marks, context, {})
        former = run.spec


def _tracked_in(tree: Tree, outputs: DvcOutputs) -> Callable[[str], bool]:
    def is_tracked(path: str) -> bool:
        known = outputs.find(path) is not None
        return known or tree.read(path) is not None or bool(tree.paths(path, ""))

    return is_tracked
