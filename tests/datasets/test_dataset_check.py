"""Checking datasets: what is counted, what is named, and when training would fail."""

import subprocess
import sys
from pathlib import Path

import pyarrow
import pytest
from pyarrow import parquet
from row_values import TOOL, assistant, sums, user, write_lines, write_parquet

from runner.datasets.check import NAMED, Purpose, check, overlap
from runner.datasets.lengths import FATES
from runner.datasets.tokens import Estimate, Length, Tokenizer, tokenizer_folder
from runner.errors import OutsideError
from runner.models.cache import hub_cache
from runner.spec.experiment import Model

ESTIMATE = Estimate("this is a test")
RL = Purpose("rl", limit=1024, keys="max_prompt_tokens")
CHAT = {"messages": [user("1 + 1 ="), assistant("2")]}


MEASURE = """
import sys, time
from pathlib import Path
from runner.datasets.check import Purpose, check
from runner.datasets.tokens import Estimate

began = time.process_time()
checked = check(Path(sys.argv[1]), Purpose("rl", limit=1024), Estimate("a test"))
print(checked.rows, checked.read, time.process_time() - began)
print(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
"""


class Words:
    """Counts words: a tokenizer that needs no model, and whose template knows no `tool`."""

    name = "counted in words"
    is_exact = True

    def count(self, rows, stage):
        key = "prompt" if stage == "rl" else "messages"
        return [self._length(row[key]) for row in rows]

    def _length(self, messages):
        if any(message["role"] == "tool" for message in messages):
            return Length(0, "no tools here")
        return Length(sum(len(message["content"].split()) for message in messages))


def test_rows_at_fault_are_named_with_file_and_line(tmp_path):
    rows = sums(40)
    for number in (3, 17, 18, 19, 20, 21, 30):
        rows[number]["reward_model"]["ground_truth"] = ""
    rows[5]["prompt"] = [{"role": "human", "content": "?"}, {"role": "human", "content": "!"}]
    path = write_lines(tmp_path / "a.jsonl", rows)
    path.write_text(path.read_text() + "nothing\n")
    checked = check(path, RL, ESTIMATE, sample=None)
    truth, role, line = sorted(checked.faults, key=lambda fault: fault.column, reverse=True)
    assert (truth.column, truth.kind, truth.number) == ("reward_model.ground_truth", "empty", 7)
    assert truth.rows == tuple(f"a.jsonl:{n}" for n in (4, 18, 19, 20, 21))
    assert len(truth.rows) == NAMED
    assert (role.told.partition(" has")[0], role.number, role.rows) == (
        "prompt[0]",
        1,
        ("a.jsonl:6",),
    )
    assert (line.kind, line.rows) == ("json", ("a.jsonl:41",))
    assert checked.errors == 3
    assert (checked.rows, checked.read, checked.is_whole) == (41, 41, True)


def test_a_sample_is_read_unless_all_rows_are_asked_for(tmp_path):
    path = write_parquet(tmp_path / "a.parquet", [*sums(500), *sums(500)])
    sampled = check(path, RL, ESTIMATE, sample=100)
    assert (sampled.rows, sampled.read, sampled.duplicates) == (1000, 100, None)
    assert sampled.repeated_prompts is None
    whole = check(path, RL, ESTIMATE, sample=None)
    assert (whole.read, whole.duplicates, whole.repeated_prompts) == (1000, 500, 500)
    assert (sampled.errors, whole.errors) == (0, 0)


def test_overlong_rows_fail_where_the_trainer_stops_at_them(tmp_path):
    rows = [CHAT, {"messages": [user("why " * 30), assistant("so")]}]
    path = write_lines(tmp_path / "a.jsonl", rows)
    stops = Purpose("sft", limit=20, keys="both", fate=FATES["verl", "sft"])
    (fault,) = check(path, stops, Words()).faults
    assert (fault.level, fault.rows) == ("error", ("a.jsonl:2",))
    assert fault.message.startswith(
        "has 31 tokens, over 20 (both): verl's supervised trainer stops"
    )
    (guessed,) = check(path, stops, ESTIMATE).faults
    assert guessed.level == "hint"
    assert "about" in guessed.message
    cuts = stops._replace(fate=FATES["verl", "rl"])
    assert check(path, cuts, Words()).faults[0].level == "hint"
    lengths = check(path, stops, Words()).lengths
    assert (lengths.over, lengths.quantiles.longest, lengths.by) == (1, 31, "counted in words")


def test_what_the_chat_template_refuses_is_an_error(tmp_path):
    row = {"messages": [user("1+1"), {"role": "tool", "content": "2"}, assistant("2")]}
    (fault,) = check(write_lines(tmp_path / "a.jsonl", [row]), Purpose("sft"), Words()).faults
    assert (fault.level, fault.kind) == ("error", "template")
    assert "refused by the model's chat template: no tools here" in fault.message


def test_a_dataset_without_a_format_or_without_rows_fails(tmp_path):
    path = write_lines(tmp_path / "a.jsonl", [{"question": "?", "answer": "!"}])
    (fault,) = check(path, RL, ESTIMATE).faults
    assert (fault.level, fault.kind) == ("error", "format")
    assert "{prompt: question, ground_truth: answer}" in fault.message
    assert check(path, Purpose(), ESTIMATE).faults == ()
    (fault,) = check(write_lines(tmp_path / "b.jsonl", [{"x": 1}]), Purpose(), ESTIMATE).faults
    assert "no format of sft, rl or preference" in fault.message
    (fault,) = check(write_lines(tmp_path / "c.jsonl", []), RL, ESTIMATE).faults
    assert fault.message == "has no rows"


def test_prompts_in_both_sets_are_counted(tmp_path):
    train = check(write_lines(tmp_path / "a.jsonl", sums(20)), RL, ESTIMATE)
    rows = [{"prompt": f" {n}  +\n{n} =", "ground_truth": ""} for n in range(15, 25)]
    for row in rows:
        row["ground_truth"] = "1"
    val = check(write_lines(tmp_path / "b.jsonl", rows), RL, ESTIMATE)
    assert overlap(train, val) == (5, (1, 2, 3, 4, 5))
    assert overlap(val, train) == (5, (16, 17, 18, 19, 20))
    assert overlap(train._replace(read=3), val) is None


def test_tools_that_differ_between_rows_are_hinted_at(tmp_path):
    other = {"type": "function", "function": {"name": "now"}}
    rows = [{**CHAT, "tools": tools} for tools in ([TOOL], [TOOL], [other], [other])]
    (fault,) = check(write_lines(tmp_path / "a.jsonl", rows), Purpose("sft"), ESTIMATE).faults
    assert (fault.level, fault.column, fault.number, fault.rows[0]) == (
        "hint",
        "tools",
        2,
        "a.jsonl:3",
    )
    assert check(write_lines(tmp_path / "b.jsonl", rows[:2]), Purpose("sft"), ESTIMATE).faults == ()


def test_preferences_count_prompt_and_longer_answer(tmp_path):
    row = {"prompt": "x" * 35, "chosen": "y" * 35, "rejected": "z" * 70}
    path = write_lines(tmp_path / "a.jsonl", [row])
    assert check(path, Purpose("preference"), ESTIMATE).lengths.quantiles.longest == 38


def test_a_tokenizer_is_found_in_the_repository_and_in_the_hub_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    folder = tmp_path / "hf" / "hub" / "models--Qwen--Qwen2.5-7B" / "snapshots" / "abc"
    folder.mkdir(parents=True)
    (folder / "tokenizer.json").write_text("{}")
    (folder.parent.parent / "refs").mkdir()
    (folder.parent.parent / "refs" / "main").write_text("abc")
    (tmp_path / "models" / "m").mkdir(parents=True)
    (tmp_path / "models" / "m" / "tokenizer_config.json").write_text("{}")
    assert tokenizer_folder(tmp_path, Model(path="Qwen/Qwen2.5-7B")) == folder
    assert tokenizer_folder(tmp_path, Model(path="Qwen/Qwen2.5-7B", revision="abc")) == folder
    assert tokenizer_folder(tmp_path, Model(path="Qwen/Qwen2.5-7B", revision="def")) is None
    assert (
        tokenizer_folder(tmp_path, Model(source="dvc", path="models/m"))
        == tmp_path / "models" / "m"
    )
    assert tokenizer_folder(tmp_path, Model(source="dvc", path="models/n")) is None
    assert tokenizer_folder(tmp_path, Model(source="run", path="x")) is None
    monkeypatch.setenv("HF_HUB_CACHE", "/else")
    assert hub_cache() == Path("/else")


def test_an_environment_without_a_tokenizer_does_not_work(tmp_path):
    with Tokenizer(sys.executable, tmp_path, "none") as tokenizer:
        assert not tokenizer.works()
        with pytest.raises(OutsideError, match="process has ended"):
            tokenizer.count([CHAT], "sft")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_a_sample_of_a_large_file_takes_seconds_and_little_memory(tmp_path, kind):
    text = "why " * 1200
    rows = [{"prompt": f"{number} {text}", "ground_truth": "1"} for number in range(100_000)]
    if kind == "jsonl":
        path = write_lines(tmp_path / "large.jsonl", rows)
    else:  # one row group that is as large as the file
        table = pyarrow.Table.from_pylist(rows)
        path = tmp_path / "large.parquet"
        parquet.write_table(table, path, compression="none", use_dictionary=False)
    assert path.stat().st_size > 480_000_000
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(path)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    count, read, seconds, kilobytes = done.stdout.split()
    assert (int(count), int(read)) == (100_000, 1000)
    # Measured: 1 s and 43 MB of lines, 1 s and 140 MB of Parquet.
    assert float(seconds) < 10
    assert int(kilobytes) < 300_000
