"""SkyRL: places are relative to the package's folder in the wheel."""

from __future__ import annotations

from runner.trainers.keys.notes import Note, Notes

_CONFIG = "train/config/config.py"
_ENGINE = "generator.inference_engine"
_ENGINE_KEYS = (
    "backend", "run_engines_locally", "weight_sync_backend", "gpu_memory_utilization",
    "enforce_eager", "vllm_v1_disable_multiproc", "enable_prefix_caching",
    "enable_chunked_prefill", "max_num_batched_tokens", "max_num_seqs", "model_dtype",
    "engine_init_kwargs", "served_model_name",
)  # fmt: skip
_HTTP = f"engines are always reached over HTTP ({_CONFIG}, from_cli_overrides)"
_ROPE = (
    "rope_parameters go into generator.inference_engine.engine_init_kwargs.hf_overrides and "
    "trainer.policy.model_config_kwargs"
)

NOTES = {
    "0.3.0": {
        "skyrl.train.entrypoints.main_base": Notes(
            moved={
                **{f"generator.{key}": Note(f"{_ENGINE}.{key}", "") for key in _ENGINE_KEYS},
                "generator.num_inference_engines": Note(f"{_ENGINE}.num_engines", ""),
                **{
                    f"generator.inference_engine_{kind}_parallel_size": Note(
                        f"{_ENGINE}.{kind}_parallel_size", ""
                    )
                    for kind in ("tensor", "pipeline", "data", "expert")
                },
                **{
                    f"trainer.eval.{key}": Note(f"trainer.eval_{key}", "the section is newer")
                    for key in ("batch_size", "before_train", "interval")
                },
                "generator.async_engine": Note(None, _HTTP),
                f"{_ENGINE}.enable_http_endpoint": Note(None, _HTTP),
                "generator.enable_http_endpoint": Note(None, _HTTP),
                f"{_ENGINE}.override_existing_update_group": Note(None, _HTTP),
                "generator.override_existing_update_group": Note(None, _HTTP),
                f"{_ENGINE}.remote_urls": Note(f"{_ENGINE}.external_server_urls", ""),
                **{
                    f"{section}.{key}": Note(None, _ROPE)
                    for section in ("trainer", "generator", _ENGINE)
                    for key in ("rope_scaling", "rope_theta", "rope_parameters")
                },
            },
            # Former names that are still taken: with a warning, or where they say what is so.
            open=("trainer.use_sample_packing", f"{_ENGINE}.async_engine"),
            # PEFT's own, handed on (backends/skyrl_train/workers/model_wrapper.py)
            also={
                f"trainer.{model}.model.lora.{key}": ("list",)
                for model in ("policy", "ref", "critic")
                for key in ("target_modules", "exclude_modules")
            },
            choices={
                f"{_ENGINE}.async_engine": (True,),
                "trainer.strategy": ("fsdp", "fsdp2", "megatron"),  # train/utils/utils.py
                "trainer.sequence_parallel_backend": ("ulysses",),  # validate_cfg
                "trainer.resume_mode": ("none", "latest", "from_path"),
                "trainer.algorithm.loss_reduction": (
                    "token_mean",
                    "token_mean_legacy",
                    "sequence_mean",
                    "seq_mean_token_sum_norm",
                    "prompt_mean",
                ),  # validate_cfg
                "trainer.algorithm.kl_estimator_type": ("k1", "k2", "k3", "abs"),
                "trainer.algorithm.kl_ctrl.type": ("fixed", "adaptive"),
                "trainer.algorithm.dynamic_sampling.type": ("filter", "replace"),
                "trainer.algorithm.off_policy_correction.tis_ratio_type": ("token", "sequence"),
                "trainer.algorithm.off_policy_correction.sequence_mask_metric": (
                    "product",
                    "geometric",
                ),
            },
        )
    }
}
