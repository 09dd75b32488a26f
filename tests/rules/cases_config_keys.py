# ruff: noqa: E501 - a table reads better in long lines
"""Cases of the rules on raw keys of trainers, and on the keys that compilers write."""

from rule_specs import GOOD, Case, Sound

SKYRL = GOOD.replace("verl==0.9.1", "skyrl==0.3.0").replace(
    "secrets:", "resources: {accelerators: H100:4}\nsecrets:"
)
END = "secrets: [HF_TOKEN]"
ACTOR = "actor_rollout_ref.actor"


def over(text: str) -> str:
    return f"{END}\noverrides: {{{text}}}"


def _case(rule: str, overrides: str, message: str, cure: str, spec: str = GOOD) -> Case:
    key = overrides.partition(":")[0].strip("'")
    line = spec.count("\n", 0, spec.index(END)) + 2
    return Case(rule, END, over(overrides), line, f"overrides.{key}", message, cure, spec)


CASES = [
    _case("overrides.known", f"{ACTOR}.gradclip: 1.0", "verl 0.9.1 has no key", f"did you mean {ACTOR}.grad_clip?"),
    _case("overrides.known", "model.lora_rank: 8", "has no key `model.lora_rank` in verl.trainer.main_ppo", "actor_rollout_ref.model.lora_rank or critic.model.lora_rank"),
    _case("overrides.known", "critic.model.fsdp_config.model_dtype: bf16", "has no key", "write critic.fsdp.model_dtype"),
    _case("overrides.known", "reward_model.path: x", "has no key `reward_model.path`", "write reward.reward_model.model_path"),
    _case("overrides.known", f"{ACTOR}.megatron.param_offload: true", "but with model_engine: megatron", "add model_engine: megatron"),
    _case("overrides.known", "'+trainer.balance_batch': false", "in the config already, and `+` only adds", "write trainer.balance_batch, without +"),
    _case("overrides.known", f"{ACTOR}.fsdp_config.mixed_precision: null", "unless it is added with `+`", f"write +{ACTOR}.fsdp_config.mixed_precision"),
    _case("overrides.known", f"'+{ACTOR}.bogus': 1", f"has no key `{ACTOR}.bogus`", "schemas/trainers/verl-0.9.1.json"),
    _case("overrides.known", "'~data.sed': null", "has no key `data.sed`", "did you mean data.seed?"),
    Case("overrides.known", END, f"{END}\noverrides:\n  actor_rollout_ref:\n    actor: {{gradclip: 1.0}}", 19,
         f"overrides.{ACTOR}.gradclip", "has no key", "grad_clip"),
    _case("overrides.known", "'+trainer.flash_attn': true", "takes no key with `+`", "write trainer.flash_attn", SKYRL),
    _case("overrides.known", "generator.num_inference_engines: 4", "skyrl 0.3.0 has no key", "write generator.inference_engine.num_engines", SKYRL),
    _case("overrides.read", "sandbox_fusion.url: http://127.0.0.1", "nothing in verl.trainer.main_ppo of verl 0.9.1 reads `sandbox_fusion.url`", "write reward.sandbox_fusion.url"),
    _case("overrides.read", "reward_model.reward_manager: dapo", "reads `reward_model.reward_manager`", "write reward.reward_manager.name"),
    _case("overrides.read", "'+trainer.keep_everything': true", "reads `trainer.keep_everything`", "delete it"),
    _case("overrides.read", "algorithm.filter_groups.max_num_gen_batches: 10", "the V1 trainer warns and ignores it", "delete it"),
    _case("overrides.values", "trainer.critic_warmup: often", "takes a number, not `often`", "its default `0`"),
    _case("overrides.values", f"{ACTOR}.use_torch_compile: 'no'", "takes true or false, not `no`", "its default `true`"),
    _case("overrides.values", f"{ACTOR}.ppo_epochs: 1.5", "takes a whole number, not `1.5`", "its default `1`"),
    _case("overrides.values", f"{ACTOR}.policy_loss.loss_mode: gsop", "cannot be `gsop`; it is one of: vanilla", "did you mean gspo?"),
    _case("overrides.values", "actor_rollout_ref.rollout.mode: sync", "cannot be `sync`; it is one of: async", "async"),
    _case("overrides.values", "model_engine: megatrom", "it is one of: dp, megatron", "did you mean megatron?"),
    _case("overrides.values", f"{ACTOR}: 3", "is a section of keys", f"set the keys below {ACTOR}"),
    _case("overrides.values", "trainer.update_epochs_per_batch: abc", "takes a whole number, not `abc`", "its default `1`", SKYRL),
    _case("overrides.values", "trainer.algorithm.kl_estimator_type: k9", "cannot be `k9`; it is one of: k1, k2, k3, abs", "take one of these", SKYRL),
    _case("overrides.replaced", "actor_rollout_ref.rollout.max_model_len: 9000", "for data.max_prompt_tokens and data.max_response_tokens", "say it with data.max_prompt_tokens"),
    _case("overrides.replaced", f"{ACTOR}.use_kl_loss: true", "for algorithm.kl", "say it with algorithm.kl"),
    Case("trainer.keys", "0.9.1", "0.8.0", 2, "trainer", "verl 0.8.0 has no key `actor_rollout_ref.rollout.seed` in verl.trainer.main_ppo; 0.9.1 has it, "
         "and the runner writes it for seeds", "pin verl==0.9.1"),
]  # fmt: skip

SOUND = [
    Sound("overrides.known", END, over("trainer.critic_warmup: 1")),
    Sound("overrides.known", END, over(f"'+{ACTOR}.fsdp_config.mixed_precision': {{param_dtype: fp32}}")),
    Sound("overrides.known", END, over("'++trainer.critic_warmup': 1")),
    Sound("overrides.known", END, over("'+ray_kwargs.ray_init.num_gpus': 8")),
    Sound("overrides.known", END, over("'+actor_rollout_ref.model.override_config.resid_pdrop': 0.0")),
    Sound("overrides.known", END, over("'+actor_rollout_ref.rollout.engine_kwargs.vllm.disable_cascade_attn': true")),
    Sound("overrides.known", END, over(f"model_engine: megatron, {ACTOR}.megatron.param_offload: true")),
    Sound("overrides.known", END, over("generator.inference_engine.engine_init_kwargs.swap_space: 4"), SKYRL),
    Sound("overrides.known", END, over("trainer.use_sample_packing: true"), SKYRL),
    Sound("overrides.read", END, over("'+trainer.wandb_proxy': http://127.0.0.1:3128")),
    Sound("overrides.read", END, over("reward.sandbox_fusion.url: http://127.0.0.1")),
    Sound("overrides.values", END, over(f"{ACTOR}.loss_scale_factor: null")),
    Sound("overrides.values", END, over(f"{ACTOR}.clip_ratio_c: 10")),
    Sound("overrides.values", END, over("critic.model.path: '${actor_rollout_ref.model.path}'")),
    Sound("overrides.values", END, over("trainer.resume_mode: null"), SKYRL),
    Sound("overrides.replaced", END, over("actor_rollout_ref.rollout.max_model_len: 2048")),
    Sound("trainer.keys", END, END, SKYRL),
]  # fmt: skip
