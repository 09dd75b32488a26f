"""verl's own choice of finished prompts, looked for more often.

verl 0.9.1 polls for finished responses every 2 s (verl/trainer/ppo/v1/replay_buffer.py), which is
nothing on real models and half of a step on tiny ones. A sampler named by
`trainer.v1.sampler.custom_sampler.{path,name}` replaces the built-in one; verl does not tell it of
`algorithm.filter_groups`, so it is not for runs with dynamic sampling.
"""

from typing import Any

from verl.trainer.ppo.v1.replay_buffer import ReplayBuffer

POLL_INTERVAL = 0.1  # seconds


class PromptSampler(ReplayBuffer):
    """The built-in sampler with a shorter interval."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings, poll_interval=POLL_INTERVAL)
