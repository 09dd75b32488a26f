# ruff: noqa: E501 - a table reads better in long lines
"""Cases of the rules on models."""

from rule_specs import GOOD, Case, Sound

PINNED = "revision: 060db6499f32"
HUB = f"Qwen/Qwen2.5-0.5B, {PINNED}"
LLAMA = f"meta-llama/Llama-3.2-1B-Instruct, {PINNED}"
GPU = "resources: {accelerators: H100:8}"
SEVEN = (
    GOOD.replace("0.5B", "7B").replace("prompts_per_step: 8", "prompts_per_step: 16") + f"{GPU}\n"
)
LENGTHS = "max_prompt_tokens: 1024, max_response_tokens: 3500}}"

CASES = [
    Case("model.pinned", f", {PINNED}", "", 3, "model.path", "`Qwen/Qwen2.5-0.5B` has no revision", "runner pin x"),
    Case("model.pinned", PINNED, "revision: main", 3, "model.revision", "`main` is a branch or tag", "runner pin x"),
    Case("model.gated", f"{HUB}}}", f"{LLAMA}}}", 3, "model.path", "only to who has accepted its licence", "HF_TOKEN", GOOD.replace("secrets: [HF_TOKEN]\n", "")),
    Case("model.gated", f"{HUB}}}", f"google/gemma-9-9b, {PINNED}}}", 3, "model.path", "`google/gemma-9-9b`", "HF_TOKEN", GOOD.replace("secrets: [HF_TOKEN]\n", "")),
    Case("model.context", "data/b.jsonl}}", f"data/b.jsonl}}, {LENGTHS[:-1]}", 5, "data.max_response_tokens",
         "1024 + 3500 = 4524 tokens, and the context of `Qwen/Qwen2.5-Math-7B` is 4096", "max_response_tokens: 3072", GOOD.replace("2.5-0.5B", "2.5-Math-7B")),
    Case("model.context", "data/b.jsonl}}", "data/b.jsonl}, max_prompt_tokens: 5000}", 5, "data.max_response_tokens", "is 4096", "shorten both", GOOD.replace("2.5-0.5B", "2.5-Math-7B")),
    Case("model.heads", "secrets:", "rollout: {tensor_parallel: 8}\nsecrets:", 16, "rollout.tensor_parallel",
         "the 28 attention heads of `Qwen/Qwen2.5-7B` do not divide over 8", "tensor_parallel: 4 or 7", SEVEN),
    Case("model.heads", "evaluate_every: 1", "evaluate_every: 1\n  sequence_parallel: 8", 13, "training.sequence_parallel", "do not divide over 8", "4 or 7", SEVEN),
    Case("model.source", f"{{path: {HUB}}}", "{source: run, path: gone}", 3, "model.path", "`gone`, which is no valid experiment", "mend experiments/gone.yaml"),
    Case("model.source", f"{{path: {HUB}}}", "{source: run, path: x}", 3, "model.path", "goes in a circle: x -> x", "x@<run id>"),
]  # fmt: skip

SOUND = [
    Sound("model.pinned", f"{{path: {HUB}}}", "{source: run, path: gone}"),
    Sound("model.pinned", PINNED, "revision: 7ae557604adf67be50417f59c2c2f167def9a775"),
    Sound("model.gated", HUB, LLAMA),
    Sound("model.gated", f"path: {HUB}", f"source: modelscope, path: {LLAMA}"),
    Sound("model.context", "data/b.jsonl}}", "data/b.jsonl}, max_prompt_tokens: 1024, max_response_tokens: 3072}", GOOD.replace("2.5-0.5B", "2.5-Math-7B")),
    Sound("model.context", "2.5-0.5B", "9-0.5B"),
    Sound("model.context", "secrets:", "overrides: {+actor_rollout_ref.model.override_config.max_position_embeddings: 8192}\nsecrets:",
          GOOD.replace("2.5-0.5B", "2.5-Math-7B").replace("data/b.jsonl}}", "data/b.jsonl}, max_prompt_tokens: 5000}")),
    Sound("model.heads", "secrets:", "rollout: {tensor_parallel: 4}\nsecrets:", SEVEN),
    Sound("model.source", f"{{path: {HUB}}}", "{source: run, path: gone@0123456789ab}"),
]  # fmt: skip
