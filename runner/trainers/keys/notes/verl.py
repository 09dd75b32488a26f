"""verl: places are relative to the package's folder in the wheel."""

from __future__ import annotations

from runner.trainers.keys.notes import Note, Notes

PPO, SFT = "verl.trainer.main_ppo", "verl.trainer.sft_trainer"
ACTOR, ROLLOUT = "actor_rollout_ref.actor", "actor_rollout_ref.rollout"

_LEGACY = (
    "it is moved to `reward` for the fully asynchronous recipe alone "
    "(migrate_legacy_reward_impl, experimental/reward_loop/reward_loop.py)"
)
_LEGACY_KEYS = {
    "custom_reward_function": "reward.custom_reward_function",
    "custom_reward_function.overlong_buffer": "reward.reward_kwargs.overlong_buffer_cfg",
    "reward_model": None,
    "reward_model.num_workers": "reward.num_workers",
    "reward_model.reward_manager": "reward.reward_manager.name",
    "reward_model.reward_loop_source": "reward.reward_manager.source",
    "reward_model.reward_loop_module_path": "reward.reward_manager.module.path",
    "reward_model.reward_loop_class_name": "reward.reward_manager.module.name",
    "reward_model.reward_kwargs": "reward.reward_kwargs",
    "reward_model.overlong_buffer": "reward.reward_kwargs.overlong_buffer_cfg",
    "reward_model.enable": "reward.reward_model.enable",
    "reward_model.enable_resource_pool": "reward.reward_model.enable_resource_pool",
    "reward_model.n_gpus_per_node": "reward.reward_model.n_gpus_per_node",
    "reward_model.nnodes": "reward.reward_model.nnodes",
    "reward_model.path": "reward.reward_model.model_path",
    "reward_model.model.path": "reward.reward_model.model_path",
    "reward_model.rollout": "reward.reward_model.rollout",
    "sandbox_fusion": "reward.sandbox_fusion",
}

NOWHERE = "no module of the package looks it up"
_UNREAD_PPO = {
    "data.return_raw_input_ids": Note(None, NOWHERE),
    "actor_rollout_ref.nccl_timeout": Note(None, NOWHERE),
    f"{ACTOR}.freeze_vision_tower": Note(None, NOWHERE),
    f"{ROLLOUT}.over_sample_rate": Note(None, NOWHERE),
    f"{ROLLOUT}.multi_stage_wake_up": Note(None, NOWHERE),
    f"{ROLLOUT}.multi_turn.num_repeat_rollouts": Note(None, NOWHERE),
    "critic.forward_max_token_len_per_gpu": Note("critic.ppo_max_token_len_per_gpu", NOWHERE),
}
_UNREAD_SFT = {"data.balance_dp_token": Note(None, NOWHERE)}

_OLD_REWARD = "top-level reward keys are gone"
_MOVED_PPO = {
    "critic.model.fsdp_config": Note("critic.fsdp", "the critic's engine has a section of its own"),
    f"{ACTOR}.use_token_level_loss": Note(f"{ACTOR}.loss_agg_mode", "true is its token-mean"),
    f"{ROLLOUT}.chat_scheduler": Note(None, "replaced by agent loops (rollout.agent)"),
    f"{ROLLOUT}.multi_turn.max_turns": Note(f"{ROLLOUT}.multi_turn.max_assistant_turns", ""),
    f"{ROLLOUT}.multi_turn.completion_callback": Note(None, "replaced by agent loops"),
    f"{ROLLOUT}.agent.custom_async_server": Note(None, ""),
    "algorithm.rollout_is": Note("algorithm.rollout_correction.rollout_is", ""),
    "algorithm.rollout_is_threshold": Note("algorithm.rollout_correction.rollout_is_threshold", ""),
    "algorithm.rollout_correction.rollout_rs_threshold_lower": Note(
        "algorithm.rollout_correction.rollout_rs_threshold",
        "both bounds are one text, lower_upper (trainer/config/algorithm.py)",
    ),
    "algorithm.rollout_correction.rollout_token_veto_threshold": Note(
        None, "rejection is by rollout_rs and rollout_rs_threshold (trainer/config/algorithm.py)"
    ),
    "trainer.use_legacy_worker_impl": Note(None, "there is one implementation of workers"),
    "reward_model.strategy": Note(None, "a reward model is served by the rollout engine"),
    "reward_model.micro_batch_size_per_gpu": Note(
        None, "a reward model is served by the rollout engine"
    ),
}
_MOVED_SFT = {
    "model.partial_pretrain": Note("model.path", ""),
    "model.fsdp_config": Note("engine", ""),
    "model.strategy": Note("engine.strategy", ""),
    "data.prompt_key": Note("data.messages_key", "rows hold chat messages"),
    "data.response_key": Note("data.messages_key", "rows hold chat messages"),
    "data.prompt_dict_keys": Note("data.messages_key", "rows hold chat messages"),
    "data.response_dict_keys": Note("data.messages_key", "rows hold chat messages"),
    "data.multiturn.messages_key": Note("data.messages_key", "every row is a conversation"),
    "data.multiturn.tools_key": Note("data.tools_key", "every row is a conversation"),
    "data.multiturn.enable": Note(None, "every row is a conversation"),
    "data.micro_batch_size": Note("data.micro_batch_size_per_gpu", ""),
    "optim.warmup_steps_ratio": Note("optim.lr_warmup_steps_ratio", ""),
    "optim.lr_scheduler": Note("optim.lr_scheduler_type", ""),
    "use_remove_padding": Note("model.use_remove_padding", ""),
    "ulysses_sequence_parallel_size": Note("engine.ulysses_sequence_parallel_size", ""),
}

_OPEN = (
    "ray_kwargs.ray_init",  # keywords of ray.init (trainer/main_ppo.py)
    "reward.reward_kwargs",  # looked up with .get (experimental/reward_loop/reward_manager)
    "reward.custom_reward_function.reward_kwargs",  # keywords of the function (ppo/reward.py)
    "transfer_queue",  # handed to the package TransferQueue
    "global_profiler.global_tool_config",  # handed to the profilers
    "actor_rollout_ref.model.lora",  # handed to the adapter's config
    "critic.model.lora",
    "distillation.teacher_models",  # teachers under names of one's own
)

_KL = ("kl", "k1", "abs", "mse", "k2", "low_var_kl", "k3", "full")
_KL_ESTIMATORS = (*_KL, *(f"{name}+" for name in _KL))  # kl_penalty, trainer/ppo/core_algos.py
_ENGINES = ("vllm", "sglang", "trtllm")  # _ROLLOUT_REGISTRY, workers/rollout/base.py
_RESUME = ("auto", "disable", "resume_path")
_CHOICES_PPO = {
    "algorithm.kl_penalty": _KL_ESTIMATORS,
    f"{ACTOR}.kl_loss_type": _KL_ESTIMATORS,
    "algorithm.kl_ctrl.type": ("fixed", "adaptive"),  # get_kl_controller, ppo/core_algos.py
    f"{ROLLOUT}.name": _ENGINES,
    f"{ROLLOUT}.mode": ("async",),  # workers/config/rollout.py: sync is removed
    "trainer.resume_mode": _RESUME,  # _load_checkpoint, trainer/ppo/ray_trainer.py
    "data.truncation": ("error", "left", "right", "middle"),  # utils/torch_functional.py
    "reward.reward_manager.source": ("register", "importlib"),  # workers/config/reward.py
}
_CHOICES_SFT = {
    "trainer.resume_mode": _RESUME,
    "data.truncation": ("error", "left", "right"),  # utils/dataset/multiturn_sft_dataset.py
}
_MODES = ("sync", "colocate_async", "separate_async")  # get_trainer_cls, trainer/ppo/v1

NOTES = {
    "0.9.1": {
        PPO: Notes(
            moved={
                **_MOVED_PPO,
                f"{ROLLOUT}.skip": Note("skip.rollout", ""),
                f"{ACTOR}.router_replay": Note(f"{ACTOR}.fsdp_config.router_replay", ""),
                "actor_rollout_ref.ref.router_replay": Note(
                    "actor_rollout_ref.ref.fsdp_config.router_replay", ""
                ),
            },
            unread={
                **{key: Note(to, _LEGACY) for key, to in _LEGACY_KEYS.items()},
                **_UNREAD_PPO,
                "algorithm.filter_groups.max_num_gen_batches": Note(
                    None, "the V1 trainer warns and ignores it (trainer/ppo/v1/trainer_base.py)"
                ),
            },
            open=_OPEN,
            choices={**_CHOICES_PPO, "trainer.v1.trainer_mode": _MODES},
        ),
        SFT: Notes(moved=_MOVED_SFT, unread=_UNREAD_SFT, open=_OPEN, choices=_CHOICES_SFT),
    },
    "0.8.0": {
        PPO: Notes(
            moved={
                **_MOVED_PPO,
                "reward_model.path": Note("reward.reward_model.model_path", _OLD_REWARD),
                "reward_model.overlong_buffer": Note(
                    "reward.reward_kwargs.overlong_buffer_cfg", _OLD_REWARD
                ),
            },
            unread=_UNREAD_PPO,
            # migrated to `reward` at the start (trainer/main_ppo.py, run_ppo)
            open=(*_OPEN, "reward_model.reward_kwargs", "custom_reward_function.reward_kwargs"),
            choices=_CHOICES_PPO,
        ),
        SFT: Notes(moved=_MOVED_SFT, unread=_UNREAD_SFT, open=_OPEN, choices=_CHOICES_SFT),
    },
}
