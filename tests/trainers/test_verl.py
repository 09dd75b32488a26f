"""verl's command lines, metrics and checkpoints."""

import json
import os
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from trainer_runs import GRPO, LAYOUT, SFT, run_of

from runner.errors import Refused
from runner.metrics import find
from runner.trainers import TRAINERS
from runner.trainers.base import planned_steps
from runner.trainers.verl_metrics import NAMES

VERL = TRAINERS["verl"]
HERE = Path(__file__).parent
GPU = {"resources": {"accelerators": "H100:8", "nodes": 2}}
FP32 = {"training": {**GRPO["training"], "precision": "fp32"}}
LEAN = {
    **GRPO["training"],
    "tokens_per_device": 8192,
    "gradient_checkpointing": True,
    "sequence_parallel": 2,
    "offload": {"parameters": True, "optimizer": True, "reference": True},
}
ADAPTERS = {"rank": 16, "alpha": 32}
COMMANDS = {
    "sft-cpu": run_of(SFT),
    "sft-gpu": run_of(SFT, resources={"accelerators": "H100:8"}),
    "grpo-cpu-fp32": run_of(GRPO, training={**GRPO["training"], "precision": "fp32"}),
    "grpo-gpu": run_of(GRPO, **GPU),
    "grpo-kl-in-reward": run_of(
        GRPO,
        algorithm={"name": "grpo", "kl": {"in": "reward", "coefficient": 0.01, "estimator": "k1"}},
        overrides={"actor_rollout_ref.actor.grad_clip": 0.5, "trainer": {"balance_batch": False}},
        **GPU,
    ),
    "ppo-cpu-fp32": run_of(GRPO, algorithm={"name": "ppo", "gae_lambda": 0.95}, **FP32),
    "ppo-lean-gpu": run_of(
        GRPO, algorithm={"name": "ppo", "kl": {"coefficient": 0.01}}, training=LEAN, **GPU
    ),
    "dapo-cpu": run_of(
        GRPO, algorithm={"name": "dapo", "overlong_penalty": {"buffer_tokens": 256}}
    ),
    "remax-cpu-fp32": run_of(GRPO, algorithm={"name": "remax"}, **FP32),
    "tools-gpu": run_of(
        GRPO,
        rollout={
            "multi_turn": {"tools": "reward/tools.py", "max_turns": 4},
            "validation": {"samples": 8, "temperature": 0.6, "top_p": 0.95},
        },
        **GPU,
    ),
    "grpo-lora-gpu": run_of(GRPO, training={**GRPO["training"], "lora": ADAPTERS}, **GPU),
    "sft-lean-gpu": run_of(
        SFT,
        training={
            **SFT["training"],
            "tokens_per_device": 8192,
            "sequence_parallel": 2,
            "offload": {"parameters": True},
            "lora": {**ADAPTERS, "targets": ["q_proj", "v_proj"]},
        },
        resources={"accelerators": "H100:8"},
    ),
}


def command_lines(name: str) -> str:
    run = COMMANDS[name]
    command = VERL.compile(run, LAYOUT, planned_steps(run, rows=100))
    environment = [f"{key}={value}" for key, value in sorted(command.environment.items())]
    return "\n".join([*environment, *command.argv]) + "\n"


@pytest.mark.parametrize("name", COMMANDS)
def test_the_command_line_is_the_one_that_was_reviewed(name):
    golden = HERE / "golden" / f"{name}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(command_lines(name))
    assert command_lines(name) == golden.read_text(), (
        f"verl is started otherwise than golden/{name}.txt says. If that is meant: "
        "UPDATE_GOLDEN=1 python -m pytest tests/trainers, and read the difference"
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_hydra_reads_every_argument_as_the_value_that_is_shown(name):
    run = COMMANDS[name]
    command = VERL.compile(run, LAYOUT, 10)
    arguments = command.argv[-len(command.settings) :]
    parsed = OverridesParser.create().parse_overrides(list(arguments))
    read = {one.input_line.partition("=")[0]: one.value() for one in parsed}
    assert read == {key: setting.value for key, setting in command.settings.items()}


def value_of(key: str, **changes: object) -> object:
    return VERL.compile(run_of(GRPO, **changes), LAYOUT, 10).settings[key].value


def test_overrides_come_last_and_say_so():
    key = "actor_rollout_ref.rollout.n"
    command = VERL.compile(run_of(GRPO, overrides={key: 2}), LAYOUT, 10)
    assert command.settings[key] == (2, "overrides")
    assert [one for one in command.argv if one.startswith(f"{key}=")] == [f"{key}=2"]
    nested = {"actor_rollout_ref": {"rollout": {"n": 3}}}
    assert value_of(key, overrides=nested) == 3


def test_an_override_cannot_become_an_option_of_the_program():
    with pytest.raises(Refused):
        VERL.compile(run_of(GRPO, overrides={"--config-dir": "/x"}), LAYOUT, 10)


def test_the_seed_reaches_data_model_and_sampling():
    for spec, keys in (
        (GRPO, ("data.seed", "actor_rollout_ref.actor.data_loader_seed",
                "actor_rollout_ref.actor.fsdp_config.seed", "actor_rollout_ref.rollout.seed")),
        (SFT, ("trainer.seed", "engine.seed")),
    ):  # fmt: skip
        settings = VERL.compile(run_of(spec, seed=41), LAYOUT, 10).settings
        assert [settings[key].value for key in keys] == [41] * len(keys)


def test_training_ends_by_steps_and_epochs_have_slack():
    settings = VERL.compile(run_of(SFT), LAYOUT, planned_steps(run_of(SFT), 100)).settings
    assert settings["trainer.total_training_steps"].value == 3 * (100 // 8)
    assert settings["trainer.total_epochs"].value > 3
    assert planned_steps(run_of(SFT), None) is None
    assert planned_steps(run_of(GRPO), None) == 10


@pytest.mark.parametrize("samples", [None, 2])
def test_micro_batches_are_as_the_spec_says_else_by_tokens_on_a_gpu(samples):
    training = {**GRPO["training"], "samples_per_device": samples}
    settings = VERL.compile(run_of(GRPO, training=training, **GPU), LAYOUT, 10).settings
    key = "actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu"
    dynamic = settings.get("actor_rollout_ref.actor.use_dynamic_bsz")
    assert (settings[key].value if samples else dynamic.value) == (samples or True)
    assert (key in settings) == bool(samples) != bool(dynamic)


def test_what_verl_cannot_express_is_refused_in_words():
    early = {**SFT["training"], "evaluate_before_training": True}
    ordered = {**SFT["data"], "shuffle": False}
    said = VERL.refusals(run_of(SFT, training=early, data=ordered).spec)
    assert [refusal.path[-1] for refusal in said] == ["evaluate_before_training", "shuffle"]
    for run in COMMANDS.values():
        assert VERL.refusals(run.spec) == ()


ACTOR = "actor_rollout_ref.actor"
DISTINCTIVE = {
    "ppo": {"algorithm.adv_estimator": "gae", "algorithm.lam": 1.0, "algorithm.gamma": 1.0,
            "critic.optim.lr": 1e-5, "critic.cliprange_value": 0.5},
    "dr_grpo": {"algorithm.adv_estimator": "grpo", "algorithm.norm_adv_by_std_in_grpo": False,
                f"{ACTOR}.loss_agg_mode": "seq-mean-token-sum-norm",
                f"{ACTOR}.loss_scale_factor": 1024},
    "dapo": {f"{ACTOR}.clip_ratio_low": 0.2, f"{ACTOR}.clip_ratio_high": 0.28,
             f"{ACTOR}.clip_ratio_c": 10.0, f"{ACTOR}.loss_agg_mode": "token-mean",
             "algorithm.filter_groups.enable": True, "algorithm.filter_groups.metric": "acc"},
    "gspo": {f"{ACTOR}.policy_loss.loss_mode": "gspo", f"{ACTOR}.clip_ratio_low": 3e-4,
             f"{ACTOR}.clip_ratio_high": 4e-4, f"{ACTOR}.loss_agg_mode": "seq-mean-token-mean"},
    "rloo": {"algorithm.adv_estimator": "rloo", "algorithm.use_kl_in_reward": True,
             "algorithm.kl_penalty": "kl", "algorithm.kl_ctrl.kl_coef": 0.001,
             f"{ACTOR}.use_kl_loss": False},
    "reinforce_plus_plus": {"algorithm.adv_estimator": "reinforce_plus_plus",
                            "algorithm.gamma": 1.0, "algorithm.use_kl_in_reward": True},
    "reinforce_plus_plus_baseline": {"algorithm.adv_estimator": "reinforce_plus_plus_baseline",
                                     f"{ACTOR}.use_kl_loss": True, f"{ACTOR}.kl_loss_type": "mse"},
    "remax": {"algorithm.adv_estimator": "remax", "trainer.use_v1": False},
    "gmpo": {f"{ACTOR}.policy_loss.loss_mode": "geo_mean", f"{ACTOR}.clip_ratio_low": 0.4},
    "cispo": {f"{ACTOR}.policy_loss.loss_mode": "cispo", f"{ACTOR}.clip_ratio_low": 1.0,
              f"{ACTOR}.clip_ratio_high": 0.2},
    "sapo": {f"{ACTOR}.policy_loss.loss_mode": "sapo", f"{ACTOR}.tau_pos": 1.0,
             f"{ACTOR}.tau_neg": 1.05, f"{ACTOR}.loss_agg_mode": "seq-mean-token-mean"},
    "gpg": {"algorithm.adv_estimator": "gpg", f"{ACTOR}.policy_loss.loss_mode": "gpg",
            f"{ACTOR}.use_kl_loss": False, "algorithm.use_kl_in_reward": False},
}  # fmt: skip


@pytest.mark.parametrize("name", DISTINCTIVE)
def test_an_algorithm_is_what_verls_own_example_of_it_sets(name):
    run = run_of(GRPO, algorithm={"name": name})
    assert VERL.refusals(run.spec) == ()
    settings = VERL.compile(run, LAYOUT, 10).settings
    found = {key: settings[key].value for key in DISTINCTIVE[name]}
    assert found == DISTINCTIVE[name]


def test_a_critic_is_there_for_ppo_alone():
    for name in DISTINCTIVE:
        settings = VERL.compile(run_of(GRPO, algorithm={"name": name}), LAYOUT, 10).settings
        has_critic = any(key.lstrip("+").startswith("critic.") for key in settings)
        assert has_critic == (name == "ppo"), name


def test_our_sampler_stays_away_where_it_would_be_wrong():
    key = "trainer.v1.sampler.custom_sampler.path"
    for name, has_it in (("grpo", True), ("dapo", False), ("remax", False)):
        settings = VERL.compile(run_of(GRPO, algorithm={"name": name}), LAYOUT, 10).settings
        assert (key in settings) == has_it, name
    plain = run_of(GRPO, algorithm={"name": "dapo", "dynamic_sampling": None})
    assert key in VERL.compile(plain, LAYOUT, 10).settings


def test_what_the_supervised_trainer_lacks_is_refused():
    training = {**SFT["training"], "prompts_per_update": 4, "offload": {"reference": True}}
    said = VERL.refusals(run_of(SFT, training=training).spec)
    assert [".".join(refusal.path) for refusal in said] == [
        "training.prompts_per_update", "training.offload.reference",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "changes"),
    [("training.offload.reference", {"algorithm": {"name": "grpo"}, "training": LEAN}),
     ("training.offload.reference", {"training": {**LEAN, "lora": ADAPTERS}}),
     ("rollout.multi_turn.format",
      {"rollout": {"multi_turn": {"tools": "a.py", "max_turns": 2, "format": "hermess"}}})],
)  # fmt: skip
def test_what_would_be_ignored_or_unknown_in_sampling_is_refused(path, changes):
    (said,) = VERL.refusals(run_of(GRPO, **changes).spec)
    assert ".".join(said.path) == path


def test_preference_pairs_are_for_another_trainer():
    (said,) = VERL.refusals(run_of(SFT, algorithm={"name": "dpo"}).spec)
    assert "trl" in said.cure


def test_a_limit_that_verl_would_ignore_is_refused():
    sampling = {"name": "dapo", "dynamic_sampling": {"max_batches": 5}}
    (said,) = VERL.refusals(run_of(GRPO, algorithm=sampling).spec)
    assert said.path == ("algorithm", "dynamic_sampling", "max_batches")
    assert "5" in said.message
    assert "skyrl" in said.cure


def test_tools_find_their_neighbours():
    environment = VERL.compile(COMMANDS["tools-gpu"], LAYOUT, 10).environment
    assert environment["PYTHONPATH"].split(":") == [LAYOUT.inside, LAYOUT.code]


def test_ray_is_for_reinforcement_learning():
    assert VERL.needs_ray(run_of(GRPO))
    assert not VERL.needs_ray(run_of(SFT))


def test_on_several_nodes_one_command_line_serves_all():
    two = run_of({**SFT, "resources": {"nodes": 2, "accelerators": "H100:8"}})
    argv = VERL.compile(two, LAYOUT, 10).argv
    assert argv[1:5] == ("-m", "torch.distributed.run", "--nnodes=2", "--nproc_per_node=8")
    assert "trainer.nnodes=2" in argv
    assert VERL.starts_on(two) == "all"
    assert "--standalone" in VERL.compile(run_of(SFT), LAYOUT, 10).argv
    assert VERL.starts_on(run_of(GRPO)) == "first"


# Metrics


def steps(name: str) -> str:
    return (HERE / "data" / name).read_text().strip()


def test_a_step_of_reinforcement_learning_in_canonical_names():
    line = VERL.parse(steps("verl_ppo_step.json"))
    assert line.step == 3
    found = VERL.canonical(line.values, run_of(GRPO))
    assert found["reward/mean"] == 0.03125
    assert found["reward/max"] == 0.125
    assert found["policy/entropy"] == 5.732131481170654
    assert found["kl/reference"] == 0.036048416048288345
    assert found["kl/old_policy"] == 0.0
    assert found["gradient/norm"] == 0.6166930794715881
    assert found["learning_rate"] == 0.001
    assert found["response/length"] == 24.0
    assert found["value/loss"] == 0.026837386190891266
    assert found["rollout/probability_difference"] == 0.0002770036517176777
    assert found["throughput/tokens_per_second"] == 317.71374895853177
    assert found["time/step"] == 4.230222973999844
    assert found["val/tiny_add/accuracy"] == 0.0
    assert found["val/tiny_add/reward"] == 0.0


def test_several_answers_per_validation_prompt_have_a_mean_and_a_best():
    raw = {
        "val-core/sums/acc/mean@8": 0.5,
        "val-aux/sums/acc/best@2/mean": 0.6,
        "val-aux/sums/acc/best@4/mean": 0.7,
        "val-core/sums/acc/best@8/mean": 0.8,
        "val-aux/sums/acc/best@8/std": 0.1,
        "val-aux/sums/acc/worst@8/mean": 0.1,
    }
    found = VERL.canonical(raw, run_of(GRPO))
    assert found == {"val/sums/accuracy": 0.5, "val/sums/pass_at_k": 0.8}


def test_every_name_that_comes_out_is_canonical_and_means_one_thing():
    assert [name for name in NAMES.values() if find(name) is None] == []
    raw = json.loads(steps("verl_ppo_step.json"))["data"]
    for name in VERL.canonical(raw, run_of(GRPO)):
        assert find(name), name
    # The same canonical name comes from two raw ones only where no step has both.
    for names in (raw, SFT_KEYS):
        used = [NAMES[name] for name in names if name in NAMES]
        assert len(used) == len(set(used))


SFT_KEYS = {"train/loss": 2.5, "train/grad_norm": 1.0, "train/lr": 1e-05, "train/mfu": 0.1}


def test_a_step_of_supervised_training_in_canonical_names():
    line = VERL.parse(json.dumps({"step": 4, "data": SFT_KEYS}))
    assert VERL.canonical(line.values, run_of(SFT)) == {
        "train/loss": 2.5, "gradient/norm": 1.0, "learning_rate": 1e-05,
    }  # fmt: skip
    validation = VERL.parse('{"step": 4, "data": {"val/loss": 2.0}}')
    assert VERL.canonical(validation.values, run_of(SFT)) == {"val/loss": 2.0}


@pytest.mark.parametrize(
    "line",
    ["", "{", "[]", "1", "null", "{}", '{"step": 1}', '{"data": {}}', '{"step": "x", "data": {}}',
     '{"step": null, "data": {}}', '{"step": true, "data": {}}', '{"step": 1, "data": 3}',
     '{"step": 1.5, "data": {}}', '{"step": Infinity, "data": {}}', '{"step": -1, "data": {}}',
     "[" * 100_000],
)  # fmt: skip
def test_a_line_without_metrics_has_none(line):
    assert VERL.parse(line) is None


def test_only_finite_numbers_are_metrics():
    huge = "1" + "0" * 400
    data = f'{{"a": 1, "b": NaN, "c": Infinity, "d": true, "e": "1", "f": {huge}}}'
    assert VERL.parse(f'{{"step": 1, "data": {data}}}') == (1, {"a": 1.0})


# Checkpoints


def make_step(folder: Path, step: int, *files: str) -> None:
    for file in files:
        path = folder / f"global_step_{step}" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")


def test_a_checkpoint_counts_when_it_is_complete_and_still_there(tmp_path):
    model = "actor/model_world_size_1_rank_0.pt"
    make_step(tmp_path, 10, "data.pt")  # pruned: a stub without weights
    make_step(tmp_path, 20, model, "actor/huggingface/model.safetensors")
    make_step(tmp_path, 9, model)
    make_step(tmp_path, 30, model)  # newer than the tracker: still being written
    assert list(VERL.checkpoints(tmp_path)) == []
    VERL.resume(tmp_path, 20)
    found = list(VERL.checkpoints(tmp_path))
    assert [one.step for one in found] == [9, 20]
    assert found[0].export is None
    assert found[1].export == tmp_path / "global_step_20/actor/huggingface"


def test_a_supervised_checkpoint_has_no_actor_folder(tmp_path):
    make_step(tmp_path, 2, "model_world_size_1_rank_0.pt", "huggingface/a.safetensors")
    VERL.resume(tmp_path, 2)
    (found,) = VERL.checkpoints(tmp_path)
    assert found.export == tmp_path / "global_step_2/huggingface"


def test_a_tracker_that_is_being_written_is_no_error(tmp_path):
    make_step(tmp_path, 2, "model_world_size_1_rank_0.pt")
    (tmp_path / "latest_checkpointed_iteration.txt").write_text("")
    assert list(VERL.checkpoints(tmp_path)) == []


@pytest.mark.parametrize(
    "key",
    ["data.train_files", "++data.train_files", "actor_rollout_ref.model.path", "model.path",
     "trainer.resume_from_path", "trainer.logger", "engine.seed", "hydra.run.dir",
     "reward.custom_reward_function.path"],
)  # fmt: skip
def test_overrides_cannot_replace_what_identity_knows_of(key):
    said = VERL.refusals(run_of(GRPO, overrides={key: "x"}).spec)
    assert [refusal.path for refusal in said] == [("overrides", key)]
    first, _, rest = key.partition(".")
    nested = VERL.refusals(run_of(GRPO, overrides={first: {rest: "x"}}).spec)
    assert [refusal.path for refusal in nested] == [("overrides", first)]


def test_other_overrides_are_the_users_affair():
    assert VERL.refusals(run_of(GRPO, overrides={"trainer.critic_warmup": 1}).spec) == ()
