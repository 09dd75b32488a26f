"""The run store on a folder and on a bucket-like system: whole files, exclusive creation."""

from __future__ import annotations

import os
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from runner.errors import OutsideError, Refused
from runner.storage.store import RunStore, is_url, open_store, resolve_location


@pytest.fixture(params=["folder", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> RunStore:
    if request.param == "memory":
        return RunStore(f"memory://bucket-{uuid.uuid4().hex}/store")
    return RunStore(str(tmp_path / "store"))


def test_what_is_put_can_be_had(store: RunStore) -> None:
    assert store.get("runs/a/x.json") is None
    assert not store.exists("runs/a/x.json")
    store.put("runs/a/x.json", b"1")
    store.put("runs/a/x.json", b"2")
    assert store.get("runs/a/x.json") == b"2"
    assert store.exists("runs/a/x.json")
    assert store.get("runs/a") is None
    assert store.get("runs/a/x.json/y") is None


def test_listing_is_by_folder_and_sorted(store: RunStore) -> None:
    assert store.list() == []
    for name in ("runs/b/2", "runs/a/1", "runs/ab/3", "top"):
        store.put(name, b"")
    assert store.list() == ["runs/a/1", "runs/ab/3", "runs/b/2", "top"]
    assert store.list("runs/a") == ["runs/a/1"]
    assert store.list("nowhere") == []
    assert store.at("runs").list("b") == ["b/2"]


def test_of_many_creators_one_wins(store: RunStore) -> None:
    assert store.create("lease", b"first") is True
    assert store.create("lease", b"second") is False
    assert store.get("lease") == b"first"


def test_creation_is_exclusive_without_hard_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", fail)
    store = RunStore(str(tmp_path))
    assert [store.create("lease", b"1"), store.create("lease", b"2")] == [True, False]
    assert store.get("lease") == b"1"
    assert store.list() == ["lease"]


def test_a_store_that_cannot_create_exclusively_says_so() -> None:
    with pytest.raises(Refused, match="cannot create an object exclusively"):
        RunStore("ftp://host.invalid/x").create("lease", b"")


def test_a_server_that_ignores_the_condition_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    pipe_file = MemoryFileSystem.pipe_file

    def overwrite(self: MemoryFileSystem, path: str, value: bytes, **_: object) -> None:
        pipe_file(self, path, value)

    monkeypatch.setattr(MemoryFileSystem, "pipe_file", overwrite)
    store = RunStore(f"memory://{uuid.uuid4().hex}")
    with pytest.raises(Refused, match="cannot create an object exclusively"):
        store.create("lease", b"")
    assert store.list() == []


def test_folders_go_up_and_come_down(store: RunStore, tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "deep").mkdir(parents=True)
    (source / "a.txt").write_bytes(b"a")
    (source / "deep/b.txt").write_bytes(b"b")
    store.upload(source, "runs/x")
    store.upload(source / "a.txt", "runs/one.txt")
    assert store.list("runs") == ["runs/one.txt", "runs/x/a.txt", "runs/x/deep/b.txt"]
    target = tmp_path / "target"
    assert store.download("runs/x", target) == (target / "a.txt", target / "deep/b.txt")
    assert (target / "deep/b.txt").read_bytes() == b"b"
    store.download("runs/one.txt", target)
    assert (target / "one.txt").read_bytes() == b"a"


def test_deleting(store: RunStore) -> None:
    for name in ("runs/a/1", "runs/ab/2", "runs/b"):
        store.put(name, b"")
    store.delete("runs/a")
    store.delete("runs/b")
    store.delete("nowhere")
    assert store.list() == ["runs/ab/2"]
    with pytest.raises(Refused):
        store.delete("")


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/../../b", "a//b", "."])
def test_no_name_leaves_the_store(store: RunStore, name: str) -> None:
    for act in (store.get, store.exists, lambda n: store.put(n, b"")):
        with pytest.raises(Refused, match="no name"):
            act(name)


def test_readers_see_whole_files_while_others_write(tmp_path: Path) -> None:
    store = RunStore(str(tmp_path))
    contents = [bytes([65 + n]) * 200_000 for n in range(3)]
    store.put("x", contents[0])

    def write(n: int) -> None:
        for _ in range(20):
            store.put("x", contents[n])

    with ThreadPoolExecutor(4) as pool:
        writers = [pool.submit(write, n) for n in range(3)]
        while not all(writer.done() for writer in writers):
            assert store.get("x") in contents
            assert store.list() == ["x"]
    [w.result() for w in writers]
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_files_are_listed_while_others_delete_them(tmp_path: Path) -> None:
    store = RunStore(str(tmp_path))
    folders = [f"runs/{step}" for step in range(300)]
    for folder in folders:
        store.put(f"{folder}/files/model", b"")
    store.put("runs/kept", b"")

    with ThreadPoolExecutor(2) as pool:
        others = [pool.submit(lambda: [store.delete(name) for name in folders]) for _ in range(2)]
        while not all(other.done() for other in others):
            assert "runs/kept" in store.list("runs")
    [other.result() for other in others]
    assert store.list("runs") == ["runs/kept"]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = RunStore(str(tmp_path))
    store.put("x", b"old")

    def full(self: Path, content: bytes) -> None:
        self.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutsideError, match="No space left") as caught:
        store.put("x", b"new")
    assert str(tmp_path / "x") in caught.value.message
    assert store.get("x") == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_a_missing_driver_or_bad_url_is_an_outside_error() -> None:
    with pytest.raises(OutsideError, match="nosuch://x/y"):
        RunStore("nosuch://x").get("y")


def test_where_a_store_is(tmp_path: Path) -> None:
    assert resolve_location(".rollbook/store", tmp_path) == str(tmp_path / ".rollbook/store")
    assert resolve_location("s3://bucket/x/", tmp_path) == "s3://bucket/x"
    assert resolve_location("file:///a/b", tmp_path) == "/a/b"
    assert is_url("gs://x")
    assert not is_url("file:///x")
    store = open_store("store", tmp_path)
    assert store.url() == str(tmp_path / "store")
    assert store.url("a/b") == str(tmp_path / "store/a/b")
    assert RunStore("s3://bucket/x").url("a") == "s3://bucket/x/a"
    with pytest.raises(Refused, match="relative"):
        RunStore("store")
