"""Proximal Policy Optimization (Schulman et al. 2017, arXiv 1707.06347).

Advantages are generalized ones (GAE, Schulman et al. 2015, arXiv 1506.02438). Clip distances are
the paper's; lambda and discount are 1 as in verl (an answer is rewarded at its end, and short
against a control task); the critic's learning rate and clip are those of verl's
examples/ppo_trainer and critic.yaml. InstructGPT (Ouyang et al. 2022, arXiv 2203.02155) takes a KL
penalty from the reward; verl's examples go without, and so does the default here.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from runner.algorithms.base import (
    Clip,
    ClipRatio,
    Critic,
    Discount,
    DualClip,
    EntropyCoefficient,
    Fixed,
    OptionalKl,
    PolicyGradient,
    TokenMean,
)
from runner.spec.section import default


class Ppo(PolicyGradient):
    """A critic estimates what each token is worth; the policy moves within a clipped ratio."""

    name: Literal["ppo"] = Field(description="Proximal Policy Optimization.")
    critic: Critic = Field(default=default(Critic), description="The model that estimates values.")
    group_size: Annotated[int, Field(ge=1, le=1024)] = Field(
        default=1, description="Answers sampled per prompt; the critic is the baseline, not they."
    )
    discount: Discount = 1.0
    gae_lambda: Annotated[float, Field(ge=0, le=1)] = Field(
        default=1.0,
        description="Lambda of generalized advantage estimation; 1 relies on rewards, 0 on values.",
    )
    clip_ratio: Clip = default(ClipRatio)
    dual_clip: DualClip = None
    kl: OptionalKl = None
    entropy_coefficient: EntropyCoefficient = 0.0
    loss_aggregation: TokenMean = "token_mean"

    # PPO: generalized advantages of a critic, clipped surrogate loss.
    FIXED: ClassVar[Fixed] = {
        "advantage": "gae",
        "policy_loss": "vanilla",
    }
