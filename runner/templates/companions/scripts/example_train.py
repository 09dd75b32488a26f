"""An example of a training command: gradient descent on a parabola (docs/script.md)."""

from __future__ import annotations

import argparse
import json
import os
import random
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--rate", type=float, required=True)
rate = parser.parse_args().rate

checkpoints = Path(os.environ["ROLLBOOK_CHECKPOINTS"])
random.seed(int(os.environ["ROLLBOOK_SEED"]))
steps = int(os.environ["ROLLBOOK_STEPS"])
weight = 1.0 + random.random()  # noqa: S311 - no secret is made of it

with Path(os.environ["ROLLBOOK_METRICS"]).open("a") as metrics:
    for step in range(1, steps + 1):
        weight -= rate * 2 * weight
        metrics.write(json.dumps({"step": step, "train/loss": weight**2}) + "\n")
        metrics.flush()
        if step % 10 == 0 or step == steps:
            unfinished = checkpoints / f"unfinished-{step}"
            unfinished.mkdir(parents=True)
            (unfinished / "weight.json").write_text(json.dumps(weight))
            unfinished.rename(checkpoints / f"step-{step}")  # complete, or not there
