"""Which fields of a spec a trainer's keys stand for.

Nobody writes this down: each field is given another value, the run is compiled again, and the keys
that came out otherwise are those that the field stands behind. So a new field or key is known at
once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from runner.spec.experiment import Run
from runner.spec.fields import members
from runner.spec.node import Path
from runner.trainers.base import Layout, Setting, Trainer, planned_steps

SECTIONS = (
    "model", "algorithm", "data", "training", "rollout", "resources", "checkpoints", "tracking",
)  # fmt: skip
"""Sections of a spec that compilers read."""
_ROWS = 2**16
"""Rows of the training set, so that epochs have steps; any number does."""

Settings = dict[str, Setting]


def fields_behind(trainer: Trainer, run: Run, layout: Layout) -> dict[str, tuple[Path, ...]]:
    """Return for each key that `trainer` writes for `run` the fields that it stands for."""
    plain = settings(trainer, run, layout)
    found: dict[str, list[Path]] = {key: [] for key in plain}
    for path, other, is_off in _others(run):
        try:
            changed = settings(trainer, other, layout)
        except Exception:  # noqa: S112 - a value made up here may be none that a run can have
            continue
        for key in plain:
            was, now = plain[key].value, changed[key].value if key in changed else _GONE
            if now != was and (now is not _GONE or is_off):
                found[key] += [path] if path not in found[key] else []
    return {key: tuple(paths) for key, paths in found.items()}


def settings(trainer: Trainer, run: Run, layout: Layout) -> Settings:
    """Return what `trainer` writes for `run` of its own accord, without overrides."""
    spec = run.spec.model_copy(update={"overrides": {}})
    bare = run._replace(spec=spec)
    return trainer.compile(bare, layout, planned_steps(bare, _ROWS)).settings


_GONE = object()


def _others(run: Run) -> Iterator[tuple[Path, Run, bool]]:
    """Yield copies of `run` with one field each that says something else; whether it is off."""
    yield ("seeds",), run._replace(seed=run.seed + 1), False
    for section in SECTIONS:
        value = getattr(run.spec, section)
        if isinstance(value, BaseModel):
            for path, changed, is_off in _changes(value):
                spec = run.spec.model_copy(update={section: changed})
                yield (section, *path), run._replace(spec=spec), is_off


def _changes(section: BaseModel) -> Iterator[tuple[Path, BaseModel, bool]]:
    for name, field in type(section).model_fields.items():
        value, key = getattr(section, name), field.alias or name
        if isinstance(value, BaseModel):
            for path, changed, is_off in _changes(value):
                yield (key, *path), section.model_copy(update={name: changed}), is_off
        for other in _alternatives(field, value):
            yield (key,), section.model_copy(update={name: other}), other in (None, False)


def _alternatives(field: FieldInfo, value: Any) -> Iterator[Any]:
    """Yield values of a field that are not `value`."""
    kinds = list(members(field.annotation))
    for member in kinds:
        if get_origin(member) is Literal:
            yield from (one for one in get_args(member) if one != value)
    if value is None:
        yield from (made for member in kinds for made in _made(member))
    elif isinstance(value, bool):
        yield not value
    elif isinstance(value, int | float):
        yield value * 2 + 1
    if value is not None and type(None) in kinds:
        yield None


def _made(member: Any) -> Iterator[Any]:
    """Yield a value of a type, or nothing for a type that none is made of here."""
    if member is bool:
        yield from (True, False)
    elif member in (int, float):
        yield member(3)
    elif isinstance(member, type) and issubclass(member, BaseModel):
        needed: dict[str, Any] = {}
        for name, field in member.model_fields.items():
            if field.is_required():
                made = next((one for part in members(field.annotation) for one in _made(part)), "x")
                needed[name] = made
        yield member.model_construct(**needed)
