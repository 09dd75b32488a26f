"""SkyRL's command lines, metrics and checkpoints; tests/oracles asks SkyRL itself."""

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf
from trainer_runs import GRPO, LAYOUT, SFT, run_of

from runner.errors import Refused
from runner.metrics import find
from runner.trainers import TRAINERS
from runner.trainers.skyrl_arguments import argument
from runner.trainers.skyrl_metrics import NAMES

SKYRL = TRAINERS["skyrl"]
HERE = Path(__file__).parent
TRAINING: dict[str, Any] = {**GRPO["training"], "save_every": 5}
SPEC: dict[str, Any] = {
    **GRPO,
    "trainer": "skyrl==0.3.0",
    "training": TRAINING,
    "resources": {"accelerators": "L40S:4", "nodes": 2},
    "secrets": ["WANDB_API_KEY"],
}
PPO = {"name": "ppo", "group_size": 1, "kl": {"in": "reward", "coefficient": 0.001}}
COMMANDS = {
    "skyrl-grpo": run_of(SPEC),
    "skyrl-ppo": run_of(
        SPEC,
        algorithm=PPO,
        rollout={"tensor_parallel": 2, "validation": {"samples": 4, "temperature": 0.6}},
        training={**TRAINING, "warmup_steps": 3, "samples_per_device": 1},
    ),
    "skyrl-lora": run_of(
        SPEC,
        training={**TRAINING, "lora": {"rank": 32, "alpha": 64}, "tokens_per_device": 8192},
        overrides={"trainer.policy.optimizer_config.max_grad_norm": 0.5},
        resources={"accelerators": "H100:1"},
    ),
}


def command_lines(name: str) -> str:
    command = SKYRL.compile(COMMANDS[name], LAYOUT, 10)
    environment = [f"{key}={value}" for key, value in sorted(command.environment.items())]
    return "\n".join([*environment, *command.argv]) + "\n"


@pytest.mark.parametrize("name", COMMANDS)
def test_the_command_line_is_the_one_that_was_reviewed(name):
    golden = HERE / "golden" / f"{name}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(command_lines(name))
    assert command_lines(name) == golden.read_text(), (
        f"SkyRL is started otherwise than golden/{name}.txt says. If that is meant: "
        "UPDATE_GOLDEN=1 python -m pytest tests/trainers, and read the difference"
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_nothing_of_what_is_compiled_is_refused(name):
    assert SKYRL.refusals(COMMANDS[name].spec) == ()


def value_of(key: str, **changes: Any) -> Any:
    return SKYRL.compile(run_of(SPEC, **changes), LAYOUT, 10).settings[key].value


# Arguments

NAME = st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True)
TRICKY = st.sampled_from(
    ["", " ", "null", "~", "No", "off", "y", ".5", "1e5", "0x10", "1:30", "2001-01-01", "it's",
     "reinforce++", "-", "- a", "a: b", "a #b", "#", "@x", "`", "%", "!", "&a", "*a", "|", ">",
     "{a: 1}", "[x]", "a,b", "a=b", "\\", '"', "a\nb", "\t", "\x7f", "\x85", "\u2028", "\ufeff",
     "é", "😀", "=", "<<", "x y "]
)  # fmt: skip
TEXTS = st.one_of(TRICKY, st.text(st.characters(exclude_categories=["Cs"]), max_size=12))
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**53), 2**53), TEXTS,
    st.floats(allow_nan=False, allow_infinity=False),
)  # fmt: skip
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAME, inner, max_size=3)
)


def same(one: Any, other: Any) -> bool:
    """Whether values and their types are the same, at every depth."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return type(one) is type(other) and one == other


@settings(max_examples=300, deadline=None)
@given(value=VALUES.filter(lambda value: "${" not in str(value)))
def test_omegaconf_reads_back_the_value_with_its_type(value):
    # Below a key of its own, as OmegaConf takes a mapping for more of the config.
    read = OmegaConf.to_container(OmegaConf.from_cli([argument("a.b", value)]), resolve=True)
    assert same(read["a"]["b"], value), argument("a.b", value)


@pytest.mark.parametrize("key", ["", "+a.b", "++a", "~a", "--help", "a=b", "a b", "a[0]", "a..b"])
def test_what_is_no_key_never_reaches_the_program(key):
    with pytest.raises(Refused, match="no key of SkyRL's config"):
        argument(key, 1)


# Meaning


def test_engines_fill_all_gpus_whatever_their_number():
    key = "generator.inference_engine.num_engines"
    for nodes, parallel, engines in ((1, 1, 4), (3, 1, 12), (2, 4, 2)):
        resources = {"accelerators": "L40S:4", "nodes": nodes}
        changes = {"resources": resources, "rollout": {"tensor_parallel": parallel}}
        assert value_of(key, **changes) == engines
        for model in ("policy", "ref"):
            assert value_of(f"trainer.placement.{model}_num_nodes", **changes) == nodes


def test_warmup_is_counted_in_updates():
    key = "trainer.policy.optimizer_config.num_warmup_steps"
    assert value_of(key, training={**TRAINING, "warmup_steps": 3}) == 3 * (16 // 8)


def test_steps_end_the_training_and_epochs_have_slack():
    assert value_of("trainer.max_training_steps") == 10
    assert value_of("trainer.epochs") > 10
    sampling = {"metric": "reward", "max_batches": 7}
    refilled = {"name": "dapo", "dynamic_sampling": sampling}
    assert value_of("trainer.epochs", algorithm=refilled) > 10 * 7


def test_the_clip_of_cispo_has_keys_of_its_own():
    command = SKYRL.compile(run_of(SPEC, algorithm={"name": "cispo"}), LAYOUT, 10)
    assert "trainer.algorithm.cispo.cispo_eps_clip_high" in command.settings
    assert "trainer.algorithm.eps_clip_high" not in command.settings


def test_a_dual_clip_is_a_loss_of_its_own():
    key = "trainer.algorithm.policy_loss_type"
    assert value_of(key) == "regular"
    assert value_of(key, algorithm={"name": "grpo", "dual_clip": 3.0}) == "dual_clip"


def test_layers_for_adapters_are_named_in_a_list():
    key = "trainer.policy.model.lora.target_modules"
    for targets, value in ((["all-linear"], "all-linear"), (["q_proj"], ["q_proj"])):
        lora = {"rank": 8, "alpha": 8, "targets": targets}
        assert value_of(key, training={**TRAINING, "lora": lora}) == value


def test_overrides_come_last_and_say_so():
    key = "generator.batched"
    command = SKYRL.compile(run_of(SPEC, overrides={"generator": {"batched": True}}), LAYOUT, 10)
    assert command.settings[key] == (True, "overrides")
    assert command.argv[-1] == f"{key}=true"


# Refusals


def refused(**changes: Any) -> dict[str, str]:
    spec = run_of(SPEC, **changes).spec
    return {".".join(map(str, one.path)): one.cure for one in SKYRL.refusals(spec)}


@pytest.mark.parametrize(
    ("changes", "path", "cure"),
    [
        ({"algorithm": {"name": "sft"}, "reward": None}, "algorithm", "trl==1.16.0"),
        ({"algorithm": {"name": "dpo"}, "reward": None}, "algorithm", "trl==1.16.0"),
        ({"algorithm": {"name": "remax"}}, "algorithm", "verl==0.9.1"),
        ({"algorithm": {"name": "gmpo"}}, "algorithm", "verl==0.9.1"),
        (
            {"algorithm": {"name": "grpo", "loss_aggregation": "sequence_mean_token_sum"}},
            "algorithm.loss_aggregation", "sequence_mean_token_mean",
        ),
        ({"algorithm": {"name": "dapo"}}, "algorithm.dynamic_sampling.metric", "metric: reward"),
        (
            {"algorithm": {
                "name": "dapo", "dynamic_sampling": None, "overlong_penalty": {"buffer_tokens": 8},
            }},
            "algorithm.overlong_penalty", "overlong_penalty: null",
        ),
        (
            {"algorithm": {**PPO, "critic": {"warmup_steps": 5}}},
            "algorithm.critic.warmup_steps", "write 0",
        ),
        ({"resources": {}}, "resources", "resources.accelerators"),
        ({"reward": None}, "reward", "add `reward:`"),
        ({"training": {**TRAINING, "precision": "fp32"}}, "training.precision", "bf16"),
        ({"data": {**SFT["data"], "shuffle": False}}, "data.shuffle", "shuffle: true"),
        ({"data": {"train": "data/a.jsonl"}}, "training.evaluate_every", "data.val"),
        (
            {"training": {**TRAINING, "evaluate_every": None}},
            "training.evaluate_before_training", "training.evaluate_every",
        ),
        (
            {"rollout": {"multi_turn": {"tools": "tools/add.py", "max_turns": 3}}},
            "rollout.multi_turn", "verl==0.9.1",
        ),
        ({"secrets": []}, "tracking.wandb", "WANDB_API_KEY"),
    ],
)  # fmt: skip
def test_what_skyrl_cannot_do_is_refused_with_a_cure(changes, path, cure):
    found = refused(**changes)
    assert list(found) == [path]
    assert cure in found[path]


@pytest.mark.parametrize(
    "key",
    ["data.train_data", "trainer.policy.model.path", "trainer.seed", "trainer.logger",
     "trainer.ckpt_path", "trainer.resume_path", "trainer.placement.policy_num_nodes",
     "trainer.override_entrypoint", "environment.env_class"],
)  # fmt: skip
def test_overrides_cannot_replace_what_identity_knows_of(key):
    first, _, rest = key.partition(".")
    assert list(refused(overrides={key: "x"})) == [f"overrides.{key}"]
    assert list(refused(overrides={first: {rest: "x"}})) == [f"overrides.{first}"]


# Metrics

STEP = {
    "generate/avg_num_tokens": 24.0, "reward/avg_raw_reward": 0.5, "reward/avg_pass_at_4": 0.75,
    "rollbook/reward_max": 1.0, "rollbook/reward_min": 0.0, "rollbook/response_clip_ratio": 0.25,
    "rollbook/prompt_length": 40.0, "loss/avg_raw_advantages": 0.0, "policy/policy_kl": 0.01,
    "policy/policy_loss": -0.1, "policy/policy_entropy": 0.3, "policy/policy_lr": 1e-06,
    "policy/loss_metrics/clip_ratio": 0.002, "policy/grad_norm": 0.4, "critic/critic_loss": 0.2,
    "timing/step": 60.0, "timing/generate": 30.0, "timing/policy_train": 20.0,
    "eval/sums/avg_score": 0.25, "eval/all/avg_score": 0.3, "eval/other/avg_score": 0.9,
    "eval/all/environment/sums/accuracy_mean": 0.2, "trainer/global_step": 3,
}  # fmt: skip


def test_a_step_in_canonical_names():
    found = SKYRL.canonical(STEP, run_of(SPEC))
    assert found == {
        "response/length": 24.0, "reward/mean": 0.5, "reward/max": 1.0, "reward/min": 0.0,
        "response/clip_ratio": 0.25, "prompt/length": 40.0, "advantage/mean": 0.0,
        "kl/reference": 0.01, "policy/loss": -0.1, "policy/entropy": 0.3, "learning_rate": 1e-06,
        "policy/clip_fraction": 0.002, "gradient/norm": 0.4, "value/loss": 0.2,
        "time/step": 60.0, "time/generation": 30.0, "time/update": 20.0,
        "val/sums/reward": 0.25, "val/sums/accuracy": 0.2,
    }  # fmt: skip


def test_every_name_that_comes_out_is_canonical():
    assert [name for name in NAMES.values() if find(name) is None] == []


@pytest.mark.parametrize(
    "line",
    ["", "{", "[]", "null", '{"step": 1}', '{"step": "x", "data": {}}', '{"step": 1, "data": 3}',
     '{"step": 1.5, "data": {}}', '{"step": -1, "data": {}}', "[" * 100_000],
)  # fmt: skip
def test_a_line_without_metrics_has_none(line):
    assert SKYRL.parse(line) is None


def test_only_finite_numbers_are_metrics():
    line = '{"step": 0, "data": {"a": 1, "b": NaN, "c": Infinity, "d": true}}'
    assert SKYRL.parse(line) == (0, {"a": 1.0})


# Checkpoints


def make_step(folder: Path, step: int, *files: str) -> None:
    for file in files:
        path = folder / f"global_step_{step}" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")


def test_a_checkpoint_counts_when_it_is_complete(tmp_path):
    weights = "policy/model_world_size_1_rank_0.pt"
    make_step(tmp_path, 9, weights, "trainer_state.pt")
    make_step(tmp_path, 20, weights, "trainer_state.pt", "huggingface/model.safetensors")
    make_step(tmp_path, 15, weights)  # being pruned
    make_step(tmp_path, 30, weights, "trainer_state.pt")  # not told of yet
    make_step(tmp_path, 5)
    assert list(SKYRL.checkpoints(tmp_path)) == []
    SKYRL.resume(tmp_path, 20)
    found = list(SKYRL.checkpoints(tmp_path))
    assert [one.step for one in found] == [9, 20]
    assert [one.export for one in found] == [None, tmp_path / "global_step_20/huggingface"]


def test_a_tracker_that_is_being_written_is_no_error(tmp_path):
    make_step(tmp_path, 2, "trainer_state.pt")
    (tmp_path / "latest_ckpt_global_step.txt").write_text("")
    assert list(SKYRL.checkpoints(tmp_path)) == []


def test_ray_is_needed():
    assert SKYRL.needs_ray(run_of(SPEC))
    assert SKYRL.starts_on(run_of(SPEC)) == "first"
