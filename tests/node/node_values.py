"""Small parts for tests of the node's modules."""

from __future__ import annotations

from pathlib import Path

from runner.node.channel import Channel
from runner.node.ranks import Fellows, Ranks
from runner.spec.experiment import Experiment, Run
from runner.storage.store import RunStore

ALONE_RANKS = Ranks(0, ("127.0.0.1",), b"key")
ALONE = Fellows(ALONE_RANKS, {}, lambda: None)


def make_spec(**changes: object) -> Experiment:
    content = {
        "apiVersion": "rollbook/v1",
        "trainer": "script",
        "script": {"command": ["python", "train.py"], "files": ["train.py"]},
        "training": {"steps": 8, "prompts_per_step": 1, "learning_rate": 0.1},
        **changes,
    }
    return Experiment.model_validate(content)


def make_run(**changes: object) -> Run:
    return Run(experiment="demo", seed=1, point={}, spec=make_spec(**changes))


def make_channel(folder: Path, secrets: tuple[str, ...] = ()) -> Channel:
    store = RunStore(str(folder / "store"))
    return Channel(folder / "published", store, "a1/epoch-1", secrets)
