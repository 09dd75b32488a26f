"""The node program killed before and after every side effect; the run ends well all the same.

What follows a death is what happens in production: of a job of this machine `sync` and `retry`, of
a recovered one a start on a fresh machine under the same number.
"""

from __future__ import annotations

import itertools
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from node_effects import Point, ends, firsts
from node_forks import NodeForks, forking
from node_scenario import Places, Scenario

sys.path.insert(0, str(Path(__file__).parents[1] / "github"))
from stand_in_s3 import S3, serving_s3

_NUMBER = itertools.count()
_READ_BY_OTHERS = re.compile(
    r"(link|rename|remove|PutObject|DeleteObject) .*store/.*"
    r"(lease|heartbeat|manifest|weights|metrics|evidence|result)"
    r"|(rename|PutObject) .*(exports|/e)/files/md5/xx/x"
    r"|start (setpriv|python -m dvc push)|open .*/exit"
)
_STAGED = re.compile(r"\.part|published/|scratch/")


@pytest.fixture(scope="module")
def forks() -> Iterator[NodeForks]:
    with forking() as made:
        yield made


@pytest.fixture(scope="module")
def s3() -> Iterator[S3]:
    import s3fs

    with serving_s3() as served, pytest.MonkeyPatch.context() as patch:
        for name, value in served.environment.items():
            patch.setenv(name, value)
        s3fs.S3FileSystem.clear_instance_cache()
        yield served
        s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture
def make_scenario(tmp_path, forks, request, monkeypatch):
    made: list[Scenario] = []

    def make(where: str, how: str) -> Scenario:
        folder = tmp_path / str(next(_NUMBER))
        folder.mkdir()
        places = Places(str(folder / "store"), str(folder / "exports"))
        if where == "s3":
            # A name that the names of side effects leave out.
            at = f"s3://{request.getfixturevalue('s3').bucket}/{int(folder.name):08x}"
            places = Places(f"{at}/store", f"{at}/e")
        made.append(Scenario(folder, forks, places, how))
        return made[-1]

    yield make
    for scenario in made:
        scenario.close()


Make = Callable[[str, str], Scenario]


def record(make_scenario: Make, monkeypatch: pytest.MonkeyPatch, where: str, how: str) -> Scenario:
    """Run one without a death: what it comes to is where others die."""
    scenario = make_scenario(where, how)
    scenario.apply(monkeypatch)
    scenario.to_the_end()
    scenario.check_end()
    return scenario


def die_at(
    make_scenario: Make,
    monkeypatch: pytest.MonkeyPatch,
    where: str,
    how: str,
    points: Sequence[Point],
) -> None:
    """Kill a node program at each of `points`, each in a registry of its own."""
    failures, died = [], 0
    for point in points:
        scenario = make_scenario(where, how)
        scenario.starter.point = point
        try:
            scenario.apply(monkeypatch)
            scenario.to_the_end()
            scenario.check_end()
        except Exception as error:
            line = traceback.extract_tb(error.__traceback__)[-1].line
            failures.append(f"{point}: {type(error).__name__}: {error} ({line})\n{scenario.log()}")
        died += len(scenario.starter.pids) > 1
        scenario.close()
    assert not failures, f"{len(failures)} of {len(points)} points\n" + "\n".join(failures)
    # Threads make some points come in another number; not many.
    assert died >= 0.8 * len(points), f"only {died} of {len(points)} points were come to"


@pytest.mark.parametrize(("where", "how"), [("folder", "local"), ("s3", "recovered")])
def test_what_is_published_is_whole_wherever_the_node_dies(make_scenario, monkeypatch, where, how):
    """At what others read or wait for: lease, heartbeat, checkpoint, export, evidence, result."""
    points = firsts(record(make_scenario, monkeypatch, where, how).points, is_read_by_others)
    assert len(points) > 10
    # Some of them, so that all of it fits into CI; the slow test has them all.
    die_at(make_scenario, monkeypatch, where, how, points[1 :: 3 if how == "local" else 5])


def is_read_by_others(point: Point) -> bool:
    return bool(_READ_BY_OTHERS.search(point.site)) and not _STAGED.search(point.site)


@pytest.mark.parametrize("name", ["x", "x.dir"])
def test_an_export_that_was_half_pushed_is_whole_after_the_next_try(
    make_scenario, monkeypatch, name
):
    """DVC opens an object of a folder under its own name, to have the file system clone it."""
    half = Point(f"dvc push: remove exports/files/md5/xx/{name}")
    die_at(make_scenario, monkeypatch, "folder", "local", [half])


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    ("where", "how"), [("folder", "local"), ("s3", "local"), ("s3", "recovered")]
)
def test_the_node_dies_at_every_side_effect(make_scenario, monkeypatch, where, how):
    points = ends(record(make_scenario, monkeypatch, where, how).points)
    die_at(make_scenario, monkeypatch, where, how, points)
