"""A training script whose arguments say how it behaves; it runs in registries of the tests.

It imports nothing of the tests or the runner, so that it is a user's script in every respect.
"""

import argparse
import json
import os
import random
import sys
import time
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--started", help="append a line to this file at the start")
parser.add_argument("--told", help="write the environment to this file at the start")
parser.add_argument("--stop-after", type=int, default=10**9, help="exit 0 after this step")
parser.add_argument("--crash-at", type=int, help="raise an error at this step")
parser.add_argument("--nan-from", type=int, default=10**9, help="the loss is NaN from this step")
parser.add_argument("--hold-at", type=int, help="wait at this step for the file --until")
parser.add_argument("--until", default="/nonexistent")
parser.add_argument("--save-every", type=int, default=0, help="0: no checkpoints")
parser.add_argument("--silent", action="store_true", help="write no metrics")
parser.add_argument("--reward", choices=["varied", "constant", "unused"], default="unused")
parser.add_argument("--noise", type=float, default=0.0, help="unlike in any two runs")
parser.add_argument("--pause", type=float, default=0.0, help="seconds per step")
parser.add_argument("--say", default="", help="a line for the log")
options = parser.parse_args()

steps = int(os.environ["ROLLBOOK_STEPS"])
checkpoints = Path(os.environ["ROLLBOOK_CHECKPOINTS"])
random.seed(int(os.environ["ROLLBOOK_SEED"]))
unlike = random.SystemRandom()

if options.started:
    with Path(options.started).open("a") as file:
        file.write(f"{os.environ['ROLLBOOK_JOB']}\n")
if options.told:
    Path(options.told).write_text(json.dumps(dict(os.environ)))


def reward(step):
    if options.reward == "unused":
        return step / 10
    from rollbook_reward import compute_score

    answers = ["right"] if options.reward == "constant" else ["right", "wrong"]
    scores = [compute_score("set", answer, "right", {}) for answer in answers]
    return sum(scores) / len(scores) + step / 10


def save(step):
    partial = checkpoints / f"partial-{step}"
    partial.mkdir()
    (partial / "weights.bin").write_bytes(random.randbytes(64))  # noqa: S311
    partial.rename(checkpoints / f"step-{step}")


def train(step, metrics):
    loss = float("nan") if step >= options.nan_from else 1 / step
    row = {"step": step, "reward/mean": reward(step), "train/loss": loss, "my/own": step * 2}
    row["reward/mean"] += unlike.uniform(-options.noise, options.noise)
    row["time/step"] = options.pause
    if not options.silent:
        metrics.write(json.dumps(row) + "\n")
        metrics.flush()
    if options.save_every and (step % options.save_every == 0 or step == steps):
        save(step)
    if step == options.crash_at:
        raise ArithmeticError("the ninth wave")
    time.sleep(options.pause)
    if step == options.hold_at:
        while not Path(options.until).exists():
            time.sleep(0.02)


first = max((int(path.name[5:]) for path in checkpoints.glob("step-*")), default=0)
print(f"training from step {first}")
if options.say:
    print(options.say)
with Path(os.environ["ROLLBOOK_METRICS"]).open("a") as metrics:
    for step in range(first + 1, min(steps, options.stop_after) + 1):
        train(step, metrics)
print("done")
sys.exit(0)
