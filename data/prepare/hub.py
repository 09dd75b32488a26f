"""Datasets of the Hugging Face hub, at a revision."""

import importlib
from collections.abc import Iterable

from rows import Row


def load(name: str, revision: str, split: str, folder: str | None = None) -> Iterable[Row]:
    """The rows of a split, in the order of the hub; `folder` is the configuration or sub-folder.

    Ends the program with a message where `datasets` is missing or the hub cannot be reached.
    """
    try:
        datasets = importlib.import_module("datasets")
    except ImportError:
        raise SystemExit("needs the package `datasets`: pip install datasets") from None
    try:
        rows: Iterable[Row] = datasets.load_dataset(name, folder, revision=revision, split=split)
    except OSError as error:  # no connection, no such dataset or revision, no permission
        raise SystemExit(f"cannot load {name} at {revision[:8]} from the hub: {error}") from error
    return rows
