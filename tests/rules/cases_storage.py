# ruff: noqa: E501 - a table reads better in long lines
"""Cases of the rules on disk space."""

from rule_specs import GOOD, Case, Sound

SAVING = (
    GOOD.replace("0.5B", "7B")
    .replace("steps: 2", "steps: 20")
    .replace("evaluate_every: 1", "evaluate_every: 1\n  save_every: 5")
)
GPUS = "resources: {accelerators: H100:4}"

CASES = [
    # 3 x (85.1 + 28.4) + 14.2 GiB
    Case("storage.disk", "secrets:", f"checkpoints: {{keep_last: 2}}\n{GPUS}\nsecrets:", 13, "training.save_every",
         "up to 355 GiB: 3 checkpoints of 113 GiB (85 of weights and optimizer states)", "keep_last: 1", SAVING),
    # 2 x 113.5 + 14.2 = 241 GiB = 259 GB
    Case("storage.disk", "secrets:", f"{GPUS}\nsecrets:", 13, "training.save_every", "up to 241 GiB: 2 checkpoints", "a larger disk", SAVING),
]  # fmt: skip

SOUND = [
    Sound("storage.disk", "secrets:", "checkpoints: {keep_last: 2}\nsecrets:", SAVING),
    Sound("storage.disk", "secrets:", f"checkpoints: {{keep_last: 2}}\n{GPUS}\nsecrets:", SAVING.replace("  save_every: 5\n", "")),
    Sound("storage.disk", "secrets:", f"{GPUS}\nsecrets:", SAVING.replace("7B", "3B")),
    Sound("storage.disk", "secrets:", "checkpoints: {keep_last: 2}\nresources: {accelerators: H100:2, nodes: 2}\nsecrets:", SAVING),
]  # fmt: skip
