"""What the node writes appears in the store, whole, when it has changed, and without secrets."""

from __future__ import annotations

import json
import re

from node_values import make_channel

from runner.node.channel import timestamp
from runner.storage.store import RunStore


def test_files_appear_in_the_store_when_published(tmp_path):
    channel = make_channel(tmp_path)
    channel.write_json("heartbeat.json", {"step": 1})
    channel.append("metrics.jsonl", {"step": 1})
    assert channel.store.list() == []
    channel.publish()
    assert channel.store.list() == ["a1/epoch-1/heartbeat.json", "a1/epoch-1/metrics.jsonl"]
    assert json.loads(channel.store.get("a1/epoch-1/heartbeat.json")) == {"step": 1}


def test_only_what_has_changed_is_put_again(tmp_path):
    channel = make_channel(tmp_path)
    channel.write("one.txt", b"1")
    channel.append("metrics.jsonl", {"step": 1})
    channel.publish()
    channel.store.delete("a1/epoch-1/one.txt")
    channel.append("metrics.jsonl", {"step": 2})
    channel.publish()
    assert channel.store.list() == ["a1/epoch-1/metrics.jsonl"]
    assert len(channel.store.get("a1/epoch-1/metrics.jsonl").splitlines()) == 2


def test_folders_and_hidden_files_stay_here(tmp_path):
    channel = make_channel(tmp_path)
    (channel.folder / "folder").mkdir()
    (channel.folder / ".partial").write_text("x")
    channel.publish()
    assert channel.store.list() == []


def test_secrets_are_blotted_out_on_the_way(tmp_path):
    channel = make_channel(tmp_path, ("correct-horse", "a", ""))
    channel.write("log.txt", b"token=correct-horse and a cat\n")
    channel.publish()
    assert channel.store.get("a1/epoch-1/log.txt") == b"token=*** and a cat\n"


def test_the_evidence_is_published_first_and_the_result_last(tmp_path, monkeypatch):
    channel, order = make_channel(tmp_path), []
    for name in ("result.json", "system.jsonl", "a.txt", "evidence.json"):
        channel.write(name, b"{}")
    monkeypatch.setattr(RunStore, "put", lambda self, name, data: order.append(name))
    channel.publish()
    names = [name.rpartition("/")[2] for name in order]
    assert names == ["evidence.json", "a.txt", "system.jsonl", "result.json"]


def test_folders_of_the_trainer_are_blotted_too(tmp_path):
    channel = make_channel(tmp_path, ("correct-horse",))
    (tmp_path / "wandb" / "run").mkdir(parents=True)
    (tmp_path / "wandb" / "run" / "config.yaml").write_text("key: correct-horse\n")
    channel.upload_folder(tmp_path / "wandb", "wandb")
    channel.upload_folder(tmp_path / "samples", "samples")
    assert channel.store.list() == ["a1/epoch-1/wandb/run/config.yaml"]
    assert channel.store.get("a1/epoch-1/wandb/run/config.yaml") == b"key: ***\n"


def test_a_timestamp_is_utc_to_the_millisecond():
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", timestamp())
