# ruff: noqa: E501 - a table reads better in long lines
"""Cases of the rules on what an algorithm needs to learn anything."""

from rule_specs import SCRIPT, Case, Sound

ROLLOUT, ACTOR = "actor_rollout_ref.rollout", "actor_rollout_ref.actor"
MAIN = SCRIPT.replace(
    "[python, train.py]", "[python, -m, verl.trainer.main_ppo, algorithm.adv_estimator=grpo]"
)
"""A script that starts verl by hand; its group is verl's default of one."""
SHELL = SCRIPT.replace(
    "[python, train.py]",
    "[bash, -c, 'python -m verl.trainer.main_ppo algorithm.adv_estimator=rloo actor_rollout_ref.rollout.n=1']",
)


def over(text: str) -> str:
    return f"overrides: {{{text}}}"


CASES = [
    Case("algorithm.group", "secrets: [HF_TOKEN]", over(f"{ROLLOUT}.n: 1"), 16, f"overrides.{ROLLOUT}.n", "`grpo` compares answers to one prompt, and gets 1", "4 or more"),
    Case("algorithm.group", "steps", "steps", 3, "script.command[3]", "`grpo` gets 1 answer per prompt", "add actor_rollout_ref.rollout.n=8", MAIN),
    Case("algorithm.group", "steps", "steps", 3, "script.command[2]", "`rloo` compares answers to one prompt, and gets 1", "4 or more", SHELL),
    Case("algorithm.critic", "secrets: [HF_TOKEN]", over("algorithm.adv_estimator: gae, critic.enable: false"), 16, "overrides.critic.enable", "takes away the critic", "delete it"),
    Case("algorithm.kl_once", "group_size: 4}", "group_size: 4, kl: {coefficient: 0.001}}\noverrides: {algorithm: {use_kl_in_reward: true}}", 5,
         "overrides.algorithm.use_kl_in_reward", "counts twice", "take one"),
    Case("algorithm.kl_once", "secrets: [HF_TOKEN]", over(f"algorithm.use_kl_in_reward: true, {ACTOR}.use_kl_loss: true"), 16,
         "overrides.algorithm.use_kl_in_reward", "in the loss and in the reward", "take one"),
    Case("algorithm.clip_order", "group_size: 4", "group_size: 4, clip_ratio: {low: 0.28, high: 0.2}", 4, "algorithm.clip_ratio",
         "may fall by 0.28 and rise by 0.2", "{low: 0.2, high: 0.28} meant?"),
    Case("algorithm.dual_clip", "secrets: [HF_TOKEN]", over(f"{ACTOR}.clip_ratio_c: 0.8"), 16, f"overrides.{ACTOR}.clip_ratio_c", "is 0.8", "above 1"),
    Case("determinism.groups", "secrets: [HF_TOKEN]", over(f"{ROLLOUT}.full_determinism: true"), 16, f"overrides.{ROLLOUT}.full_determinism",
         "the 4 answers to a prompt would all be the same", "delete it"),
    Case("reward.accuracy", "{name: grpo, group_size: 4}\ndata: {train: data/a.jsonl, val: {arith: data/b.jsonl}}\nreward: reward/sums.py:score",
         "{name: dapo}\ndata: {train: data/a.jsonl, val: {arith: data/b.jsonl}}\nreward: reward/told.py:bare", 6, "reward", "`bare` returns a mapping without `acc`", "metric: reward"),
    Case("rollout.sampling", "secrets: [HF_TOKEN]", "rollout: {temperature: 0}", 16, "rollout.temperature", "all the same", "temperature: 1.0"),
    Case("rollout.on_policy", "secrets: [HF_TOKEN]", "rollout: {temperature: 0.7}", 16, "rollout.temperature", "at temperature 0.7 answers are not", "temperature: 1.0"),
    Case("rollout.on_policy", "secrets: [HF_TOKEN]", "rollout: {top_p: 0.9}", 16, "rollout.top_p", "with top_p: 0.9 answers are drawn from a part", "delete it"),
    Case("overrides.fields", "secrets: [HF_TOKEN]", over("data: {train_batch_size: 512}"), 16, "overrides.data.train_batch_size",
         "`data.train_batch_size` is 512, `training.prompts_per_step` is 8", "training.prompts_per_step: 512"),
    Case("overrides.fields", "secrets: [HF_TOKEN]", over("trainer.save_freq: 5"), 16, "overrides.trainer.save_freq", "`training.save_every` is not set", "save_every: 5"),
    Case("overrides.fields", "secrets: [HF_TOKEN]", over(f"+{ROLLOUT}.n: 5"), 16, f"overrides.+{ROLLOUT}.n", "is 5, `algorithm.group_size` is 4", "group_size: 5"),
    Case("overrides.fields", "trainer: verl==0.9.1", "overrides: {trainer.epochs: 3}\ntrainer: skyrl==0.3.0", 2, "overrides.trainer.epochs", "`training.epochs` is not set", "epochs: 3"),
]  # fmt: skip

SOUND = [
    Sound("reward.accuracy", "{name: grpo, group_size: 4}\ndata: {train: data/a.jsonl, val: {arith: data/b.jsonl}}\nreward: reward/sums.py:score", "{name: dapo}\ndata: {train: data/a.jsonl, val: {arith: data/b.jsonl}}\nreward: reward/told.py:full"),
    Sound("reward.accuracy", "{name: grpo, group_size: 4}\ndata: {train: data/a.jsonl, val: {arith: data/b.jsonl}}\nreward: reward/sums.py:score", "{name: dapo}\ndata: {train: data/a.jsonl, val: {arith: data/b.jsonl}}\nreward: reward/sums.py:score"),
    Sound("reward.accuracy", "reward/sums.py:score", "reward/told.py:bare"),
    Sound("algorithm.group", "secrets: [HF_TOKEN]", over(f"{ROLLOUT}.n: 4")),
    Sound("algorithm.group", "secrets: [HF_TOKEN]", over(f"algorithm.adv_estimator: gae, {ROLLOUT}.n: 1")),
    Sound("algorithm.group", "adv_estimator=grpo]", "adv_estimator=grpo, actor_rollout_ref.rollout.n=8]", MAIN),
    Sound("algorithm.group", "estimator=grpo", "estimator=gae", MAIN),
    Sound("algorithm.group", "{name: grpo, group_size: 4}", "{name: sft}"),
    Sound("algorithm.critic", "secrets: [HF_TOKEN]", over("critic.enable: false")),
    Sound("algorithm.kl_once", "group_size: 4}", "group_size: 4, kl: {coefficient: 0.001}}"),
    Sound("algorithm.kl_once", "group_size: 4}",
          f"group_size: 4, kl: {{coefficient: 0.001}}}}\noverrides: {{algorithm.use_kl_in_reward: true, {ACTOR}.use_kl_loss: false}}"),
    Sound("algorithm.clip_order", "group_size: 4", "group_size: 4, clip_ratio: {low: 0.2, high: 0.28}"),
    Sound("algorithm.dual_clip", "secrets: [HF_TOKEN]", over(f"{ACTOR}.clip_ratio_c: 10.0")),
    Sound("determinism.groups", "secrets: [HF_TOKEN]", over(f"{ACTOR}.fsdp_config.full_determinism: true")),
    Sound("rollout.sampling", "secrets: [HF_TOKEN]", "rollout: {temperature: 0.01}"),
    Sound("rollout.on_policy", "secrets: [HF_TOKEN]", "rollout: {temperature: 1.0, validation: {temperature: 0.6, top_p: 0.9}}"),
    Sound("overrides.fields", "secrets: [HF_TOKEN]", over(f"data.train_batch_size: 8, trainer.save_freq: -1, {ROLLOUT}.n: 4, trainer.test_freq: 1")),
    Sound("overrides.fields", "secrets: [HF_TOKEN]", over(f"{ACTOR}.ppo_mini_batch_size: 4, {ACTOR}.use_dynamic_bsz: true")),
]  # fmt: skip
