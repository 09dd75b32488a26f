"""Rules on how many devices share a sequence or an inference engine."""

from __future__ import annotations

from collections.abc import Iterator

from runner.findings import Finding
from runner.rules.base import Subject


def sequence(subject: Subject) -> Iterator[Finding]:
    """The devices divide into groups of `sequence_parallel`, which needs accelerators.

    Ulysses splits packed sequences, which attention without an accelerator does not take (verl
    workers/config/actor.py: sequence parallelism needs use_remove_padding).
    """
    resources = subject.spec.resources
    together = subject.spec.training.sequence_parallel or 1
    key = ("training", "sequence_parallel")
    if together == 1 or subject.spec.pin.name == "script":
        return
    if not resources.gpus_per_node:
        yield subject.at(key, f"{together} devices share a sequence, and there is no accelerator",
                         "delete it, or add resources.accelerators")  # fmt: skip
    elif resources.devices % together:
        message = f"{resources.devices} devices do not divide into groups of {together} that share "
        message += "a sequence"
        yield subject.at(key, message, f"write a divisor of {resources.devices}")


def tensor(subject: Subject) -> Iterator[Finding]:
    """The accelerators of a node divide into engines of `tensor_parallel`, or engines into nodes.

    verl workers/engine_workers.py (the world divides) and rollout/replica.py (an engine takes whole
    nodes, or fits into one).
    """
    spec = subject.spec
    engine, node = spec.rollout.tensor_parallel, spec.resources.gpus_per_node or 1
    if spec.pin.name == "script" or not _samples(subject) or node % engine == 0:
        return
    key = ("rollout", "tensor_parallel")
    if engine < node:
        message = f"a node's {node} accelerators do not divide into engines of {engine}"
        yield subject.at(key, message, f"write a divisor of {node}")
    elif spec.pin.name != "verl" or spec.resources.devices % engine or engine % node:
        message = f"an engine takes {engine} accelerators, a node has {node}"
        message += f" and the run {spec.resources.devices}" if spec.resources.nodes > 1 else ""
        yield subject.at(key, message, f"write tensor_parallel: {node} or a divisor of it")


def _samples(subject: Subject) -> bool:
    algorithm = subject.spec.algorithm
    return algorithm is not None and algorithm.terms().stage == "rl"
