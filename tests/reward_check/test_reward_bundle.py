"""What is bundled: code and rows of a tree, of which nothing is executed."""

from __future__ import annotations

import ast
import hashlib
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from rewards import CASES, EQUAL, HEAD

from runner.errors import Refused
from runner.git.commit_tree import CommitTree
from runner.git.repository import Repository
from runner.reward_check import bundle, inside
from runner.reward_check.bundle import write_bundle
from runner.reward_check.catches import catches_everything
from runner.reward_check.here import check_rewards
from runner.reward_check.sample import MOST_BYTES, committed_rows, sample_of
from runner.spec.tree import MemoryTree

REWARD = "reward/it.py:compute_score"
CARD = {"rows": 40, "columns": ["prompt"], "characters": {"median": 1, "p95": 1, "longest": 1},
        "duplicates": 0, "sample_sha256": "abc"}  # fmt: skip


def row(number: int, **more: object) -> dict:
    return {
        "data_source": "sums",
        "prompt": [],
        "reward_model": {"ground_truth": str(number)},
        **more,
    }


def spec(reward: str | None = REWARD, train: str = "data/a.parquet", **val: str) -> SimpleNamespace:
    """What of a spec the bundle looks at."""
    return SimpleNamespace(reward=reward, data=SimpleNamespace(train=train, val=val))


def sampled(content: bytes, digest: str = "") -> dict[str, bytes]:
    """The files of a dataset that DVC tracks, with a card and a sample."""
    card = CARD | {"sample": digest or hashlib.sha256(content).hexdigest()}
    pointer = {"outs": [{"md5": "0" * 32, "path": "a.parquet", "meta": {"card": card}}]}
    return {
        "data/a.parquet.dvc": yaml.safe_dump(pointer).encode(),
        "data/a.parquet.sample.jsonl": content,
    }


def test_a_commit_is_bundled_without_running_any_of_it(make_repository, tmp_path):
    proof = tmp_path / "proof"
    trap = f"open({str(proof)!r}, 'w').close()\n"
    root = make_repository(files={
        "reward/__init__.py": trap, "reward/it.py": f"{trap}from tools.near import x\n{EQUAL}",
        "tools/near.py": f"{trap}import json, far\nx = 1\n", "far.py": trap, "other.py": trap,
        "sitecustomize.py": trap,
    })  # fmt: skip
    (root / "far.py").write_text("changed\n")
    tree = CommitTree(Repository(root), "HEAD")
    assert bundle(tree, [spec(), spec(), spec(None)], tmp_path / "b") == (REWARD,)
    code = tmp_path / "b/code"
    names = sorted(str(path.relative_to(code)) for path in code.rglob("*") if path.is_file())
    assert names == ["far.py", "reward/__init__.py", "reward/it.py", "tools/near.py"]
    assert (code / "far.py").read_text() == trap
    assert not proof.exists()


def test_nothing_is_written_where_there_is_no_reward(tmp_path):
    assert bundle(MemoryTree({}), [spec(None)], tmp_path / "b") == ()
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize(
    ("files", "error"),
    [
        ({}, "is not there"),
        ({"reward/it.py": b"#" * (2**20 + 1)}, "larger than 1 MiB"),
        (
            {"reward/it.py": b"".join(b"import m%d\n" % n for n in range(301))}
            | {f"m{n}.py": b"" for n in range(301)},
            "imports 302 files",
        ),
    ],
)
def test_what_cannot_be_bundled_is_told(tmp_path, files, error):
    (found,) = check_rewards(MemoryTree(files), {REWARD: ()}, 5)
    assert error in found.table.error


def test_the_sample_of_the_card_is_tried_first():
    rows = [row(n, extra_info={"answer": f"It is {n}.", "n": n}) for n in range(40)]
    content = sample_of(rows[:20])
    tree = MemoryTree(sampled(content) | {"reward/it.py": (CASES + EQUAL).encode()})
    told, origin = committed_rows(tree, ["data/none.jsonl", "data/a.parquet"])
    assert origin == "the sample with the card of data/a.parquet"
    assert told[3] == {"data_source": "sums", "ground_truth": "3", "reference": "It is 3.",
                       "extra_info": {"answer": "It is 3.", "n": 3}}  # fmt: skip
    (found,) = check_rewards(tree, {REWARD: ("data/a.parquet",)}, 5)
    assert (found.table.count, found.table.rows_from) == (20, origin)
    assert "reference solution" in found.table.rows[0].answer
    assert found.table.rows[0].note.startswith("counts as wrong: 20 of 20")


def test_the_extra_information_reaches_the_reward():
    rows = [row(n, extra_info={"wanted": f"<{n}>"}) for n in range(3)]
    right = f"{HEAD}    return float(solution_str == extra_info['wanted'].strip('<>'))\n"
    tree = MemoryTree(sampled(sample_of(rows)) | {"reward/it.py": right.encode()})
    assert check_rewards(tree, {REWARD: ("data/a.parquet",)}, 5)[0].table.verdict == "ok"


@pytest.mark.parametrize("name", ["reward_model", "reward_spec", ""])
def test_ground_truths_stand_where_data_has_them(name):
    told = {"ground_truth": ["1", "2"]}
    content = json.loads(sample_of([{name: told} if name else told]))
    assert content["ground_truth"] == ["1", "2"]


def test_a_sample_that_is_not_the_cards_is_not_used():
    content = sample_of([row(1)])
    assert committed_rows(MemoryTree(sampled(content, "0" * 64)), ["data/a.parquet"]) == ([], "")
    for odd in (b"{}\n", b"\xff", b"[" * 5000, b'{"ground_truth": 1}\n', content * 200):
        assert committed_rows(MemoryTree(sampled(odd)), ["data/a.parquet"]) == ([], "")


def test_hostile_trees_give_no_rows_and_no_crash(tmp_path):
    for odd in (b"[" * 10**5, b"\xff\xfe", b'{"a": 1e999}\nnull\n', b"\n" * 10):
        assert committed_rows(MemoryTree({"d.jsonl": odd}), ["d.jsonl"]) == ([], "")
    broken = {"data/b.dvc": b"outs: 7\n"} | sampled(sample_of([row(1)]))
    assert committed_rows(MemoryTree(broken), ["data/a.parquet"]) == ([], "")
    name = "m" * 300
    files = {"reward/it.py": f"import {name}\n".encode(), f"{name}.py": b""}
    write_bundle(MemoryTree(files), {REWARD: ()}, tmp_path / "b")
    (entry,) = json.loads((tmp_path / "b/cases.json").read_text())["rewards"]
    assert "cannot be written: File name too long" in entry["error"]


def test_small_lines_in_git_need_no_sample():
    lines = b"".join(json.dumps(row(n)).encode() + b"\n" for n in range(40))
    told, origin = committed_rows(MemoryTree({"d.jsonl": lines}), ["d.jsonl"])
    assert (len(told), origin) == (20, "d.jsonl")


def test_rows_that_are_nested_too_deep_to_be_written_are_none(tmp_path):
    """Each depth is tried: somewhere reading still works, and writing does not any more."""
    for depth in range(40, 1000, 10):
        deep = "[" * depth + "]" * depth
        line = f'{{"ground_truth": 1, "extra_info": {deep}}}'.encode()
        rows, _ = committed_rows(MemoryTree({"a.jsonl": line}), ["a.jsonl"])
        assert len(rows) == (depth < 50)


def test_a_sample_is_small_and_has_ground_truths():
    rows = [row(n, extra_info={"text": "x" * 1000}) for n in range(20)]
    assert 6 <= len(sample_of(rows).splitlines()) <= 7
    assert len(sample_of([row(0, extra_info="x" * 9000), *rows])) <= MOST_BYTES
    for none in ([{"prompt": "x"}], [row(0, extra_info="x" * 9000)], [row(0, extra_info=b"x")]):
        with pytest.raises(Refused, match="none to sample"):
            sample_of(none)


def test_catching_everything_is_seen_in_the_text():
    body = "    try:\n        return 1\n    except {}:\n        {}\n"
    for caught, does, seen in [
        ("Exception", "return 0", True), ("(ValueError, BaseException) as e", "return 0", True),
        ("ValueError", "return 0", False), ("Exception", "raise", False),
    ]:  # fmt: skip
        source = (HEAD + body.format(caught, does)).encode()
        assert bool(catches_everything(source, "compute_score")) == seen
    assert catches_everything(b"def (", "compute_score") == ""


def test_the_program_needs_no_more_than_python_3_9():
    for path in Path(inside.__file__).parent.glob("*.py"):
        tree = ast.parse(path.read_text(), feature_version=(3, 9))
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                assert {one.name.partition(".")[0] for one in node.names} <= sys.stdlib_module_names
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                assert node.module.partition(".")[0] in sys.stdlib_module_names


def test_the_program_runs_from_anywhere_and_beside_other_modules(tmp_path):
    (tmp_path / "json.py").write_text("1 / 0")
    tree = MemoryTree({"reward/it.py": (CASES + EQUAL).encode()})
    write_bundle(tree, {REWARD: ()}, tmp_path / "a b/c", 5)
    subprocess.run([sys.executable, tmp_path / "a b/c/check.py"], cwd=tmp_path, check=True)
    assert json.loads((tmp_path / "a b/c/result.json").read_text())["tables"][0]["verdict"] == "ok"
