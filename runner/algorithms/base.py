"""What an algorithm is to the rest of the product: a section of the spec that states its terms.

Algorithms and trainers meet in `Terms`: an algorithm says in the field's neutral vocabulary what
it is, a trainer says how it spells each term. Neither knows the other.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from functools import lru_cache, partial, reduce
from operator import or_
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, NamedTuple

from pydantic import Field, ValidationInfo
from pydantic_core import CoreSchema, core_schema

from runner.algorithms import CLASSES, load
from runner.spec.section import Section, is_recorded

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic.config import ExtraValues
    from pydantic.json_schema import JsonSchemaValue

KlEstimator = Literal["k1", "k2", "k3", "abs"]
LossAggregation = Literal[
    "token_mean",
    "sequence_mean_token_sum",
    "sequence_mean_token_mean",
    "sequence_mean_token_scaled",
]


class Kl(Section):
    """A penalty for moving away from the reference model."""

    in_: Literal["loss", "reward"] = Field(
        default="loss", alias="in", description="Where the penalty enters: the loss or the reward."
    )
    coefficient: float = Field(gt=0, le=100, description="Weight of the penalty.")
    estimator: KlEstimator = Field(
        default="k3",
        description="Estimator of the divergence (Schulman 2020); k3 is never negative.",
    )


class KlInReward(Kl):
    """A penalty taken from the reward token by token, as in the first RLHF papers."""

    in_: Literal["loss", "reward"] = Field(
        default="reward",
        alias="in",
        description="Where the penalty enters: the loss or the reward.",
    )
    coefficient: float = Field(
        default=0.001, gt=0, le=100, description="Weight of the penalty; 0.001 in verl's examples."
    )
    estimator: KlEstimator = Field(
        default="k1",
        description="Estimator of the divergence (Schulman 2020); k1 has no bias in a reward.",
    )


class ClipRatio(Section):
    """How far the probability ratio may move in one update: 1 - low to 1 + high."""

    low: float = Field(
        default=0.2,
        gt=0,
        le=1,
        description="Lower clip distance; 1 is no bound: ratios are above 0.",
    )
    high: float = Field(default=0.2, gt=0, le=10, description="Upper clip distance.")


class Critic(Section):
    """The value model that estimates the return of each token."""

    learning_rate: float = Field(
        default=1.0e-5, ge=0, le=1, description="Peak learning rate of the critic."
    )
    warmup_steps: int = Field(
        default=0, ge=0, description="First steps that train the critic alone."
    )
    clip: float = Field(
        default=0.5, gt=0, le=100, description="How far a value may move in one update."
    )


class DynamicSampling(Section):
    """Prompts whose answers all score the same are left out, and others sampled instead."""

    metric: Literal["reward", "accuracy"] = Field(
        default="accuracy", description="What has to differ within a group."
    )
    max_batches: int | None = Field(
        default=None,
        ge=1,
        le=1000,
        description="Batches sampled for one step at most. None: the trainer's own limit (SkyRL: "
        "30; verl 0.9.1 has none and samples until the step is full).",
    )


class OverlongPenalty(Section):
    """A reward that falls linearly over the last tokens before the length limit."""

    buffer_tokens: int = Field(gt=0, description="Length of the slope, in tokens.")
    factor: float = Field(default=1.0, gt=0, le=100, description="Penalty at the limit.")


class SoftGate(Section):
    """Temperatures of the sigmoid that takes the place of clipping (SAPO)."""

    positive: float = Field(default=1.0, gt=0, le=100, description="For positive advantages.")
    negative: float = Field(default=1.05, gt=0, le=100, description="For negative advantages.")


class Preference(Section):
    """A loss on pairs of a chosen and a rejected answer."""

    loss: Literal["sigmoid", "hinge", "ipo"] = Field(
        default="sigmoid", description="Loss of a pair's margin."
    )
    beta: float = Field(
        default=0.1, gt=0, le=100, description="Strength of the tie to the reference model."
    )


GroupSize = Annotated[
    int,
    Field(
        ge=2,
        le=1024,
        description="Answers sampled per prompt; with one there is no baseline to compare with.",
    ),
]
EntropyCoefficient = Annotated[
    float, Field(ge=0, le=1, description="Weight of the entropy bonus in the loss.")
]
DualClip = Annotated[
    float | None,
    Field(
        gt=1,
        le=1_000_000,
        description="Bound on the ratio where the advantage is negative (Ye et al. 2020, arXiv "
        "1912.09729). None: the trainer's own (verl: 3).",
    ),
]
OptionalKl = Annotated[
    Kl | None,
    Field(description="Penalty for moving away from the reference model; none by default."),
]

Clip = Annotated[ClipRatio, Field(description="Clip distances of the probability ratio.")]
SpareClip = Annotated[
    ClipRatio,
    Field(
        description="Clip distances of the probability ratio; without effect where a step is one "
        "update."
    ),
]
RewardKl = Annotated[
    KlInReward | None,
    Field(description="Penalty for moving away from the reference model; null for none."),
]
TokenMean = Annotated[
    LossAggregation,
    Field(description="How token losses become one number; token_mean is verl's default."),
]
Discount = Annotated[
    float, Field(gt=0, le=1, description="Gamma: what a reward one token later is worth.")
]

Advantage = Literal[
    "grpo",
    "gae",
    "rloo",
    "reinforce_plus_plus",
    "reinforce_plus_plus_baseline",
    "remax",
    "gpg",
]
"""Advantage estimators: of a group, of a critic, or against a baseline."""

PolicyLoss = Literal["vanilla", "gspo", "geometric_mean", "cispo", "sapo", "gpg"]
"""Policy losses; `vanilla` is the clipped surrogate of PPO."""


class Terms(NamedTuple):
    """An algorithm in neutral words; a trainer spells them as its own keys, or refuses them."""

    stage: Literal["sft", "rl", "preference"]
    advantage: Advantage | None = None
    """Advantage estimator; none for supervised and preference training."""
    policy_loss: PolicyLoss | None = None
    loss_aggregation: LossAggregation | None = None
    group_size: int = 1
    """Answers sampled per prompt."""
    normalize_by_std: bool = True
    """Whether a group's advantages are divided by the standard deviation of its rewards."""
    clip: ClipRatio | None = None
    dual_clip: float | None = None
    """Bound on the ratio where the advantage is negative; none for the trainer's own."""
    kl: Kl | None = None
    entropy_coefficient: float = 0.0
    discount: float = 1.0
    """Gamma: what a reward one token later is worth."""
    gae_lambda: float = 1.0
    critic: Critic | None = None
    dynamic_sampling: DynamicSampling | None = None
    overlong_penalty: OverlongPenalty | None = None
    soft_gate: SoftGate | None = None
    preference: Preference | None = None

    @property
    def needs_reward(self) -> bool:
        """Whether answers are scored by a reward function."""
        return self.stage == "rl"

    @property
    def needs_reference(self) -> bool:
        """Whether a frozen copy of the first policy is held beside it."""
        return self.kl is not None or self.preference is not None

    @property
    def is_grouped(self) -> bool:
        """Whether an answer is compared with others to the same prompt."""
        return self.advantage in ("grpo", "rloo", "reinforce_plus_plus_baseline", "gpg")


class AlgorithmConfig(Section):
    """Base of every algorithm's section; `name` selects the class, which is loaded then."""

    name: str

    @abstractmethod
    def terms(self) -> Terms:
        """Return what this algorithm is, in neutral words."""

    @classmethod
    def kinds(cls) -> tuple[type[Section], ...]:
        """Return the classes of all algorithms; of one of them, itself."""
        return tuple(map(load, CLASSES)) if cls is AlgorithmConfig else (cls,)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Validate as the union of all algorithms does, and load the one that is named."""
        if cls is not AlgorithmConfig:
            return handler(source)
        choices: dict[Any, CoreSchema] = {
            name: core_schema.with_info_plain_validator_function(partial(_validated, name))
            for name in CLASSES
        }
        return core_schema.tagged_union_schema(choices, discriminator="name")

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Return the JSON Schema of the union of all algorithms; of one of them, its own."""
        if cls is not AlgorithmConfig:
            return handler(schema)
        from pydantic import TypeAdapter

        union: Any = Annotated[reduce(or_, cls.kinds()), Field(discriminator="name")]
        return handler(TypeAdapter(union).core_schema)


def _validated(name: str, value: Any, info: ValidationInfo) -> AlgorithmConfig:
    kind = load(name)
    if isinstance(value, kind):
        return value
    extra: ExtraValues | None = "ignore" if is_recorded(info) else None
    return kind.model_validate(value, context=info.context, extra=extra)


Fixed = Mapping[str, Any]
"""Terms that an algorithm leaves no choice in, by name."""


class PolicyGradient(AlgorithmConfig):
    """Base of reinforcement-learning algorithms: fields named as terms are, and fixed terms."""

    FIXED: ClassVar[Fixed]

    def terms(self) -> Terms:
        """Return what is fixed, and what the fields say."""
        return _terms_of(self)


@lru_cache(maxsize=1024)
def _terms_of(algorithm: PolicyGradient) -> Terms:
    """Return the terms of an algorithm; a frozen section, so each is made once."""
    stated = {
        "clip" if name == "clip_ratio" else name: getattr(algorithm, name)
        for name in type(algorithm).model_fields
        if name != "name"
    }
    return Terms(stage="rl", **algorithm.FIXED, **stated)
