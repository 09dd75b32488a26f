"""`runner data` and `validate --deep`, as people call them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from real_git import git
from row_values import assistant, sums, user, write_lines, write_parquet

from runner.cli import cli
from runner.errors import Refused

REGISTRY = f"apiVersion: rollbook/v1\nlineage: {'a' * 32}\n"
SPEC = """\
apiVersion: rollbook/v1
trainer: verl==0.9.1
model: {path: Qwen/Qwen2.5-0.5B, revision: 060db6499f32}
algorithm: {name: sft}
data:
  train: data/train.jsonl
  val: {held-out: data/val.jsonl}
training: {steps: 2, prompts_per_step: 2, learning_rate: 0.00001, evaluate_every: 1}
"""


def chats(numbers):
    return [{"messages": [user(f"{n} + 1 ="), assistant(str(n + 1))]} for n in numbers]


@pytest.fixture
def root(tmp_path, monkeypatch):
    folder = tmp_path / "registry"
    (folder / "experiments").mkdir(parents=True)
    git(folder, "init", "--quiet")
    (folder / "registry.yaml").write_text(REGISTRY)
    (folder / "experiments" / "x.yaml").write_text(SPEC)
    write_lines(folder / "data" / "train.jsonl", chats(range(20)))
    write_lines(folder / "data" / "val.jsonl", chats(range(20, 30)))
    monkeypatch.setenv("RUNNER_TRAIN_PYTHON", "/nowhere")
    return folder


def runner(folder: Path, *arguments: str):
    done = CliRunner(mix_stderr=False).invoke(
        cli, ["-C", str(folder), *arguments], standalone_mode=False
    )
    if done.exception:
        raise done.exception
    return done.return_value or 0, done.stdout, done.stderr


def test_sound_datasets_of_an_experiment(root):
    code, out, _ = runner(root, "data", "check", "x")
    assert code == 0
    assert out.splitlines()[:3] == [
        "data/train.jsonl  (train)",
        "  rows     20, all read",
        "  format   messages (sft)",
    ]
    assert "limit 2,048 (estimated as characters / 3.5: the tokenizer of Qwen/Qwen2.5-0.5B" in out
    assert out.endswith("overlap    held-out: no prompt stands in the training set\n")


def test_faulty_rows_are_named_and_fail(root):
    rows = [*chats(range(20)), {"messages": [user("?")]}, {"messages": [user("?")]}]
    write_lines(root / "data" / "train.jsonl", rows)
    write_lines(root / "data" / "val.jsonl", chats(range(15, 25)))
    code, out, _ = runner(root, "data", "check", "experiments/x.yaml")
    assert code == 1
    said = "train.jsonl:21: `messages` ends with a message of `user`, not of the assistant"
    assert f"  error    {said}\n           2 rows in all; the next are 22\n" in out
    assert (
        "overlap    5 prompts of held-out stand in the training set too: rows 1, 2, 3, 4, 5\n"
        in out
    )
    code, out, _ = runner(root, "data", "check", "x", "--json")
    document = json.loads(out)
    assert code == 1
    assert document["datasets"][0]["faults"][0] == {
        "level": "error",
        "kind": "last",
        "column": "messages",
        "message": "ends with a message of `user`, not of the assistant",
        "number": 2,
        "rows": ["train.jsonl:21", "train.jsonl:22"],
    }
    assert document["overlap"] == [
        {"val": "held-out", "compared": True, "number": 5, "rows": [1, 2, 3, 4, 5]}
    ]


def test_a_dataset_on_its_own_is_checked_for_what_it_has_the_columns_of(root):
    write_parquet(root / "data" / "rl" / "train-00000-of-00001.parquet", sums(50))
    for folder, path in ((root, "data/rl/train"), (root / "data", "rl")):
        code, out, _ = runner(folder, "data", "check", path, "--sample", "10")
        assert code == 0
        assert "  rows     50, 10 read (--deep reads all)" in out
        assert "prompt + reward_model.ground_truth (rl)" in out


def test_deep_validation_reads_every_row_and_says_so_in_place_of_what_cards_tell(root):
    code, _, err = runner(root, "validate")
    assert (code, err) == (0, "")
    rows = [*chats(range(20)), {"messages": [user("?")]}]
    write_lines(root / "data" / "train.jsonl", rows)
    write_lines(root / "data" / "val.jsonl", chats(range(15, 25)))
    code, out, _ = runner(root, "validate", "--json")
    shallow = {(one["rule"], one["message"]) for one in json.loads(out)["findings"]}
    assert ("data.faults", "1 of 21 rows of `data/train.jsonl` are at fault") in shallow
    code, out, _ = runner(root, "validate", "--deep", "--json")
    assert code == 1
    deep = [one for one in json.loads(out)["findings"] if one["rule"].startswith("data.")]
    assert [(one["rule"], one["level"], one["line"], one["key"]) for one in deep] == [
        ("data.faults", "error", 6, "data.train"),
        ("data.overlap", "hint", 7, "data.val.held-out"),
    ]
    assert deep[0]["message"].startswith("train.jsonl:21: `messages` ends with a message of `user`")
    assert deep[1]["message"] == "5 prompts of `held-out` stand in the training set"


def test_deep_validation_says_what_it_could_not_read(root):
    (root / "data" / "val.jsonl").unlink()
    pointer = {"outs": [{"md5": "0" * 32, "hash": "md5", "path": "val.jsonl"}]}
    (root / "data" / "val.jsonl.dvc").write_text(yaml.safe_dump(pointer))
    code, _, err = runner(root, "validate", "--deep")
    assert code == 0
    assert "the rows were not read" in err
    assert "val.jsonl is not here" in err


def test_adding_data_tracks_it_and_keeps_its_card(root):
    subprocess.run([sys.executable, "-m", "dvc", "init", "--quiet"], cwd=root, check=True)
    code, out, err = runner(root / "data", "data", "add", "train.jsonl", "val.jsonl")
    assert code == 0
    assert out.splitlines() == [
        "data/train.jsonl: 20 rows, messages (sft); data/train.jsonl.dvc",
        "data/val.jsonl: 10 rows, messages (sft); data/val.jsonl.dvc",
    ]
    assert "git add data/train.jsonl.dvc data/val.jsonl.dvc" in err
    card = yaml.safe_load((root / "data" / "train.jsonl.dvc").read_text())["outs"][0]["meta"][
        "card"
    ]
    assert card["rows"] == 20
    _, out, _ = runner(root, "data", "card", "data/train.jsonl")
    assert {**json.loads(out), **card} == json.loads(out)
    for name in ("train", "test"):
        write_lines(root / "data" / "gsm" / f"{name}.jsonl", sums(9))
    _, out, _ = runner(root, "data", "add", "data/gsm")
    assert out.splitlines()[0].startswith("data/gsm/test.jsonl: 9 rows, prompt + reward_model.")
    assert out.splitlines()[1].endswith("; data/gsm.dvc")


def test_a_misspelt_set_of_a_tracked_folder_is_named(root):
    for name in ("train", "test"):
        write_parquet(root / "data" / "hub" / f"{name}-00000-of-00001.parquet", sums(9))
    pointer = {"outs": [{"md5": f"{'a' * 32}.dir", "hash": "md5", "path": "hub"}]}
    (root / "data" / "hub.dvc").write_text(yaml.safe_dump(pointer))
    for place, cure in (("data/hub/trian", "`data/hub/train`"), ("data/hub/train", None)):
        (root / "experiments" / "x.yaml").write_text(SPEC.replace("data/val.jsonl", place))
        _, out, _ = runner(root, "validate", "--json")
        known = [one for one in json.loads(out)["findings"] if one["rule"] == "data.known"]
        assert [one["cure"] for one in known] == ([f"did you mean {cure}?"] if cure else [])


def test_what_is_no_dataset_is_not_tracked(root):
    (root / "data" / "odd.jsonl").write_text("nothing\n")
    for path in ("data/odd.jsonl", "data/none.jsonl"):
        with pytest.raises(Refused):
            runner(root, "data", "add", path)
    assert not (root / "data" / "odd.jsonl.dvc").exists()
    with pytest.raises(Refused, match="is not here"):
        runner(root, "data", "check", "data/none.jsonl")
    with pytest.raises(Refused, match="there is no experiment `y`"):
        runner(root, "data", "check", "y")
