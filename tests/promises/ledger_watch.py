"""Looks at the ledger's branch commit by commit, and says what it promises does not hold.

It reads with plain git, and knows of the product only the format of a record and what an attempt
counts for (`spent_by`); which records may follow one another is judged by `legal_moves`.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from legal_moves import is_legal, stands

from runner.ledger.record import RunRecord
from runner.ledger.spending import month_of, spending_path, spent_by

_NOTHING = "0" * 40


class _Commit(NamedTuple):
    commit: str
    parents: tuple[str, ...]
    subject: str
    files: Mapping[str, str]
    """Object id of each file that it changed, by path; all zeros where it was deleted."""


class LedgerWatch:
    """The ledger at a bare repository, as every commit of it has left it so far."""

    def __init__(self, origin: Path, branch: str = "runs") -> None:
        self._origin, self._branch = origin, branch
        self.tip = ""
        self.records: dict[str, RunRecord] = {}
        self.subjects: list[str] = []
        self._files: dict[str, Any] = {}
        """Content of the files that follow from the records: active.json, spending, standings."""
        self._histories: dict[str, list[str]] = {}
        self._months: dict[str, dict[str, Any]] = {}
        """What the months' files have to hold, by path."""
        self._standings: dict[str, dict[str, Any]] = {}
        """What the files beside the records have to hold, by path."""

    def look(self) -> int:
        """Follow what is new on the branch; return how many commits. Fails for a broken promise."""
        now = self._git("rev-parse", "--verify", f"refs/heads/{self._branch}").strip()
        if now == self.tip:
            return 0
        new = list(self._commits(now))
        content = self._blobs({oid for one in new for oid in one.files.values()})
        for one in new:
            # Every commit is on the one before it: none was lost, dropped or rewritten.
            assert one.parents == ((self.tip,) if self.tip else ()), f"{one}: not on {self.tip}"
            self._follow(one, content)
            self.tip = one.commit
        assert self.tip == now
        return len(new)

    def _follow(self, one: _Commit, content: Mapping[str, bytes]) -> None:
        told = f"{one.commit[:12]} {one.subject}"
        for path, oid in one.files.items():
            if path.endswith("/record.json"):
                self._record(path, content.get(oid), told)
            elif path == "active.json" or path.startswith("spending/") or _is_standing(path):
                self._files[path] = json.loads(content[oid])
            elif path.startswith("experiments/") and path.endswith("/index.json"):
                self._entry(path, json.loads(content[oid]), told)
        self.subjects.append(one.subject)
        self._agree(told)

    def _record(self, path: str, text: bytes | None, told: str) -> None:
        assert text is not None, f"{told}: {path} was deleted"
        after = RunRecord.from_json(text)
        before = self.records.get(after.run_id)
        assert path == f"runs/{after.run_id[:2]}/{after.run_id}/record.json", told
        assert is_legal(before, after), f"{told}: {stands(before)} became {stands(after)}"
        for number, attempt in enumerate(after.attempts, 1):
            key = f"{after.run_id}/{number}"
            for entries in self._months.values():
                entries.pop(key, None)
            if attempt.gpus is not None:
                entries = self._months.setdefault(spending_path(month_of(attempt.claimed_at)), {})
                entries[key] = spent_by(attempt).model_dump(mode="json")
        last = after.latest
        self._standings.setdefault(f"runs/{after.run_id[:2]}/standing.json", {})[after.run_id] = {
            "experiment": after.experiment,
            "state": last.state,
            "outcome": last.outcome,
            "ended_at": last.ended_at,
        }
        self.records[after.run_id] = after

    def _entry(self, path: str, entry: dict[str, Any], told: str) -> None:
        history, before = entry["history"], self._histories.get(path, [])
        assert history[: len(before)] == before, f"{told}: {path} has forgotten runs"
        assert set(entry["runs"]) <= set(history), f"{told}: {path}"
        self._histories[path] = history

    def _agree(self, told: str) -> None:
        """What is kept beside the records says what they say."""
        going = {i: r.latest.number for i, r in self.records.items() if r.latest.state != "ended"}
        assert self._files["active.json"] == going, told
        assert self._below("runs/") == self._standings, told
        months = self._below("spending/")
        expected = {path: entries for path, entries in self._months.items() if path in months}
        assert months == expected, told
        assert not any(e for path, e in self._months.items() if path not in months), told

    def _below(self, folder: str) -> dict[str, Any]:
        return {path: file for path, file in self._files.items() if path.startswith(folder)}

    def _commits(self, now: str) -> Iterator[_Commit]:
        options = ("--reverse", "--no-renames", "--no-abbrev", "--raw", "--root")
        span = [now, f"^{self.tip}"] if self.tip else [now]
        log = self._git("log", *options, "--format=%x01%H%x02%P%x02%s", *span)
        for part in log.split("\x01")[1:]:
            head, *lines = part.splitlines()
            commit, parents, subject = head.split("\x02")
            fields = (line.split(maxsplit=5) for line in lines if line.startswith(":"))
            files = {path: new for _, _, _, new, _, path in fields}
            yield _Commit(commit, tuple(parents.split()), subject, files)

    def _blobs(self, wanted: set[str]) -> dict[str, bytes]:
        names = sorted(wanted - {_NOTHING})
        out = self._run("cat-file", "--batch", stdin="".join(f"{n}\n" for n in names).encode())
        found, at = {}, 0
        for name in names:
            end = out.index(b"\n", at)
            size = int(out[at:end].split()[2])
            found[name] = out[end + 1 : end + 1 + size]
            at = end + size + 2
        return found

    def _git(self, *arguments: str) -> str:
        return self._run(*arguments).decode()

    def _run(self, *arguments: str, stdin: bytes = b"") -> bytes:
        command = ["git", f"--git-dir={self._origin}", *arguments]
        return subprocess.run(
            command, input=stdin, check=True, capture_output=True, timeout=60
        ).stdout


def _is_standing(path: str) -> bool:
    return path.startswith("runs/") and path.endswith("/standing.json")
