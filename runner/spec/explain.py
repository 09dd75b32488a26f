"""A model's validation errors as findings in plain words, with the place and the cure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from runner.findings import Finding, at
from runner.spec import wording
from runner.spec.experiment import Experiment
from runner.spec.fields import Model, keys, models_at, nearest, places
from runner.spec.node import Marks, Node, Path, child, data, dotted
from runner.spec.scalars import shown

FILE_KEYS = ("extends", "matrix")
"""Keys of a spec file that are gone once it is an Experiment."""

_TAG_MISSING, _TAG_UNKNOWN = "union_tag_not_found", "union_tag_invalid"


class _Fault(NamedTuple):
    """One error of a model, by the place in the file that it is about."""

    kind: str
    path: Path
    on_key: bool
    value: Any
    context: dict[str, Any]
    text: str


class _Words(NamedTuple):
    """What to say of a fault."""

    rule: str
    message: str
    cure: str
    instead: str = ""
    """What to write in the place of the key or value, where that is all there is to do."""


def explain(errors: Iterable[Any], model: Model, marks: Marks) -> Iterator[Finding]:
    """Yield a finding for each of pydantic's `errors` of `model` with the values of `marks`."""
    faults = [_located(detail, marks.root) for detail in errors]
    misspelt = set(_misspelt(faults))
    for fault in faults:
        if fault.kind == "missing" and fault.path in misspelt:
            continue  # It is there under another spelling, which has a finding of its own.
        if fault.kind == "too_short" and len(fault.value) >= fault.context["min_length"]:
            continue  # Invalid entries do not count for pydantic; they have errors of their own.
        words = _words(fault, model, marks)
        place = marks.key if fault.on_key else marks.value
        found = at(place(fault.path), dotted(fault.path), words.rule, words.message, words.cure)
        if words.instead:
            mended = marks.mended(fault.path, words.instead, on_key=fault.on_key)
            found = found._replace(mended=mended)
        yield found


def _misspelt(faults: Sequence[_Fault]) -> Iterator[Path]:
    """Yield the missing keys that an unknown key beside them probably means."""
    missing = [fault.path for fault in faults if fault.kind == "missing"]
    for fault in faults:
        if fault.kind == "extra_forbidden":
            beside = {str(path[-1]) for path in missing if path[:-1] == fault.path[:-1]}
            if near := nearest(str(fault.path[-1]), beside):
                yield (*fault.path[:-1], near)


def is_incomplete(error: Any) -> bool:
    """Whether an error only says that something is not there yet, as in an abstract base."""
    about_the_whole = error["type"] == "fault" and not error["loc"]
    return about_the_whole or error["type"] in ("missing", _TAG_MISSING)


def _located(detail: Any, root: Node) -> _Fault:
    kind, context = detail["type"], detail.get("ctx", {})
    path, on_key, found = _path_in_file(detail["loc"], kind, root)
    if kind == "fault":
        path = (*path, context["key"])
        found = found and child(found, context["key"])
    elif kind == _TAG_UNKNOWN:
        path = (*path, context["discriminator"].strip("'"))
        found = found and child(found, path[-1])
    on_key = on_key or kind in ("extra_forbidden", "missing")
    value = data(found) if found else detail.get("input")
    return _Fault(kind, path, on_key, value, context, detail["msg"])


def _path_in_file(
    loc: tuple[str | int, ...], kind: str, root: Node
) -> tuple[Path, bool, Node | None]:
    """Return a model's location as a path of the file: without the names of union members."""
    path: Path = ()
    node = root
    for position, part in enumerate(loc):
        if part == "[key]":
            return path, True, None
        below = child(node, part)
        if below is not None:
            path, node = (*path, part), below
        elif kind == "missing" and position == len(loc) - 1:
            return (*path, part), True, None
    return path, False, node


def _words(fault: _Fault, model: Model, marks: Marks) -> _Words:
    """Return what to say of a fault."""
    if fault.kind == "extra_forbidden":
        return _Words("spec.unknown_key", *_unknown(fault.path, model, marks))
    if fault.kind == "missing":
        return _Words("spec.missing", *_missing(fault.path, model))
    if fault.kind in (_TAG_MISSING, _TAG_UNKNOWN):
        return _tag(fault, model)
    if fault.kind in wording.EXPECTED:
        return _Words(
            "spec.type",
            wording.wrong_type(dotted(fault.path), fault.kind, fault.value),
            wording.type_cure(fault.kind, fault.value),
        )
    for kinds, speak in _SPEAKERS:
        if fault.kind in kinds:
            return _Words("spec.value", *speak(fault))
    message = f"`{dotted(fault.path)}` does not hold: {fault.text}"
    return _Words("spec.value", message, "change the value")


def _unknown(path: Path, model: Model, marks: Marks) -> tuple[str, ...]:
    parent, key = path[:-1], str(path[-1])
    known = _known_at(parent, model, marks)
    where = f"of `{dotted(parent)}`" if parent else "of a spec"
    message = f"{shown(key)} is no key {where}"
    owners = [name for one in models_at(model, parent) if key in keys(one) for name in _names(one)]
    if owners:
        named = marks.find((*parent, "name"))
        other = f", not to {named.value}" if named else ""
        return message, f"`{key}` belongs to {', '.join(owners)}{other}: delete it"
    elsewhere = [place for place in places(model).get(key, ()) if place != dotted(parent)]
    if elsewhere:
        under = " or ".join(f"under `{place}`" if place else "at the top" for place in elsewhere)
        return message, f"`{key}` is a key {under}: move it there"
    if near := nearest(key, known):
        return message, f"did you mean `{near}`?", near
    if far := nearest(key, places(model)):
        place = places(model)[far][0]
        return message, f"did you mean `{f'{place}.' if place else ''}{far}`?"
    return message, f"delete it, or use one of: {', '.join(known)}"


def _known_at(parent: Path, model: Model, marks: Marks) -> list[str]:
    members = models_at(model, parent)
    named = marks.find((*parent, "name"))
    chosen = [one for one in members if named and named.value in _names(one)] or members
    of_files = FILE_KEYS if model is Experiment and not parent else ()
    return list(dict.fromkeys([*(key for one in chosen for key in keys(one)), *of_files]))


def _names(member: Model) -> tuple[Any, ...]:
    field = keys(member).get("name")
    return getattr(field.annotation, "__args__", ()) if field else ()


def _missing(path: Path, model: Model) -> tuple[str, str]:
    key = str(path[-1])
    means = next(
        (keys(one)[key].description for one in models_at(model, path[:-1]) if key in keys(one)), ""
    )
    where = f" below `{dotted(path[:-1])}`" if len(path) > 1 else ""
    says = f" ({means.rstrip('.')})" if means else ""
    return f"the key `{dotted(path)}` is missing{says}", f"add `{key}: …`{where}"


def _tag(fault: _Fault, model: Model) -> _Words:
    section = fault.path if fault.kind == _TAG_MISSING else fault.path[:-1]
    allowed = [str(name) for one in models_at(model, section) for name in _names(one)]
    if fault.kind == _TAG_MISSING:
        message = f"the key `{dotted(section)}.name` is missing"
        return _Words("spec.missing", message, f"add `name:` with one of: {', '.join(allowed)}")
    return _Words("spec.value", *_not_one_of(fault, allowed))


def _choice(fault: _Fault) -> tuple[str, ...]:
    allowed = re.findall(r"'([^']*)'", str(fault.context.get("expected", "")))
    return _not_one_of(fault, allowed)


def _not_one_of(fault: _Fault, allowed: list[str]) -> tuple[str, str, str]:
    message = wording.not_one_of(dotted(fault.path), fault.value, allowed)
    near = wording.choice_meant(fault.value, allowed)
    return message, wording.choice_cure(fault.value, allowed), near


def _bound(fault: _Fault) -> tuple[str, str]:
    return wording.out_of_bounds(dotted(fault.path), fault.kind, fault.value, fault.context)


def _form(fault: _Fault) -> tuple[str, str]:
    key = "" if fault.on_key else dotted(fault.path)
    return wording.wrong_form(key, fault.value, str(fault.context.get("pattern")))


def _said(fault: _Fault) -> tuple[str, str]:
    message, _, cure = str(fault.context.get("error", fault.text)).partition("; ")
    return message, cure or "change the value"


def _named(fault: _Fault) -> tuple[str, str]:
    return fault.context["message"], fault.context["cure"]


_SPEAKERS: tuple[tuple[frozenset[str], Callable[[_Fault], tuple[str, ...]]], ...] = (
    (frozenset({"literal_error"}), _choice),
    (frozenset(wording.BOUNDS), _bound),
    (frozenset({"string_pattern_mismatch"}), _form),
    (frozenset({"value_error"}), _said),
    (frozenset({"fault"}), _named),
)
