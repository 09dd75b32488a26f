"""Rules that registry.yaml sets for the specs of a registry."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase

from runner.findings import Finding
from runner.registry import FILE
from runner.rules.base import Subject


def secrets(subject: Subject) -> Iterator[Finding]:
    """A spec names only secrets that registry.yaml permits for experiments of its name."""
    permitted = {
        secret
        for pattern, names in subject.context.registry.secrets.items()
        if fnmatchcase(subject.name, pattern)
        for secret in names
    }
    for index, secret in enumerate(subject.spec.secrets):
        if secret not in permitted:
            message = f"{FILE} does not permit the secret `{secret}` for `{subject.name}`"
            cure = f"delete it, or ask an owner to add it to `secrets` of {FILE}"
            yield subject.at(("secrets", index), message, cure)
