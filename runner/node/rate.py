"""What a node is told that it costs."""

from __future__ import annotations

from runner.spec.section import Section


class Rate(Section):
    """What one node costs at one of the places where the task may run."""

    infra: str
    """As the candidate's `infra`: a place that begins with it has this rate."""
    spot: bool = False
    usd_per_hour: float
