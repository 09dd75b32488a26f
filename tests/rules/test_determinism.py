"""How closely runs can be repeated, and which setting stands in the way of more."""

import pytest
from rule_specs import GOOD, SCRIPT, tree

from runner.rules.determinism import VERL_MODE, best_verdict
from runner.spec.check import load_experiments

MODE = ", ".join(f"{key}: {str(value).lower()}" for key, value in VERL_MODE.items())
PPO = GOOD.replace("{name: grpo, group_size: 4}", "{name: ppo}")
REMAX = PPO.replace("{name: ppo}", "{name: remax}")
SFT = GOOD.replace("{name: grpo, group_size: 4}", "{name: sft}").replace(
    "reward: reward/sums.py:score\n", ""
)
GPUS = "resources: {accelerators: H100:4}\n"
TURNS = "rollout: {multi_turn: {tools: reward/sums.py, max_turns: 2}}\n"


def over(text: str) -> str:
    return f"overrides: {{{text}}}\n"


@pytest.mark.parametrize(
    ("text", "best", "why"),
    [
        (SCRIPT, "bitwise", "its own affair"),
        (SFT, "curve", "engine.full_determinism: true"),
        (SFT + over("engine: {full_determinism: true}"), "bitwise", "order of rows"),
        (SFT.replace("verl==0.9.1", "trl==1.16.0"), "curve", "{full_determinism: true}"),
        (SFT.replace("verl==0.9.1", "trl==1.16.0") + over("full_determinism: true"), "bitwise", ""),
        (GOOD, "statistical", "make the 4 answers of a group equal"),
        (GOOD + over(MODE), "statistical", "make the 4 answers of a group equal"),
        (PPO, "statistical", "lacks overrides: {actor_rollout_ref.rollout.full_determinism: true}"),
        (PPO + over(MODE.replace("use_v1: false", "use_v1: true")), "statistical", "use_v1: false"),
        (PPO + over(MODE), "bitwise", "documented by verl, not tried"),
        (PPO + over(MODE) + TURNS, "statistical", "covers one turn"),
        (REMAX + over(MODE.replace("trainer.use_v1: false", "")), "bitwise", "documented"),
        (GOOD.replace("verl==0.9.1", "skyrl==0.3.0"), "statistical", "skyrl samples answers"),
        (GOOD.replace("verl==0.9.1", "trl==1.16.0"), "curve", "{full_determinism: true}"),
        (GOOD.replace("verl==0.9.1", "trl==1.16.0") + over("full_determinism: true"), "bitwise",
         "torch's own generator"),
        (GOOD.replace("verl==0.9.1", "trl==1.16.0") + over("full_determinism: true") + GPUS,
         "statistical", "trl samples answers"),
    ],
)  # fmt: skip
def test_the_best_verdict_and_what_forbids_a_better_one(text, best, why):
    loaded = load_experiments(tree(text))
    assert loaded.findings == ()
    level, reason = best_verdict(loaded.experiments[0].experiment)
    assert level == best
    assert why in reason
