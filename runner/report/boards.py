"""The leaderboard as data: `leaderboard/<folder>.json`, the rows of each folder's experiments.

It follows from the records and is written with the pages. What has changed replaces its own rows;
the front page is made from those of all folders, so that no run that ends makes anybody read the
records of the others.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping

from runner.ledger.snapshot import Snapshot
from runner.report.leaderboard import (
    FOLDER,
    Listed,
    Row,
    folder_of,
    leaderboard_pages,
    page_of,
)

Board = dict[str, Listed]
"""The experiments of one folder, by name."""
Survey = Callable[[frozenset[str] | None], Iterable[Listed]]
"""Returns the experiments of some folders, of all for None, from their entries and records."""


def leaderboard_files(
    snapshot: Snapshot, changed: Iterable[Listed], survey: Survey
) -> dict[str, str]:
    """Return the boards, folders' pages and front page that change with experiments, by path.

    A board that is not there, or is damaged, is made again by `survey`.
    """
    news = list(changed)
    touched = frozenset(folder_of(one.experiment) for one in news)
    boards, names = _read(snapshot)
    lost = None if not boards else touched - boards.keys()
    for one in [*(survey(lost) if lost is None or lost else ()), *news]:
        boards.setdefault(folder_of(one.experiment), {})[one.experiment] = one
    shown = {folder for folder in boards if page_of(folder) not in names} | touched
    written = boards.keys() if lost is None else touched
    files = {board_path(folder): _to_json(boards[folder]) for folder in written}
    every = [one for board in boards.values() for one in board.values()]
    return {**files, **leaderboard_pages(every, shown)}


def board_path(folder: str) -> str:
    """Return where a folder's rows are on the ledger branch."""
    return page_of(folder).replace(".md", ".json")


def _read(snapshot: Snapshot) -> tuple[dict[str, Board], frozenset[str]]:
    """Return the boards that can be read, by folder, and the paths of all files beside them."""
    paths = [f"{FOLDER}/{name}" for name in snapshot.names(FOLDER)]
    contents = snapshot.read_shards(path for path in paths if path.endswith(".json"))
    read = (_from_json(content) for content in contents.values())
    boards = {folder_of(next(iter(board))): board for board in read if board}
    return boards, frozenset(paths)


def _to_json(board: Mapping[str, Listed]) -> str:
    """One line per experiment: what changes is a line."""
    lines = (f"{json.dumps(name)}: {_line(board[name])}" for name in sorted(board))
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _line(one: Listed) -> str:
    rows = [row[1:] for row in one.rows]  # without the experiment's name
    return json.dumps([one.newest, one.runs, rows], ensure_ascii=False, separators=(",", ":"))


def _from_json(content: bytes) -> Board:
    """Return what `_to_json` wrote; nothing for anything else."""
    try:
        return {
            name: Listed(name, newest, int(runs), tuple(_row(name, *row) for row in rows))
            for name, (newest, runs, rows) in json.loads(content).items()
        }
    except (ValueError, TypeError, AttributeError):
        return {}


def _row(
    name: str,
    point: str,
    state: str,
    metric: str | None,
    values: list[float],
    seeds: int,
    day: str,
) -> Row:
    return Row(name, point, state, metric, tuple(values), seeds, day)
