"""Which program of a trainer a run starts."""

from __future__ import annotations

from functools import lru_cache

from runner.algorithms.base import Terms
from runner.spec.experiment import Experiment
from runner.trainers.keys.check import Checker
from runner.trainers.keys.schema import load

_VERL = {"rl": "verl.trainer.main_ppo", "sft": "verl.trainer.sft_trainer"}
_TRL = {"sft": "trl.scripts.sft", "preference": "trl.scripts.dpo"}


def entry_point(name: str, terms: Terms) -> str | None:
    """Return the entry point with whose keys a trainer runs an algorithm; None where none does."""
    if name == "verl":
        return _VERL.get(terms.stage)
    if name == "skyrl":
        return "skyrl.train.entrypoints.main_base" if terms.stage == "rl" else None
    if name == "trl" and terms.stage == "rl":
        return "trl.scripts.rloo" if terms.advantage == "rloo" else "trl.scripts.grpo"
    return _TRL.get(terms.stage) if name == "trl" else None


def checker(spec: Experiment) -> Checker | None:
    """Return what checks the keys of `spec`; None where its version's keys are not known."""
    name, version = spec.pin
    if spec.algorithm is None or version is None:
        return None
    entry = entry_point(name, spec.algorithm.terms())
    chosen = tuple((key, value) for key, value in spec.overrides.items() if isinstance(value, str))
    return _checker(name, version, entry, chosen)


@lru_cache(maxsize=64)
def _checker(
    name: str, version: str, entry: str | None, texts: tuple[tuple[str, str], ...]
) -> Checker | None:
    """Return one checker for all specs of a program; `texts` may choose among its configs."""
    schema = load(name, version)
    if schema is None or entry not in schema.entry_points:
        return None
    return Checker(schema, entry, dict(texts))
