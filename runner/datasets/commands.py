"""What `runner data` does: check, card and add, for paths and experiments of a registry."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from runner.datasets.card import card_of, write_card
from runner.datasets.reading import Dataset
from runner.datasets.review import Review, review, review_path
from runner.datasets.source import KINDS, exists, sets_in
from runner.errors import InvalidSpec, OutsideError
from runner.launching.tasks import train_python
from runner.spec.cards import Card
from runner.spec.check import load_experiments
from runner.spec.experiment import Experiment
from runner.spec.inputs import DvcOutputs
from runner.spec.tree import WorkTree
from runner.storage.files import write_atomically
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


def make_card(
    workspace: Workspace, start: Path, path: str, *, write: bool, sample: int | None = None
) -> Card:
    """Return the card of the dataset at `path`, and keep it with what tracks the data on `write`.

    Then `sample` rows for the reward check are written beside the data, to be committed; a sample
    that is there is made anew. Raises Refused when there is no such dataset, DVC does not track it,
    or no row can be sampled.
    """
    place = _inside(workspace, start, path)
    card = card_of(workspace.root / place)
    if write:
        card = card.model_copy(update={"sample": _write_sample(workspace.root, place, sample)})
        write_card(workspace.root, place, card)
    return card


def _write_sample(root: Path, path: str, count: int | None) -> str:
    """Write the sample of the dataset at `path` where one is wanted; return its digest."""
    from runner.reward_check.sample import MOST_ROWS, place_of, sample_of

    file = root / place_of(DvcOutputs(WorkTree(root)), path)
    if count is None and not file.exists():
        return ""
    rows = (row.content for row in Dataset(root / path).sample(min(count or MOST_ROWS, MOST_ROWS)))
    content = sample_of(rows)
    write_atomically(file, content)
    return hashlib.sha256(content).hexdigest()


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
