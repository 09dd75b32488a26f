"""What a run with TRL 1.16.0 leaves: metrics, checkpoints, the answers and what they scored.

Metrics are lines {"step": …, "data": {…}} with TRL's own names; those of a validation set begin
with `eval_<set>_`, which TRL says of the loss alone. Added to TRL's are

- `step_seconds`, `tokens_per_second`, `generation_seconds`: wall-clock time of a step;
- `rewards/compute_score/max`, `…/min`: of the answers of a step;
- `eval_<set>_score`, `eval_<set>_accuracy`: the mean over rows of the mean over a row's answers.
  TRL's own mean is over batches, of which the last may be smaller, and with several devices rows
  are repeated to fill it; so it stays for losses and pairs. As in verl, an answer's accuracy is
  what the reward function returns as `acc`, or the score where it returns a number.

A step is one of the spec, `updates` optimizer updates of TRL. A checkpoint is complete when its
`rollbook.json` is there, and keeps its weights in `huggingface/`.
"""

import asyncio
import inspect
import json
import os
import re
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from accelerate import PartialState
from rollbook_trl_data import ROW
from transformers import TrainerCallback

MARK = "rollbook.json"
EXPORT = "huggingface"
TRAINERS_OWN = re.compile(
    r"(optimizer|scheduler|scaler|rng_state|trainer_state|training_args|pytorch_model_fsdp"
    r"|entropy_ctrl_state|adapter_|README).*"
)
"""Files of a checkpoint that are for going on; the others are the model in Hugging Face format."""


class Recorder(TrainerCallback):
    """Writes metrics, finishes checkpoints, and keeps the order of rows by epoch."""

    def __init__(self, trainer: Any, metrics: Path, updates: int) -> None:
        self.trainer, self.metrics, self.updates = trainer, metrics, updates
        self.started: float | None = None
        self.tokens = 0.0

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.tokens = state.num_input_tokens_seen

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        # A whole number, but for rounding, unless the run has resumed within an epoch.
        self.trainer.begin_epoch(int((state.epoch or 0) + 1e-6))

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if self.started is None:
            self.started = time.monotonic()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step >= state.max_steps and args.eval_strategy != "no":
            control.should_evaluate = True

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        if "train_runtime" in logs or not state.is_world_process_zero:
            return
        names = [key for key in logs if key.startswith("eval_") and key.endswith("_runtime")]
        values = of_set(logs, names[0]) if names else {**logs, **self.speed(logs)}
        numbers = {k: v for k, v in values.items() if isinstance(v, int | float)}
        line = json.dumps({"step": state.global_step // self.updates, "data": numbers})
        with self.metrics.open("a") as file:
            file.write(line + "\n")

    def speed(self, logs: dict[str, float]) -> dict[str, float]:
        """Time and throughput since the first update of this step began."""
        if self.started is None:
            return {}
        seconds, self.started = time.monotonic() - self.started, None
        tokens, self.tokens = logs.get("num_tokens", 0.0) - self.tokens, logs.get("num_tokens", 0.0)
        return {"step_seconds": seconds, "tokens_per_second": tokens / seconds}

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        PartialState().wait_for_everyone()
        folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        if not state.is_world_process_zero:
            return
        is_adapter = (folder / "adapter_config.json").exists()
        if not is_adapter:
            set_apart(folder)
        if not is_adapter or state.global_step < state.max_steps:
            mark(folder, state.global_step // self.updates)


def of_set(logs: dict[str, float], runtime: str) -> dict[str, float]:
    """Return a validation's metrics with the set's name in each, as `runtime` has it."""
    prefix = runtime.removesuffix("runtime")
    rest = {key: value for key, value in logs.items() if key.startswith("eval_")}
    return {
        key if key.startswith(prefix) else prefix + key.removeprefix("eval_"): value
        for key, value in rest.items()
    }


def set_apart(folder: Path) -> None:
    """Move the model's files to a folder of their own, which is what a run exports."""
    export = folder / EXPORT
    export.mkdir(exist_ok=True)
    for path in list(folder.iterdir()):
        if path != export and not TRAINERS_OWN.fullmatch(path.name):
            path.rename(export / path.name)


def mark(folder: Path, step: int) -> None:
    """Say that a checkpoint is complete."""
    partial = folder / f".{MARK}"
    partial.write_text(json.dumps({"step": step}))
    partial.rename(folder / MARK)


def to_resume(checkpoints: Path) -> str | None:
    """Return the newest complete checkpoint, its weights beside the rest as Transformers wants."""
    complete = list(checkpoints.glob(f"checkpoint-*/{MARK}"))
    if not complete:
        return None
    newest = max(complete, key=lambda path: json.loads(path.read_text())["step"]).parent
    target = checkpoints.parent / "resume" / newest.name
    target.mkdir(parents=True, exist_ok=True)
    if PartialState().is_local_main_process:
        for path in (*newest.iterdir(), *(newest / EXPORT).glob("*")):
            if path.is_file() and not (target / path.name).exists():
                os.link(path, target / path.name)
    PartialState().wait_for_everyone()
    return str(target)


class Judge:
    """The declared reward function with TRL's signature; keeps what it was asked and answered."""

    __name__ = "compute_score"

    def __init__(self, function: Any) -> None:
        self.function = function
        self.answers: list[dict[str, Any]] = []

    def __call__(self, prompts: Any, completions: Any, **columns: Any) -> list[float]:
        rows = [{name: column[n] for name, column in columns.items() if isinstance(column, list)}
                for n in range(len(prompts))]  # fmt: skip
        texts = [last_text(completion) for completion in completions]
        results = self.results(texts, rows)
        for prompt, text, row, result in zip(prompts, texts, rows, results, strict=True):
            answer = {"row": row[ROW], "input": last_text(prompt), "output": text}
            self.answers.append({**answer, **judged(result)})
        return [judged(result)["score"] for result in results]

    def results(self, texts: list[str], rows: list[dict[str, Any]]) -> list[Any]:
        """What the function returns for each answer; verl's names of its arguments."""
        calls = [
            {
                "data_source": row.get("data_source"),
                "solution_str": text,
                "ground_truth": (row.get("reward_model") or {}).get("ground_truth"),
                "extra_info": row.get("extra_info"),
            }
            for text, row in zip(texts, rows, strict=True)
        ]
        if not inspect.iscoroutinefunction(self.function):
            return [self.function(**call) for call in calls]

        async def together() -> list[Any]:
            return await asyncio.gather(*(self.function(**call) for call in calls))

        return asyncio.run(together())


def last_text(said: Any) -> str:
    """Return a text, or what the last message of a conversation says."""
    return said if isinstance(said, str) else str(said[-1]["content"])


def judged(result: Any) -> dict[str, float]:
    """Return the score and, unless it is not told, the accuracy of a reward function's result."""
    if not isinstance(result, dict):
        return {"score": float(result), "acc": float(result)}
    return {name: float(result[name]) for name in ("score", "acc") if name in result}


def mean_over_rows(answers: list[dict[str, Any]], name: str) -> float:
    """Return the mean over rows of the mean over their answers."""
    rows: dict[int, list[float]] = defaultdict(list)
    for answer in answers:
        rows[answer["row"]].append(answer[name])
    return sum(sum(values) / len(values) for values in rows.values()) / len(rows)
