"""Every note of a settled experiment, compared with a tree: where there is no watermark."""

from __future__ import annotations

from runner.ledger.settled import Footprint
from runner.ledger.snapshot import Snapshot
from runner.planning.footprint import listing
from runner.planning.settlement import Settlement
from runner.planning.trees import ObjectTree
from runner.spec.load import experiment_names, path_of


def compared(tree: ObjectTree, snapshot: Snapshot, basis: str, also: frozenset[str]) -> Settlement:
    """Return the experiments of `tree` whose notes hold, without those of `also`."""
    known, sound = snapshot.standings, _Soundness(tree)
    found = {
        name: one
        for name, one in snapshot.settled.items()
        if one.basis == basis
        and tree.blob(path_of(name)) == one.file
        and sound.holds(one.footprint)
        and all(run.run_id in known for run in one.runs)
        and name not in also
    }
    for run_id in snapshot.active():
        name = known[run_id].experiment if run_id in known else ""
        if name in found and all(run.run_id != run_id for run in found[name].runs):
            del found[name]
    all_names = {*experiment_names(tree), *snapshot.settled}
    runs = sum(len(one.runs) for one in found.values())
    return Settlement(tree, snapshot, frozenset(all_names - found.keys()), runs)


class _Soundness:
    """Whether footprints are those of a tree; most experiments share a few."""

    def __init__(self, tree: ObjectTree) -> None:
        self._tree = tree
        self._blobs: dict[str, str] = {}
        self._listings: dict[str, str] = {}
        self._known: dict[int, bool] = {}

    def holds(self, footprint: Footprint) -> bool:
        found = self._known.get(id(footprint))
        if found is None:
            found = self._known[id(footprint)] = self._holds(footprint)
        return found

    def _holds(self, footprint: Footprint) -> bool:
        return all(self._blob(path) == one for path, one in footprint.files.items()) and all(
            self._listing(key) == one for key, one in footprint.listings.items()
        )

    def _blob(self, path: str) -> str:
        if path not in self._blobs:
            self._blobs[path] = self._tree.blob(path)
        return self._blobs[path]

    def _listing(self, key: str) -> str:
        if key not in self._listings:
            self._listings[key] = listing(self._tree, *key.split("|", 1))
        return self._listings[key]
