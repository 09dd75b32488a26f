"""Cards: what they say, where they are kept, and what earlier ones still tell."""

import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import yaml
from real_git import git
from row_values import assistant, sums, user, write_lines, write_parquet, write_saved

from runner.datasets.card import card_of, write_card
from runner.datasets.small import describe
from runner.datasets.survey import SKETCH, quantiles, shared, sketch_of
from runner.errors import Refused
from runner.spec.cards import Card, Cards
from runner.spec.tree import MemoryTree, WorkTree


def dvc(folder: Path, *arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "dvc", *arguments], cwd=folder, check=True)


def test_a_card_is_the_same_for_every_kind_of_file(tmp_path):
    rows = sums(50)
    cards = [
        card_of(write_lines(tmp_path / "a.jsonl", rows)),
        card_of(write_parquet(tmp_path / "a.parquet", rows, group=7)),
        card_of(write_saved(tmp_path / "a", rows, shards=4)),
        describe(MemoryTree({"a.jsonl": (tmp_path / "a.jsonl").read_bytes()}), "a.jsonl"),
    ]
    assert len(set(map(Card.model_dump_json, cards))) == 1


def test_a_card_tells_rows_columns_lengths_and_formats(tmp_path):
    rows = [{"question": "1 + 1 =", "answer": "2"}, {"question": "1  +\n1 =", "answer": "3"}]
    card = card_of(
        write_lines(tmp_path / "a.jsonl", [*rows, rows[0], {"question": "2?", "answer": ""}])
    )
    assert (card.rows, card.columns, card.duplicates) == (4, ("answer", "question"), 1)
    assert card.holds == {"answer": "text", "question": "text"}
    assert card.lengths["question"].longest == 8
    assert card.formats == {"sft": "question + answer"}
    assert card.faults == {"sft": 1}
    assert card.repeated_prompts == 2  # spaces make no difference
    assert len(card.prompts.split()) == 2
    assert card.told() == "4 rows, question + answer (sft), 1 row at fault"


@pytest.mark.parametrize(
    ("text", "message"), [("", "has no rows"), ('{"a": 1}\n[]\n', ":2 is no JSON object")]
)
def test_what_has_no_card_is_refused(tmp_path, text, message):
    (tmp_path / "a.jsonl").write_text(text)
    with pytest.raises(Refused, match=message):
        card_of(tmp_path / "a.jsonl")
    assert describe(WorkTree(tmp_path), "a.jsonl") is None


def test_only_small_files_of_lines_are_described_without_a_card(tmp_path):
    write_lines(tmp_path / "small.jsonl", sums(10))
    write_lines(tmp_path / "large.jsonl", ({"prompt": "x" * 1000} for _ in range(1100)))
    write_parquet(tmp_path / "table.parquet", sums(10))
    tree = WorkTree(tmp_path)
    assert describe(tree, "small.jsonl").rows == 10
    assert [describe(tree, name) for name in ("large.jsonl", "table.parquet", "none.jsonl")] == [
        None
    ] * 3


def test_a_card_of_former_days_still_loads_and_gives_way_to_the_rows(tmp_path):
    old = {"rows": 7, "columns": ["a"], "characters": {"median": 1, "p95": 1, "longest": 1},
           "duplicates": 0, "sample_sha256": "abc"}  # fmt: skip
    pointer = {"outs": [{"md5": "0" * 32, "path": "a.jsonl", "meta": {"card": old}}]}
    tree = MemoryTree({"a.jsonl.dvc": yaml.safe_dump(pointer).encode()})
    card = Cards(tree, describe).find("a.jsonl")
    assert (card.rows, card.tells_columns, card.repeated_prompts) == (7, False, None)
    (tmp_path / "a.jsonl.dvc").write_text(yaml.safe_dump(pointer))
    write_lines(tmp_path / "a.jsonl", sums(9))
    assert Cards(WorkTree(tmp_path), describe).rows("a.jsonl") == 9


def test_cards_of_a_folder_and_of_what_is_in_it_are_kept_with_the_folder(tmp_path):
    git(tmp_path, "init", "--quiet")
    dvc(tmp_path, "init", "--quiet")
    for name in ("train", "test"):
        write_parquet(tmp_path / "data" / "gsm" / f"{name}.parquet", sums(8))
    write_lines(tmp_path / "data" / "own.jsonl", sums(8))
    dvc(tmp_path, "add", "--quiet", "data/gsm", "data/own.jsonl")
    places = ["data/gsm/train.parquet", "data/gsm/test.parquet", "data/own.jsonl"]
    for place in places:
        card = card_of(tmp_path / place)
        holder = write_card(tmp_path, place, card)
        assert holder.name == ("own.jsonl.dvc" if "own" in place else "gsm.dvc")
        assert Cards(WorkTree(tmp_path)).find(place) == card
    dvc(tmp_path, "status", "--quiet")
    kept = yaml.safe_load((tmp_path / "data" / "gsm.dvc").read_text())["outs"][0]["meta"]["cards"]
    assert list(kept) == ["train.parquet", "test.parquet"]
    with pytest.raises(Refused, match="no output that DVC tracks"):
        write_card(tmp_path, "data/other.jsonl", card)


def test_quantiles_are_those_of_the_sorted_lengths():
    for lengths in ([5], [1, 2], [3, 1, 2], list(range(100)), [7] * 20 + [900]):
        ordered = sorted(lengths)
        found = quantiles(Counter(lengths))
        last = len(ordered) - 1
        assert found.median == ordered[last // 2]
        assert found.p95 == ordered[round(last * 0.95)]
        assert found.longest == ordered[-1]


def test_sketches_estimate_how_much_is_shared():
    numbers = random.Random(1)  # noqa: S311
    train = [numbers.getrandbits(64) for _ in range(7000)]
    for leaked in (0, 0.25, 1):
        own = [numbers.getrandbits(64) for _ in range(1300)]
        val = train[: int(1300 * leaked)] + own[int(1300 * leaked) :]
        both, compared = shared(sketch_of(train), sketch_of(val))
        assert compared >= 5
        assert abs(both / compared - leaked) < 0.3
        assert (both == 0) == (leaked == 0)
    few = train[:20] + own[:20]
    assert shared(sketch_of(few), sketch_of(train[:10] + own[30:40])) == (10, 20)  # exact
    assert shared("", sketch_of(few)) == (0, 0)
    assert len(sketch_of(train).split()) == SKETCH


def test_prompts_are_compared_by_what_the_user_says(tmp_path):
    chat = {
        "messages": [{"role": "system", "content": "Be brief."}, user("1 + 1 ="), assistant("2")]
    }
    one = card_of(write_lines(tmp_path / "a.jsonl", [chat]))
    other = card_of(
        write_lines(tmp_path / "b.jsonl", [{"prompt": " 1 +  1 =", "ground_truth": "2"}])
    )
    assert one.prompts == other.prompts != ""
