"""From replies to a table: what each kind of answer earns, and what is wrong with the reward.

A reward is bad when it cannot teach: it is constant, pays for wrong answers, rejects right ones,
contradicts its own cases, or gives no number. What is worth knowing besides is a note.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from .answers import (
    AGAIN,
    CASES,
    EMPTY,
    FORMS,
    LISTED,
    REFERENCE,
    REQUIRED,
    TRACED,
    WRONG_KINDS,
    Call,
)

SLOW = 1.0
"""Seconds a call: at 1,000 answers a step, that is a quarter of an hour of one process."""
CLOSE = 1e-6
"""Scores that differ by no more are equal."""
ORDER = (REFERENCE, REQUIRED, CASES, *WRONG_KINDS, LISTED, AGAIN)


class Reply(NamedTuple):
    """What came of a call."""

    call: Call
    score: float | None
    problem: str
    seconds: float
    swallowed: str


class Line(NamedTuple):
    """One line of the table, and the id of what is wrong with it; empty for none."""

    answer: str
    expected: str
    score: str
    verdict: str
    note: str
    fault: str = ""


class Levels(NamedTuple):
    """What right and wrong answers earn, as far as that is known."""

    right: float | None
    wrong: float | None
    declared: bool
    """Whether the reward's own cases say so."""

    def is_right(self, score: float) -> bool:
        """Whether a score is nearer to that of a right answer."""
        if self.right is None or self.wrong is None:
            return False
        return score > (self.right + self.wrong) / 2

    def told(self, level: float | None, word: str) -> str:
        """Return what is expected, as a number where it is declared."""
        return f"{level:g}" if self.declared and level is not None else word


def best_form(replies: list[Reply]) -> str:
    """Return the usual form that earns the most, the plain one among equals."""
    means = {name: _mean(_of(replies, name)) for name in FORMS}
    known = {name: mean for name, mean in means.items() if mean is not None}
    return max(known, key=lambda name: known[name]) if known else next(iter(FORMS))


def levels(replies: list[Reply]) -> Levels:
    """Return what right and wrong answers earn: as its cases say, else as was found."""
    cases = (one.call.expected for one in _of(replies, CASES))
    declared = [score for score in cases if score is not None]
    if declared and max(declared) > min(declared):
        return Levels(max(declared), min(declared), True)
    scores = [one.score for one in replies if one.score is not None]
    right = [_mean(_of(replies, kind)) for kind in (REFERENCE, REQUIRED)]
    known = [mean for mean in right if mean is not None]
    if not known or max(known) - min(scores) <= CLOSE:
        return Levels(None, min(scores, default=None), False)
    return Levels(max(known), min(scores), False)


def lines(replies: list[Reply], form: str) -> list[Line]:
    """Return the table; `form` is the name of the form that right answers have."""
    scale = levels(replies)
    found = [line for kind in ORDER for line in _line(_of(replies, kind), kind, scale)]
    found += _all_alike(replies) or _always_right(replies, scale)
    if scale.right is None and not any(line.fault for line in found):
        note = "no form of the ground truth that is known here is right: write CASES"
        found.append(Line("right answers", "right", "–", "note", note, "unknown_form"))
    found = _merged(found, " / ")
    found += _merged([one for name in FORMS if name != form
                      for one in _other_form(replies, name, scale)], ", ")  # fmt: skip
    return found + _swallowed(replies, scale) + _slow(replies)


def _merged(found: list[Line], between: str) -> list[Line]:
    """Make one line of those that follow one another and say the same of nothing wrong."""
    merged: list[Line] = []
    for line in found:
        last = merged[-1] if merged else None
        if last and not line.fault and last[1:] == line[1:]:
            answer = line.answer.replace("right answer, ", "")
            merged[-1] = last._replace(answer=f"{last.answer}{between}{answer}")
        else:
            merged.append(line)
    return merged


def _of(replies: list[Reply], kind: str) -> list[Reply]:
    return [one for one in replies if one.call.kind == kind]


def _mean(replies: list[Reply]) -> float | None:
    scores = [one.score for one in replies if one.score is not None]
    return sum(scores) / len(scores) if scores else None


def _line(replies: list[Reply], kind: str, scale: Levels) -> list[Line]:
    if not replies:
        return []
    failed = [one.problem for one in replies if one.problem]
    if failed:
        return [_failed(replies, kind, failed)]
    if kind == CASES:
        return [_cases(replies)]
    if kind == AGAIN:
        return [_again(replies)] if replies[0].score is not None else []
    if kind in (REFERENCE, REQUIRED):
        return [_right(replies, kind, scale)]
    return [_wrong(replies, kind, scale)]


def _failed(replies: list[Reply], kind: str, failed: list[str]) -> Line:
    times = f" ({len(failed)} of {len(replies)} times)" if len(failed) < len(replies) else ""
    return Line(kind, "a number", "–", "bad", f"{failed[0]}{times}", "raises")


def _shown(replies: list[Reply]) -> str:
    return f"{_mean(replies) or 0.0:.2f}"


def _cases(replies: list[Reply]) -> Line:
    wrong = [one for one in replies if abs((one.score or 0) - (one.call.expected or 0)) > CLOSE]
    score = f"{len(replies) - len(wrong)} of {len(replies)}"
    if not wrong:
        return Line(CASES, "as they say", score, "ok", "")
    first = wrong[0]
    note = f"{first.call.answer!r:.80} earns {first.score:g}, and it says {first.call.expected:g}"
    return Line(CASES, "as they say", score, "bad", note, "cases")


def _again(replies: list[Reply]) -> Line:
    """Compare with the same calls before: `pair` has made their scores the expected ones."""
    for one in replies:
        first, then = one.call.expected, one.score
        if first is not None and then is not None and abs(first - then) > CLOSE:
            note = f"first {first:g}, then {then:g}: it does not depend on the answer alone"
            return Line(AGAIN, "the same", "another", "note", note, "random")
    return Line(AGAIN, "the same", "the same", "ok", "")


def _right(replies: list[Reply], kind: str, scale: Levels) -> Line:
    expected = scale.told(scale.right, "right")
    rejected = [one for one in replies if not scale.is_right(one.score or 0.0)]
    if not rejected:
        return Line(kind, expected, _shown(replies), "ok", "")
    if scale.right is None:
        return Line(kind, expected, _shown(replies), "note", "not told from a wrong one")
    note = (
        f"counts as wrong: {len(rejected)} of {len(replies)}, as {rejected[0].call.row.text!r:.60}"
    )
    few = 2 * len(rejected) < len(replies)
    if few or kind == REFERENCE:
        return Line(kind, expected, _shown(replies), "note", note, "rejects_some")
    return Line(kind, expected, _shown(replies), "bad", note, "rejects_truth")


def _wrong(replies: list[Reply], kind: str, scale: Levels) -> Line:
    expected = scale.told(scale.wrong, "wrong")
    paid = [one for one in replies if scale.is_right(one.score or 0.0)]
    if not paid:
        partly = scale.wrong is not None and (_mean(replies) or 0.0) > scale.wrong + CLOSE
        note = "more than the least" if partly else ""
        return Line(kind, expected, _shown(replies), "note" if partly else "ok", note)
    note = f"counts as right: {len(paid)} of {len(replies)}"
    few = 2 * len(paid) < len(replies)
    if few and kind == LISTED:  # a list begins and ends with a guess, which may be this row's
        return Line(kind, expected, _shown(replies), "ok", "")
    if few or kind == LISTED:
        return Line(kind, expected, _shown(replies), "note", note, "accepts_some")
    return Line(kind, expected, _shown(replies), "bad", note, "accepts_wrong")


def _all_alike(replies: list[Reply]) -> list[Line]:
    scores = [one.score for one in replies if one.score is not None]
    if len(scores) < 2 or max(scores) - min(scores) > CLOSE:
        return []
    note = f"constant: all {len(scores)} calls earn {scores[0]:g}, so nothing can be learned"
    if not _of(replies, CASES):
        note += "; if it wants a form that is unknown here, write CASES"
    return [Line("all of them", "differences", f"{scores[0]:.2f}", "bad", note, "constant")]


def _always_right(replies: list[Reply], scale: Levels) -> list[Line]:
    """Tell a reward that pays for whatever is not empty, also where the cases do not show it."""
    wrong = [one for kind in WRONG_KINDS for one in _of(replies, kind) if kind != EMPTY]
    scores = [one.score for one in wrong if one.score is not None]
    right = [one.score for one in _of(replies, REQUIRED) if one.score is not None]
    if not scores or not right or min(scores) < max(right) - CLOSE:
        return []
    if scale.declared and not scale.is_right(min(scores)):
        return []
    note = "always right: whatever is not empty earns as much as the ground truth"
    return [Line("all that are wrong", "less", f"{min(scores):.2f}", "bad", note, "always_right")]


def _other_form(replies: list[Reply], name: str, scale: Levels) -> list[Line]:
    of_form = _of(replies, name)
    if not of_form or scale.right is None or any(one.problem for one in of_form):
        return []
    right = sum(scale.is_right(one.score or 0.0) for one in of_form)
    if 0 < right < len(of_form):
        note = f"counts as right {right} of {len(of_form)} times"
    else:
        note = "counts as right" if right else "counts as wrong"
    answer = f"right answer, {'alone' if name == 'plain' else name}"
    return [Line(answer, "–", _shown(of_form), "note", note)]


def _swallowed(replies: list[Reply], scale: Levels) -> list[Line]:
    """Tell an exception that was caught, where a right answer came out as wrong by it."""
    for one in _of(replies, TRACED):
        if not one.swallowed:
            continue
        kind = one.swallowed.partition(":")[0]
        in_form = one.call.answer == next(iter(_of(replies, REQUIRED)), one).call.answer
        if in_form and not scale.is_right(one.score or 0.0):
            note = f"caught {one.swallowed}: a mistake looks like a wrong answer"
            return [Line("right answer", "right", _shown([one]), "bad", note, "swallows")]
        if kind in ("NameError", "AttributeError", "ImportError", "TypeError"):
            note = f"caught {one.swallowed}: is that a mistake?"
            return [Line("any answer", "–", _shown([one]), "note", note, "catches")]
    return []


def _slow(replies: list[Reply]) -> list[Line]:
    timed = [one.seconds for one in replies if one.call.kind not in (TRACED, CASES)]
    mean = sum(timed) / len(timed) if timed else 0.0
    if mean < SLOW:
        return []
    return [Line("time of a call", f"< {SLOW:g} s", f"{mean:.1f} s", "note", "slow", "slow")]


def pair(replies: list[Reply]) -> list[Reply]:
    """Give each repeated call what it earned before, as the score to expect."""
    before = {(one.call.answer, str(one.call.row)): one.score
              for one in replies if one.call.kind == REQUIRED}  # fmt: skip
    return [
        one._replace(call=one.call._replace(expected=before[one.call.answer, str(one.call.row)]))
        if one.call.kind == AGAIN and (one.call.answer, str(one.call.row)) in before
        else one
        for one in replies
    ]


def summary(found: list[Line]) -> str:
    """Return the verdict on the whole: that of the worst line that is no mere remark."""
    verdicts = {line.verdict for line in found if line.verdict == "bad" or line.fault}
    return "bad" if "bad" in verdicts else "note" if "note" in verdicts else "ok"


def as_json(line: Line) -> dict[str, Any]:
    """Return a line as result.json holds it."""
    row = line._asdict()
    del row["fault"]
    return row
