"""What a run needs, and what it may cost."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from runner.spec.section import Duration, Section


class Candidate(Section):
    """One place to run; candidates are tried in order."""

    infra: str = Field(
        min_length=1,
        max_length=200,
        description="SkyPilot infra: a cloud, region, k8s/… or slurm/…",
    )
    spot: bool = Field(default=False, description="Use preemptible capacity.")
    needs_approval: bool = Field(
        default=False, description="Never fall through to this candidate without an owner's yes."
    )


class Recover(Section):
    """How often a run may be started again without a person."""

    preemptions: Annotated[int, Field(ge=0, le=100)] = Field(
        default=5, description="Recoveries after lost capacity."
    )
    errors: Annotated[int, Field(ge=0, le=10)] = Field(
        default=0, description="Restarts after the trainer failed."
    )


class Resources(Section):
    """What a run needs. Without accelerators it trains on the CPU."""

    accelerators: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+:[1-9]\d*$")] | None = Field(
        default=None, description="GPU type and number per node, such as H100:8."
    )
    nodes: Annotated[int, Field(gt=0, le=1024)] = Field(default=1, description="Number of nodes.")
    candidates: tuple[Candidate, ...] = Field(
        default=(), strict=False, description="Places to try, in this order."
    )
    wait_per_candidate: Duration = Field(
        default=1800,
        description="How long to wait for capacity before trying the next candidate.",
        json_schema_extra={"default": "30m"},
    )
    max_duration: Duration = Field(
        default=86400,
        description="Wall-clock limit of one attempt; it is stopped when over.",
        json_schema_extra={"default": "24h"},
    )
    recover: Recover = Field(default=Recover(), description="Restarts without a person.")

    @property
    def gpus_per_node(self) -> int:
        """Accelerators on each node; 0 on the CPU."""
        return int(self.accelerators.rsplit(":", 1)[1]) if self.accelerators else 0

    @property
    def devices(self) -> int:
        """Training processes over all nodes; the CPU counts as one device per node."""
        return max(1, self.gpus_per_node) * self.nodes


class Budget(Section):
    """A ceiling on what one run may cost."""

    usd_per_run: float = Field(gt=0, description="US dollars per run, over all its attempts.")
    when_exceeded: Literal["save_and_stop", "stop"] = Field(
        default="save_and_stop", description="What happens at the ceiling."
    )
