"""Disks that are full: said, nothing half written; with room the same command works."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from node_forks import NodeForks, forking
from node_scenario import Places, Scenario
from real_git import git

FULL = "No space left on device"


def says_full(text: str) -> bool:
    return FULL in text or "Out of diskspace" in text  # the latter is git's


class Disk:
    """A disk of its own, of a few MB."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filling = folder / ".filling"

    def fill(self) -> None:
        with self._filling.open("wb") as file, contextlib.suppress(OSError):
            while True:
                os.write(file.fileno(), bytes(4096))

    def make_room(self) -> None:
        self._filling.unlink()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=24m", "none", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a small disk")
    yield Disk(folder)
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture(scope="module")
def forks() -> Iterator[NodeForks]:
    with forking() as made:
        yield made


@pytest.fixture
def make_scenario(tmp_path: Path, forks: NodeForks) -> Iterator[Scenario]:
    made: list[Scenario] = []

    def make(**places: Path) -> Scenario:
        folder = tmp_path / "scenario"
        folder.mkdir()
        if clone := places.get("clone"):
            (folder / "registry").symlink_to(clone)
        store = str(places.get("store", folder / "store"))
        made.append(Scenario(folder, forks, Places(store, str(folder / "exports")), "local"))
        return made[-1]

    yield make
    for scenario in made:
        scenario.close()


def test_a_full_disk_below_the_clone_stops_apply_and_sync_with_a_word(
    make_scenario, disk, monkeypatch
):
    scenario = make_scenario(clone=disk.folder)
    scenario.fork_nodes(monkeypatch)
    root = scenario.workspace.root
    before = git(root, "rev-parse", "runs")
    disk.fill()
    answer = scenario.runner("apply")
    assert (answer.exit_code, says_full(answer.stderr)) == (3, True), answer
    assert git(root, "rev-parse", "runs") == before
    assert not scenario.starter.pids
    disk.make_room()
    git(root, "fsck", "--strict", "--no-dangling")
    assert scenario.runner("apply").exit_code == 0
    scenario.wait_for_node()
    before = git(root, "rev-parse", "runs")
    disk.fill()
    answer = scenario.runner("sync")
    assert (answer.exit_code, says_full(answer.stderr)) == (3, True), answer
    assert git(root, "rev-parse", "runs") == before
    disk.make_room()
    assert scenario.runner("sync").exit_code == 0
    scenario.check()
    scenario.check_end()
    git(root, "fsck", "--strict", "--no-dangling")


def test_a_full_run_store_is_waited_for(make_scenario, disk, monkeypatch):
    scenario = make_scenario(store=disk.folder / "store")
    disk.fill()
    scenario.apply(monkeypatch)
    answer = scenario.runner("sync")
    assert answer.exit_code == 0, answer
    assert scenario.record.latest.state == "submitted"
    disk.make_room()
    scenario.to_the_end()
    scenario.check_end()
    assert scenario.record.latest.number == 1


def test_a_full_disk_of_the_node_ends_the_run_with_a_word(make_scenario, disk, monkeypatch):
    scenario = make_scenario(clone=disk.folder)
    scenario.fault = FULL
    scenario.hold()
    scenario.apply(monkeypatch)
    scenario.wait_for_trainer()
    disk.fill()
    scenario.let_go()
    scenario.wait_for_node()
    disk.make_room()
    attempt = scenario.sync()
    assert attempt.state == "ended"
    assert attempt.outcome in ("lost", "failed")
    assert FULL in attempt.reason
    scenario.retry()
    scenario.to_the_end()
    scenario.check_end()
    assert scenario.record.latest.number == 2
