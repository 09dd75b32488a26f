"""Reading what the isolated check has written: data that the checked reward may have forged.

Everything is held to a narrow shape, lengths and numbers included; what does not fit it becomes a
table that says so. What a table says is text, which renderers escape.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from runner.report.plan.reward import RewardRow, RewardTable

MOST_BYTES = 2**20
VERSION = 1

_Text = Annotated[str, Field(max_length=500)]
_Verdict = Literal["ok", "bad", "note"]


class Fault(NamedTuple):
    """One thing that is wrong with a reward, or worth a look."""

    kind: str
    """What it is, such as `constant`: the end of a rule's id."""
    verdict: _Verdict
    told: str


class Checked(NamedTuple):
    """What was found about one reward."""

    table: RewardTable
    faults: tuple[Fault, ...]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class _Row(_Strict):
    answer: _Text
    expected: _Text
    score: _Text
    verdict: _Verdict
    note: _Text


class _Fault(_Strict):
    kind: Annotated[str, Field(pattern=r"^[a-z_]{1,30}$")]
    verdict: _Verdict
    told: _Text


class _Table(_Strict):
    reward: _Text
    rows_from: _Text
    count: Annotated[int, Field(ge=0, le=1000)]
    seconds: Annotated[float, Field(ge=0, le=86400)]
    verdict: _Verdict
    rows: Annotated[list[_Row], Field(max_length=60)]
    error: _Text
    faults: Annotated[list[_Fault], Field(max_length=60)]


class _Result(_Strict):
    version: Literal[1]
    tables: Annotated[list[_Table], Field(max_length=50)]


def read_result(path: Path) -> tuple[RewardTable, ...]:
    """Return the tables of a result.json; a file that is not as it should be gives one error."""
    return tuple(one.table for one in read_checked(path))


def read_checked(path: Path) -> tuple[Checked, ...]:
    """Return the tables of a result.json, each with what is wrong by kind."""
    try:
        if path.is_symlink() or path.stat().st_size > MOST_BYTES:
            return (_broken("it is no file of at most 1 MiB"),)
        result = _Result.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return (_broken("the check has written no result"),)
    except OSError as error:
        return (_broken(f"it cannot be read: {error.strerror}"),)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(map(str, first["loc"]))[:100]
        return (_broken(f"it has not the shape that the check writes: {place}: {first['type']}"),)
    return tuple(map(_checked, result.tables))


def _checked(table: _Table) -> Checked:
    rows = tuple(RewardRow(**row.model_dump()) for row in table.rows)
    content = table.model_dump(exclude={"rows", "faults"})
    faults = tuple(Fault(**fault.model_dump()) for fault in table.faults)
    return Checked(RewardTable(**content, rows=rows), faults)


def _broken(why: str) -> Checked:
    table = RewardTable("the reward check", "", 0, 0.0, "note", (), f"result.json: {why}")
    return Checked(table, ())
