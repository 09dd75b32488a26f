"""registry.yaml: the settings of one registry."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from runner.spec.section import RelativePath, Section, default


class LedgerSettings(Section):
    """The git branch that records every run."""

    branch: str = Field(
        default="runs", pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]*$", description="Name."
    )
    remote: str | None = Field(
        default="origin", description="Git remote that holds it; null keeps it in this clone."
    )


class Environment(Section):
    """What a trainer version runs in: an image by digest, a lock file, or both."""

    image: str | None = Field(
        default=None,
        pattern=r"^[^\s@]+@sha256:[0-9a-f]{64}$",
        description="Container image by digest; it bears identity where it is given.",
    )
    lock: RelativePath | None = Field(
        default=None, description="Pinned requirements of the environment without a container."
    )


class DvcRemotes(Section):
    """Two DVC remotes, apart: clearing old data must not be able to delete a checkpoint."""

    data: str = Field(default="data", description="Remote of datasets and models.")
    checkpoints: str = Field(default="checkpoints", description="Remote of final exports.")


class Policy(Section):
    """Ceilings; what is over one waits for an owner."""

    launches_per_apply: Annotated[int, Field(gt=0)] | None = Field(
        default=None, description="Runs that one apply may launch."
    )
    gpu_hours_per_apply: Annotated[float, Field(gt=0)] | None = Field(
        default=None, description="GPU-hours that the runs of one apply may be expected to take."
    )
    usd_per_apply: Annotated[float, Field(gt=0)] | None = Field(
        default=None, description="US dollars that the runs of one apply may be expected to cost."
    )
    gpu_hours_per_month: Annotated[float, Field(gt=0)] | None = Field(
        default=None, description="GPU-hours of all runs launched in one calendar month (UTC)."
    )
    usd_per_month: Annotated[float, Field(gt=0)] | None = Field(
        default=None, description="US dollars of all runs launched in one calendar month (UTC)."
    )
    gpus_at_once: Annotated[int, Field(gt=0)] | None = Field(
        default=None, description="GPUs of all runs that go on at the same time."
    )
    owners: tuple[str, ...] = Field(
        default=(), strict=False, description="Forge logins that may lift a ceiling."
    )


_VARIABLE = Field(pattern=r"^[A-Z][A-Z0-9_]{0,99}$")
_OF_FORGE = re.compile(r"(GITHUB|ACTIONS|RUNNER|GIT_CONFIG)_.*")


def is_of_forge(name: str) -> bool:
    """Whether a variable is the forge's own, such as GITHUB_TOKEN: no node ever gets one."""
    return _OF_FORGE.fullmatch(name) is not None


def _check_variable(name: str) -> str:
    if is_of_forge(name):
        raise ValueError(
            f"`{name}` is the forge's own, and no node ever gets one of those; delete it: what a "
            "run needs of the forge comes in a token of its own, under another name"
        )
    return name


_REACHES_A_NODE = AfterValidator(_check_variable)
_Secret = Annotated[str, _REACHES_A_NODE]


class Registry(Section):
    """The settings of a registry; all paths are relative to its root."""

    apiVersion: Literal["rollbook/v1"] = Field(description="Version of this format.")  # noqa: N815
    lineage: str = Field(
        pattern=r"^[0-9a-f]{32}$",
        description="Made once by `runner init`; a ledger of another lineage is refused, so that a "
        "fork cannot launch everything again.",
    )
    ledger: LedgerSettings = Field(
        default=default(LedgerSettings), description="Where runs are recorded."
    )
    status_prefix: str = Field(
        default="runner", description="First part of commit status contexts."
    )
    run_store: str = Field(
        default=".rollbook/store",
        description="Folder (relative to the root) or fsspec URL where runs keep their files.",
    )
    dvc_remotes: DvcRemotes = Field(
        default=default(DvcRemotes), description="Names of DVC remotes."
    )
    launcher: Literal["local", "skypilot"] = Field(default="local", description="Default launcher.")
    forge: Literal["none", "github"] = Field(
        default="none", description="Where statuses and comments are shown."
    )
    webhook: Annotated[str, _VARIABLE] | None = Field(
        default=None,
        description="Environment variable that holds the URL of a Slack-compatible webhook; it is "
        "told when a run ends, fails, goes over its budget or waits too long.",
    )
    node_variables: tuple[Annotated[str, _VARIABLE, _REACHES_A_NODE], ...] = Field(
        default=(),
        strict=False,
        description="Environment variables with which every run reaches the run store and the DVC "
        "remotes, such as AWS_ACCESS_KEY_ID.",
    )
    environments: dict[str, Environment] = Field(
        default={}, description="Per trainer pin, such as verl==0.9.1: image and lock."
    )
    secrets: dict[str, Annotated[tuple[_Secret, ...], Field(strict=False)]] = Field(
        default={}, description="Names of secrets permitted per glob of experiment names."
    )
    policy: Policy = Field(
        default=default(Policy), description="Ceilings on launches, hours and money."
    )
