"""The program: checks each reward of the bundle beside it and writes result.json.

    python check.py                        the check, for a workflow or a terminal
    python check.py --keep SECONDS …       keeps one isolated process: see `isolation`
    python check.py --subject              that process: see `subject`

Nothing that a reward prints or says is printed here as it is: a line that begins with `::` would be
a command to the forge's runner, also behind blanks, and `##[` would be one anywhere.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from . import answers, isolation, judge, subject
from .answers import Call, Row
from .judge import Line, Reply
from .talk import Ended, Talk

VERSION = 1
LONGEST = 500
"""Characters of a text in result.json: longer ones are refused by who reads it."""
MOST_SECONDS = 86_400
HUNG = 10.0
"""Seconds that one call may take alone before the deadline counts as its fault."""


def main() -> int:
    """Do what the arguments say."""
    if sys.argv[1:2] == ["--keep"]:
        return isolation.keep(int(sys.argv[2]), sys.argv[3:])
    if sys.argv[1:2] == ["--subject"]:
        subject.main()
    folder = Path(sys.argv[0]).resolve().parent
    content = json.loads((folder / "cases.json").read_text(encoding="utf-8"))
    tables = _tables(content["rewards"], content["seconds"], content["seconds_of_all"])
    written = folder / f".result.{os.getpid()}"
    text = json.dumps({"version": VERSION, "tables": tables}, indent=1)
    written.write_text(text, encoding="utf-8")
    written.replace(folder / "result.json")
    for table in tables:
        print(_line(table))
    return 0


def _line(table: dict[str, Any]) -> str:
    told = f"{table['reward']}: {table['verdict']} {table['error']}"
    plain = "".join(c if c.isascii() and c.isprintable() else "?" for c in told)
    return f"reward check of {plain.replace('##[', '## [')}"[:300]


def _tables(
    rewards: list[dict[str, Any]], seconds: int, seconds_of_all: int
) -> list[dict[str, Any]]:
    """Check each reward while there is time for a whole check, the first in any case."""
    started = time.monotonic()
    tables: list[dict[str, Any]] = []
    for reward in rewards:
        spent = time.monotonic() - started
        if tables and spent + seconds > seconds_of_all and not reward["error"]:
            before = f"the {len(tables)} checks before took {spent:.0f} s"
            reward = {**reward, "error": f"not reached: {before}"}
        tables.append(_table(reward, seconds))
    return tables


def _table(reward: dict[str, Any], seconds: int) -> dict[str, Any]:
    """Check one reward; return its table."""
    started = time.monotonic()
    check = _Check(reward, seconds)
    if reward["error"]:
        check.error = reward["error"]
    else:
        try:
            check.run()
        except Exception as error:  # a reward may forge any reply: no other's table is lost by it
            check.lines = []
            check.error = f"not checked: its replies have no sense ({type(error).__name__})"
    lines = check.lines
    verdict = "note" if check.error else judge.summary(lines)
    return {
        "reward": reward["reward"][:LONGEST], "rows_from": check.rows_from[:LONGEST],
        "count": len(check.rows),
        "seconds": round(time.monotonic() - started, 2), "verdict": verdict,
        "rows": [judge.as_json(line) for line in lines], "error": check.error[:LONGEST],
        "faults": [{"kind": line.fault, "verdict": line.verdict,
                    "told": f"{line.answer}: {line.note}"[:400]} for line in lines if line.fault],
    }  # fmt: skip


class _Check:
    """The check of one reward."""

    def __init__(self, reward: dict[str, Any], seconds: int) -> None:
        self._reward = reward
        self._seconds = seconds
        self._replies: list[Reply] = []
        self._pending: Call | None = None
        self._network: list[str] = []
        self._files: list[str] = []
        self._missing: list[str] = []
        self.rows = tuple(Row(**row) for row in reward["rows"])
        self.rows_from = reward["rows_from"]
        self.lines: list[Line] = []
        self.error = ""

    def run(self) -> None:
        """Talk to the isolated reward, and judge."""
        talk = Talk([f"{isolation.BUNDLE}/check.py", "--subject"], self._seconds)
        file, _, function = self._reward["reward"].rpartition(":")
        talk.send({"file": file, "function": function})
        form, ended = "", False
        try:
            form = self._converse(talk)
        except Ended:
            ended = True
        finally:
            status = talk.close()
        if status == isolation.NO_ISOLATION:
            why = _plain(talk.print.decode(errors="replace"))[:200]
            self.error = f"the network could not be cut: not run ({why})"
            return
        if self._replies:
            self.lines += judge.lines(judge.pair(self._replies), form)
        if ended and not self.lines_say_import():
            self.lines.append(self._ending(status))
        self.lines += _remarks(self._network, self._files, talk, self._reward["swallows"])
        self._excuse()

    def lines_say_import(self) -> bool:
        """Whether it is known already why there is no more: the reward could not be imported."""
        return any(line.fault == "imports" for line in self.lines)

    def _converse(self, talk: Talk) -> str:
        """Make all calls; return the name of the form of right answers, empty for the cases'."""
        greeting = self._receive(talk)
        self._missing = [_plain(name)[:60] for name in _texts(greeting.get("missing"), 5)]
        if greeting.get("problem"):
            problem = _plain(_text(greeting["problem"]))
            self.lines.append(Line("importing it", "works", "–", "bad", problem, "imports"))
            raise Ended
        cases = answers.cases_in(greeting.get("cases"))
        self._choose_rows(cases)
        self._make(talk, answers.first_calls(self.rows, cases))
        form, name = answers.form_of(cases), ""
        if not form:
            name = judge.best_form(self._replies)
            form = answers.FORMS[name]
        self._make(talk, answers.further_calls(self.rows, form))
        return name

    def _choose_rows(self, cases: tuple[answers.Case, ...]) -> None:
        if self.rows:
            return
        if cases:
            self.rows, self.rows_from = answers.rows_of_cases(cases), "its own CASES"
        else:
            self.rows = answers.made_up_rows()
            self.rows_from = "made-up numbers, without a sample or CASES"

    def _make(self, talk: Talk, calls: list[Call]) -> None:
        talk.send([call.request() for call in calls])
        for call in calls:
            self._pending = call
            message = self._receive(talk)
            if "end" in message:
                raise Ended
            self._replies.append(_reply(call, message))
        self._pending = None
        self._receive(talk)

    def _receive(self, talk: Talk) -> dict[str, Any]:
        message = talk.receive()
        self._network = _texts(message.get("network"), 3)
        self._files = _texts(message.get("files"), 3)
        return message

    def _ending(self, status: int) -> Line:
        """Say why the process did not answer all."""
        pending = self._pending.kind if self._pending else "importing it"
        spent = sum(one.seconds for one in self._replies)
        if status == isolation.DEADLINE_PASSED:
            if self._replies and self._seconds - spent < HUNG:
                note = f"only {len(self._replies)} calls within {self._seconds} s"
                return Line(pending, "an answer", "–", "note", note, "slow")
            note = f"does not return: stopped after {self._seconds} s"
        elif status > 128:
            note = f"its process was ended by signal {status - 128}: too much memory, or its own"
        else:
            note = f"its process ended (status {status}) before it returned"
        return Line(pending, "a number", "–", "bad", note, "stopped")

    def _excuse(self) -> None:
        """Take back what is no fault of the reward: a package or the network that is not here."""
        bad = {line.fault for line in self.lines if line.verdict == "bad"}
        if not bad:
            return
        failed = bad & {"raises", "imports", "swallows", "rejects_truth", "cases"}
        notes = " ".join(line.note for line in self.lines if line.verdict == "bad")
        if self._missing and failed:
            why = f"imports {', '.join(self._missing)}, which is not here"
        elif self._network and failed and "Error" in notes:
            why = f"needs the network ({_plain(self._network[0])}), which is cut here"
        else:
            return
        self.lines = [
            line._replace(verdict="note", fault="unchecked") if line.verdict == "bad" else line
            for line in self.lines
        ]
        if any(line.verdict == "ok" for line in self.lines):
            note = f"not checked in full: {why}"
            self.lines.append(Line("the rest", "–", "–", "note", note, "unchecked"))
        else:
            self.error = f"not checked: {why}"


def _reply(call: Call, message: dict[str, Any]) -> Reply:
    """Return a reply with the types that it should have, whatever the process sent."""
    score, seconds = message.get("score"), message.get("seconds")
    number = isinstance(score, (int, float)) and abs(score) < answers.LARGEST_SCORE
    timed = isinstance(seconds, (int, float)) and 0 <= seconds < MOST_SECONDS
    problem = _plain(_text(message.get("problem")))
    return Reply(
        call,
        float(score) if number and not problem and score is not None else None,
        problem if problem or number else "returned no number",
        float(seconds) if timed and seconds is not None else 0.0,
        _plain(_text(message.get("swallowed"))),
    )


def _text(value: Any) -> str:
    """Return the text that a message has somewhere; what is none is named so."""
    if isinstance(value, str):
        return value
    return f"says {type(value).__name__} for a text" if value else ""


def _texts(value: Any, most: int) -> list[str]:
    """Return the texts in a list of a message."""
    found = value if isinstance(value, list) else []
    return [one for one in found[:most] if isinstance(one, str)]


def _remarks(network: list[str], files: list[str], talk: Talk, swallows: str) -> list[Line]:
    """Return what the reward does besides returning a number."""
    lines = []
    if network:
        note = f"tries {_plain(network[0])}, which is cut here"
        lines.append(Line("network", "not used", "tried", "note", note, "network"))
    if files:
        note = f"opens {_plain(', '.join(files))}"
        lines.append(Line("other files", "not used", "tried", "note", note, "files"))
    if talk.printed:
        note = f"begins {_plain(talk.print.decode(errors='replace'))[:80]!r}; left out here"
        printed = f"{talk.printed:,} bytes"
        lines.append(Line("what it prints", "nothing", printed, "note", note, "prints"))
    if swallows:
        lines.append(Line("any failure", "raised", "a score", "note", swallows, "swallows_all"))
    return lines


def _plain(text: str) -> str:
    """Return text on one line, without control characters, and not too long."""
    shown = "".join(c if c.isprintable() else " " for c in text[:400])
    return " ".join(shown.split())[:200]
