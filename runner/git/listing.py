"""What `git ls-tree` says of the files of a commit."""

from __future__ import annotations

from typing import NamedTuple


class Entry(NamedTuple):
    """One file of a commit: mode (`100644`, `100755`, `120000`, `160000`) and object id."""

    mode: str
    oid: str


def listed(listing: str) -> dict[str, str]:
    """Return what `git ls-tree -z` says before each path: `<mode> <type> <oid>`."""
    if listing.count("\t") == listing.count("\0"):  # no path holds a tab: the quick way
        fields = listing.replace("\0", "\t").split("\t")
        return dict(zip(fields[1::2], fields[::2], strict=False))
    lines = (line.partition("\t") for line in listing.split("\0") if line)
    return {path: said for said, _, path in lines}


def entry_of(said: str) -> Entry:
    """Return the entry of a file of which git says `<mode> <type> <oid>`."""
    mode, _, oid = said.split(" ")
    return Entry(mode, oid)
