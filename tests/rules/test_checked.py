"""What checking found before: never another answer than checking everything gives."""

import os
import random
import shutil
from pathlib import Path

import pytest
from planned_registry import FILES as PLAIN
from planned_registry import SETTINGS, SPEC

from runner.rules import checked
from runner.rules.checked import NOTHING, recall
from runner.validate import validate

MODEL = "Qwen/Qwen2.5-0.5B, revision: 060db6499f32"
FILES = {
    **PLAIN,
    "registry.yaml": f"{SETTINGS}secrets: {{'*': [KEY]}}\n",
    "experiments/bases/b.yaml": SPEC,
    "experiments/alone.yaml": SPEC + "secrets: [KEY]\n",
    "experiments/folder/derived.yaml": "extends: bases/b\nseeds: [1, 2]\n",
    "experiments/after.yaml": SPEC.replace(f"path: {MODEL}", "source: run, path: alone"),
}
BROKEN = {
    "registry.yaml": FILES["registry.yaml"].replace("KEY", "OTHER"),
    "data/a.jsonl": None,
    "reward/sums.py": "def another(solution_str):\n    return 1.0\n",
    "experiments/bases/b.yaml": SPEC.replace("steps: 2, ", ""),
    "experiments/alone.yaml": SPEC.replace("1.0e-6", "-1"),
    "experiments/folder/derived.yaml": "extends: bases/c\n",
    "experiments/new.yaml": "extends: bases/b\nseeds: []\n",
}


@pytest.fixture
def registry(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    root = tmp_path / "registry"
    for path, text in FILES.items():
        write(root, path, text)
    return root


def write(root: Path, path: str, text: str | None) -> None:
    file = root / path
    if text is None:
        file.unlink(missing_ok=True)
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


@pytest.fixture(autouse=True)
def _files_are_old_enough(monkeypatch):
    """Tests write and read within milliseconds; the guard against that has a test of its own.

    So no two texts of one file here have the same length.
    """
    monkeypatch.setattr(checked, "RACY_NS", -(10**18))


def afresh(root: Path):
    """Return what validating finds without any memory."""
    cache = Path(os.environ["XDG_CACHE_HOME"])
    kept = cache.with_name("kept")
    if cache.exists():
        cache.rename(kept)
    result = validate(root)
    shutil.rmtree(cache, ignore_errors=True)
    if kept.exists():
        kept.rename(cache)
    return result


def test_unchanged_experiments_are_remembered_and_counted(registry):
    first = validate(registry)
    assert (first.experiments, first.runs, first.findings) == (3, 4, ())
    assert set(recall(registry).experiments) == {"alone", "folder/derived"}
    assert validate(registry) == first


def test_one_that_cannot_be_read_is_counted(registry):
    write(registry, "experiments/alone.yaml", "]")
    for _ in range(2):
        assert validate(registry).experiments == 3


def test_one_that_starts_from_another_run_is_always_checked(registry):
    validate(registry)
    assert "after" not in recall(registry).experiments


@pytest.mark.parametrize("path", BROKEN)
def test_whatever_is_broken_is_found(registry, path):
    validate(registry)
    write(registry, path, BROKEN[path])
    found = validate(registry)
    assert found.errors
    assert found == afresh(registry)
    write(registry, path, FILES.get(path))
    assert validate(registry).findings == ()


def test_an_experiment_with_a_hint_is_told_every_time(registry):
    write(registry, "experiments/alone.yaml", SPEC + "budget: {usd_per_run: 5}\n")
    first = validate(registry)
    assert "spec.idle" in {finding.rule for finding in first.findings}
    assert "alone" in recall(registry).experiments
    assert validate(registry) == first


def test_a_changed_spec_leaves_the_others_remembered(registry):
    validate(registry)
    write(registry, "experiments/alone.yaml", SPEC + "seeds: [3, 4, 5]\n")
    assert set(recall(registry).experiments) == {"folder/derived"}
    assert validate(registry).runs == 6


def test_a_file_that_appears_where_one_was_looked_for_counts(registry):
    validate(registry)
    pointer = "outs: [{md5: 00000000000000000000000000000000, hash: md5, path: a.jsonl}]\n"
    write(registry, "data/a.jsonl.dvc", pointer)
    assert recall(registry) == NOTHING


def test_data_that_dvc_tracks_count_although_they_are_too_large_to_read(registry):
    """A rule compares their digest with what DVC has recorded."""
    empty = "d41d8cd98f00b204e9800998ecf8427e"
    pointer = f"outs: [{{md5: {empty}, hash: md5, path: a.jsonl}}]\n"
    write(registry, "data/a.jsonl.dvc", pointer)
    write(registry, "data/a.jsonl", "")
    assert "data.recorded" not in {one.rule for one in validate(registry).findings}
    write(registry, "data/a.jsonl", "{}\n" * 400_000)
    assert "data.recorded" in {one.rule for one in validate(registry).findings}
    assert validate(registry) == afresh(registry)


def test_what_appears_in_a_tracked_folder_counts(registry):
    write(registry, "data/folder.dvc", "outs: [{md5: " + "0" * 32 + ".dir, path: folder}]\n")
    write(registry, "data/folder/other.jsonl", "{}\n")
    text = SPEC.replace("data/a.jsonl", "data/folder/a.jsonl")
    write(registry, "experiments/alone.yaml", text)
    assert "data.known" in {one.rule for one in validate(registry).findings}
    write(registry, "data/folder/a.jsonl", "{}\n")
    assert "data.known" not in {one.rule for one in validate(registry).findings}
    assert validate(registry) == afresh(registry)


def test_a_file_changed_while_it_is_read_is_not_remembered(registry, monkeypatch):
    monkeypatch.setattr(checked, "RACY_NS", 10**12)
    validate(registry)
    assert recall(registry).experiments == {}


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"program": 1}', b"\xff"])
def test_a_damaged_memory_is_none(registry, content):
    first = validate(registry)
    (place,) = (Path(os.environ["XDG_CACHE_HOME"]) / "rollbook" / "checked").iterdir()
    place.write_bytes(content)
    assert recall(registry) == NOTHING
    assert validate(registry) == first


def test_any_series_of_edits_gives_what_checking_afresh_gives(registry):
    chance = random.Random(7)  # noqa: S311 - the same edits every time
    for _ in range(40):
        path = chance.choice(sorted(BROKEN))
        write(registry, path, chance.choice([BROKEN[path], FILES.get(path)]))
        try:
            assert validate(registry) == afresh(registry)
        except Exception as error:
            with pytest.raises(type(error)):
                afresh(registry)
