"""Signal: the bound by hand and against simulated prompts, and the hint from a real ledger."""

import json
import random

import pytest
from planned_registry import SPEC, PlannedRegistry
from real_git import MakeRepository

from runner.forecast.signal import share_without_signal, size_for
from runner.ledger.branch import Snapshot
from runner.ledger.draft import Changes, Draft
from runner.ledger.record import folder

GROUPED = SPEC.replace("revision: 060db6499f32", "revision: 0123456789ab")


@pytest.mark.parametrize(
    ("rate", "size", "share"),
    [(0.5, 2, 0.5), (0.75, 5, 0.2383), (0.9, 5, 0.5905), (1.0, 8, 1.0), (0.0, 8, 1.0)],
)
def test_the_share_by_hand(rate, size, share):
    assert share_without_signal(rate, size) == pytest.approx(share, abs=5e-5)


def test_prompts_that_differ_have_more_groups_without_signal():
    numbers = random.Random(1)  # noqa: S311
    rates = [numbers.betavariate(0.5, 0.5) for _ in range(4000)]
    groups = [{numbers.random() < rate for _ in range(5)} for rate in rates]
    share = sum(len(outcomes) == 1 for outcomes in groups) / len(groups)
    mean = sum(rates) / len(rates)
    assert share > share_without_signal(mean, 5)


def test_the_size_for_a_share():
    # 0.75^n + 0.25^n: 0.320 at n = 4, 0.238 at 5, 0.178 at 6.
    assert size_for(0.75, 0.2) == 6
    assert size_for(1.0, 0.2) is None


def ran(registry: PlannedRegistry, curves: dict[str, list[list[float]]]) -> str:
    """Record a run that succeeded, with these curves."""
    (run_id,) = registry.run(step=2)

    def step(snapshot: Snapshot) -> Changes:
        content = json.dumps({"final": {}, "curves": curves}).encode()
        return Draft(snapshot).put(f"{folder(run_id)}/metrics.json", content).changes("Metrics")

    registry.workspace.ledger.transact(step)
    return run_id


@pytest.fixture
def registry(make_repository: MakeRepository) -> PlannedRegistry:
    return PlannedRegistry.with_files(make_repository(), {"experiments/x.yaml": GROUPED})


def hints(registry: PlannedRegistry, name: str = "x") -> list[str]:
    found = registry.action(name).findings
    return [one.message for one in found if one.rule == "signal.groups"]


def test_without_an_earlier_run_nothing_is_said(registry):
    assert hints(registry) == []


def test_an_earlier_run_tells_how_many_groups_will_teach_nothing(registry):
    curves = {"val/arith/accuracy": [[0, 0.75], [2, 0.9]], "reward/mean": [[1, 0.3], [2, 0.4]]}
    run_id = ran(registry, curves)
    assert hints(registry) == []  # kept: it is not launched again
    registry.commit(x=GROUPED.replace("1.0e-6", "5.0e-7").replace("group_size: 4", "group_size: 5"))
    (message,) = hints(registry)
    assert message == (
        f"at val/arith/accuracy 0.75 (at the start of run {run_id}) at least 24% of groups of 5 "
        f"give no gradient; at val/arith/accuracy 0.9 (at the end of run {run_id}) at least 59% of "
        "groups of 5 give no gradient"
    )
    (finding,) = [one for one in registry.action().findings if one.rule == "signal.groups"]
    assert (finding.key, finding.level, finding.line) == ("algorithm.group_size", "hint", 4)
    assert "groups of 6" in finding.cure


def test_the_mean_of_a_reward_of_0_and_1_is_preferred(registry):
    extremes = {"reward/min": [[1, 0.0]], "reward/max": [[1, 1.0], [2, 1]]}
    ran(registry, {**extremes, "reward/mean": [[1, 0.1]], "val/a/accuracy": [[0, 0.5]]})
    registry.commit(x=GROUPED.replace("1.0e-6", "5.0e-7"))
    (message,) = hints(registry)
    assert message.startswith("at reward/mean 0.1 ")


def test_what_is_no_pass_rate_is_not_taken_for_one(registry):
    ran(
        registry, {"reward/mean": [[1, 0.9]], "reward/max": [[1, 0.95]], "val/a/accuracy": [[0, 7]]}
    )
    registry.commit(x=GROUPED.replace("1.0e-6", "5.0e-7"))
    assert hints(registry) == []


def test_a_run_that_another_starts_from_tells_where_that_one_starts(registry):
    run_id = ran(registry, {"val/arith/accuracy": [[0, 0.2], [2, None], [3, 0.95]]})
    after = GROUPED.replace(
        "path: Qwen/Qwen2.5-0.5B, revision: 0123456789ab", "source: run, path: x"
    )
    registry.advance(run_id, checkpoint="md5:0.dir")
    registry.commit(after=after)
    (message,) = hints(registry, "after")
    assert message.startswith(f"at val/arith/accuracy 0.95 (at the end of run {run_id})")
