# ruff: noqa: E501 - a table reads better in long lines
"""Cases of the rules on datasets: which they are, what they hold, and how much."""

from rule_specs import GOOD, Case, Sound

SUMS = GOOD.replace("data/a.jsonl", "data/sums.jsonl").replace("steps: 2", "steps: 5")
SFT = GOOD.replace("{name: grpo, group_size: 4}", "{name: sft}").replace("reward: reward/sums.py:score\n", "").replace(
    "data/a.jsonl, val: {arith: data/b.jsonl}", "data/chats.jsonl").replace("  evaluate_every: 1\n", "").replace(
    "  - val/arith/accuracy: last - first >= 0.1\n  - reward/mean: last > 0\n", "  - train/loss: last < 1\n")  # fmt: skip
SKYRL = SUMS.replace("verl==0.9.1", "skyrl==0.3.0")
MAPPED = "data/questions.jsonl, columns: {prompt: question, ground_truth: answer}"

CASES = [
    Case("data.known", "data/a.jsonl", "data/c.jsonl", 5, "data.train", "neither by DVC nor by git", "did you mean `data/b.jsonl`? Else: runner data add data/c.jsonl"),
    Case("data.known", "data/b.jsonl", "data/heldout.jsonl", 5, "data.val.arith", "`data/heldout.jsonl`", "did you mean `data/held-out.jsonl`?"),
    Case("data.known", "data/b.jsonl", "tests/validation", 5, "data.val.arith", "`tests/validation`", "check the path, or: runner data add"),
    Case("data.known", "{path: Qwen/Qwen2.5-0.5B", "{source: path, path: models/m", 3, "model.path", "`models/m`", "dvc add"),
    Case("data.train_rows", "data/a.jsonl", "data/few.jsonl", 9, "training.prompts_per_step",
         "one step takes 8 prompts, the training set has 7", "prompts_per_step: 7 or less"),
    Case("data.val_rows", "{name: grpo, group_size: 4}\ndata: {train: data/a.jsonl, val: {arith: data/b.jsonl}}\nreward: reward/sums.py:score\n",
         "{name: sft}\ndata: {train: data/a.jsonl, val: {arith: data/few.jsonl}}\n", 5, "data.val.arith",
         "`arith` has 7 rows, fewer than the 8 of a step", "more rows"),
    Case("data.format", "data/sums.jsonl", "data/questions.jsonl", 5, "data.train",
         "`data/questions.jsonl`: has the columns answer, question; needed are prompt + reward_model.ground_truth, or",
         "data.columns: {prompt: question, ground_truth: answer}", SUMS),
    Case("data.format", "data/b.jsonl", "data/chats.jsonl", 5, "data.val.arith", "has the columns messages; needed are prompt +", "say which columns hold them", SUMS),
    Case("data.format", "data/sums.jsonl", MAPPED.replace("question,", "questions,"), 5, "data.columns.prompt",
         "there is no column `questions`; there are answer, question", "write one of them", SUMS),
    Case("data.format", "data/sums.jsonl", MAPPED.replace("ground_truth", "chosen"), 5, "data.columns.chosen",
         "`chosen` is not read here; data_source, ground_truth, prompt are", "delete it", SUMS),
    Case("data.format", "data/chats.jsonl", "data/chats.jsonl, columns: {prompt: messages, response: messages.0}", 5, "data.columns.response",
         "no column `messages.0`", "write one", SFT.replace("reward: x\n", "")),
    Case("data.faults", "data/sums.jsonl", "data/unscored.jsonl", 5, "data.train", "1 of 20 rows of `data/unscored.jsonl` are at fault", "runner data check x ", SUMS),
    Case("data.cut", "data/sums.jsonl", "data/lengthy.jsonl", 5, "data.train",
         "up to 5 % of the rows of `data/lengthy.jsonl` are over the 1,024 tokens of max_prompt_tokens (by their characters; the longest has about 1,371): verl cuts off the beginning",
         "raise the limits", SUMS),
    Case("data.cut", "data/sums.jsonl", "data/lengthy.jsonl", 5, "data.train", "SkyRL leaves such rows out", "raise the limits", SKYRL),
    Case("data.cut", "secrets: [HF_TOKEN]", "overrides: {data.filter_overlong_prompts: true}", 5, "data.train", "`data.filter_overlong_prompts` leaves such rows out", "raise",
         SUMS.replace("sums.jsonl", "lengthy.jsonl")),
    Case("data.cut", "secrets: [HF_TOKEN]", "overrides: {data: {filter_overlong_prompts: true}}", 5, "data.train", "leaves such rows out", "raise",
         SUMS.replace("sums.jsonl", "lengthy.jsonl")),
    Case("data.cut", "data/chats.jsonl", "data/endless.jsonl, max_prompt_tokens: 3000", 5, "data.train",
         "more than half of the rows of `data/endless.jsonl` are over the 4,024 tokens of max_prompt_tokens + max_response_tokens",
         "raise the limits", SFT),
    Case("data.overlong", "data/chats.jsonl", "data/endless.jsonl", 5, "data.train",
         "the longest row of `data/endless.jsonl` has 20,020 characters: over the 2,048 tokens of max_prompt_tokens + max_response_tokens even at 8",
         "raise the limits", SFT),
    Case("data.duplicates", "data/chats.jsonl", "data/twice.jsonl", 5, "data.train", "2 rows (12.5 %) of `data/twice.jsonl` are equal to an earlier one", "leave them out", SFT),
    Case("data.overlap", "data/b.jsonl", "data/leaked.jsonl", 5, "data.val.arith", "4 of 8 prompts of `arith` that were compared (50 %) stand in the training set too",
         "runner data check x --deep", SUMS),
    Case("batch.leftover", "data: {train", "data: {train", 9, "training.prompts_per_step", "2 steps an epoch use 16 of 20 rows; each epoch leaves out another 4 (20.0 %)", "a divisor of 20", SUMS),
    Case("batch.leftover", "data/sums.jsonl", "data/sums.jsonl, shuffle: false", 9, "training.prompts_per_step", "each epoch leaves out the same 4", "or shuffle", SUMS),
    Case("batch.leftover", "prompts_per_step: 8", "prompts_per_step: 12", 9, "training.prompts_per_step", "the one step of an epoch uses 12 of 20 rows", "a divisor of 20", SUMS),
]  # fmt: skip

SOUND = [
    Sound("data.format", "data/sums.jsonl", MAPPED, SUMS),
    Sound("data.format", "data/chats.jsonl", "data/questions.jsonl", SFT),
    Sound("data.format", "data/chats.jsonl", "data/few.jsonl", SFT),  # a card that says no columns
    Sound("data.faults", "data/a.jsonl", "data/sums.jsonl"),
    Sound("data.faults", "data/sums.jsonl", "data/unscored.jsonl, columns: {ground_truth: prompt}", SUMS),
    Sound("data.cut", "data/a.jsonl", "data/sums.jsonl"),
    Sound("data.cut", "data/chats.jsonl", "data/endless.jsonl", SFT),  # data.overlong says it
    Sound("data.cut", "data/sums.jsonl", "data/lengthy.jsonl, max_prompt_tokens: 2048", SUMS),
    Sound("data.overlong", "data/sums.jsonl", "data/lengthy.jsonl, max_prompt_tokens: 64", SUMS),  # verl cuts
    Sound("data.overlong", "data/chats.jsonl", "data/endless.jsonl, max_response_tokens: 2000", SFT),
    Sound("data.duplicates", "data/a.jsonl", "data/sums.jsonl"),
    Sound("data.duplicates", "data/chats.jsonl}\n", "data/twice.jsonl}\ntags: [often]\n", SFT.replace("steps: 2", "steps: 8")),
    Sound("data.overlap", "data/b.jsonl", "data/held-out.jsonl", SUMS),
    Sound("batch.leftover", "steps: 5", "steps: 2", SUMS),  # never to the end of an epoch
    Sound("batch.leftover", "prompts_per_step: 8", "prompts_per_step: 20", SUMS),
    Sound("data.known", "data/b.jsonl", "data/held-out.jsonl"),
]  # fmt: skip
