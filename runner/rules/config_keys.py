"""Rules on the keys of the pinned trainer's own config: overrides, and what compilers write.

Keys, types and choices are those of the version's schema (`schemas/trainers/`); what became of keys
of other versions, and what nothing reads, stands in `runner/trainers/keys/notes`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from runner.findings import Finding
from runner.rules.base import Subject
from runner.rules.overrides import FIELDS
from runner.spec.experiment import Run
from runner.spec.node import Path, dotted
from runner.trainers import TRAINERS
from runner.trainers.keys.behind import Settings, fields_behind, settings
from runner.trainers.keys.check import Kind
from runner.trainers.keys.entry import checker
from runner.trainers.keys.schema import versions
from runner.trainers.preview import preview_layout


def are_keys(subject: Subject) -> Iterator[Finding]:
    """Every key of `overrides` is one of the pinned version, spelled and prefixed as it asks."""
    yield from _faults(subject, "key")


def are_read(subject: Subject) -> Iterator[Finding]:
    """Every key of `overrides` is read by the program that is started."""
    yield from _faults(subject, "unread")


def have_values(subject: Subject) -> Iterator[Finding]:
    """Every key of `overrides` has a value of its type, and one of its choices."""
    yield from _faults(subject, "value")


def replace_nothing(subject: Subject) -> Iterator[Finding]:
    """No override replaces what the runner writes for fields of the spec."""
    trainer = TRAINERS[subject.spec.pin.name]
    stated = {key.lstrip("+~"): (path, value) for path, key, value in _overrides(subject)}
    if not stated or trainer.refusals(subject.spec):
        return
    written = _written(subject)
    in_words = FIELDS.get(trainer.name, {})  # `overrides.fields` is about these
    replaced = [
        key
        for key, setting in written.items()
        if (bare := key.lstrip("+")) in stated
        and bare not in in_words
        and stated[bare][1] != setting.value
    ]
    behind = _behind(subject) if replaced else {}
    for key in replaced:
        if fields := behind[key]:
            names = " and ".join(dotted(field) for field in fields[:3])
            message = f"the runner writes `{key}` for {names}; this replaces what it writes"
            yield subject.at(
                stated[key.lstrip("+")][0],
                message,
                f"say it with {names} where that can",
                on_key=True,
            )


def are_written(subject: Subject) -> Iterator[Finding]:
    """The pinned version has every key that the runner writes for the spec."""
    check = checker(subject.spec)
    trainer = TRAINERS[subject.spec.pin.name]
    if check is None or trainer.refusals(subject.spec):
        return
    written = _written(subject)
    wrong = {
        key: fault.message
        for key, setting in written.items()
        if not key.startswith("hydra.")  # Hydra's own, of no trainer's config
        for fault in check.faults(key, setting.value)
    }
    behind = _behind(subject) if wrong else {}
    for key, message in wrong.items():
        fields = " and ".join(dotted(field) for field in behind[key][:3])
        origin = _ORIGINS.get(written[key].origin, written[key].origin)
        said = f"{message}, and the runner writes it for {fields or origin}"
        yield subject.at(("trainer",), said, _other_version(subject))


_ORIGINS = {"cpu": "every run on a CPU", "node": "every run"}
"""What a compiler writes of its own accord, in words."""


def _faults(subject: Subject, kind: Kind) -> Iterator[Finding]:
    check = checker(subject.spec) if subject.spec.overrides else None
    if check is None:
        return
    for path, key, value in _overrides(subject):
        for fault in check.faults(key, value):
            if fault.kind == kind:
                flat = kind == "value" or path[-1] == key
                yield subject.at(
                    path,
                    fault.message,
                    fault.cure,
                    on_key=kind != "value",
                    instead=fault.instead if flat else "",
                )


def _overrides(subject: Subject) -> Iterator[tuple[Path, str, Any]]:
    """Yield path, key and value of each override; nested keys dotted, as they reach the trainer."""
    yield from _flat(subject.spec.overrides, ("overrides",), "")


def _flat(tree: Mapping[str, Any], path: Path, prefix: str) -> Iterator[tuple[Path, str, Any]]:
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, (*path, key), f"{prefix}{key}.")
        else:
            yield (*path, key), f"{prefix}{key}", value


def _written(subject: Subject) -> Settings:
    """Return what the trainer writes of its own accord; compiled once for all rules here."""
    if "written" not in subject.worked_out:
        trainer, layout = TRAINERS[subject.spec.pin.name], preview_layout(subject.spec)
        subject.worked_out["written"] = settings(trainer, _run(subject), layout)
    written: Settings = subject.worked_out["written"]
    return written


def _behind(subject: Subject) -> dict[str, tuple[Path, ...]]:
    trainer, layout = TRAINERS[subject.spec.pin.name], preview_layout(subject.spec)
    return fields_behind(trainer, _run(subject), layout)


def _run(subject: Subject) -> Run:
    seed = subject.spec.seeds[0]
    return Run(experiment=subject.name, seed=seed, point={}, spec=subject.spec)


def _other_version(subject: Subject) -> str:
    name, version = subject.spec.pin
    known = [one for one in TRAINERS[name].versions if one != version and one in versions(name)]
    return f"pin {name}=={known[-1]}" if known else "report it: the compiler writes a wrong key"
