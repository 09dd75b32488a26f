"""A checkpoint counts when it is complete, on disk and in the store."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from node_values import make_channel

from runner.node.checkpoints import CheckpointPublisher, newest_complete, restore
from runner.store import RunStore
from runner.trainers import TRAINERS


class Watched:
    """A trainer's folder and its publisher."""

    def __init__(self, folder: Path, keep: int = 1) -> None:
        self.folder = folder / "checkpoints"
        self.folder.mkdir()
        channel = make_channel(folder)
        self.store = channel.store
        self.publisher = CheckpointPublisher(self.folder, TRAINERS["script"], channel, keep)

    def save(self, step: int, content: str = "w") -> None:
        (self.folder / f"step-{step}").mkdir(exist_ok=True)
        (self.folder / f"step-{step}" / "weights").write_text(content)

    @property
    def complete(self) -> list[str]:
        names = self.store.list()
        return [name.split("/")[-2] for name in names if name.endswith("manifest.json")]


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path)


def test_a_checkpoint_is_uploaded_once_it_no_longer_changes(watched):
    watched.save(2, "half")
    watched.publisher.advance()
    watched.save(2, "all of it")
    watched.publisher.advance()
    assert watched.store.list() == []
    watched.publisher.advance()
    assert watched.publisher.close(finished=False).step == 2
    assert watched.store.get("a1/epoch-1/checkpoints/step-2/step-2/weights") == b"all of it"


def test_what_is_written_while_the_trainer_dies_does_not_count(watched):
    watched.save(2)
    watched.publisher.advance()
    watched.publisher.advance()
    watched.save(4, "half")
    watched.publisher.advance()
    assert watched.publisher.close(finished=False).step == 2
    assert watched.complete == ["step-2"]


def test_what_a_trainer_saved_last_counts_when_it_ended_by_itself(watched):
    watched.save(2)
    watched.save(4)
    assert watched.publisher.close(finished=True).step == 4
    assert watched.complete == ["step-4"]
    assert newest_complete(watched.store) == "a1/epoch-1/checkpoints/step-4"


def test_without_a_checkpoint_there_is_none(watched):
    (watched.folder / "step-x").mkdir()
    (watched.folder / "step-3").mkdir()  # without a file
    watched.publisher.advance()
    assert watched.publisher.close(finished=False) is None


@pytest.mark.parametrize("keep", [1, 2])
def test_the_newest_are_kept_and_one_complete_is_always_there(tmp_path, keep):
    watched = Watched(tmp_path, keep)
    for step in (2, 4, 6):
        watched.save(step)
        for _ in range(2):
            watched.publisher.advance()
    watched.publisher.close(finished=True)
    assert watched.complete == [f"step-{step}" for step in (2, 4, 6)[-keep:]]


def test_an_incomplete_upload_is_not_found(tmp_path):
    store = RunStore(str(tmp_path))
    assert newest_complete(store) is None
    store.put("a1/epoch-1/checkpoints/step-6/step-6/weights", b"w")
    assert newest_complete(store) is None
    store.put("a1/epoch-1/checkpoints/step-4/manifest.json", b"{}")
    store.put("a2/epoch-1/checkpoints/step-10/manifest.json", b"{}")
    store.put("a1/epoch-2/checkpoints/step-9/manifest.json", b"{}")
    assert newest_complete(store) == "a2/epoch-1/checkpoints/step-10"


def test_a_repeats_checkpoint_is_no_attempts(tmp_path):
    store = RunStore(str(tmp_path))
    store.put("r1/epoch-1/checkpoints/step-8/manifest.json", b"{}")
    assert newest_complete(store) is None


def test_a_checkpoint_is_restored_as_it_was(watched, tmp_path):
    watched.save(4, "weights of step 4")
    watched.publisher.close(finished=True)
    name = newest_complete(watched.store)
    folder = tmp_path / "restored"
    assert restore(watched.store, name, folder, TRAINERS["script"]) == 4
    assert (folder / "step-4" / "weights").read_text() == "weights of step 4"
    assert [path.name for path in folder.iterdir()] == ["step-4"]


def test_the_manifest_has_a_digest_of_every_file(watched):
    watched.save(4)
    watched.publisher.close(finished=True)
    manifest = json.loads(watched.store.get("a1/epoch-1/checkpoints/step-4/manifest.json"))
    assert manifest["step"] == 4
    assert list(manifest["sha256"]) == ["step-4/weights"]
