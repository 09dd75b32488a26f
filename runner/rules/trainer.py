"""Rules on what the pinned trainer and the launcher can do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from runner.findings import Finding
from runner.rules.base import Subject
from runner.spec.load import path_of
from runner.trainers import TRAINERS

IDLE = ("owner", "tags", "checkpoints.keep_best")
"""Keys and sections that are checked and kept, and that nothing acts on yet; take one out here when
something does."""

SILENT = frozenset({"owner", "tags"})
"""Idle keys that nobody expects to do anything to a run."""

ELSEWHERE = (
    "budget",
    "resources.cpus",
    "resources.memory_gib",
    "resources.disk_gib",
    "resources.network",
    "resources.priority",
    "resources.candidates",
    "resources.wait_per_candidate",
    "resources.recover",
    "resources.keep_cluster",
)
"""Keys and sections that only SkyPilot acts on: this machine is the one there is, for no money."""


def is_known(subject: Subject) -> Iterator[Finding]:
    """The trainer's version is one whose keys the runner writes."""
    name, version = subject.spec.pin
    known = TRAINERS[name].versions
    if version is not None and version not in known:
        message = f"the keys of {name} {version} are not known here"
        yield subject.at(("trainer",), message, f"write {name}=={' or '.join(known)}")


def expresses(subject: Subject) -> Iterator[Finding]:
    """The trainer has keys for everything that the spec asks for."""
    for refusal in TRAINERS[subject.spec.pin.name].refusals(subject.spec):
        yield subject.at(refusal.path, refusal.message, refusal.cure, on_key=True)


def has_one_machine(subject: Subject) -> Iterator[Finding]:
    """The local launcher has one machine."""
    if subject.spec.launch != "manual":
        yield from _lacking(subject, "write nodes: 1")


def has_more_machines(subject: Subject) -> Iterator[Finding]:
    """A `launch: manual` spec may ask for more machines than the local launcher has."""
    if subject.spec.launch == "manual":
        yield from _lacking(subject, "it waits for another launcher, whatever runner launch says")


def _lacking(subject: Subject, cure: str) -> Iterator[Finding]:
    nodes = subject.spec.resources.nodes
    if subject.context.registry.launcher == "local" and nodes > 1:
        message = f"the local launcher has one machine, not {nodes}"
        yield subject.at(("resources", "nodes"), message, cure)


def acts_on(subject: Subject) -> Iterator[Finding]:
    """Every key that the spec states does something; the local launcher ignores some."""
    yield from _idle(subject, set(IDLE) - SILENT, "")
    if subject.context.registry.launcher == "local":
        yield from _idle(subject, ELSEWHERE, " with the local launcher")
    yield from _sampling_of_nothing(subject)


def _idle(subject: Subject, keys: Iterable[str], where: str) -> Iterator[Finding]:
    files: dict[str, list[str]] = {}
    for key in keys:
        path = tuple(key.split("."))
        if subject.marks.find(path) is not None:
            files.setdefault(subject.marks.key(path).path, []).append(key)
    for first, *others in files.values():  # one finding a file: a base may state many
        message = f"is checked and kept, and nothing acts on it{where}"
        message += "".join(f", nor on `{key}`" for key in others)
        yield subject.at(tuple(first.split(".")), message, "do not rely on it yet", on_key=True)


def _sampling_of_nothing(subject: Subject) -> Iterator[Finding]:
    """Yield what the spec's own file says of sampling answers where none are sampled.

    A base may say it for others.
    """
    algorithm, rollout = subject.spec.algorithm, subject.marks.find(("rollout",))
    if algorithm is None or algorithm.terms().stage == "rl" or rollout is None:
        return
    for key, node in rollout.value.items() if isinstance(rollout.value, dict) else ():
        if node.mark.path == path_of(subject.name):
            message = f"does nothing: `{algorithm.name}` samples no answers"
            yield subject.at(("rollout", key), message, "delete it", on_key=True)
