"""A checkpoint counts when it is complete, on disk and in the store."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from node_values import ALONE, make_channel

from runner.errors import OutsideError
from runner.node import checkpoints, patience
from runner.node.checkpoints import CheckpointPublisher, newest_complete, restore
from runner.node.shards import Shards
from runner.storage.store import RunStore
from runner.trainers import TRAINERS


class Watched:
    """A trainer's folder and its publisher."""

    def __init__(self, folder: Path, keep: int = 1) -> None:
        self.folder = folder / "checkpoints"
        self.folder.mkdir()
        channel = make_channel(folder)
        self.store = channel.store
        script = TRAINERS["script"]
        self.publisher = CheckpointPublisher(self.folder, script, channel, keep, Shards(ALONE))

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


def test_of_two_of_one_step_the_later_attempts_is_newer(tmp_path):
    store = RunStore(str(tmp_path))
    for attempt in ("a1", "a10", "a2"):
        store.put(f"{attempt}/epoch-1/checkpoints/step-8/manifest.json", b"{}")
    assert newest_complete(store) == "a10/epoch-1/checkpoints/step-8"


class Restored:
    """What came back from the store, and what was said."""

    def __init__(self, watched: Watched, name: str | None = None) -> None:
        self.said: list[str] = []
        self.folder = watched.folder.with_name("restored")
        self.name = restore(
            watched.store,
            name or newest_complete(watched.store),
            self.folder,
            TRAINERS["script"],
            self.said.append,
        )

    @property
    def files(self) -> list[str]:
        paths = self.folder.rglob("*")
        return sorted(str(p.relative_to(self.folder)) for p in paths if p.is_file())


def test_a_checkpoint_is_restored_as_it_was(watched):
    watched.save(4, "weights of step 4")
    watched.publisher.close(finished=True)
    watched.store.put("a1/epoch-1/checkpoints/step-4/step-4/stray", b"of another upload")
    restored = Restored(watched)
    assert restored.name == "a1/epoch-1/checkpoints/step-4"
    assert restored.files == ["step-4/weights"]
    assert (restored.folder / "step-4" / "weights").read_text() == "weights of step 4"
    assert restored.said == []


@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        (lambda store, at: store.put(f"{at}/step-4/weights", b"x"), "is not what was saved"),
        (lambda store, at: store.delete(f"{at}/step-4/weights"), "step-4/weights is missing"),
        (lambda store, at: store.put(f"{at}/manifest.json", b"{}"), "manifest cannot be read"),
    ],
)
def test_a_damaged_checkpoint_gives_way_to_the_one_before_it(tmp_path, damage, fault):
    watched = Watched(tmp_path, keep=2)
    watched.save(2)
    watched.save(4)
    watched.publisher.close(finished=True)
    damage(watched.store, "a1/epoch-1/checkpoints/step-4")
    restored = Restored(watched)
    assert restored.name == "a1/epoch-1/checkpoints/step-2"
    assert restored.files == ["step-2/weights"]
    assert fault in restored.said[0]

    damage(watched.store, "a1/epoch-1/checkpoints/step-2")
    watched.store.put("a1/epoch-1/checkpoints/step-2/manifest.json", b"no JSON")
    restored.folder.rename(tmp_path / "first")
    restored = Restored(watched)
    assert restored.name is None
    assert restored.said[-1].endswith("training starts anew")


@pytest.fixture
def failing(monkeypatch) -> list[str]:
    """Names of uploads that fail, once each."""
    names: list[str] = []
    upload = RunStore.upload

    def upload_or_fail(self: RunStore, source: Path, name: str) -> None:
        if name in names:
            names.remove(name)
            raise OutsideError("away")
        upload(self, source, name)

    monkeypatch.setattr(RunStore, "upload", upload_or_fail)
    monkeypatch.setattr(patience, "FIRST_PAUSE", 0.01)
    return names


def test_an_upload_that_failed_is_repeated_at_the_end(watched, failing):
    failing += ["a1/epoch-1/checkpoints/step-4/step-4"] * 2
    watched.save(4)
    assert watched.publisher.close(finished=True).step == 4
    assert watched.complete == ["step-4"]


def test_an_upload_that_failed_is_repeated_while_training_goes_on(watched, failing, monkeypatch):
    monkeypatch.setattr(checkpoints, "LONGEST_PAUSE", 0.01)
    failing += ["a1/epoch-1/checkpoints/step-4/step-4"]
    watched.save(4)
    deadline = time.monotonic() + 10
    while watched.complete != ["step-4"]:
        watched.publisher.advance()
        time.sleep(0.02)
        assert time.monotonic() < deadline
    watched.publisher.close(finished=True)


def test_a_store_that_takes_no_checkpoint_is_given_up(watched, failing, monkeypatch):
    monkeypatch.setattr(patience, "STORE_PATIENCE", 0.05)
    failing += ["a1/epoch-1/checkpoints/step-4/step-4"] * 100
    watched.save(4)
    with pytest.raises(OutsideError, match="away"):
        watched.publisher.close(finished=True)


def test_an_upload_starts_in_an_empty_folder(watched):
    watched.store.put("a1/epoch-1/checkpoints/step-4/step-4/stray", b"of a former try")
    watched.save(4)
    watched.publisher.close(finished=True)
    assert watched.store.list("a1/epoch-1/checkpoints/step-4") == [
        "a1/epoch-1/checkpoints/step-4/manifest.json",
        "a1/epoch-1/checkpoints/step-4/step-4/weights",
    ]


def test_the_manifest_has_a_digest_of_every_file(watched):
    watched.save(4)
    watched.publisher.close(finished=True)
    manifest = json.loads(watched.store.get("a1/epoch-1/checkpoints/step-4/manifest.json"))
    assert manifest["step"] == 4
    assert list(manifest["sha256"]) == ["step-4/weights"]
