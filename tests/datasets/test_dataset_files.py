"""Which files a dataset is made of."""

import json

import pytest
from row_values import sums, write_lines, write_parquet, write_saved

from runner.datasets.reading import Dataset
from runner.datasets.source import exists, parts_of, sets_in
from runner.errors import Refused

ROWS = sums(10)


def names(path):
    return [part.path.name for part in parts_of(path)]


def contents(path):
    return [row.content for row in Dataset(path).all()]


@pytest.mark.parametrize("suffix", ["jsonl", "ndjson", "json"])
def test_a_file_of_json_lines(tmp_path, suffix):
    assert contents(write_lines(tmp_path / f"a.{suffix}", ROWS)) == ROWS


def test_a_parquet_file(tmp_path):
    assert contents(write_parquet(tmp_path / "a.parquet", ROWS)) == ROWS


@pytest.mark.parametrize("write", [write_lines, write_parquet])
def test_a_folder_of_shards(tmp_path, write):
    suffix = "jsonl" if write is write_lines else "parquet"
    for number in range(3):
        write(tmp_path / "set" / f"part-{number}.{suffix}", ROWS[number * 3 : number * 3 + 3])
    assert contents(tmp_path / "set") == ROWS[:9]
    assert [row.file for row in Dataset(tmp_path / "set").all()][::3] == names(tmp_path / "set")


def test_what_datasets_saved_to_disk(tmp_path):
    folder = write_saved(tmp_path / "saved", ROWS, shards=3)
    assert contents(folder) == ROWS
    assert Dataset(folder).rows == 10


def test_a_split_of_a_dataset_as_the_hub_has_it(tmp_path):
    for number in range(2):
        rows = ROWS[number * 5 : number * 5 + 5]
        write_parquet(tmp_path / "gsm" / "data" / f"train-0000{number}-of-00002.parquet", rows)
    write_parquet(tmp_path / "gsm" / "data" / "test-00000-of-00001.parquet", ROWS[:1])
    assert contents(tmp_path / "gsm" / "data" / "train") == ROWS
    assert contents(tmp_path / "gsm" / "data" / "test") == ROWS[:1]
    assert exists(tmp_path / "gsm" / "data" / "train")
    assert not exists(tmp_path / "gsm" / "data" / "trian")
    for folder in (tmp_path / "gsm", tmp_path / "gsm" / "data"):
        with pytest.raises(Refused, match="holds several sets: test, train"):
            parts_of(folder)
    assert [path.name for path in sets_in(tmp_path / "gsm")] == ["test", "train"]


def test_a_hub_folder_of_one_split_is_that_split(tmp_path):
    write_parquet(tmp_path / "gsm" / "data" / "train-00000-of-00001.parquet", ROWS)
    (tmp_path / "gsm" / "README.md").write_text("# GSM\n")
    assert contents(tmp_path / "gsm") == ROWS


def test_saved_splits_are_named(tmp_path):
    write_saved(tmp_path / "all" / "train", ROWS)
    (tmp_path / "all" / "dataset_dict.json").write_text(json.dumps({"splits": ["train", "test"]}))
    with pytest.raises(Refused, match="several sets: train, test") as caught:
        parts_of(tmp_path / "all")
    assert "all/train" in caught.value.cure
    assert contents(tmp_path / "all" / "train") == ROWS


def test_a_folder_of_several_files_is_no_dataset(tmp_path):
    for name in ("train.jsonl", "val.jsonl"):
        write_lines(tmp_path / name, ROWS)
    with pytest.raises(Refused, match=r"several sets: train\.jsonl, val\.jsonl"):
        parts_of(tmp_path)
    assert [path.name for path in sets_in(tmp_path)] == ["train.jsonl", "val.jsonl"]


def test_missing_shards_are_counted(tmp_path):
    write_parquet(tmp_path / "train-00001-of-00003.parquet", ROWS)
    with pytest.raises(Refused, match="train: 1 of 3 shards are here"):
        parts_of(tmp_path / "train")
    saved = write_saved(tmp_path / "saved", ROWS)
    (saved / "data-00001-of-00002.arrow").unlink()
    with pytest.raises(Refused, match=r"data-00001-of-00002\.arrow is not here"):
        parts_of(saved)


@pytest.mark.parametrize(
    ("name", "message"),
    [("none.jsonl", "is not here"), ("a.csv", "no dataset that can be read"), ("e", "no dataset")],
)
def test_what_is_no_dataset_is_refused_with_a_cure(tmp_path, name, message):
    (tmp_path / "a.csv").write_text("a,b\n")
    (tmp_path / "e").mkdir()
    with pytest.raises(Refused, match=message) as caught:
        parts_of(tmp_path / name)
    assert caught.value.cure


@pytest.mark.parametrize("name", ["a.parquet", "a.arrow"])
def test_a_file_that_is_not_what_its_name_says_is_named(tmp_path, name):
    (tmp_path / name).write_bytes(b"nothing of the kind")
    with pytest.raises(Refused, match=rf"a\.{name[2:]} is no"):
        list(Dataset(tmp_path / name).all())
