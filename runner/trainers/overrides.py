"""Raw keys of a trainer's own config, as specs state them in `overrides`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from runner.trainers.base import Refusal, Setting


def flat(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the keys of nested overrides dotted, as they reach the trainer."""
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def settings(overrides: Mapping[str, Any]) -> dict[str, Setting]:
    """Return the overrides as settings of the trainer."""
    return {key: Setting(value, "overrides") for key, value in flat(overrides)}


def refusals(overrides: Mapping[str, Any], reserved: re.Pattern[str]) -> Iterator[Refusal]:
    """Yield the `reserved` keys, which say what a run is: its identity would not know of them."""
    for key, _ in flat(overrides):
        bare = key.lstrip("+~")
        if reserved.fullmatch(bare):
            place = key if key in overrides else key.partition(".")[0]
            yield Refusal(
                ("overrides", place),
                f"`{bare}` is set by the runner",
                "say it with the spec's field, such as data.train, model, seeds or resources",
            )
