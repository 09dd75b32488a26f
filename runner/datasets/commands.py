"""What `runner data` does: check, card and add, for paths and experiments of a registry."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from runner.datasets.card import card_of, write_card
from runner.datasets.review import Review, review, review_path
from runner.datasets.source import KINDS, exists, sets_in
from runner.errors import InvalidSpec, OutsideError
from runner.spec.cards import Card
from runner.spec.check import load_experiments
from runner.spec.experiment import Experiment
from runner.spec.tree import WorkTree
from runner.tasks import train_python
from runner.workspace import Workspace


def check_target(workspace: Workspace, start: Path, target: str, sample: int | None) -> Review:
    """Check the dataset at the path `target`, or those of the experiment that it names.

    Raises Refused when it is neither, or when a dataset is not there.
    """
    place = _inside(workspace, start, target)
    if Path(target).suffix in KINDS or (
        not target.endswith(".yaml") and exists(workspace.root / place)
    ):
        return review_path(workspace.root, place, sample)
    loaded = load_experiments(WorkTree(workspace.root), [place])
    if not loaded.experiments:
        raise InvalidSpec(loaded.findings)
    reviews = [
        review(workspace.root, spec, train_python(workspace, spec), sample)
        for spec in _different([run.spec for run in loaded.experiments[0].runs])
    ]
    return Review(
        tuple(one for done in reviews for one in done.sets),
        tuple(leak for done in reviews for leak in done.leaks),
    )


def make_card(workspace: Workspace, start: Path, path: str, *, write: bool) -> Card:
    """Return the card of the dataset at `path`, and keep it with what tracks the data on `write`.

    Raises Refused when there is no such dataset, or DVC does not track it.
    """
    place = _inside(workspace, start, path)
    card = card_of(workspace.root / place)
    if write:
        write_card(workspace.root, place, card)
    return card


def add(workspace: Workspace, start: Path, paths: Sequence[str]) -> list[tuple[str, Card, str]]:
    """Track `paths` with DVC and keep their cards; return each dataset, its card and where that is.

    Raises Refused when one is no dataset (then nothing is tracked), OutsideError when DVC fails.
    """
    root = workspace.root
    places = [_inside(workspace, start, path) for path in paths]
    cards = {
        str(one.relative_to(root)): card_of(one)
        for place in places
        for one in sets_in(root / place)
    }
    done = subprocess.run(
        [sys.executable, "-m", "dvc", "add", "--quiet", *places],
        cwd=root, capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise OutsideError(f"dvc add failed: {said[-1] if said else 'it says nothing'}")
    return [
        (path, card, str(write_card(root, path, card).relative_to(root)))
        for path, card in cards.items()
    ]


def _inside(workspace: Workspace, start: Path, path: str) -> str:
    """Return a path that a person wrote where they stand as one below the root."""
    place = (start / path).resolve()
    here = exists(place) and place.is_relative_to(workspace.root)
    return str(place.relative_to(workspace.root)) if here else path


def _different(specs: Sequence[Experiment]) -> list[Experiment]:
    """Return the specs that differ in what their datasets are checked for."""
    keys: dict[str, Experiment] = {}
    for spec in specs:
        stage = spec.algorithm.terms().stage if spec.algorithm else None
        keys.setdefault(f"{spec.data} {spec.model} {stage}", spec)
    return list(keys.values())
