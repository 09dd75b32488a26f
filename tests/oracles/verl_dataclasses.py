"""Asks verl whether its dataclasses take what Hydra has composed: unknown keys, values, arithmetic.

Reads a list of lists of arguments and the folder of verl's configs; answers for each what verl says
against it, as its programs would at their start: `omega_conf_to_dataclass`, then `validate`.
"""

import json
import sys
from pathlib import Path

from hydra import compose, initialize_config_dir
from verl.utils.config import omega_conf_to_dataclass


def judge(configs, arguments):
    """Return what verl says against a command line of main_ppo; None when nothing."""
    try:
        with initialize_config_dir(config_dir=configs, version_base=None):
            config = compose(config_name="ppo_trainer", overrides=arguments)
        devices = config.trainer.n_gpus_per_node * config.trainer.nnodes
        models = config.actor_rollout_ref
        actor = omega_conf_to_dataclass(models.actor)
        actor.validate(devices, config.data.train_batch_size, models.model)
        if config.algorithm.adv_estimator == "gae":
            critic = config.critic.copy()
            critic.model = None  # it would be looked for on the hub
            omega_conf_to_dataclass(critic).validate(devices, config.data.train_batch_size)
        omega_conf_to_dataclass(models.rollout)
        omega_conf_to_dataclass(config.algorithm)
    except Exception as error:
        cause = error.__cause__ or error
        return f"{type(cause).__name__}: {cause}"[:500]
    return None


if __name__ == "__main__":
    question = json.load(sys.stdin)
    answers = [judge(question["configs"], one) for one in question["arguments"]]
    Path(sys.argv[1]).write_text(json.dumps(answers))
