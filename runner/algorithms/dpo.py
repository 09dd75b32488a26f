"""Direct Preference Optimization (Rafailov et al. 2023, arXiv 2305.18290).

The losses besides `sigmoid`: `hinge` from SLiC (Zhao et al. 2023, arXiv 2305.10425), `ipo` from
Identity Preference Optimization (Azar et al. 2023, arXiv 2310.12036). With `ipo`, beta is the
paper's tau and has another scale: there the margin is drawn towards 1 / (2 beta).
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from runner.algorithms.base import AlgorithmConfig, Preference, Terms


class Dpo(AlgorithmConfig):
    """Preference pairs without a reward: the margin of chosen over rejected answers grows."""

    name: Literal["dpo"] = Field(description="Direct Preference Optimization.")
    loss: Literal["sigmoid", "hinge", "ipo"] = Field(
        default="sigmoid", description="Loss of a pair's margin; sigmoid is the paper's own."
    )
    beta: float = Field(
        default=0.1,
        gt=0,
        le=100,
        description="Strength of the tie to the reference model; 0.1 is the paper's default "
        "(appendix B).",
    )

    def terms(self) -> Terms:
        """DPO: a loss on pairs against a frozen reference; nothing is sampled."""
        return Terms(stage="preference", preference=Preference(loss=self.loss, beta=self.beta))
