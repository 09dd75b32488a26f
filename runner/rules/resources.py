"""Rules on what places to run can do, and on how they name things (SkyPilot 0.14)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from runner.findings import Finding
from runner.root import FILE
from runner.rules.base import Subject
from runner.rules.raw import Raw, raw_keys
from runner.spec.fields import nearest

PLACES = frozenset({
    "aws", "azure", "gcp", "ibm", "lambda", "oci", "kubernetes", "k8s", "ssh", "slurm", "runpod",
    "fluidstack", "cudo", "paperspace", "primeintellect", "do", "vast", "vsphere", "nebius",
    "hyperbolic", "seeweb", "mithril", "shadeform", "yotta", "verda", "scp",
})  # fmt: skip
"""First parts of SkyPilot's `infra` (its extras)."""

WITHOUT_SPOT = {"slurm": "Slurm", "ssh": "an SSH node pool"}

ACCELERATORS = (
    "A10", "A10G", "A100", "A100-80GB", "A100-80GB-SXM", "A40", "A4000", "A5000", "A6000",
    "B200", "B300", "GB200", "GH200", "H100", "H100-MEGA", "H100-NVLINK", "H100-SXM", "H200",
    "H200-SXM", "L4", "L40", "L40S", "MI250", "MI300X", "P100", "P4", "RTX3090", "RTX4090",
    "RTX5090", "RTX6000-Ada", "T4", "V100", "V100-32GB",
)  # fmt: skip
"""Names of SkyPilot's catalog (`sky show-gpus --all`) that LLM training meets; there are more."""

LABEL_LENGTH = 63
"""Longest value of a Kubernetes label."""

NODES = ("trainer.nnodes", "trainer.placement.policy_num_nodes", "nnodes", "num_nodes",
         "num_machines")  # fmt: skip
PER_NODE = ("trainer.n_gpus_per_node", "trainer.placement.policy_num_gpus_per_node",
            "nproc_per_node")  # fmt: skip


def spot(subject: Subject) -> Iterator[Finding]:
    """Preemptible capacity is asked for only where there is such a thing."""
    for index, place, candidate in _candidates(subject):
        if candidate and place in WITHOUT_SPOT:
            message = f"{WITHOUT_SPOT[place]} has no preemptible capacity"
            where = ("resources", "candidates", index, "spot")
            yield subject.at(where, message, "delete `spot: true`, or take a cloud")


def cluster(subject: Subject) -> Iterator[Finding]:
    """A cluster may lack what is asked of it: Kubernetes spot nodes, Slurm container images."""
    environment = subject.context.registry.environments.get(subject.spec.trainer)
    image = subject.spec.image or (environment.image if environment else None)
    for index, place, is_spot in _candidates(subject):
        where = ("resources", "candidates", index)
        if place in ("k8s", "kubernetes") and is_spot:
            message = "Kubernetes has spot nodes only where the cluster labels them so"
            yield subject.at((*where, "spot"), message, "delete it, unless this cluster does")
        elif place == "slurm" and image:
            message = f"Slurm starts `{image.partition('@')[0]}` only where it has Pyxis"
            cure = f"take another candidate, unless this cluster has it (the image is {FILE}'s)"
            yield subject.at((*where, "infra"), message, cure)


def infra(subject: Subject) -> Iterator[Finding]:
    """Candidates name places that SkyPilot knows."""
    for index, place, _ in _candidates(subject):
        near = None if place in PLACES or place == "*" else nearest(place, PLACES)
        if near:
            message = f"SkyPilot knows no `{place}`"
            where = ("resources", "candidates", index, "infra")
            written = subject.spec.resources.candidates[index].infra
            instead = near if written == place else ""
            yield subject.at(where, message, f"did you mean `{near}`?", instead=instead)


def accelerator(subject: Subject) -> Iterator[Finding]:
    """Accelerators are spelled as in SkyPilot's catalog."""
    written = (subject.spec.resources.accelerators or "").partition(":")[0]
    near = _by_plain_name().get(_plain(written)) if written else None
    if near and near.upper() != written.upper():
        message = f"SkyPilot's catalog has no `{written}`"
        count = subject.spec.resources.gpus_per_node
        meant, where = f"{near}:{count}", ("resources", "accelerators")
        yield subject.at(where, message, f"did you mean {meant}?", instead=meant)


def name(subject: Subject) -> Iterator[Finding]:
    """An experiment's name fits a label of the machines that run it."""
    if subject.spec.resources.candidates and len(subject.name) > LABEL_LENGTH:
        message = f"the name has {len(subject.name)} characters; labels of Kubernetes hold "
        message += f"{LABEL_LENGTH}, so its machines cannot be found by it"
        yield subject.at(("apiVersion",), message, "rename the file", on_key=True)


def literal_nodes(subject: Subject) -> Iterator[Finding]:
    """A command trains on the nodes that the spec asks for, and on no more accelerators.

    It may leave some of a node's accelerators to another program.
    """
    script, resources = subject.spec.script, subject.spec.resources
    for key, one in (raw_keys(subject.spec) if script else {}).items():
        said = one.value if isinstance(one.value, int) else None
        if key in NODES and said not in (None, resources.nodes):
            yield _literal(subject, one, "nodes", resources.nodes)
        elif key in PER_NODE and said and 0 < resources.gpus_per_node < said:
            yield _literal(subject, one, "processes per node", resources.gpus_per_node)


def _literal(subject: Subject, said: Raw, what: str, count: int) -> Finding:
    message = f"the command trains with {said.value} {what} (`{said.key}`), "
    message += f"`resources` asks for {count}"
    cure = f"write {count}, or let it read `resources` of ROLLBOOK_SPEC (docs/script.md)"
    return subject.at(said.path, message, cure)


def _candidates(subject: Subject) -> Iterator[tuple[int, str, bool]]:
    """Yield each candidate's position, kind of place, and whether it is preemptible."""
    for index, candidate in enumerate(subject.spec.resources.candidates):
        yield index, candidate.infra.partition("/")[0].lower(), candidate.spot


@cache
def _by_plain_name() -> dict[str, str]:
    return {_plain(name): name for name in ACCELERATORS}


def _plain(accelerator: str) -> str:
    """Return what is left of a name when spelling is forgiven: NVIDIA_H1OO_80G, A100_80GB."""
    upper = re.sub(r"[^A-Z0-9]", "", accelerator.upper())
    bare = re.sub(r"^(NVIDIA)?(TESLA|GEFORCE)?", "", upper)
    return bare.replace("O", "0").removesuffix("B")
