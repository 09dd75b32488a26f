# ruff: noqa: E501 - a table reads better in long lines
"""Every rule: a spec that trips it, with the line it names, and specs that do not."""

import hashlib
from typing import NamedTuple

import pytest

from runner.registry import Registry
from runner.rules import RULES, check, check_each
from runner.spec.check import load_experiments
from runner.spec.tree import MemoryTree, WorkTree

GOOD = """\
apiVersion: rollbook/v1
trainer: verl==0.9.1
model: {path: Qwen/Qwen2.5-0.5B}
algorithm: {name: grpo, group_size: 4}
data: {train: data/a.jsonl, val: {arith: data/b.jsonl}}
reward: reward/sums.py:score
training:
  steps: 2
  prompts_per_step: 8
  prompts_per_update: 4
  learning_rate: 1.0e-6
  evaluate_every: 1
expect:
  - val/arith/accuracy: last - first >= 0.1
  - reward/mean: last > 0
secrets: [HF_TOKEN]
"""
SCRIPT = """\
apiVersion: rollbook/v1
trainer: script
script: {command: [python, train.py], files: [train.py, lib]}
training: {steps: 2, prompts_per_step: 8, learning_rate: 0.00001}
expect: [{val/any/accuracy: last > 0}]
"""
FILES = {
    "data/a.jsonl": b"{}",
    "data/b.jsonl": b"{}",
    "reward/sums.py": b"import os\n\n\ndef score(solution_str):\n    return 1.0\n",
    "reward/broken.py": b"def score(:\n",
    "reward/nul.py": b"a = '\x00'\n",
    "reward/deep.py": b"a = " + b"(" * 5000,
    "reward/big.py": b"#" * (1024 * 1024 + 1),
    "reward/escape.py": b"def score():\n    return '\\d'\n",
    "reward/trap.py": b"raise SystemExit('executed')\nasync def score(): ...\n",
    "data/few.jsonl": b"{}",
    "data/few.jsonl.dvc": b"outs: [{md5: 0123, path: few.jsonl, meta: {card: {rows: 7, columns: [a],"
    b" characters: {median: 1, p95: 1, longest: 1}, duplicates: 0, sample_sha256: abc}}}]",
    "data/odd.jsonl.dvc": b"outs: [{md5: 0123, path: odd.jsonl, meta: {card: 3}}]",
    "train.py": b"",
    "lib/x.py": b"",
}
REGISTRY = Registry(
    apiVersion="rollbook/v1",
    lineage="0" * 32,
    secrets={"*": ("HF_TOKEN",), "team/*": ("TEAM_KEY",)},
)


class Case(NamedTuple):
    rule: str
    old: str
    new: str
    line: int
    key: str
    message: str
    cure: str


CASES = [
    Case("batch.divides", "update: 4", "update: 3", 10, "training.prompts_per_update",
         "8 prompts per step do not divide into updates of 3: 2 would be left over", "2 or 4"),
    Case("batch.divides", "update: 4", "update: 16", 10, "training.prompts_per_update", "8 would be left", "8 or 4"),
    Case("batch.devices", "data: {train", "resources: {accelerators: H100:3}\ndata: {train", 10,
         "training.prompts_per_step", "8 x 4 = 32 samples do not divide over 3 devices", "a multiple of 3"),
    Case("batch.samples", "  prompts_per_update: 4\n", "  samples_per_device: 5\n", 10, "training.samples_per_device",
         "a device's 32 samples do not divide into passes of 5", "4 or 2"),
    Case("spec.idle", "secrets: [HF_TOKEN]", "budget: {usd_per_run: 5}", 16, "budget", "nothing acts on it", "do not rely"),
    Case("trainer.machines", "secrets: [HF_TOKEN]", "resources: {nodes: 2}", 16, "resources.nodes", "one machine, not 2", "nodes: 1"),
    Case("trainer.terms", "algorithm: {name: grpo, group_size: 4}\ndata: {train: data/a.jsonl, val: {arith: data/b.jsonl}}\nreward: reward/sums.py:score\ntraining:\n",
         "algorithm: {name: sft}\ndata: {train: data/a.jsonl, val: {arith: data/b.jsonl}}\ntraining:\n  evaluate_before_training: true\n", 7,
         "training.evaluate_before_training", "does not validate before", "delete it"),
    Case("trainer.version", "0.9.1", "0.8.0", 2, "trainer", "the keys of verl 0.8.0 are not known", "write verl==0.9.1"),
    Case("training.length", "  steps: 2\n", "", 7, "training", "nothing says how long", "`epochs:` or `steps:`"),
    Case("policy.secrets", "[HF_TOKEN]", "[HF_TOKEN, WANDB_API_KEY]", 16, "secrets[1]",
         "does not permit the secret `WANDB_API_KEY` for `x`", "ask an owner"),
    Case("policy.secrets", "[HF_TOKEN]", "[TEAM_KEY]", 16, "secrets[0]", "`TEAM_KEY` for `x`", "delete it"),
    Case("data.known", "data/a.jsonl", "data/c.jsonl", 5, "data.train", "neither by DVC nor by git", "dvc add data/c.jsonl"),
    Case("data.known", "data/b.jsonl", "data/c.jsonl", 5, "data.val.arith", "`data/c.jsonl`", "dvc add"),
    Case("data.known", "{path: Qwen/Qwen2.5-0.5B}", "{source: path, path: models/m}", 3, "model.path", "`models/m`", "dvc add"),
    Case("data.train_rows", "data/a.jsonl", "data/few.jsonl", 9, "training.prompts_per_step",
         "one step takes 8 prompts, the training set has 7", "prompts_per_step: 7 or less"),
    Case("data.val_rows", "{name: grpo, group_size: 4}\ndata: {train: data/a.jsonl, val: {arith: data/b.jsonl}}\nreward: reward/sums.py:score\n",
         "{name: sft}\ndata: {train: data/a.jsonl, val: {arith: data/few.jsonl}}\n", 5, "data.val.arith",
         "`arith` has 7 rows, fewer than the 8 of a step", "more rows"),
    Case("reward.exists", "reward: reward/sums.py:score\n", "", 4, "algorithm", "`grpo` needs a reward", "add `reward:"),
    Case("reward.exists", "{name: grpo, group_size: 4}", "{name: sft}", 6, "reward", "`sft` has no use", "delete `reward`"),
    Case("reward.exists", "sums.py", "sum.py", 6, "reward", "`reward/sum.py` does not exist", "`reward/sums.py`"),
    Case("reward.exists", ":score", ":scores", 6, "reward", "does not define the function `scores`", "`score`"),
    Case("reward.exists", ":score", ":os", 6, "reward", "does not define the function `os`", "def os"),
    Case("reward.exists", "sums.py", "broken.py", 6, "reward", "not valid Python: line 1", "correct it"),
    Case("reward.exists", "sums.py", "nul.py", 6, "reward", "not valid Python", "correct it"),
    Case("reward.exists", "sums.py", "deep.py", 6, "reward", "not valid Python", "correct it"),
    Case("reward.exists", "sums.py", "big.py", 6, "reward", "larger than 1 MiB", "data out"),
    Case("expect.measurable", "- val/arith/", "- val/arit/", 14, "expect[0]", "no set `arit`", "`val/arith/accuracy`"),
    Case("expect.measurable", "secrets: [HF_TOKEN]", "checkpoints: {keep_best: val/other/accuracy}", 16, "checkpoints.keep_best", "no set `other`", "one of: arith"),
    Case("expect.measurable", ", val: {arith: data/b.jsonl}", "", 14, "expect[0]", "no validation set", "data.val"),
    Case("expect.measurable", "  evaluate_every: 1\n", "", 13, "expect[0]", "not measured during", "training.evaluate_every"),
    Case("expect.measurable", "evaluate_every: 1\nexpect:\n  - val/arith/accuracy: last - first",
         "save_every: 1\nexpect:\n  - val/arith/accuracy: first", 14, "expect[0]", "the first value", "evaluate_before_training: true"),
]  # fmt: skip


def tree(text: str, name: str = "x") -> MemoryTree:
    return MemoryTree({**FILES, f"experiments/{name}.yaml": text.encode()})


def found(text: str, name: str = "x"):
    files = tree(text, name)
    loaded = load_experiments(files)
    assert loaded.findings == ()
    return check(loaded, files, REGISTRY)


@pytest.mark.parametrize("text", [GOOD, SCRIPT], ids=["verl", "script"])
def test_a_sound_spec_has_no_findings(text):
    assert found(text) == ()


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.rule}-{case.new or case.old}"[:60])
def test_a_rule_names_line_key_reason_and_cure(case):
    assert GOOD.count(case.old) >= 1
    findings = found(GOOD.replace(case.old, case.new, 1))
    finding = next(finding for finding in findings if finding.rule == case.rule)
    assert (finding.line, finding.key) == (case.line, case.key)
    assert case.message in finding.message
    assert case.cure in finding.cure
    assert (finding.level, finding.path) == (RULES[case.rule].level, "experiments/x.yaml")


def test_files_of_a_script_exist():
    (finding,) = found(SCRIPT.replace("lib]", "libs]"))
    assert (finding.rule, finding.line, finding.key) == ("script.files", 3, "script.files[1]")


def test_every_rule_has_a_case_that_trips_it_and_one_line_that_documents_it():
    assert {case.rule for case in CASES} | {"script.files", "data.recorded"} == set(RULES)
    for name, rule in RULES.items():
        assert rule.documentation.endswith("."), name
        assert name.count(".") == 1
    assert list(RULES) == sorted(RULES)


def test_a_reward_is_parsed_and_never_executed():
    for name in ("trap.py", "escape.py"):
        assert found(GOOD.replace("sums.py", name)) == ()


def test_a_glob_permits_secrets_for_its_experiments_alone():
    text = GOOD.replace("[HF_TOKEN]", "[HF_TOKEN, TEAM_KEY]")
    assert found(text, "team/x") == ()
    assert [one.rule for one in found(text)] == ["policy.secrets"]


def test_a_value_of_the_matrix_is_named_at_its_own_line():
    (finding,) = found(f"{GOOD}matrix:\n  grid:\n    training.prompts_per_update: [4, 3]\n")
    assert (finding.rule, finding.line, finding.column) == ("batch.divides", 19, 38)


def test_seeds_and_points_share_their_findings():
    grid = "matrix: {grid: {algorithm.group_size: [2, 4]}}\nseeds: [1, 2]\n"
    assert len(found(GOOD.replace("update: 4", "update: 3") + grid)) == 1


def test_a_value_of_a_base_is_named_in_the_base_and_counts_for_the_experiment():
    base = GOOD.replace("update: 4", "update: 3").encode()
    files = MemoryTree(
        {**FILES, "experiments/x.yaml": b"extends: bases/b\n", "experiments/bases/b.yaml": base}
    )
    each = check_each(load_experiments(files), files, REGISTRY)
    assert [one.path for one in each["x"]] == ["experiments/bases/b.yaml"]


def test_the_caller_may_say_what_is_tracked():
    files = tree(GOOD)
    findings = check(load_experiments(files), files, REGISTRY, lambda path: "b.jsonl" in path)
    assert [one.key for one in findings] == ["data.train"]


def test_outputs_of_dvc_are_known_without_their_files():
    dvc = b"outs:\n- md5: 0cc175b9c0f1b6a831c399e269772661\n  hash: md5\n  path: far.jsonl\n"
    files = MemoryTree(
        {
            **FILES,
            "data/far.jsonl.dvc": dvc,
            "experiments/x.yaml": GOOD.replace("data/a.jsonl", "data/far.jsonl").encode(),
        }
    )
    assert check(load_experiments(files), files, REGISTRY) == ()


def test_rows_without_a_card_are_not_judged():
    assert found(GOOD.replace("data/b.jsonl", "data/odd.jsonl")) == ()


def test_a_dataset_that_dvc_has_not_recorded_as_it_is_now_is_hinted_at(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "experiments").mkdir()
    (tmp_path / "reward").mkdir()
    (tmp_path / "experiments/x.yaml").write_text(GOOD)
    (tmp_path / "reward/sums.py").write_bytes(FILES["reward/sums.py"])
    for name, content in (("a.jsonl", b"{}"), ("b.jsonl", b"[]")):
        (tmp_path / "data" / name).write_bytes(content)
        pointer = f"outs: [{{md5: {hashlib.md5(b'{}', usedforsecurity=False).hexdigest()}, hash: md5, path: {name}}}]\n"
        (tmp_path / "data" / f"{name}.dvc").write_text(pointer)
    files = WorkTree(tmp_path)
    (finding,) = check(load_experiments(files), files, REGISTRY)
    assert (finding.rule, finding.level, finding.key) == ("data.recorded", "hint", "data.val.arith")
    assert "dvc commit -f data/b.jsonl" in finding.cure
