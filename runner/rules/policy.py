"""Rules that registry.yaml sets for the specs of a registry."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase

from runner.findings import Finding
from runner.registry import Registry, is_of_forge
from runner.root import FILE
from runner.rules.base import Subject


def secrets(subject: Subject) -> Iterator[Finding]:
    """A spec names only secrets that registry.yaml permits for experiments of its name."""
    permitted = permitted_secrets(subject.context.registry, subject.name)
    for index, secret in enumerate(subject.spec.secrets):
        if is_of_forge(secret):
            message = f"`{secret}` is the forge's own, and no node ever gets one of those"
            cure = "delete it; what a run needs of the forge comes in a token of another name"
            yield subject.at(("secrets", index), message, cure)
        elif secret not in permitted:
            message = f"{FILE} does not permit the secret `{secret}` for `{subject.name}`"
            cure = (
                f"delete it, or ask an owner to add it to `secrets` of {FILE}; that counts from "
                "the apply after the one that merges it"
            )
            yield subject.at(("secrets", index), message, cure)


def permitted_secrets(registry: Registry, name: str) -> frozenset[str]:
    """Return the secrets that `registry` permits for the experiment `name`."""
    return frozenset(
        secret
        for pattern, names in registry.secrets.items()
        if fnmatchcase(name, pattern)
        for secret in names
    )
