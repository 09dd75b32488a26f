"""What keys a model knows, for messages that name the nearest one and for the matrix."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from runner.spec.node import Path
from runner.spec.section import Section

Model = type[BaseModel]


@cache
def keys(model: Model) -> dict[str, FieldInfo]:
    """Return the fields of `model` by the key that a file uses."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def models_at(model: Model, path: Path) -> tuple[Model, ...]:
    """Return the models that the value at `path` may be one of; none for plain values."""
    annotations: list[Any] = [model]
    for part in path:
        annotations = [below for one in annotations for below in _below(one, part)]
    found = (member for one in annotations for member in members(one))
    return tuple(member for member in found if _is_model(member))


def path_of(model: Model, dotted: str) -> Path | None:
    """Return the path that a dotted key such as `training.steps` means; None if it is unknown.

    Below a mapping with free keys the rest is one key: `overrides.trainer.logger` is the key
    `trainer.logger` of `overrides`.
    """
    path: Path = ()
    rest = dotted
    annotations: list[Any] = [model]
    while rest:
        if path and _is_free(annotations):
            return (*path, rest)
        part, dot, rest = rest.partition(".")
        annotations = [below for one in annotations for below in _below(one, part)]
        if not annotations or (dot and not rest):
            return None
        path = (*path, part)
    return path or None


@cache
def places(model: Model) -> dict[str, tuple[str, ...]]:
    """Return for every key of `model` the dotted keys of the sections that have it."""
    found: dict[str, list[str]] = {}
    for parent, key in _walk(model, ""):
        found.setdefault(key, []).append(parent)
    return {key: tuple(dict.fromkeys(parents)) for key, parents in found.items()}


def dotted_keys(model: Model) -> tuple[str, ...]:
    """Return every dotted key of `model`."""
    return tuple(f"{parent}.{key}" if parent else key for parent, key in _walk(model, ""))


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the spelling in `known` that is meant by `word`, if one is near."""
    import difflib

    near = difflib.get_close_matches(word[:100], list(known), n=1, cutoff=0.6)
    return near[0] if near else None


def _walk(model: Model, parent: str) -> Iterator[tuple[str, str]]:
    for key, field in keys(model).items():
        yield parent, key
        inside = f"{parent}.{key}" if parent else key
        for member in members(field.annotation):
            if _is_model(member):
                yield from _walk(member, inside)


def members(annotation: Any) -> Iterator[Any]:
    """Yield the types that an annotation allows, without what it adds to them."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from members(get_args(annotation)[0])
    elif origin in (Union, UnionType):
        for member in get_args(annotation):
            yield from members(member)
    elif isinstance(annotation, type) and issubclass(annotation, Section):
        yield from annotation.kinds()
    else:
        yield annotation


def _below(annotation: Any, part: str | int) -> Iterator[Any]:
    for member in members(annotation):
        origin, inner = get_origin(member), get_args(member)
        if _is_model(member) and isinstance(part, str):
            if part in keys(member):
                yield keys(member)[part].annotation
        elif origin is dict and isinstance(part, str):
            yield inner[1]
        elif origin in (tuple, list) and isinstance(part, int):
            yield inner[0]


def _is_free(annotations: list[Any]) -> bool:
    return any(get_origin(member) is dict for one in annotations for member in members(one))


def _is_model(member: Any) -> bool:
    return isinstance(member, type) and issubclass(member, BaseModel)
