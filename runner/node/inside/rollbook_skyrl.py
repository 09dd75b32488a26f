"""SkyRL 0.3.0 with what it has no key for: `python -m rollbook_skyrl key.path=value …`.

SkyRL's arguments, config, checks and training are its own; through the hooks of `BasePPOExp` come

- an environment that answers with the run's reward function (`rollbook_reward.compute_score`);
- a tracker that also writes {"step", "data"} lines to the file ROLLBOOK_METRICS;
- an export in Hugging Face format inside each checkpoint, written before SkyRL's own file that
  says the checkpoint is complete;
- the share of answers cut at the length limit, the prompts' length, the highest and lowest reward.

The resolved config is left below the folder ROLLBOOK_CONFIG, where Hydra leaves verl's. Paths are
of SkyRL's wheel.
"""

import asyncio
import inspect
import json
import math
import os
import sys
from numbers import Real
from pathlib import Path
from typing import Any

import ray
import skyrl_gym
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy
from skyrl.train.config import SkyRLTrainConfig, get_config_as_yaml_str
from skyrl.train.entrypoints.main_base import BasePPOExp
from skyrl.train.trainer import RayPPOTrainer
from skyrl.train.utils import validate_cfg
from skyrl.train.utils.tracking import Tracking
from skyrl.train.utils.utils import initialize_ray
from skyrl_gym.envs.base_text_env import BaseTextEnv, BaseTextEnvStepOutput

ENVIRONMENT = "rollbook"
TRACKER = "latest_ckpt_global_step.txt"


class RewardEnvironment(BaseTextEnv):
    """One question, one answer, and the reward function's score for it.

    `extras` are the columns of the row besides the prompt, named as for verl: `data_source`,
    `reward_model` with `ground_truth`, and `extra_info`.
    """

    def __init__(self, env_config: Any = None, extras: dict[str, Any] | None = None) -> None:
        super().__init__()
        self._row = extras or {}
        self._metrics: dict[str, float] = {}

    def step(self, action: str) -> BaseTextEnvStepOutput:
        """Score the answer; called in one of SkyRL's threads for environments."""
        from rollbook_reward import compute_score

        source = self._row.get("data_source") or ""
        result = compute_score(
            data_source=source,
            solution_str=action,
            ground_truth=(self._row.get("reward_model") or {}).get("ground_truth"),
            extra_info=dict(self._row.get("extra_info") or {}),
        )
        if inspect.isawaitable(result):
            result = asyncio.run(_awaited(result))
        # A score that stands alone is the accuracy too, as for verl.
        said = result if isinstance(result, dict) else {"score": result, "acc": result}
        if "acc" in said:
            # `mean` in the name tells SkyRL how to join the values of batches.
            self._metrics[f"{source}/accuracy_mean"] = float(said["acc"])
        score = float(said["score"])
        return BaseTextEnvStepOutput(observations=[], reward=score, done=True, metadata={})

    def get_metrics(self) -> dict[str, float]:
        """Return the accuracy, unless the reward function returns a score without one."""
        return self._metrics


async def _awaited(result: Any) -> Any:
    return await result


class LineTracking(Tracking):
    """SkyRL's tracker, and beside it one JSON line per step."""

    def log(self, data: dict[str, Any], step: int, commit: bool = False) -> None:
        """Append the numbers of `data`, NaN and infinities too: they have to be seen."""
        numbers = {name: float(value) for name, value in data.items() if isinstance(value, Real)}
        with Path(os.environ["ROLLBOOK_METRICS"]).open("a") as file:
            file.write(json.dumps({"step": step, "data": numbers}) + "\n")
        super().log(data, step, commit)


class Trainer(RayPPOTrainer):
    """SkyRL's trainer with exports and a few more metrics."""

    async def generate(self, input_batch: Any) -> Any:
        """Sample answers, and look at their lengths and rewards."""
        output = await super().generate(input_batch)
        self.all_metrics.update(sampling_metrics(output))
        return output

    def save_checkpoints(self) -> str:
        """Write the export first: SkyRL marks the checkpoint as complete at the end."""
        folder = Path(self.cfg.trainer.ckpt_path) / f"global_step_{self.global_step}"
        model = self.cfg.trainer.policy.model
        export = folder / ("adapter" if model.lora.rank else "huggingface")
        self.dispatch.save_hf_model("policy", str(export), self.tokenizer)
        if model.lora.rank:
            merge_adapter(model.path, export, folder / "huggingface")
            self.tokenizer.save_pretrained(folder / "huggingface")
        return str(super().save_checkpoints())


def merge_adapter(base: str, adapter: Path, target: Path) -> None:
    """Write a whole model: of one with LoRA SkyRL exports the adapter alone."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(base, dtype="auto", trust_remote_code=True)
    PeftModel.from_pretrained(model, adapter).merge_and_unload().save_pretrained(target)


def sampling_metrics(output: dict[str, Any]) -> dict[str, float]:
    """Return what a step's answers show and SkyRL does not say; rewards may be one per token."""
    rewards = [sum(one) if isinstance(one, list) else one for one in output["rewards"]]
    found = {
        "rollbook/prompt_length": math.fsum(map(len, output["prompt_token_ids"])) / len(rewards),
        "rollbook/reward_max": float(max(rewards)),
        "rollbook/reward_min": float(min(rewards)),
    }
    if reasons := output.get("stop_reasons"):
        found["rollbook/response_clip_ratio"] = reasons.count("length") / len(reasons)
    return found


class Experiment(BasePPOExp):
    """SkyRL's experiment with our tracker and trainer."""

    def get_tracker(self) -> Tracking:
        """Return the tracker that also writes lines."""
        trainer = self.cfg.trainer
        return LineTracking(
            trainer.project_name, trainer.run_name, trainer.logger, self.cfg, trainer.tags
        )

    def get_trainer(self, *args: Any, **kwargs: Any) -> RayPPOTrainer:
        """Return the trainer that also exports."""
        return Trainer(*args, **kwargs)


def train(cfg: SkyRLTrainConfig) -> None:
    """Train, in the process that SkyRL's generator and environments live in."""
    skyrl_gym.register(id=ENVIRONMENT, entry_point=RewardEnvironment)
    Experiment(cfg).run()


def is_finished(cfg: SkyRLTrainConfig) -> bool:
    """Whether the newest checkpoint is the last: SkyRL looks at the limit only after a step."""
    try:
        newest = int((Path(cfg.trainer.ckpt_path) / TRACKER).read_text())
    except (FileNotFoundError, ValueError):
        return False
    limit = cfg.trainer.max_training_steps
    return limit is not None and newest >= limit


def main() -> None:
    """Do what SkyRL's own entry point does (train/entrypoints/main_base.py), with our parts."""
    cfg = SkyRLTrainConfig.from_cli_overrides(sys.argv[1:])
    validate_cfg(cfg)
    config = Path(os.environ["ROLLBOOK_CONFIG"]) / ".hydra" / "config.yaml"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(get_config_as_yaml_str(cfg))
    if is_finished(cfg):
        print(f"nothing left to train: step {cfg.trainer.max_training_steps} is saved")
        return
    initialize_ray(cfg)
    # On this node: Ray may take any, and the metrics, rewards and checkpoints are looked for here.
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    remote = ray.remote(num_cpus=1)(train).options(scheduling_strategy=here)
    ray.get(remote.remote(cfg))


if __name__ == "__main__":
    main()
