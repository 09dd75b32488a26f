"""What a run needs, and what it may cost."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from runner.spec.section import Duration, Section, default, fault


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
    max_usd_per_hour: Annotated[float, Field(gt=0)] | None = Field(
        default=None, description="Take no machine that costs more than this, per node."
    )
    cache: Annotated[str, Field(pattern=r"^(/[A-Za-z0-9._-]+)+$", max_length=200)] | None = Field(
        default=None,
        description="Folder there that outlives a run, such as one of a shared file system: "
        "environments and downloaded models are kept in it and used again.",
    )
    volume: Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")] | None = Field(
        default=None, description="SkyPilot volume (`sky volumes ls`) that is mounted at `cache`."
    )

    @model_validator(mode="after")
    def _mounts_volume_somewhere(self) -> Candidate:
        if self.volume and self.cache is None:
            message = f"the volume `{self.volume}` is mounted nowhere"
            raise fault("volume", message, "add `cache: /cache`, the folder to mount it at")
        return self


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
    cpus: Annotated[int, Field(gt=0, le=4096)] | None = Field(
        default=None, description="CPUs that each node has at least."
    )
    memory_gib: Annotated[int, Field(gt=0, le=65536)] | None = Field(
        default=None, description="Memory that each node has at least."
    )
    disk_gib: Annotated[int, Field(gt=0, le=65536)] | None = Field(
        default=None, description="Size of each node's disk."
    )
    network: Literal["best"] | None = Field(
        default=None,
        description="`best` asks for the fastest network between nodes, such as InfiniBand.",
    )
    priority: Annotated[int, Field(ge=-1000, le=1000)] | None = Field(
        default=None,
        description="Which runs start first where they queue for capacity; a higher one does.",
    )
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
    recover: Recover = Field(default=default(Recover), description="Restarts without a person.")
    keep_cluster: Duration | None = Field(
        default=None,
        description="Keep the machines that long after the run, for a look at them or the next "
        "run; nothing then starts it again when they are lost.",
    )

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
        default="save_and_stop",
        description="`save_and_stop` ends the run at the last checkpoint before the ceiling, "
        "`stop` at the ceiling itself.",
    )
