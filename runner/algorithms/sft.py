"""Supervised fine-tuning: cross-entropy on the answer's tokens."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from runner.algorithms.base import AlgorithmConfig, Terms


class Sft(AlgorithmConfig):
    """Supervised fine-tuning on messages, or on prompts with their answers."""

    name: Literal["sft"] = Field(description="Supervised fine-tuning.")

    def terms(self) -> Terms:
        """Supervised training has no advantage, no policy loss and no reward."""
        return Terms(stage="sft")
