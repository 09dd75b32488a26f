# ruff: noqa: E501 - a table reads better in long lines
"""Cases of the rules on how long a run is, what it saves and measures, and what it goes on from."""

from rule_specs import GOOD, SCRIPT, Case, Sound

SPOT = "resources: {accelerators: H100:4, candidates: [{infra: gcp, spot: true}]}"
FAR = SCRIPT.replace("[python, train.py]", "[python, train.py, --output-dir, /mnt/out]")
SFT = GOOD.replace("{name: grpo, group_size: 4}", "{name: sft}").replace("reward: reward/sums.py:score\n", "").replace(
    "expect:\n  - val/arith/accuracy: last - first >= 0.1\n  - reward/mean: last > 0\n", "")  # fmt: skip
FEW = GOOD.replace("data/a.jsonl", "data/few.jsonl").replace("steps: 2", "epochs: 3").replace(
    "prompts_per_step: 8\n  prompts_per_update: 4", "prompts_per_step: 2")  # fmt: skip
"""3 epochs of 7 rows by 2: 9 steps."""

CASES = [
    Case("training.warmup", "  evaluate_every: 1\n", "  evaluate_every: 1\n  warmup_steps: 2\n", 13, "training.warmup_steps",
         "the warmup takes 2 of 2 steps: 1e-06 is never trained at", "write fewer, such as 1"),
    Case("training.warmup", "  evaluate_every: 1\n", "  evaluate_every: 1\n  warmup_steps: 9\n", 12, "training.warmup_steps", "takes 9 of 9 steps", "such as 1", FEW),
    Case("training.evaluates", ", val: {arith: data/b.jsonl}", "", 12, "training.evaluate_every", "no validation set", "delete `evaluate_every`"),
    Case("training.evaluates", ", val: {arith: data/b.jsonl}", "", 8, "training.evaluate_before_training", "no validation set", "`data.val`",
         GOOD.replace("  evaluate_every: 1\n", "").replace("  steps: 2\n", "  evaluate_before_training: true\n  steps: 2\n")),
    Case("training.saves", "secrets: [HF_TOKEN]", "checkpoints: {keep_last: 2}", 16, "checkpoints.keep_last", "`checkpoints.keep_last` has nothing to keep", "training.save_every"),
    Case("training.saves", "secrets: [HF_TOKEN]", "checkpoints: {keep_best: val/arith/accuracy}", 16, "checkpoints.keep_best", "nothing to keep", "save_every"),
    Case("training.best", "  evaluate_every: 1\n", "  evaluate_every: 2\n  save_every: 3\n", 13, "training.save_every",
         "every 3 steps only those of every 6 are measured", "a multiple of 2", f"{GOOD}checkpoints: {{keep_best: val/arith/accuracy}}\n"),
    Case("expect.moves", "  evaluate_every: 1\n", "  evaluate_every: 2\n", 14, "expect[0]", "`last - first` is always 0: `val/arith/accuracy` is measured once", "evaluate_before_training: true"),
    Case("expect.moves", "  steps: 2\n", "  steps: 1\n", 14, "expect[0]", "`reward/mean` is measured once", "more steps",
         GOOD.replace("  - val/arith/accuracy: last - first >= 0.1\n  - reward/mean: last > 0", "  - reward/mean: last - first > 0")),
    Case("resume.preempted", "secrets: [HF_TOKEN]", SPOT, 16, "resources.candidates[0].spot", "`gcp` may take the machine away", "training.save_every"),
    Case("resume.restarted", "secrets: [HF_TOKEN]", "resources: {recover: {errors: 2}}", 16, "resources.recover.errors", "up to 2 times, each time from step 0", "save_every"),
    Case("resume.epochs", "secrets: [HF_TOKEN]", "overrides: {trainer.total_epochs: 2}", 12, "overrides.trainer.total_epochs", "total_epochs: 2 a resumed run may end", "training.epochs", SFT),
    Case("resume.folder", "steps", "steps", 3, "script.command[2]", "runs share `/mnt/out`: one may go on from another's checkpoints", "ROLLBOOK_CHECKPOINTS", FAR),
]  # fmt: skip

SOUND = [
    Sound("training.warmup", "  evaluate_every: 1\n", "  evaluate_every: 1\n  warmup_steps: 1\n"),
    Sound("training.warmup", "  evaluate_every: 1\n", "  evaluate_every: 1\n  warmup_steps: 8\n", FEW),
    Sound("training.warmup", "  steps: 2\n", "  epochs: 1\n  warmup_steps: 900\n"),
    Sound("training.evaluates", "  evaluate_every: 1\n", ""),
    Sound("training.evaluates", "steps: 2", "steps: 2, evaluate_every: 1", SCRIPT),
    Sound("training.saves", "secrets: [HF_TOKEN]", "checkpoints: {export: none}"),
    Sound("training.saves", "secrets: [HF_TOKEN]", "checkpoints: {keep_last: 2}", SFT),
    Sound("training.saves", "  evaluate_every: 1\n", "  evaluate_every: 1\n  save_every: 5\n", f"{GOOD}checkpoints: {{keep_last: 2}}\n"),
    Sound("training.best", "  evaluate_every: 1\n", "  evaluate_every: 2\n  save_every: 4\n", f"{GOOD}checkpoints: {{keep_best: val/arith/accuracy}}\n"),
    Sound("expect.moves", "  evaluate_every: 1\n", "  evaluate_every: 2\n  evaluate_before_training: true\n"),
    Sound("expect.moves", "  steps: 2\n", "  steps: 3\n", GOOD.replace("evaluate_every: 1", "evaluate_every: 2")),
    Sound("resume.preempted", "secrets: [HF_TOKEN]", SPOT, GOOD.replace("  evaluate_every: 1\n", "  evaluate_every: 1\n  save_every: 1\n")),
    Sound("resume.preempted", "secrets: [HF_TOKEN]", SPOT.replace("true", "false")),
    Sound("resume.restarted", "  evaluate_every: 1\n", "  evaluate_every: 1\n  save_every: 1\n", f"{GOOD}resources: {{recover: {{errors: 2}}}}\n"),
    Sound("resume.epochs", "secrets: [HF_TOKEN]", "overrides: {trainer.critic_warmup: 0}"),
    Sound("resume.folder", "/mnt/out", "out", FAR),
    Sound("resume.folder", "/mnt/out", "$ROLLBOOK_CHECKPOINTS", FAR),
]  # fmt: skip
