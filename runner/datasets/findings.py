"""What a check of all rows found, as findings on the specs that name the datasets.

`runner validate --deep` says these in place of what cards let rules guess.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from runner.datasets.check import Fault
from runner.datasets.review import Review, review
from runner.errors import Refused
from runner.findings import Finding, Level, at
from runner.spec.check import LoadedExperiment
from runner.spec.experiment import Experiment
from runner.spec.node import Marks, dotted
from runner.spec.node import Path as Key

GUESSED = frozenset({"data.faults", "data.overlong", "data.cut", "data.overlap"})
"""Rules that read cards, whose findings a check of the rows replaces."""


def exact(
    found: Iterable[Finding],
    experiments: Iterable[LoadedExperiment],
    root: Path,
    python_of: Callable[[Experiment], str],
) -> Iterator[Finding]:
    """Yield `found`, with what checking all rows says in place of what was guessed from cards.

    `python_of` tells the Python of a spec's training environment, which may have its tokenizer.
    """
    findings = tuple(found)
    missing = {finding.path for finding in findings if finding.rule in ("data.known", "data.made")}
    checked: set[tuple[str, int, str]] = set()
    for marks, done in _reviews(experiments, root, python_of):
        if isinstance(done, Review):
            yield from _findings(done, marks)
            checked.update(_places(done, marks))
        elif marks.value(("data",)).path not in missing:
            message = f"the rows were not read: {done.message}"
            cure = done.cure or "dvc pull"
            yield _finding(marks, ("data", "train"), "data.known", "hint", message, cure)
    for finding in findings:
        if finding.rule not in GUESSED or (finding.path, finding.line, finding.key) not in checked:
            yield finding


def _reviews(
    experiments: Iterable[LoadedExperiment], root: Path, python_of: Callable[[Experiment], str]
) -> Iterator[tuple[Marks, Review | Refused]]:
    """Yield the review of each spec that a trainer reads data for; the same one is made once."""
    made: dict[str, Review | Refused] = {}
    for experiment in experiments:
        for run, marks in zip(experiment.runs, experiment.run_marks, strict=True):
            spec = run.spec
            if spec.data is None or spec.algorithm is None or spec.pin.name == "script":
                continue
            name = f"{spec.data} {spec.model} {spec.algorithm.terms().stage} {spec.trainer}"
            if name not in made:
                try:
                    made[name] = review(root, spec, python_of(spec), sample=None)
                except Refused as refused:
                    made[name] = refused
            yield marks, made[name]


def _findings(done: Review, marks: Marks) -> Iterator[Finding]:
    for one in done.sets:
        for fault in one.checked.faults:
            place = f"{fault.rows[0]}: " if fault.rows else f"`{one.path}` "
            more = f" ({fault.number:,} rows)" if fault.number > 1 else ""
            message = f"{place}{fault.told}{more}"
            cure = f"runner data check {one.path} --deep   lists them; correct or leave them out"
            yield _finding(marks, _key(one.role), _rule(fault), fault.level, message, cure)
    for leak in done.leaks:
        if leak.overlap and leak.overlap.number:
            message = f"{leak.overlap.number:,} prompts of `{leak.name}` stand in the training set"
            key = ("data", "val", leak.name)
            yield _finding(marks, key, "data.overlap", "hint", message, "take them out of one")


def _places(done: Review, marks: Marks) -> Iterator[tuple[str, int, str]]:
    for one in done.sets:
        mark = marks.value(_key(one.role))
        yield mark.path, mark.line, dotted(_key(one.role))


def _finding(marks: Marks, key: Key, rule: str, level: Level, message: str, cure: str) -> Finding:
    return at(marks.value(key), dotted(key), rule, message, cure, level)


def _key(role: str) -> Key:
    return ("data", *role.split("/", 1))


def _rule(fault: Fault) -> str:
    if fault.kind == "overlong":
        return "data.overlong" if fault.level == "error" else "data.cut"
    return "data.format" if fault.kind == "format" else "data.faults"
