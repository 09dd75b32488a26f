# ruff: noqa: E501 - a table reads better in long lines
"""Cases of the rules on batches, rewards, expectations, secrets and trainers."""

from rule_specs import GOOD, Case, Sound

CASES = [
    Case("batch.divides", "update: 4", "update: 3", 10, "training.prompts_per_update",
         "8 prompts per step do not divide into updates of 3: 2 would be left over", "2 or 4"),
    Case("batch.divides", "update: 4", "update: 16", 10, "training.prompts_per_update", "8 would be left", "8 or 4"),
    Case("batch.devices", "data: {train", "resources: {accelerators: H100:3}\ndata: {train", 10,
         "training.prompts_per_step", "8 x 4 = 32 samples do not divide over 3 devices", "a multiple of 3"),
    Case("batch.samples", "  prompts_per_update: 4\n", "  samples_per_device: 5\n", 10, "training.samples_per_device",
         "a device's 32 samples do not divide into passes of 5", "4 or 2"),
    Case("spec.idle", "secrets: [HF_TOKEN]", "budget: {usd_per_run: 5}", 16, "budget", "nothing acts on it", "do not rely"),
    Case("spec.idle", "{name: grpo, group_size: 4}\ndata: {train: data/a.jsonl, val: {arith: data/b.jsonl}}\nreward: reward/sums.py:score\n",
         "{name: sft}\ndata: {train: data/a.jsonl, val: {arith: data/b.jsonl}}\nrollout: {temperature: 0.5}\n", 6, "rollout.temperature",
         "does nothing: `sft` samples no answers", "delete it"),
    Case("trainer.machines", "secrets: [HF_TOKEN]", "resources: {nodes: 2}", 16, "resources.nodes", "one machine, not 2", "nodes: 1"),
    Case("trainer.terms", "algorithm: {name: grpo, group_size: 4}\ndata: {train: data/a.jsonl, val: {arith: data/b.jsonl}}\nreward: reward/sums.py:score\ntraining:\n",
         "algorithm: {name: sft}\ndata: {train: data/a.jsonl, val: {arith: data/b.jsonl}}\ntraining:\n  evaluate_before_training: true\n", 7,
         "training.evaluate_before_training", "does not validate before", "delete it"),
    Case("trainer.version", "0.9.1", "0.8.0", 2, "trainer", "the keys of verl 0.8.0 are not known", "write verl==0.9.1"),
    Case("training.length", "  steps: 2\n", "", 7, "training", "nothing says how long", "`epochs:` or `steps:`"),
    Case("policy.secrets", "[HF_TOKEN]", "[HF_TOKEN, WANDB_API_KEY]", 16, "secrets[1]",
         "does not permit the secret `WANDB_API_KEY` for `x`", "ask an owner"),
    Case("policy.secrets", "[HF_TOKEN]", "[HF_TOKEN, GITHUB_TOKEN]", 16, "secrets[1]",
         "no node ever gets one of those", "delete it"),
    Case("policy.secrets", "[HF_TOKEN]", "[TEAM_KEY]", 16, "secrets[0]", "`TEAM_KEY` for `x`", "delete it"),
    Case("reward.exists", "reward: reward/sums.py:score\n", "", 4, "algorithm", "`grpo` needs a reward", "add `reward:"),
    Case("reward.exists", "{name: grpo, group_size: 4}", "{name: sft}", 6, "reward", "`sft` has no use", "delete `reward`"),
    Case("reward.exists", "sums.py", "sum.py", 6, "reward", "`reward/sum.py` does not exist", "`reward/sums.py`"),
    Case("reward.exists", ":score", ":scores", 6, "reward", "does not define the function `scores`", "`score`"),
    Case("reward.exists", ":score", ":os", 6, "reward", "does not define the function `os`", "def os"),
    Case("reward.exists", "sums.py", "broken.py", 6, "reward", "not valid Python: line 1", "correct it"),
    Case("reward.exists", "sums.py", "nul.py", 6, "reward", "not valid Python", "correct it"),
    Case("reward.exists", "sums.py", "deep.py", 6, "reward", "not valid Python", "correct it"),
    Case("reward.exists", "sums.py", "big.py", 6, "reward", "larger than 1 MiB", "data out"),
    Case("expect.measurable", "- val/arith/", "- val/arit/", 14, "expect[0]", "no set `arit`", "`val/arith/accuracy`"),
    Case("expect.measurable", "secrets: [HF_TOKEN]", "checkpoints: {keep_best: val/other/accuracy}", 16, "checkpoints.keep_best", "no set `other`", "one of: arith"),
    Case("expect.measurable", ", val: {arith: data/b.jsonl}", "", 14, "expect[0]", "no validation set", "data.val"),
    Case("expect.measurable", "  evaluate_every: 1\n", "", 13, "expect[0]", "not measured during", "training.evaluate_every"),
    Case("expect.measurable", "evaluate_every: 1\nexpect:\n  - val/arith/accuracy: last - first",
         "save_every: 1\nexpect:\n  - val/arith/accuracy: first", 14, "expect[0]", "the first value", "evaluate_before_training: true"),
]  # fmt: skip

SFT = "{name: sft}\ndata: {train: data/a.jsonl, val: {arith: data/b.jsonl}}\n"
GRPO = "{name: grpo, group_size: 4}\ndata: {train: data/a.jsonl, val: {arith: data/b.jsonl}}\nreward: reward/sums.py:score\n"
SOUND = [
    Sound("batch.divides", "update: 4", "update: 8"),
    Sound("batch.divides", "  prompts_per_update: 4\n", ""),
    Sound("data.train_rows", "data/a.jsonl", "data/few.jsonl", GOOD.replace("prompts_per_step: 8\n  prompts_per_update: 4", "prompts_per_step: 7")),
    Sound("data.val_rows", "data/b.jsonl", "data/few.jsonl"),
    Sound("expect.measurable", "evaluate_every: 1", "evaluate_before_training: true", GOOD.replace("last - first >= 0.1", "first >= 0.1")),
    Sound("expect.measurable", "secrets: [HF_TOKEN]", "checkpoints: {keep_best: val/arith/accuracy}"),
    Sound("policy.secrets", "secrets: [HF_TOKEN]", "secrets: []"),
    Sound("reward.exists", GRPO, SFT),
    Sound("spec.idle", "secrets: [HF_TOKEN]", "owner: me\ntags: [x]\nresources: {max_duration: 1h}"),
    Sound("spec.idle", "secrets: [HF_TOKEN]", "rollout: {top_p: 1.0}"),
    Sound("trainer.terms", GRPO, SFT, GOOD.replace("  prompts_per_update: 4\n", "")),
    Sound("trainer.version", "trainer: verl==0.9.1", "trainer: skyrl==0.3.0"),
    Sound("training.length", "steps: 2", "epochs: 2"),
]  # fmt: skip
