"""The trainers: one file each, one line each in this table."""

from __future__ import annotations

from runner.trainers.base import Trainer
from runner.trainers.script import ScriptTrainer
from runner.trainers.verl import VerlTrainer

TRAINERS: dict[str, Trainer] = {
    "verl": VerlTrainer(),
    "script": ScriptTrainer(),
}
