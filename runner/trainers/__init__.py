"""The trainers: one file each, one line each in this table."""

from __future__ import annotations

from runner.trainers.base import Trainer
from runner.trainers.script import ScriptTrainer
from runner.trainers.skyrl import SkyrlTrainer
from runner.trainers.trl import TrlTrainer
from runner.trainers.verl import VerlTrainer

TRAINERS: dict[str, Trainer] = {
    "verl": VerlTrainer(),
    "skyrl": SkyrlTrainer(),
    "trl": TrlTrainer(),
    "script": ScriptTrainer(),
}
