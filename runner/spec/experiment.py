"""The spec of one experiment: what a file below `experiments/` says once bases are merged in.

Every field's meaning and unit stands in its `description`, from which the JSON Schema and the
documentation are generated. Whether a field bears a run's identity is said in `identity.py` alone.
`extends` and `matrix` are gone by the time a file becomes an `Experiment` (see `expand.py`).
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, Field, model_validator

from runner.algorithms.base import AlgorithmConfig
from runner.metrics import check_name
from runner.spec.expectation import Expectation
from runner.spec.resources import Budget, Resources
from runner.spec.rollout import Rollout
from runner.spec.section import Mapping, Positive, RelativePath, Section, check_path, default, fault
from runner.spec.training import Training

API_VERSION = "rollbook/v1"
TRAINER_NAMES = ("verl", "skyrl", "trl", "script")


class TrainerPin(NamedTuple):
    """A trainer and the exact version that a spec names."""

    name: str
    version: str | None


def parse_trainer(text: str) -> TrainerPin:
    """Split `verl==0.9.1`; `script` has no version of its own."""
    name, _, version = text.partition("==")
    return TrainerPin(name, version or None)


def _check_trainer(text: str) -> str:
    pin = parse_trainer(text)
    if pin.name not in TRAINER_NAMES:
        known = ", ".join(f"{name}==<version>" for name in TRAINER_NAMES if name != "script")
        raise ValueError(
            f"`{pin.name[:60]}` is no trainer that this version knows; write {known} or script"
        )
    if pin.name == "script" and pin.version:
        raise ValueError("the script trainer has no version; write `trainer: script`")
    if pin.name != "script" and not pin.version:
        raise ValueError(f"the trainer is not pinned; write `{pin.name}==<version>`")
    return text


class Model(Section):
    """The weights that training starts from."""

    source: Literal["huggingface", "modelscope", "dvc", "path", "run"] = Field(
        default="huggingface",
        description="Where the weights come from: a hub, a DVC-tracked folder, a folder of the "
        "repository, or another experiment's run.",
    )
    path: str = Field(
        min_length=1,
        max_length=300,
        description="Name on the hub, path in the repository, or <experiment>[@<run id>].",
    )
    revision: str | None = Field(
        default=None, description="Commit on the hub that the weights are fetched at."
    )

    @model_validator(mode="after")
    def _stays_inside(self) -> Model:
        if self.source in ("dvc", "path"):
            try:
                check_path(self.path)
            except ValueError as error:
                message, _, cure = str(error).partition("; ")
                raise fault("path", message, cure) from None
        return self


Column = Literal[
    "messages",
    "prompt",
    "response",
    "ground_truth",
    "data_source",
    "chosen",
    "rejected",
    "tools",
]
"""What a column of a dataset can hold."""


class Data(Section):
    """Datasets, by path in the repository, and how long their texts may be."""

    train: RelativePath = Field(description="Training set, tracked by DVC: a file, or shards.")
    val: dict[Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]*$")], RelativePath] = Field(
        default={}, description="Validation sets by name; the name is the metric's: val/<name>/…"
    )
    max_prompt_tokens: Positive = Field(default=1024, description="Longest prompt, in tokens.")
    max_response_tokens: Positive = Field(default=1024, description="Longest answer, in tokens.")
    columns: dict[Column, str] = Field(
        default={},
        description="Columns of the files by what they hold, where their names are others.",
    )
    shuffle: bool = Field(
        default=True, description="Draw training rows in an order made from the seed."
    )


class Script(Section):
    """A training command of your own (`trainer: script`)."""

    command: tuple[str, ...] = Field(
        strict=False, min_length=1, description="Program and arguments; no shell reads them."
    )
    files: tuple[RelativePath, ...] = Field(
        strict=False,
        min_length=1,
        description="Files and folders of the repository that the command needs.",
    )
    ray: bool | None = Field(
        default=None,
        description="Start a Ray cluster over all nodes; the command finds it by RAY_ADDRESS.",
    )


def _check_metric(name: str) -> str:
    check_name(name)
    return name


class Checkpoints(Section):
    """Which checkpoints outlive the run."""

    keep_last: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=1, description="How many of the newest are kept."
    )
    keep_best: Annotated[str, AfterValidator(_check_metric)] | None = Field(
        default=None, description="Canonical metric whose best checkpoint is kept too."
    )
    export: Literal["huggingface", "none"] = Field(
        default="huggingface", description="Format of the final export that DVC tracks."
    )


class Wandb(Section):
    """Weights & Biases; offline unless the run has WANDB_API_KEY among its secrets."""

    project: str = Field(min_length=1, max_length=128, description="W&B project.")
    entity: str | None = Field(default=None, description="W&B team or user.")


class Tracking(Section):
    """Where metrics go besides the run store."""

    wandb: Wandb | None = Field(default=None, description="Weights & Biases.")


SecretName = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]{0,99}$")]
Seed = Annotated[int, Field(ge=0, lt=2**31)]


def _check_reward(text: str) -> str:
    check_path(text.rpartition(":")[0])
    return text


def _check_seeds(seeds: tuple[int, ...]) -> tuple[int, ...]:
    twice = next((seed for seed in seeds if seeds.count(seed) > 1), None)
    if twice is not None:
        raise ValueError(f"the seed {twice} stands twice; a run is made once, delete one")
    return seeds


RewardName = Annotated[
    str, Field(pattern=r"^[^:\s]+\.py:[A-Za-z_]\w*$", max_length=500), AfterValidator(_check_reward)
]


class Experiment(Section):
    """One experiment: everything that a file, its bases and one point of its matrix say."""

    apiVersion: Literal["rollbook/v1"] = Field(description="Version of this format.")  # noqa: N815
    description: str = Field(default="", max_length=2000, description="What this is, in a line.")
    hypothesis: str = Field(
        default="", max_length=4000, description="What is expected and why, said before the run."
    )
    owner: str | None = Field(
        default=None, max_length=100, description="Forge login of who is mentioned when it ends."
    )
    tags: tuple[str, ...] = Field(default=(), strict=False, description="Words to find it by.")
    trainer: Annotated[str, AfterValidator(_check_trainer)] = Field(
        description="Trainer and exact version, such as verl==0.9.1; or script."
    )
    image: str | None = Field(
        default=None,
        description="Container image by digest; overrides the one of registry.yaml.",
    )
    model: Model | None = Field(default=None, description="The weights that training starts from.")
    algorithm: AlgorithmConfig | None = Field(
        default=None, description="What is optimized, and how."
    )
    data: Data | None = Field(default=None, description="Datasets.")
    reward: RewardName | None = Field(
        default=None, description="Reward function as <file of the repository>:<function>."
    )
    training: Training = Field(description="How long and how fast to train.")
    rollout: Rollout = Field(default=default(Rollout), description="How answers are sampled.")
    script: Script | None = Field(default=None, description="The command of `trainer: script`.")
    resources: Resources = Field(default=default(Resources), description="What a run needs.")
    budget: Budget | None = Field(default=None, description="A ceiling on the cost of a run.")
    checkpoints: Checkpoints = Field(
        default=default(Checkpoints), description="Which checkpoints outlive the run."
    )
    seeds: Annotated[tuple[Seed, ...], AfterValidator(_check_seeds)] = Field(
        default=(1,), strict=False, min_length=1, max_length=1000, description="One run per seed."
    )
    launch: Literal["on_merge", "manual"] = Field(
        default="on_merge", description="Launch when merged, or wait for `runner launch`."
    )
    when_edited: Literal["let_finish", "cancel_running"] = Field(
        default="let_finish", description="What an edit does to runs of the former version."
    )
    follow_inputs: bool = Field(
        default=False,
        description="Launch again at once when a base, dataset, reward or image under it changes.",
    )
    expect: tuple[Expectation, ...] = Field(
        default=(), strict=False, description="Assertions on metrics, judged after each run."
    )
    tracking: Tracking = Field(default=default(Tracking), description="Where metrics go too.")
    secrets: tuple[SecretName, ...] = Field(
        default=(), strict=False, description="Names of the secrets that the run gets."
    )
    overrides: Mapping = Field(
        default={}, description="Raw keys of the trainer, for what the spec has no field for."
    )

    @model_validator(mode="after")
    def _has_what_its_trainer_needs(self) -> Experiment:
        missing = [name for name in self._required() if getattr(self, name) is None]
        if missing:
            message = f"`trainer: {self.trainer}` needs the key `{missing[0]}`"
            raise fault("trainer", message, f"add `{missing[0]}:`")
        if self.script and self.pin.name != "script":
            message = f"`script` belongs to `trainer: script`, not to {self.trainer}"
            raise fault("script", message, "delete `script`, or change the trainer")
        return self

    def _required(self) -> tuple[str, ...]:
        return ("script",) if self.pin.name == "script" else ("model", "algorithm", "data")

    @property
    def pin(self) -> TrainerPin:
        """The trainer's name and version."""
        return parse_trainer(self.trainer)

    @property
    def wants_reward(self) -> bool:
        """Whether this run must call a reward function to be believed."""
        return self.reward is not None


NAME = re.compile(r"^[a-z0-9][a-z0-9._-]*(/[a-z0-9][a-z0-9._-]*)*$")
"""Names of experiments: the path below `experiments/` without `.yaml`."""


class Run(NamedTuple):
    """One concrete training: an experiment with one point of its matrix and one seed."""

    experiment: str
    seed: int
    point: dict[str, Any]
    """The matrix's values of this run by dotted key; empty without a matrix."""
    spec: Experiment
