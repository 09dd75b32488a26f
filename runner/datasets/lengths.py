"""How long rows may be, what trainers do with longer ones, and estimates from characters.

What trainers do was read in their sources:

- verl 0.9.1, supervised: ValueError at the first such row (utils/dataset/multiturn_sft_dataset.py);
  RL: the prompt's beginning is cut off, with a warning (experimental/agent_loop/agent_loop.py),
  unless `data.filter_overlong_prompts` leaves such rows out;
- SkyRL 0.3.0: left out at the start (train/dataset/dataset.py);
- TRL 1.16.0 would cut off the end of rows of SFT and DPO, and has no limit for prompts of GRPO and
  RLOO: our entry (runner/node/inside/rollbook_trl.py) stops instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from runner.datasets.formats import Format, Stage
from runner.spec.cards import Quantiles
from runner.spec.experiment import Data, Experiment

CHARACTERS_PER_TOKEN = 3.5
"""An estimate: English text has about 4, code and numbers have 2 to 3, Chinese 1 to 1.5."""
EXAGGERATED = 8
"""Characters per token that no text of the field has over whole rows: what is too long even at that
is too long for certain."""


class Overlong(NamedTuple):
    """What a trainer does with rows that are too long."""

    stops: bool
    says: str


STOPS = Overlong(True, "training stops before the first step, at the first such row")
FATES: dict[tuple[str, Stage], Overlong] = {
    ("verl", "sft"): Overlong(True, "verl's supervised trainer stops at the first such row"),
    ("verl", "rl"): Overlong(False, "verl cuts off the beginning of such prompts"),
    ("skyrl", "rl"): Overlong(False, "SkyRL leaves such rows out"),
    ("trl", "sft"): STOPS,
    ("trl", "rl"): STOPS,
    ("trl", "preference"): STOPS,
}
FILTERED = Overlong(False, "`data.filter_overlong_prompts` leaves such rows out")


def fate_of(spec: Experiment, stage: Stage) -> Overlong | None:
    """Return what the trainer of `spec` does with overlong rows; None where it has no limit."""
    section = spec.overrides.get("data")
    nested = section.get("filter_overlong_prompts") if isinstance(section, dict) else None
    is_filtered = spec.overrides.get("data.filter_overlong_prompts", nested) is True
    if (spec.pin.name, stage) == ("verl", "rl") and is_filtered:
        return FILTERED
    return FATES.get((spec.pin.name, stage))


def limit_of(data: Data, stage: Stage) -> tuple[int, str]:
    """Return how many tokens a row may have, and the keys that say so.

    In RL that is its prompt; in supervised and preference training a prompt with its answer.
    """
    if stage == "rl":
        return data.max_prompt_tokens, "max_prompt_tokens"
    limit = data.max_prompt_tokens + data.max_response_tokens
    return limit, "max_prompt_tokens + max_response_tokens"


def limited_columns(form: Format) -> tuple[str, ...]:
    """Return the columns whose text together is limited; of a pair's answers the chosen one."""
    limited = {"prompt"} if form.stage == "rl" else {"messages", "prompt", "response", "chosen"}
    columns = (column for content, column in form.columns.items() if content in limited)
    return tuple(column.partition(".")[0] for column in columns)


def told_share(lengths: Sequence[Quantiles], limit: int) -> str | None:
    """Return how many rows are over `limit` tokens, as far as quantiles tell; None for none.

    `lengths` are characters of the columns that count together.
    """
    most = limit * CHARACTERS_PER_TOKEN
    if sum(one.longest for one in lengths) <= most:
        return None
    if sum(one.median for one in lengths) > most:
        return "more than half of the rows"
    few = sum(one.p95 for one in lengths) <= most
    return "up to 5 % of the rows" if few else "5 to 50 % of the rows"
