"""`trainer: script`: a training command of your own.

The command runs in the folder of the recorded commit's files and is told where things are by its
environment (`ROLLBOOK_…`, see `compile`). It writes its metrics as JSON lines,

    {"step": 3, "reward/mean": 0.41, "my/own": 7}

to the file ROLLBOOK_METRICS, with canonical names where they fit, and its checkpoints to folders
`step-<n>` below ROLLBOOK_CHECKPOINTS. A checkpoint counts once its files no longer change; written
under another name and renamed when it is complete, it is never seen half-way. A reward function
that the spec declares is to be called through `from rollbook_reward import compute_score`, which
keeps the record that proves it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from runner.metrics import find
from runner.spec.experiment import Experiment, Run
from runner.trainers.base import (
    Command,
    Layout,
    MetricLine,
    Refusal,
    SavedCheckpoint,
    Start,
    finite,
    whole_step,
)

_STEP = re.compile(r"step-(\d+)")


class ScriptTrainer:
    """Any command that writes the metrics file."""

    name = "script"
    versions: tuple[str, ...] = ()
    wants_parquet = False

    def refusals(self, spec: Experiment) -> tuple[Refusal, ...]:
        """What a script can do is its own affair."""
        return ()

    def compile(self, run: Run, layout: Layout, steps: int | None) -> Command:
        """Return the spec's own command; `python` stands for the training environment's."""
        script = run.spec.script
        if script is None:
            raise ValueError("a script run has a script section")
        program, *arguments = script.command
        environment = {
            "ROLLBOOK_METRICS": layout.metrics,
            "ROLLBOOK_CHECKPOINTS": layout.checkpoints,
            "ROLLBOOK_TRAIN_DATA": layout.train,
            "ROLLBOOK_VAL_DATA": json.dumps(dict(layout.val), sort_keys=True),
            "ROLLBOOK_MODEL": layout.model,
            "ROLLBOOK_SEED": str(run.seed),
            "ROLLBOOK_STEPS": "" if steps is None else str(steps),
            "ROLLBOOK_SPEC": run.spec.model_dump_json(by_alias=True),
            "PYTHONPATH": f"{layout.code}:{layout.inside}",
            "PYTHONUNBUFFERED": "1",
        }
        python = layout.python if program in ("python", "python3") else program
        return Command((python, *arguments), environment, {})

    def parse(self, line: str) -> MetricLine | None:
        """Read one JSON object with a whole-number `step`."""
        try:
            data = json.loads(line)
            step = whole_step(data.pop("step"))
        except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
            return None
        return None if step is None else MetricLine(step, finite(data))

    def canonical(self, values: Mapping[str, float], run: Run) -> dict[str, float]:
        """Keep what already has a canonical name."""
        return {name: value for name, value in values.items() if find(name)}

    def checkpoints(self, folder: Path) -> Iterator[SavedCheckpoint]:
        """Yield the folders `step-<n>`."""
        found = [
            (int(match[1]), path)
            for path in folder.glob("step-*")
            if (match := _STEP.fullmatch(path.name)) and path.is_dir()
        ]
        for step, path in sorted(found):
            yield SavedCheckpoint(step, path, path)

    def resume(self, folder: Path, step: int) -> None:
        """The script finds `step-<n>` below ROLLBOOK_CHECKPOINTS and decides itself."""

    def needs_ray(self, run: Run) -> bool:
        """Where the spec says `script: {ray: true}`."""
        return bool(run.spec.script and run.spec.script.ray)

    def starts_on(self, run: Run) -> Start:
        """The command finds its fellows by ROLLBOOK_NODE_RANK and ROLLBOOK_MASTER_ADDR."""
        return "all"
