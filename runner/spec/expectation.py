"""`expect`: assertions on metrics, declared before the run and judged after it.

- val/gsm8k/accuracy: last - first >= 0.02
- kl/reference: max < 0.2
"""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import (
    Field,
    GetJsonSchemaHandler,
    ValidationInfo,
    model_serializer,
    model_validator,
)
from pydantic_core import CoreSchema

from runner.metrics import check_name
from runner.spec.section import Section, is_from_file

Statistic = Literal["first", "last", "min", "max", "mean"]
Comparison = Literal["<", "<=", ">", ">=", "=="]
_STATISTICS = "first|last|min|max|mean"
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_CONDITION = re.compile(
    rf"\s*(?P<term>{_STATISTICS})(?:\s*-\s*(?P<minus>{_STATISTICS}))?"
    rf"\s*(?P<comparison><=|>=|==|<|>)\s*(?P<limit>{_NUMBER})\s*"
)


class Expectation(Section):
    """One assertion: a statistic of a metric's curve, or the difference of two, against a limit."""

    metric: str = Field(description="Canonical name, or the trainer's raw name in double quotes.")
    term: Statistic
    minus: Statistic | None = None
    comparison: Comparison
    limit: float

    @model_validator(mode="before")
    @classmethod
    def _parse(cls, value: Any, info: ValidationInfo) -> Any:
        """Read the one-key mapping that specs are written in; other forms go through."""
        given = isinstance(value, cls) or (isinstance(value, dict) and "metric" in value)
        if given and not is_from_file(info):
            return value
        if not isinstance(value, dict) or len(value) != 1:
            raise ValueError(
                "an entry of `expect` is one metric and its condition; "
                "write it like `reward/mean: last >= 0.5`"
            )
        ((metric, condition),) = value.items()
        match = _CONDITION.fullmatch(condition) if isinstance(condition, str) else None
        if match is None:
            raise ValueError(
                f"`{str(condition)[:60]}` is not a condition; write it like `last >= 0.88`, "
                "`max < 0.2` or `last - first >= 0.02` (first, last, min, max, mean)"
            )
        check_name(str(metric))
        return {"metric": metric, **match.groupdict(), "limit": float(match["limit"])}

    @model_serializer
    def _write(self) -> dict[str, str]:
        return {self.metric: self.condition}

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Describe the form that people write."""
        return {
            "type": "object",
            "minProperties": 1,
            "maxProperties": 1,
            "additionalProperties": {"type": "string"},
            "description": "One assertion, such as `val/gsm8k/accuracy: last - first >= 0.02`.",
        }

    @property
    def condition(self) -> str:
        """The assertion without its metric, such as `last - first >= 0.02`; all of its digits."""
        left = f"{self.term} - {self.minus}" if self.minus else self.term
        short = f"{self.limit:g}"
        limit = short if float(short) == self.limit else repr(self.limit)
        return f"{left} {self.comparison} {limit}"
