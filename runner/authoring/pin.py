"""`runner pin`: fills in what can move, in the specs' own text.

    specs -> what is loose -> what it stands for now -> edits -> files

What stands in a base is pinned in the base. Nothing else of a file changes, to the byte.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from runner.authoring.hub import find_revision, is_pinned
from runner.errors import Refused, RunnerError
from runner.findings import Mark
from runner.registry import Registry
from runner.root import FILE, find_root
from runner.spec import edit
from runner.spec.check import load_registry
from runner.spec.experiment import TRAINER_NAMES, parse_trainer
from runner.spec.fields import nearest
from runner.spec.load import Merged, Specs
from runner.spec.node import Node, child
from runner.spec.tree import WorkTree
from runner.spec.yaml import parse
from runner.storage.files import write_atomically
from runner.trainers import TRAINERS


class Loose(NamedTuple):
    """Something in a spec that can stand for another thing tomorrow."""

    key: str
    """`trainer`, `image` or `model.revision`."""
    now: str
    """What the spec says; empty where it says nothing."""
    mark: Mark
    """The scalar to replace, or beside which to add the key."""
    key_mark: Mark
    is_there: bool
    """Whether there is a scalar to replace."""
    trainer: str
    model: tuple[str, str] = ("", "")
    """Source and name of the model."""

    def __str__(self) -> str:
        """Say in a line what is loose, and where."""
        what = f"{self.key}: {self.now}" if self.now else f"{self.key} is not set"
        return f"{self.mark.path}:{self.mark.line}: {what}"


class Pin(NamedTuple):
    """What a loose thing stands for."""

    loose: Loose
    value: str
    source: str

    def __str__(self) -> str:
        """Say in a line what was pinned, where, and by whose word."""
        mark = self.loose.mark
        return f"{mark.path}:{mark.line}: {self.loose.key}: {self.value}   from {self.source}"


class Pinned(NamedTuple):
    """What `pin` did."""

    pins: tuple[Pin, ...]
    failures: tuple[RunnerError, ...]
    """What could not be pinned, and why; the rest was."""


def pin(start: Path, names: Sequence[str]) -> Pinned:
    """Pin what is loose in the specs `names` of the registry around `start`, and write them.

    Raises Refused for a name that is no spec, InvalidSpec for a file that cannot be read.
    """
    root = find_root(start)
    registry = load_registry(WorkTree(root))
    pins, failures = [], []
    for loose in find_loose(start, names):
        try:
            pins.append(_fill(loose, registry))
        except RunnerError as error:
            failures.append(error)
    _write(root, pins)
    return Pinned(tuple(pins), tuple(failures))


def find_loose(start: Path, names: Sequence[str]) -> tuple[Loose, ...]:
    """Return what is loose in the specs `names`, each once; nothing outside is asked."""
    root = find_root(start)
    specs = Specs(WorkTree(root))
    chosen = (_chosen(root, start, name, specs) for name in names)
    found = (loose for name in chosen for loose in _loose(specs.merged(name)))
    return tuple(dict.fromkeys(found))


def _chosen(root: Path, start: Path, text: str, specs: Specs) -> str:
    path = (start / text).resolve()
    inside = path.is_file() and path.is_relative_to(root)
    name = str(path.relative_to(root)) if inside else text
    name = name.removeprefix("./").removeprefix("experiments/").removesuffix(".yaml")
    if name not in specs.names:
        near = nearest(name, specs.names)
        cure = f"did you mean `{near}`?" if near else "name a file below experiments/"
        raise Refused(f"there is no spec `{name}`", cure=cure)
    return name


def _loose(merged: Merged) -> Iterator[Loose]:
    trainer = child(merged.root, "trainer")
    named = str(trainer.value) if trainer else ""
    if trainer and named in TRAINER_NAMES and named != "script":  # the name without a version
        yield Loose("trainer", named, trainer.mark, trainer.key_mark, True, named)
    image = child(merged.root, "image")
    if image and isinstance(image.value, str) and "@sha256:" not in image.value:
        yield Loose("image", image.value, image.mark, image.key_mark, True, named)
    if not any(key.startswith("model") for key in _varied(merged.matrix)):
        yield from _loose_model(child(merged.root, "model"), named)


def _varied(matrix: Node | None) -> Iterator[str]:
    """Yield the keys that a matrix gives several values: its points pin their own models."""
    value = matrix.value if matrix else None
    for node in value.values() if isinstance(value, dict) else ():
        entries = node.value if isinstance(node.value, list) else [node]
        for entry in entries:
            yield from entry.value if isinstance(entry.value, dict) else ()


def _loose_model(model: Node | None, trainer: str) -> Iterator[Loose]:
    path = child(model, "path") if model else None
    if model is None or path is None or not isinstance(path.value, str):
        return
    said = child(model, "source")
    source = str(said.value) if said else "huggingface"
    revision = child(model, "revision")
    now = str(revision.value) if revision and revision.value is not None else ""
    if source not in ("huggingface", "modelscope") or is_pinned(source, now or None):
        return
    place = revision or path
    yield Loose("model.revision", now, place.mark, place.key_mark, revision is not None, trainer,
                (source, path.value))  # fmt: skip


def _fill(loose: Loose, registry: Registry) -> Pin:
    """Return what `loose` stands for; raises Refused or OutsideError when nobody says it."""
    if loose.key == "model.revision":
        found = find_revision(*loose.model, loose.now or None)
        return Pin(loose, found.value, found.source)
    name = parse_trainer(loose.trainer).name
    listed = [pin for pin in registry.environments if parse_trainer(pin).name == name]
    if loose.key == "trainer":
        return _fill_trainer(loose, name, listed)
    wanted = listed if loose.trainer == name else [loose.trainer]
    images = [registry.environments[pin].image for pin in wanted if pin in registry.environments]
    digests = [image for image in images if image and _is_same(loose.now, image)]
    if len(digests) != 1:
        raise Refused(
            f"{loose.mark.path}:{loose.mark.line}: {FILE} has no digest of the image `{loose.now}`",
            cure=f"docker buildx imagetools inspect {loose.now}   shows it",
        )
    return Pin(loose, digests[0], FILE)


def _fill_trainer(loose: Loose, name: str, listed: list[str]) -> Pin:
    known = [f"{name}=={version}" for version in TRAINERS[name].versions]
    choice = listed or known
    if len(choice) != 1:
        raise Refused(
            f"{loose.mark.path}:{loose.mark.line}: there are {len(choice)} versions of {name}",
            cure=f"write one: {', '.join(choice)}",
        )
    return Pin(loose, choice[0], FILE if listed else "the only version known here")


def _is_same(name: str, pinned: str) -> bool:
    """Whether `pinned` is the image `name` with a digest; a tag that one leaves out is let be."""
    (repository, tag), (other, other_tag) = map(_split, (name, pinned.partition("@")[0]))
    return repository == other and (not tag or not other_tag or tag == other_tag)


def _split(image: str) -> tuple[str, str]:
    """Split off the tag; a colon before the last slash is a port's."""
    folder, slash, last = image.rpartition("/")
    name, _, tag = last.partition(":")
    return folder + slash + name, tag


def _write(root: Path, pins: Iterable[Pin]) -> None:
    by_file: dict[str, list[Pin]] = {}
    for one in pins:
        by_file.setdefault(one.loose.mark.path, []).append(one)
    for path, own in by_file.items():
        place = root / path
        mode, before = place.stat().st_mode, place.read_bytes()
        after = _edited(before.decode(), own).encode()
        parse(after, path)  # an edit that breaks a spec is a bug, and is not written
        write_atomically(place, after)
        place.chmod(mode)


def _edited(text: str, pins: Iterable[Pin]) -> str:
    edits = []
    for value, loose in ((one.value, one.loose) for one in pins):
        if loose.is_there:
            edits.append(edit.replace(text, loose.mark, value))
        else:
            key = loose.key.rpartition(".")[2]
            edits.append(edit.add_beside(text, loose.mark, loose.key_mark, key, value))
    return edit.apply(text, edits)
