"""Trains with TRL 1.16.0.

    python rollbook_trl.py sft|dpo|grpo|rloo --<key>=<value> …

The arguments are TRL's own, read by TRL's own parser: the fields of SFTConfig, DPOConfig,
GRPOConfig or RLOOConfig, and of ModelConfig. What TRL has no key for is said by the variable
ROLLBOOK_TRL, a JSON object with the members of `Task`.
"""

import copy
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from accelerate import PartialState
from accelerate.utils import gather_object
from rollbook_trl_data import Limits, WholeSteps, check_lengths, read
from rollbook_trl_record import EXPORT, Judge, Recorder, mark, mean_over_rows, to_resume
from trl import (
    DPOConfig,
    DPOTrainer,
    GRPOConfig,
    GRPOTrainer,
    ModelConfig,
    RLOOConfig,
    RLOOTrainer,
    SFTConfig,
    SFTTrainer,
    TrlParser,
    get_peft_config,
    get_quantization_config,
)

CONFIGS = {"sft": SFTConfig, "dpo": DPOConfig, "grpo": GRPOConfig, "rloo": RLOOConfig}


class Task(NamedTuple):
    """What a run is besides TRL's keys."""

    train: str
    """Parquet file."""
    val: dict[str, str]
    """Parquet files by the set's name."""
    metrics: str
    """File for the metrics."""
    config: str
    """Folder for the resolved config."""
    samples: str
    """Folder for answers."""
    updates: int
    """Optimizer updates of a step."""
    prompt_tokens: int
    response_tokens: int
    """The most tokens of a prompt, and of an answer."""
    validation: dict[str, float]
    """`temperature` and `top_p` of answers in validation."""
    overlong: dict[str, float] | None
    """`buffer` and `factor` of the penalty on long answers."""


class Ordered:
    """Rows of supervised and preference training in whole steps."""

    def _get_train_sampler(self, train_dataset: Any = None) -> WholeSteps:
        args: Any = self.args
        per_step = args.train_batch_size * args.world_size * args.gradient_accumulation_steps
        shuffle = args.train_sampling_strategy != "sequential"
        self.order = WholeSteps(len(self.train_dataset), per_step, args.seed, shuffle)
        return self.order

    def begin_epoch(self, epoch: int) -> None:
        """Take the order of an epoch."""
        self.order.epoch = epoch


class Sampled:
    """What is added to reinforcement learning: validation as the spec says, answers on record."""

    task: Task
    judge: Judge

    def _get_train_sampler(self, dataset: Any = None) -> Any:
        self.order: Any = super()._get_train_sampler(dataset)
        return self.order

    def begin_epoch(self, epoch: int) -> None:
        """Take the order of an epoch; TRL's own would begin anew in a resumed run."""
        if self.shuffle_dataset:
            self.order.generator.manual_seed(self.args.seed + epoch)

    def _generate_single_turn(self, *args: Any, **kwargs: Any) -> Any:
        started = time.monotonic()
        try:
            if self.model.training:
                return super()._generate_single_turn(*args, **kwargs)
            with self.sampling_of_validation():
                return super()._generate_single_turn(*args, **kwargs)
        finally:
            mode = "train" if self.model.training else "eval"
            self._metrics[mode]["generation_seconds"].append(time.monotonic() - started)

    @contextmanager
    def sampling_of_validation(self) -> Iterator[None]:
        """Sample as in validation: TRL has one temperature for both."""
        wanted = self.task.validation
        if self.use_vllm:
            place, changed = self.vllm_generation, wanted
        else:
            config = copy.deepcopy(self.generation_config)
            if wanted["temperature"] == 0:
                config.update(do_sample=False, temperature=1.0, top_p=1.0)
            else:
                config.update(do_sample=True, **wanted)
            place, changed = self, {"generation_config": config}
        before = {name: getattr(place, name) for name in changed}
        vars(place).update(changed)
        try:
            yield
        finally:
            vars(place).update(before)

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add what the answers since the last call scored, and keep them."""
        answers, self.judge.answers = gather_object(self.judge.answers), []
        if answers:
            logs.update(self.scores(answers, logs))
            if self.accelerator.is_main_process:
                self.keep(answers)
        super().log(logs, start_time)

    def scores(self, answers: list[dict[str, Any]], logs: dict[str, float]) -> dict[str, float]:
        """Exact means in validation; in training the extremes."""
        if self.model.training:
            found = [answer["score"] for answer in answers]
            name = f"rewards/{self.judge.__name__}"
            return {f"{name}/max": max(found), f"{name}/min": min(found)}
        prefix = next(key for key in logs if key.endswith("_runtime")).removesuffix("runtime")
        scores = {f"{prefix}score": mean_over_rows(answers, "score")}
        if all("acc" in answer for answer in answers):
            scores[f"{prefix}accuracy"] = mean_over_rows(answers, "acc")
        return scores

    def keep(self, answers: list[dict[str, Any]]) -> None:
        """Append answers to the samples of this step."""
        step = self.state.global_step // self.task.updates
        folder = Path(self.task.samples) / ("train" if self.model.training else "val")
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / f"{step}.jsonl").open("a") as file:
            file.writelines(json.dumps({**answer, "step": step}) + "\n" for answer in answers)


class Sft(Ordered, SFTTrainer):
    """SFT in whole steps."""


class Dpo(Ordered, DPOTrainer):
    """DPO in whole steps."""


class Grpo(Sampled, GRPOTrainer):
    """GRPO with what is added to it."""


class Rloo(Sampled, RLOOTrainer):
    """RLOO with what is added to it."""


TRAINERS = {"sft": Sft, "dpo": Dpo, "grpo": Grpo, "rloo": Rloo}


def main(method: str, arguments: list[str]) -> None:
    """Train, from the newest checkpoint if there is one."""
    task = Task(**json.loads(os.environ["ROLLBOOK_TRL"]))
    parser = TrlParser((CONFIGS[method], ModelConfig), allow_abbrev=False)
    config, model = parser.parse_args_and_config(arguments)
    resumed = to_resume(Path(config.output_dir))
    if resumed:
        config.eval_on_start = False  # the attempt that began has done it
        if 0 < config.max_steps <= updates_of(resumed):
            return  # else Transformers would add an update to the last one
    trainer = build(method, config, model, task)
    write_config(task, trainer)
    trainer.train(resume_from_checkpoint=resumed)
    if model.use_peft:
        merge_last(trainer, task)


def updates_of(checkpoint: str) -> int:
    """Return the optimizer updates that a checkpoint has seen."""
    state = json.loads((Path(checkpoint) / "trainer_state.json").read_text())
    return int(state["global_step"])


def build(method: str, config: Any, model: Any, task: Task) -> Any:
    """Return the trainer."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model.model_name_or_path)
    limits = Limits(task.prompt_tokens, task.response_tokens)
    with PartialState().main_process_first():
        train = read(task.train, method)
        val = {name: read(path, method) for name, path in task.val.items()}
    for place, rows in {"training set": train, **val}.items():
        check_lengths(rows, tokenizer, limits, place)
    if method == "sft":
        config.assistant_only_loss = "messages" in train.column_names
    config.model_init_kwargs = {
        "dtype": model.dtype,
        "attn_implementation": model.attn_implementation,
        **(config.model_init_kwargs or {}),
    }
    others: dict[str, Any] = {}
    judge = None
    if method in ("grpo", "rloo"):
        judge, others["reward_funcs"] = rewards(task, config)
    trainer = TRAINERS[method](
        model=model.model_name_or_path,
        args=config,
        train_dataset=train,
        eval_dataset=val or None,
        quantization_config=get_quantization_config(model),
        peft_config=get_peft_config(model),
        **others,
    )
    trainer.task, trainer.judge = task, judge
    trainer.add_callback(Recorder(trainer, Path(task.metrics), task.updates))
    return trainer


def rewards(task: Task, config: Any) -> tuple[Judge, list[Any]]:
    """Return the declared reward function for TRL, with the penalty on long answers beside it."""
    import rollbook_reward
    from trl.rewards import get_soft_overlong_punishment

    judge = Judge(rollbook_reward.compute_score)
    functions: list[Any] = [judge]
    if task.overlong:
        functions.append(
            get_soft_overlong_punishment(task.response_tokens, int(task.overlong["buffer"]))
        )
        config.reward_weights = [1.0, task.overlong["factor"]]
    return judge, functions


def write_config(task: Task, trainer: Any) -> None:
    """Leave the resolved config, with every default, where the node looks for it."""
    if trainer.accelerator.is_main_process:
        path = Path(task.config) / ".hydra" / "config.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        values = json.loads(trainer.args.to_json_string())
        path.write_text(yaml.safe_dump(values, sort_keys=True))


def merge_last(trainer: Any, task: Task) -> None:
    """Write the last checkpoint's export: the adapter merged into the weights it was trained on."""
    step = trainer.state.global_step
    folder = Path(trainer.args.output_dir) / f"checkpoint-{step}"
    if trainer.accelerator.is_main_process and folder.is_dir():
        merged = trainer.accelerator.unwrap_model(trainer.model).merge_and_unload()
        merged.save_pretrained(folder / EXPORT)
        trainer.processing_class.save_pretrained(folder / EXPORT)
        mark(folder, step // task.updates)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
