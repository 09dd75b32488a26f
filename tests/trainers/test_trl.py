"""TRL's command lines, refusals, metrics and checkpoints."""

import json
import os
from pathlib import Path

import pytest
from trainer_runs import GRPO, LAYOUT, SFT, run_of

from runner.errors import Refused
from runner.metrics import find
from runner.trainers import TRAINERS
from runner.trainers.base import planned_steps
from runner.trainers.trl_metrics import STAGES, VALIDATION

TRL = TRAINERS["trl"]
HERE = Path(__file__).parent
NAME = {"trainer": "trl==1.16.0"}
GPU = {"resources": {"accelerators": "H100:8"}}
RLOO = {
    "name": "rloo",
    "group_size": 4,
    "loss_aggregation": "sequence_mean_token_sum",
    "kl": {"in": "reward", "coefficient": 0.05, "estimator": "k1"},
}
ONE_UPDATE = {**GRPO["training"], "prompts_per_update": None}
FP32 = {**GRPO["training"], "precision": "fp32"}


def sft(**changes):
    return run_of(SFT, **{**NAME, **changes})


def grpo(algorithm=None, training=None, **changes):
    """A run of GRPO with other values in its algorithm and its training."""
    return run_of(
        GRPO,
        algorithm={**GRPO["algorithm"], **(algorithm or {})},
        training={**GRPO["training"], **(training or {})},
        **{**NAME, **changes},
    )


def other(algorithm, **changes):
    """A run of another algorithm on GRPO's data."""
    return run_of(GRPO, algorithm=algorithm, **{**NAME, **changes})


def dpo(**changes):
    return sft(**{"algorithm": {"name": "dpo"}, **changes})


COMMANDS = {
    "trl-sft-cpu": sft(),
    "trl-sft-gpu": sft(**GPU),
    "trl-dpo-cpu": dpo(training={**SFT["training"], "evaluate_every": 2}),
    "trl-grpo-cpu-fp32": grpo(training=FP32),
    "trl-grpo-gpu": grpo(
        overrides={"max_grad_norm": 0.5, "model_init_kwargs": {"use_cache": False}}, **GPU
    ),
    "trl-grpo-lora": grpo(training={"lora": {"rank": 8, "alpha": 16}}, **GPU),
    "trl-rloo-cpu": other(RLOO, training={**ONE_UPDATE, "precision": "fp32"}),
}  # fmt: skip


def command_lines(name: str) -> str:
    run = COMMANDS[name]
    command = TRL.compile(run, LAYOUT, planned_steps(run, rows=100))
    environment = [f"{key}={value}" for key, value in sorted(command.environment.items())]
    return "\n".join([*environment, *command.argv]) + "\n"


@pytest.mark.parametrize("name", COMMANDS)
def test_the_command_line_is_the_one_that_was_reviewed(name):
    golden = HERE / "golden" / f"{name}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(command_lines(name))
    assert command_lines(name) == golden.read_text(), (
        f"TRL is started otherwise than golden/{name}.txt says. If that is meant: "
        "UPDATE_GOLDEN=1 python -m pytest tests/trainers, and read the difference"
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_what_is_compiled_is_not_refused(name):
    assert TRL.refusals(COMMANDS[name].spec) == ()


def settings_of(run, steps=10):
    return {key: one.value for key, one in TRL.compile(run, LAYOUT, steps).settings.items()}


def task_of(run):
    return json.loads(TRL.compile(run, LAYOUT, 10).environment["ROLLBOOK_TRL"])


# The batch: TRL counts updates and samples per device, the spec steps and prompts.


def test_a_step_of_two_updates_in_units_of_trl():
    run = grpo(training={"samples_per_device": 2, "save_every": 5, "warmup_steps": 3}, **GPU)
    keys = settings_of(run)
    # 16 prompts a step, 8 an update, groups of 4, 8 devices: 4 samples of an update on each.
    assert keys["per_device_train_batch_size"] == 2
    assert keys["gradient_accumulation_steps"] == 2
    assert keys["steps_per_generation"] == 4
    assert keys["per_device_train_batch_size"] * 8 * keys["steps_per_generation"] == 16 * 4
    counted = ("max_steps", "save_steps", "eval_steps", "warmup_steps", "logging_steps")
    assert [keys[key] for key in counted] == [20, 10, 10, 6, 2]
    assert task_of(run)["updates"] == 2


def test_a_pass_is_the_whole_share_on_the_cpu_and_at_most_eight_samples_on_a_gpu():
    assert settings_of(grpo())["per_device_train_batch_size"] == 32
    one_gpu = {"resources": {"accelerators": "L4:1"}}
    keys = settings_of(grpo(**one_gpu))
    assert keys["per_device_train_batch_size"] == 8
    assert keys["gradient_accumulation_steps"] == 4
    training = {**SFT["training"], "prompts_per_step": 21}
    assert settings_of(sft(training=training, **one_gpu))["per_device_train_batch_size"] == 7


def test_a_batch_of_validation_holds_whole_groups():
    rollout = {"validation": {"samples": 3, "temperature": 0.6, "top_p": 0.9}}
    run = grpo(rollout=rollout)
    keys = settings_of(run)
    assert keys["num_generations_eval"] == 3
    assert keys["per_device_eval_batch_size"] % 3 == 0
    assert task_of(run)["validation"] == {"temperature": 0.6, "top_p": 0.9}
    assert task_of(grpo())["validation"]["temperature"] == 0.0  # one greedy answer


# The algorithm's terms


@pytest.mark.parametrize(
    ("algorithm", "expected"),
    [
        ({"name": "grpo"}, {"loss_type": "dapo", "scale_rewards": "group", "beta": 0.0}),
        ({"name": "grpo", "loss_aggregation": "sequence_mean_token_mean"}, {"loss_type": "grpo"}),
        ({"name": "grpo", "loss_aggregation": "sequence_mean_token_sum"}, {"loss_type": "luspo"}),
        ({"name": "dr_grpo"}, {"loss_type": "dr_grpo", "scale_rewards": "none"}),
        ({"name": "gspo"}, {"importance_sampling_level": "sequence", "loss_type": "grpo",
                            "epsilon": 3e-4, "epsilon_high": 4e-4}),
        ({"name": "cispo", "clip_ratio": {"low": 1.0, "high": 0.5}},
         {"loss_type": "cispo", "epsilon_high": 1.5}),
        ({"name": "sapo", "soft_gate": {"positive": 1.0, "negative": 1.1}},
         {"loss_type": "sapo", "sapo_temperature_pos": 1.0, "sapo_temperature_neg": 1.1}),
        ({"name": "grpo", "clip_ratio": {"low": 0.1, "high": 0.3}, "entropy_coefficient": 0.01},
         {"epsilon": 0.1, "epsilon_high": 0.3, "entropy_coef": 0.01}),
        ({"name": "grpo", "kl": {"coefficient": 0.04}},
         {"beta": 0.04, "use_bias_correction_kl": False}),
        (RLOO, {"beta": 0.05, "num_generations": 4, "epsilon": 0.2}),
    ],
)  # fmt: skip
def test_terms_in_keys_of_trl(algorithm, expected):
    run = other(algorithm, training=ONE_UPDATE)
    assert TRL.refusals(run.spec) == ()
    keys = settings_of(run)
    assert {key: keys[key] for key in expected} == expected


@pytest.mark.parametrize("loss", ["sigmoid", "hinge", "ipo"])
def test_losses_of_pairs(loss):
    run = dpo(algorithm={"name": "dpo", "loss": loss, "beta": 0.2})
    assert settings_of(run)["loss_type"] == [loss]
    assert settings_of(run)["beta"] == 0.2
    argv = TRL.compile(run, LAYOUT, 10).argv
    assert argv[argv.index("--loss_type") + 1] == loss


@pytest.mark.parametrize(
    ("run", "path", "word"),
    [
        (other({"name": "ppo"}), "algorithm", "gae"),
        (other({"name": "remax"}), "algorithm", "remax"),
        (other({"name": "gmpo"}), "algorithm", "geometric_mean"),
        (other({"name": "dapo"}), "algorithm.dynamic_sampling", "groups without signal"),
        (other({"name": "cispo", "loss_aggregation": "sequence_mean_token_mean"}),
         "algorithm", "token_mean"),
        (other({"name": "cispo", "clip_ratio": {"low": 0.2}}), "algorithm.clip_ratio.low", "above"),
        (other({"name": "rloo", "kl": None}, training=ONE_UPDATE), "algorithm", "token_mean"),
        (other(RLOO), "training.prompts_per_update", "2 updates"),
        (grpo({"kl": {"in": "reward", "coefficient": 0.1, "estimator": "k3"}}),
         "algorithm.kl.in", "loss only"),
        (grpo({"kl": {"coefficient": 0.1, "estimator": "k1"}}), "algorithm.kl.estimator", "k3"),
        (grpo(training={"tokens_per_device": 4096}), "training.tokens_per_device", "tokens"),
        (grpo(training={"sequence_parallel": 2}, **GPU), "training.sequence_parallel", "share"),
        (grpo(training={"offload": {"optimizer": True}}, **GPU), "training.offload", "offloaded"),
        (grpo(rollout={"temperature": 0.0}), "rollout.temperature", "divides"),
        (grpo(rollout={"multi_turn": {"tools": "reward/tools.py", "max_turns": 2}}),
         "rollout.multi_turn", "turns"),
        (grpo(reward=None), "reward", "rewards"),
        (grpo(resources={"accelerators": "H100:8", "nodes": 2}), "resources.nodes", "one node"),
        (dpo(training={**SFT["training"], "prompts_per_update": 4}),
         "training.prompts_per_update", "one update"),
        (sft(data={"train": "data/a.jsonl"}, training={**SFT["training"], "evaluate_every": 2}),
         "training.evaluate_every", "validation set"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_what_trl_cannot_express_is_refused_in_words(run, path, word):
    (found,) = TRL.refusals(run.spec)
    assert ".".join(found.path) == path
    assert word in found.message
    assert found.cure


@pytest.mark.parametrize(
    "key",
    ["output_dir", "seed", "data_seed", "model_name_or_path", "max_steps", "report_to",
     "num_generations", "gradient_accumulation_steps", "dataset_name", "push_to_hub"],
)  # fmt: skip
def test_overrides_cannot_replace_what_identity_knows_of(key):
    said = TRL.refusals(grpo(overrides={key: 1}).spec)
    assert [refusal.path for refusal in said] == [("overrides", key)]


def test_overrides_come_last_and_say_so():
    command = TRL.compile(grpo(overrides={"top_p": 0.9}), LAYOUT, 10)
    assert command.settings["top_p"] == (0.9, "overrides")
    assert [one for one in command.argv if one.startswith("--top_p")] == ["--top_p=0.9"]


@pytest.mark.parametrize("key", ["--config", "a b", "+bf16", ""])
def test_an_override_cannot_become_another_argument(key):
    with pytest.raises(Refused):
        TRL.compile(grpo(overrides={key: "x"}), LAYOUT, 10)


def test_values_are_spelled_as_the_parser_of_trl_reads_them():
    values = {
        "bf16": True, "min_p": None, "disable_dropout": False, "reward_weights": [1.0, 0.5],
        "model_init_kwargs": {"use_cache": False}, "fsdp": True,
    }  # fmt: skip
    argv = TRL.compile(grpo(overrides=values), LAYOUT, 10).argv
    at = argv.index("--reward_weights")
    assert argv[at + 1 : at + 3] == ("1.0", "0.5")
    assert {"--bf16=true", "--min_p=none", "--disable_dropout=false", "--fsdp"} <= set(argv)
    assert '--model_init_kwargs={"use_cache": false}' in argv


def test_the_seed_reaches_trl():
    assert settings_of(run_of(SFT, seed=41, **NAME))["seed"] == 41


def test_several_devices_get_a_process_each():
    argv = TRL.compile(grpo(**GPU), LAYOUT, 10).argv
    assert argv[1:5] == ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node=8")
    assert TRL.compile(grpo(), LAYOUT, 10).argv[1].endswith("/rollbook_trl.py")
    assert not TRL.needs_ray(grpo())


def test_weights_and_biases_only_when_asked():
    assert settings_of(grpo())["report_to"] == "wandb"
    assert TRL.compile(grpo(), LAYOUT, 10).environment["WANDB_ENTITY"] == "team"
    without = grpo(tracking={})
    assert settings_of(without)["report_to"] == "none"
    assert "WANDB_PROJECT" not in TRL.compile(without, LAYOUT, 10).environment


# Metrics


def canonical(run, **values):
    line = TRL.parse(json.dumps({"step": 3, "data": values}))
    assert line is not None
    return TRL.canonical(line.values, run)


def test_a_step_of_reinforcement_learning_in_canonical_names():
    found = canonical(
        grpo(), loss=0.1, reward=0.2, kl=0.01, entropy=0.9, grad_norm=0.5, learning_rate=1e-6,
        **{"rewards/compute_score/mean": 0.3, "completions/mean_length": 20.0,
           "completions/clipped_ratio": 0.1, "clip_ratio/region_mean": 0.02, "num_tokens": 9},
    )  # fmt: skip
    assert found == {
        "policy/loss": 0.1, "kl/reference": 0.01, "policy/entropy": 0.9, "gradient/norm": 0.5,
        "learning_rate": 1e-6, "reward/mean": 0.3, "response/length": 20.0,
        "response/clip_ratio": 0.1, "policy/clip_fraction": 0.02,
    }  # fmt: skip


def test_pairs_in_canonical_names():
    found = canonical(
        dpo(), loss=0.6, **{"rewards/accuracies": 0.8, "rewards/margins": 0.3,
                            "eval_sums_rewards/accuracies": 0.7},
    )  # fmt: skip
    assert found == {
        "preference/loss": 0.6, "preference/accuracy": 0.8, "preference/margin": 0.3,
        "val/sums/preference_accuracy": 0.7,
    }  # fmt: skip


def test_validation_sets_keep_their_names_apart():
    data = {**GRPO["data"], "val": {"sums": "data/b.jsonl", "sums_long": "data/c.jsonl"}}
    found = canonical(
        grpo(data=data), eval_sums_score=0.1, eval_sums_accuracy=0.2, eval_sums_long_score=0.3
    )
    assert found == {"val/sums/reward": 0.1, "val/sums/accuracy": 0.2, "val/sums_long/reward": 0.3}


def test_the_loss_of_the_only_validation_set_is_the_validation_loss():
    assert canonical(sft(), eval_sums_loss=2.0) == {"val/sums/loss": 2.0, "val/loss": 2.0}
    data = {**SFT["data"], "val": {"sums": "data/b.jsonl", "more": "data/c.jsonl"}}
    assert canonical(sft(data=data), eval_sums_loss=2.0) == {"val/sums/loss": 2.0}


def test_every_name_that_comes_out_is_canonical():
    names = [name for stage in STAGES.values() for name in stage.values()]
    names += [f"val/sums/{what}" for stage in VALIDATION.values() for what in stage.values()]
    assert [name for name in names if find(name) is None] == []


@pytest.mark.parametrize(
    "line",
    ["", "{", "[]", "null", "{}", '{"step": 1}', '{"step": "x", "data": {}}',
     '{"step": true, "data": {}}', '{"step": 1.5, "data": {}}', '{"step": 1, "data": 3}',
     "[" * 100_000],
)  # fmt: skip
def test_a_line_without_metrics_has_none(line):
    assert TRL.parse(line) is None


def test_only_finite_numbers_are_metrics():
    assert TRL.parse('{"step": 1, "data": {"a": 1, "b": NaN, "c": true}}') == (1, {"a": 1.0})


# Checkpoints


def make_checkpoint(folder: Path, updates: int, mark: str | None, *files: str) -> None:
    for file in files:
        path = folder / f"checkpoint-{updates}" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    if mark is not None:
        (folder / f"checkpoint-{updates}" / "rollbook.json").write_text(mark)


def test_a_checkpoint_counts_when_it_is_marked_and_by_the_step_of_the_mark(tmp_path):
    weights = "huggingface/model.safetensors"
    make_checkpoint(tmp_path, 20, '{"step": 10}', "optimizer.pt", weights)
    make_checkpoint(tmp_path, 8, '{"step": 4}', "optimizer.pt", "adapter_model.safetensors")
    make_checkpoint(tmp_path, 30, None, "optimizer.pt", "model.safetensors")
    make_checkpoint(tmp_path, 40, "{", "optimizer.pt", "model.safetensors")
    TRL.resume(tmp_path, 10)
    found = list(TRL.checkpoints(tmp_path))
    assert [one.step for one in found] == [4, 10]
    assert found[0].export is None
    assert found[1].export == tmp_path / "checkpoint-20/huggingface"
