"""What is gathered beside metrics: the resolved config, and files that a run can do without."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from node_values import ALONE_RANKS, make_channel, make_spec

from runner.errors import OutsideError
from runner.node import patience
from runner.node.channel import Channel
from runner.node.company import Company
from runner.node.prepare import Prepared
from runner.node.task import Limits, NodeTask
from runner.node.training import Training
from runner.spec.experiment import Run
from runner.trainers import TRAINERS
from runner.trainers.base import Command, Layout


@pytest.fixture
def channel(tmp_path: Path) -> Channel:
    return make_channel(tmp_path)


@pytest.fixture
def training(tmp_path: Path, channel: Channel) -> Training:
    spec = make_spec(
        trainer="verl==0.9.1",
        script=None,
        model={"path": "models/tiny", "source": "path"},
        algorithm={"name": "sft"},
        data={"train": "data/rows.jsonl"},
    )
    task = NodeTask(
        run_id="abcd00000000",
        attempt="a1",
        job="job",
        nonce="n",
        experiment="demo",
        seed=7,
        spec=spec,
        steps=8,
        commit="",
        code=str(tmp_path),
        store=channel.store.url(),
        scratch=str(tmp_path / "scratch"),
        train_python=sys.executable,
        data_remote="",
        checkpoint_remote="",
        limits=Limits(seconds=60),
    )
    run = Run(experiment="demo", seed=7, point={}, spec=spec)
    places = dict.fromkeys(Layout._fields, str(tmp_path / "nothing"))
    layout = Layout(**{**places, "val": {}, "python": sys.executable})
    prepared = Prepared(run, TRAINERS["verl"], Command((), {}, {}), {}, layout, 8, None)
    company = Company(ALONE_RANKS, task, channel.say)
    return Training(task, prepared, channel, tmp_path / "job", company)


def test_the_config_that_the_trainer_resolved_is_kept(training, channel, tmp_path):
    training.close()
    assert not (channel.folder / "config.yaml").exists()
    folder = tmp_path / "scratch" / "hydra" / ".hydra"
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text("trainer: {nnodes: 1}\n")
    training.close()
    channel.publish()
    assert channel.store.get("a1/epoch-1/config.yaml") == b"trainer: {nnodes: 1}\n"


def test_a_run_is_no_worse_without_its_samples(training, channel, monkeypatch):
    def fail(*_: object) -> None:
        raise OutsideError("away")

    monkeypatch.setattr(Channel, "upload_folder", fail)
    monkeypatch.setattr(patience, "STORE_PATIENCE", 0.0)
    training.upload_extras()
    log = (channel.folder / "log.txt").read_text()
    assert "rollbook: samples is not in the store: away" in log
