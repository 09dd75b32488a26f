"""TRL: places are relative to the package's folder in the wheel."""

from __future__ import annotations

from runner.trainers.keys.notes import Note, Notes

_MOVED = {
    "evaluation_strategy": Note("eval_strategy", ""),
    "torch_dtype": Note("dtype", ""),
    "per_gpu_train_batch_size": Note("per_device_train_batch_size", ""),
    "per_gpu_eval_batch_size": Note("per_device_eval_batch_size", ""),
    "no_cuda": Note("use_cpu", ""),
    "push_to_hub_token": Note("hub_token", ""),
    "use_liger_loss": Note("use_liger_kernel", ""),
    "group_by_length": Note("train_sampling_strategy", "its value is group_by_length"),
    "max_prompt_length": Note(None, "prompts are not shortened: filter them out of the data"),
}
_LENGTH = {"max_seq_length": Note("max_length", "")}
_VLLM = {"vllm_mode": ("colocate", "server")}

NOTES = {
    "1.16.0": {
        "trl.scripts.sft": Notes(
            moved={**_MOVED, **_LENGTH},
            # The parser lists chunked_nll too; the trainer refuses it (trainer/sft_trainer.py).
            choices={"loss_type": ("nll", "dft")},
        ),
        "trl.scripts.dpo": Notes(
            moved={**_MOVED, **_LENGTH},
            choices={
                "f_divergence_type": (
                    "reverse_kl", "forward_kl", "js_divergence", "alpha_divergence",
                ),
            },  # trainer/dpo_trainer.py, _compute_loss
        ),
        "trl.scripts.grpo": Notes(
            moved=_MOVED,
            choices={
                **_VLLM,
                # trainer/grpo_trainer.py, _compute_loss
                "loss_type": (
                    "grpo", "bnpo", "dr_grpo", "dapo", "cispo", "sapo", "luspo", "vespo",
                ),
                "importance_sampling_level": ("token", "sequence"),
                "scale_rewards": ("group", "batch", "none", True, False),
            },
        ),
        "trl.scripts.rloo": Notes(moved=_MOVED, choices=_VLLM),
    }
}  # fmt: skip
