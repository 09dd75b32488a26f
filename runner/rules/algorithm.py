"""Rules on what an algorithm needs to learn anything."""

from __future__ import annotations

from collections.abc import Iterator

from runner.algorithms.base import Terms
from runner.findings import Finding
from runner.rules.base import Subject
from runner.rules.raw import raw_keys, raw_value

GROUPED = frozenset({
    "grpo", "grpo_passk", "grpo_vectorized", "gdpo", "rloo", "rloo_vectorized", "opo", "gpg",
    "reinforce_plus_plus_baseline", "maxrl",
})  # fmt: skip
"""Advantage estimators that compare an answer with others to the same prompt, as the trainers spell
them (verl core_algos.py, SkyRL ppo_utils.py)."""

ESTIMATOR_KEYS = ("algorithm.adv_estimator", "trainer.algorithm.advantage_estimator")
GROUP_KEYS = ("actor_rollout_ref.rollout.n", "generator.n_samples_per_prompt", "num_generations")
LOSS_KEYS = ("actor_rollout_ref.actor.use_kl_loss", "trainer.algorithm.use_kl_loss")
REWARD_KEYS = ("algorithm.use_kl_in_reward", "trainer.algorithm.use_kl_in_reward")


def terms_of(subject: Subject) -> Terms:
    """Return the terms of the spec's algorithm; of none, those of supervised training."""
    algorithm = subject.spec.algorithm
    return algorithm.terms() if algorithm else Terms(stage="sft")


def group(subject: Subject) -> Iterator[Finding]:
    """An estimator that compares the answers to a prompt gets more than one of them.

    With a group of one verl divides by nothing and takes the raw reward as the advantage, or zero
    (`rloo_vectorized`), without a word (verl pull request 7581).
    """
    terms = terms_of(subject)
    estimator = raw_value(subject, *ESTIMATOR_KEYS)
    size = raw_value(subject, *GROUP_KEYS)
    name = estimator.value if estimator else terms.advantage
    if not (name in GROUPED if estimator else terms.is_grouped):
        return
    if size is None and estimator and subject.spec.script and "adv_estimator" in estimator.key:
        message = f"`{name}` gets 1 answer per prompt: actor_rollout_ref.rollout.n is 1 by default"
        yield subject.at(estimator.path, message, "add actor_rollout_ref.rollout.n=8")
    elif size.value == 1 if size else terms.group_size == 1:
        message = f"`{name}` compares answers to one prompt, and gets 1: there is nothing to learn"
        place = size.path if size else ("algorithm", "group_size")
        cure = "write 4 or more" if size else "write group_size: 4 or more"
        yield subject.at(place, message, cure)


def critic(subject: Subject) -> Iterator[Finding]:
    """Generalized advantage estimation has its critic."""
    off = raw_value(subject, "critic.enable")
    if off and off.value is False and _estimator(subject) == "gae":
        message = "`critic.enable: false` takes away the critic that the advantage comes from"
        yield subject.at(off.path, message, "delete it, or take an algorithm without a critic")
    elif terms_of(subject).advantage == "gae" and terms_of(subject).critic is None:
        yield subject.at(("algorithm",), "advantages come from a critic, and there is none",
                         "add `critic:` to the algorithm", on_key=True)  # fmt: skip


def kl_once(subject: Subject) -> Iterator[Finding]:
    """The divergence from the reference counts in the loss or in the reward, not in both.

    SkyRL refuses both when it starts; verl prints a notice and counts it twice.
    """
    kl = terms_of(subject).kl
    loss, reward = raw_value(subject, *LOSS_KEYS), raw_value(subject, *REWARD_KEYS)
    in_loss = bool(loss.value) if loss else kl is not None and kl.in_ == "loss"
    in_reward = bool(reward.value) if reward else kl is not None and kl.in_ == "reward"
    said = reward or loss
    if in_loss and in_reward and said:
        message = "the divergence from the reference counts twice: in the loss and in the reward"
        yield subject.at(said.path, message, "take one; `kl: {in: loss}` and `{in: reward}` say it")


def clip_order(subject: Subject) -> Iterator[Finding]:
    """The ratio has at least as much room above as below, as in PPO and clip-higher."""
    terms = terms_of(subject)
    if terms.clip is None or terms.policy_loss == "cispo":  # which clips from above alone
        return
    low, high = terms.clip.low, terms.clip.high
    if low > high:
        message = f"the ratio may fall by {low:g} and rise by {high:g}; usually it is the reverse"
        cure = f"is {{low: {high:g}, high: {low:g}}} meant?"
        yield subject.at(("algorithm", "clip_ratio"), message, cure)


def dual_clip(subject: Subject) -> Iterator[Finding]:
    """The bound of dual-clip PPO lies above 1 (verl core_algos.py refuses another at step 1)."""
    said = raw_value(subject, "actor_rollout_ref.actor.clip_ratio_c",
                     "trainer.algorithm.clip_ratio_c")  # fmt: skip
    bound = said.value if said else terms_of(subject).dual_clip
    if isinstance(bound, int | float) and bound <= 1:
        place = said.path if said else ("algorithm", "dual_clip")
        message = f"the bound on the ratio where the advantage is negative is {bound:g}"
        yield subject.at(place, message, "write one above 1, such as 3 (verl) or 10 (DAPO)")


def sampling(subject: Subject) -> Iterator[Finding]:
    """Answers that are learned from are sampled: at temperature 0 all of a prompt are the same."""
    if terms_of(subject).stage == "rl" and subject.spec.rollout.temperature == 0:
        message = "at temperature 0 the answers to a prompt are all the same"
        cure = "write temperature: 1.0; greedy answers are for rollout.validation"
        yield subject.at(("rollout", "temperature"), message, cure)


def on_policy(subject: Subject) -> Iterator[Finding]:
    """Answers come from the policy itself: at temperature 1, of all tokens."""
    rollout = subject.spec.rollout
    if terms_of(subject).stage != "rl" or subject.spec.pin.name == "script":
        return
    if rollout.temperature not in (0, 1):
        message = f"at temperature {rollout.temperature:g} answers are not drawn from the policy"
        cure = "write temperature: 1.0; another one is a habit of evaluation (rollout.validation)"
        yield subject.at(("rollout", "temperature"), message, cure)
    if rollout.top_p < 1:
        message = f"with top_p: {rollout.top_p:g} answers are drawn from a part of the policy"
        cure = "delete it; a smaller one is a habit of evaluation (rollout.validation)"
        yield subject.at(("rollout", "top_p"), message, cure)


def determinism(subject: Subject) -> Iterator[Finding]:
    """Full determinism of the rollout and algorithms that compare answers exclude each other.

    Each request then gets one seed, so that all answers to a prompt are the same: measured on verl
    0.9.1, one distinct answer of four, gradient 0.
    """
    said = raw_keys(subject.spec).get("actor_rollout_ref.rollout.full_determinism")
    size = terms_of(subject).group_size
    if said and said.value is True and size > 1:
        message = f"the {size} answers to a prompt would all be the same, and teach nothing"
        cure = "delete it; `runner reproduce` compares results that no determinism makes equal"
        yield subject.at(said.path, message, cure)


def _estimator(subject: Subject) -> object:
    said = raw_value(subject, *ESTIMATOR_KEYS)
    return said.value if said else terms_of(subject).advantage
