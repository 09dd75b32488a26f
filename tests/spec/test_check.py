"""Loading a whole tree, the settings, and what it costs."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from spec_texts import GRPO, SCRIPT, SFT, load, tree

from runner.errors import InvalidSpec, Refused
from runner.spec.check import load_experiments, load_registry
from runner.spec.experiment import NAME, Experiment
from runner.spec.fields import dotted_keys, models_at, nearest, path_of, places
from runner.spec.tree import MemoryTree, WorkTree

REGISTRY = f"apiVersion: rollbook/v1\nlineage: {'0a' * 16}\n"


def settings(text: str):
    return load_registry(MemoryTree({"registry.yaml": text.encode()}))


def test_one_invalid_file_blocks_itself_alone():
    loaded = load(a=GRPO, b="]", c=SFT, d__e=SCRIPT)
    assert [one.name for one in loaded.experiments] == ["a", "c", "d/e"]
    assert [one.path for one in loaded.experiments][2] == "experiments/d/e.yaml"
    assert set(loaded.refused) == {"b"}
    assert {one.path for one in loaded.findings} == {"experiments/b.yaml"}


def test_every_experiment_of_the_repository_is_valid():
    assert load_experiments(WorkTree(Path(__file__).parents[2])).findings == ()


@pytest.mark.parametrize(
    ("name", "cure"),
    [
        ("e", "did you mean `d/e`?"),
        ("d/f", "did you mean `d/e`?"),
        ("far", "write it to experiments/far.yaml"),
    ],
)
def test_a_name_that_is_none_leads_to_the_one_that_is_meant(name, cure):
    with pytest.raises(Refused) as caught:
        load_experiments(tree(a=GRPO, d__e=SCRIPT), [name])
    assert caught.value.cure == cure


def test_an_empty_tree_has_no_experiments(tmp_path):
    assert load_experiments(WorkTree(tmp_path)) == ((), (), {})


def test_a_work_tree_passes_over_hidden_folders(tmp_path):
    for folder in ("experiments/.hidden", "experiments/__pycache__", "experiments/a"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "x.yaml").write_text(GRPO)
    assert WorkTree(tmp_path).paths("", ".yaml") == ["experiments/a/x.yaml"]
    assert WorkTree(tmp_path).read("experiments") is None
    assert WorkTree(tmp_path).read("missing") is None


def test_settings_are_read_as_strictly_as_specs():
    registry = settings(f"{REGISTRY}secrets: {{'gsm8k/*': [HF_TOKEN]}}\n")
    assert registry.secrets == {"gsm8k/*": ("HF_TOKEN",)}
    with pytest.raises(InvalidSpec) as caught:
        settings(f"{REGISTRY}ledger: {{branhc: x}}\npolicy: {{launches_per_apply: no}}\n")
    first, second = caught.value.findings
    assert (first.path, first.line, first.key) == ("registry.yaml", 3, "ledger.branhc")
    assert first.cure == "did you mean `branch`?"
    assert (second.rule, second.line) == ("spec.type", 4)


@pytest.mark.parametrize(
    "text", ["", "[]", "a: &x 1\n", "lineage: 1\nlineage: 1\n", "apiVersion: 2\n"]
)
def test_invalid_settings_are_findings(text):
    with pytest.raises(InvalidSpec):
        settings(text)


def test_without_settings_the_cure_is_init():
    with pytest.raises(Refused) as caught:
        load_registry(MemoryTree({}))
    assert caught.value.cure.startswith("runner init")


def test_a_spec_that_was_loaded_is_written_and_read_back_the_same():
    for one in load(a=GRPO, b=SFT, c=SCRIPT).experiments:
        dumped = one.experiment.model_dump(mode="json", by_alias=True)
        assert Experiment.model_validate(dumped) == one.experiment


def test_every_dotted_key_leads_to_its_field():
    for key in dotted_keys(Experiment):
        path = path_of(Experiment, key)
        if "." not in key or "candidates" not in key:
            assert path == tuple(key.split("."))
    for wrong in ("", ".", "training.", ".training", "training..steps", "training.steps.x", "x"):
        assert path_of(Experiment, wrong) is None


def test_keys_are_known_by_their_places():
    assert places(Experiment)["learning_rate"] == ("algorithm.critic", "training")
    assert places(Experiment)["in"] == ("algorithm.kl",)
    algorithms = [one.__name__ for one in models_at(Experiment, ("algorithm",))]
    assert algorithms[:3] == ["Sft", "Ppo", "Grpo"]
    assert nearest("gruop_size", ["name", "group_size"]) == "group_size"
    assert nearest("x" * 10**6, ["name"]) is None


def test_names():
    for name in ("a", "smoke/grpo-qwen2.5", "a/b/c_d"):
        assert NAME.fullmatch(name)
    for name in ("", "A", "a//b", "/a", "a/", "../a", "a/../b", "-a", "a b", "a\n", "ä"):
        assert not NAME.fullmatch(name)


def test_the_name_of_the_plans_own_status_is_refused_with_the_cure():
    files = {f"experiments/{name}.yaml": GRPO.encode() for name in ("plan", "plan/a", "plans")}
    loaded = load_experiments(MemoryTree(files))
    assert [one.name for one in loaded.experiments] == ["plan/a", "plans"]
    (finding,) = loaded.findings
    assert (finding.path, finding.rule) == ("experiments/plan.yaml", "spec.name")
    assert finding.cure == "git mv experiments/plan.yaml experiments/<another name>.yaml"
    with pytest.raises(InvalidSpec):
        load_experiments(MemoryTree(files), ["plan"])


def test_importing_the_readers_loads_nothing_heavy():
    heavy = "git fsspec rich dvc pandas numpy torch ray sky wandb pyarrow matplotlib asyncio"
    code = (
        "import sys, runner.rules, runner.spec.schema, runner.spec.check\n"
        f"print([name for name in {heavy.split()} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_typical_spec_is_validated_in_about_a_millisecond():
    files = tree(x="extends: bases/b\nseeds: [1, 2, 3]\n", bases__b=GRPO)
    load_experiments(files)
    times = []
    for _ in range(20):
        start = time.perf_counter()
        load_experiments(files, ["x"])
        times.append(time.perf_counter() - start)
    assert min(times) < 0.02  # Near 0.001; room for a busy machine.
