"""Rules on what a run is pinned to besides its model."""

from __future__ import annotations

import re
from collections.abc import Iterator

from runner.findings import Finding
from runner.root import FILE
from runner.rules.base import Subject

_DIGEST = re.compile(r"[^\s@]+@sha256:[0-9a-f]{64}")


def image(subject: Subject) -> Iterator[Finding]:
    """A container image is named by its digest: a tag can be moved to another image."""
    name = subject.spec.image
    if name is not None and not _DIGEST.fullmatch(name):
        known = subject.context.registry.environments.get(subject.spec.trainer)
        bare = name.partition("@")[0]
        cure = f"write {bare}@sha256:<digest>   (docker buildx imagetools inspect {bare})"
        if known and known.image:
            cure = f"delete it: {FILE} has the image of {subject.spec.trainer}; or {cure}"
        yield subject.at(("image",), f"`{name}` is a tag, which can move", cure)


def environment(subject: Subject) -> Iterator[Finding]:
    """What a GPU run is trained in is pinned: an image by digest, or a lock file."""
    spec, known = subject.spec, subject.context.registry.environments
    if spec.pin.name == "script" or not spec.resources.gpus_per_node or spec.image:
        return
    if spec.trainer not in known:
        message = f"{FILE} does not say what {spec.trainer} runs in: a run with other packages "
        message += "would pass for the same one"
        cure = f"add it there: environments: {{{spec.trainer}: {{lock: <file>}}}} (or an image)"
        yield subject.at(("trainer",), message, cure)
