"""What the reward check found, as findings on the specs that name the rewards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from runner.findings import Finding, Level, at
from runner.reward_check.here import check_rewards
from runner.reward_check.result import Checked
from runner.spec.check import LoadedExperiment
from runner.spec.tree import Tree

KEY = "reward"


def findings(experiments: Iterable[LoadedExperiment], tree: Tree) -> Iterator[Finding]:
    """Yield what is wrong with the rewards of `experiments`; each reward is checked once.

    Rules are named `reward.<kind>`, such as `reward.constant`.
    """
    named = tuple(experiments)
    rewards: dict[str, tuple[str, ...]] = {}
    for one in named:
        for run in one.runs:
            spec = run.spec
            if spec.reward and tree.read(spec.reward.rpartition(":")[0]) is not None:
                sets = (spec.data.train, *spec.data.val.values()) if spec.data else ()
                rewards[spec.reward] = tuple(dict.fromkeys((*rewards.get(spec.reward, ()), *sets)))
    results = {one: check_rewards(tree, {one: sets})[0] for one, sets in rewards.items()}
    for one in named:
        for run, marks in zip(one.runs, one.run_marks, strict=True):
            if run.spec.reward in results:
                for told in _of(results[run.spec.reward]):
                    yield at(marks.value((KEY,)), KEY, *told)


def _of(checked: Checked) -> Iterator[tuple[str, str, str, Level]]:
    """Yield rule, message, cure and level of everything that was found about one reward."""
    table = checked.table
    cure = f"runner reward check {table.reward}   shows the table"
    if table.error:
        yield "reward.unchecked", f"`{table.reward}`: {table.error}", cure, "hint"
        return
    for fault in checked.faults:
        level: Level = "error" if fault.verdict == "bad" else "hint"
        yield f"reward.{fault.kind}", f"`{table.reward}`: {fault.told}", cure, level
