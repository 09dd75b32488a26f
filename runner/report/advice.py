"""Why a trainer died, as far as its log tells, and one thing to do about it.

A row of `SIGNS` is a class of failure, the words that trainers and their libraries print for it,
what that means, and one cure. The first row that finds a line decides, so rows about a cause stand
above rows about what a cause leads to: a worker that ran out of memory also makes Ray report a dead
actor.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

FailureClass = Literal[
    "out_of_memory", "hang", "config", "reward", "version", "data", "disk", "killed", "unknown"
]
LONGEST_LINE = 300
"""Characters of a log line that a report repeats."""


class Advice(NamedTuple):
    """What a log says about a failure."""

    failure: FailureClass
    meaning: str
    """One phrase that continues "failed at step x of y: ..."."""
    cure: str
    line: str
    """The log line that decided it, without colours and Ray's prefix; empty without a log."""


class Sign(NamedTuple):
    """Words in a log that give a class of failure away."""

    failure: FailureClass
    pattern: re.Pattern[str]
    meaning: str
    cure: str


def _sign(failure: FailureClass, words: str, meaning: str, cure: str) -> Sign:
    return Sign(failure, re.compile(words), meaning, cure)


SIGNS: tuple[Sign, ...] = (
    # torch.cuda.OutOfMemoryError, its older RuntimeError, and vLLM's refusal at start.
    _sign(
        "out_of_memory",
        r"OutOfMemoryError: (CUDA|HIP) out of memory|(CUDA|HIP)( error:)? out of memory"
        r"|No available memory for the cache blocks|cumem_allocator.*(OOM|out of memory)",
        "out of GPU memory",
        "lower training.samples_per_device, or rollout.gpu_memory when it happened while sampling",
    ),
    # Ray's memory monitor, torch's and Python's own allocation, the kernel.
    _sign(
        "out_of_memory",
        r"exceeds the memory usage threshold|ray\.exceptions\.OutOfMemoryError|oom[-_ ]?kill"
        r"|DefaultCPUAllocator: (can't|not enough memory)|^MemoryError"
        r"|Cannot allocate memory",
        "out of host memory",
        "lower training.samples_per_device or training.prompts_per_step, or take a node with more "
        "memory",
    ),
    _sign(
        "disk",
        r"No space left on device|Disk quota exceeded",
        "the disk is full",
        "raise training.save_every or free space on the node",
    ),
    # PyTorch's NCCL watchdog and gloo's counterpart.
    _sign(
        "hang",
        r"Watchdog caught collective operation timeout|NCCL.*timed out"
        r"|Timed out waiting \d+ms for (recv|send) operation",
        "a collective operation hung",
        "look at the log of every node for the first one that stopped; then run it again",
    ),
    _sign(
        "reward",
        r"Reward function is not implemented for data_source|File \".*rollbook_reward\.py"
        r"|compute_score\(\)",
        "the reward function failed",
        "try the reward function on rows of the training set",
    ),
    # Hydra and OmegaConf (unknown or unset keys), argparse, and verl's own checks of batch sizes.
    _sign(
        "config",
        r"Could not override|is not in struct|ConfigAttributeError|MissingMandatoryValue"
        r"|ConfigCompositionException|hydra\.errors\.|unrecognized arguments"
        r"|must be divisible by|is not divisible by|^(AssertionError|ValueError):.*batch_size",
        "the trainer refused its configuration",
        "correct the spec; `runner validate` checks what can be known before a run",
    ),
    _sign(
        "version",
        r"^(ModuleNotFoundError|ImportError):|undefined symbol|no kernel image is available"
        r"|NVIDIA driver on your system is too old|driver version is insufficient"
        r"|got an unexpected keyword argument",
        "versions of the training environment do not fit together",
        "install the training environment from its lock, and compare it with the trainer's version",
    ),
    # pyarrow and datasets, torch's sampler over nothing, verl's `truncation: error`.
    _sign(
        "data",
        r"ArrowInvalid|DatasetGenerationError|JSONDecodeError|num_samples=0"
        r"|KeyError: '(prompt|messages|data_source|reward_model|ground_truth)'"
        r"|is longer than (max_length|\d+)|sequence_length=\d+ is larger than"
        r"|No such file.*\.(parquet|jsonl)",
        "the dataset cannot be read",
        "look at the columns and lengths of the dataset; data.max_prompt_tokens cuts the longest",
    ),
    # What is left when a process was ended from outside: nobody wrote down why.
    _sign(
        "killed",
        r"SIGKILL|SIGTERM|ActorDiedError|WorkerCrashedError|NodeDiedError|^Killed$",
        "a process died or was killed from outside",
        "look at the memory of the node and in the log for a crash; then run it again",
    ),
)

_COLOUR = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_RAY_PREFIX = re.compile(r"^\s*\(\w+ pid=\d+(, ip=[\d.]+)?\)\s*")
_ERROR = re.compile(r"^\s*([\w.]*(Error|Exception|Interrupt)\b|E\d{4} |error:|ERROR\b)", re.I)


def clean(line: str) -> str:
    """Return a log line without colours, Ray's prefix and what is too long to repeat."""
    text = _RAY_PREFIX.sub("", _COLOUR.sub("", line)).strip()
    return text if len(text) <= LONGEST_LINE else text[: LONGEST_LINE - 1] + "…"


def advise(log: Sequence[str], exit_code: int | None) -> Advice:
    """Return what the last lines of a trainer's log say about its end."""
    lines = [clean(line) for line in log]
    for sign in SIGNS:
        found = next((n for n, line in enumerate(lines) if sign.pattern.search(line)), None)
        if found is not None:
            return Advice(sign.failure, sign.meaning, sign.cure, _deciding(lines, found))
    return _without_sign(lines, exit_code)


def _deciding(lines: Sequence[str], found: int) -> str:
    """Return the line at `found`, or the error that ends its traceback if it is a frame of one."""
    if not lines[found].startswith('File "'):
        return lines[found]
    return next((line for line in lines[found:] if _ERROR.match(line)), lines[found])


def _without_sign(lines: Sequence[str], exit_code: int | None) -> Advice:
    """Fall back on the last line that looks like an error; on a signal, say so."""
    line = _last_error(lines)
    if exit_code in (-9, -15, 137, 143):
        sign = SIGNS[-1]
        return Advice(sign.failure, sign.meaning, sign.cure, line)
    meaning = line if _ERROR.match(line) else ""
    return Advice("unknown", meaning, "read the log from its first error on", line)


def _last_error(lines: Sequence[str]) -> str:
    written = [line for line in lines if line]
    errors = [line for line in written if _ERROR.match(line)]
    return (errors or written or [""])[-1]
