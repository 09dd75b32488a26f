"""Another attempt obeys the newest applied spec of the same run: budget, time limit, places."""

from __future__ import annotations

from pathlib import Path

import pytest
from planned_registry import SETTINGS, SPEC, PlannedRegistry
from real_git import MakeRepository
from scripted_launcher import ENDPOINT, ScriptedLauncher

from runner.errors import Refused
from runner.ledger.documents import experiment_of
from runner.ledger.draft import Draft
from runner.ledger.prices import PATH, PriceList, Quote
from runner.ledger.record import Stay
from runner.node.rate import Rate
from runner.node.task import Limits
from runner.retry import retry

DVC = "[core]\n    remote = data\n['remote \"data\"']\n    url = {0}\n"
DVC += "['remote \"checkpoints\"']\n    url = {0}\n"
POOL = "{accelerators: 'H100:8', max_duration: 8h, candidates: [{infra: k8s/pool}]}"


def spec(usd: int, resources: str = POOL, rate: str = "1.0e-6") -> str:
    text = SPEC.replace("1.0e-6", rate)
    return f"{text}resources: {resources}\nbudget: {{usd_per_run: {usd}}}\n"


class Ended:
    """A run that has cost $150 of its budget, with its store on what every node sees."""

    def __init__(self, folder: Path, shared: Path) -> None:
        files = {
            "registry.yaml": f"{SETTINGS}run_store: file://{shared}/store\n",
            ".dvc/config": DVC.format(f"file://{shared}/dvc"),
            "experiments/a.yaml": spec(150),
        }
        self.registry = PlannedRegistry.with_files(folder, files)
        self.launcher = ScriptedLauncher()
        stay = Stay(where="k8s/pool", seconds=3600 * 9, usd=150.2)
        [self.run_id] = self.registry.run(
            launcher="skypilot", endpoint=ENDPOINT, outcome="over_budget",
            stays=(stay,), cost_usd=150.2,
        )  # fmt: skip

    def apply(self, **files: str) -> str:
        """Note a commit with these specs as the one that was applied last."""
        commit = self.registry.commit(**files)
        self.registry.workspace.ledger.transact(
            lambda now: Draft(now).set_applied(commit).changes("Applied")
        )
        return commit

    def retry(self) -> None:
        retry(self.registry.workspace, self.launcher, self.run_id)


@pytest.fixture
def run(make_repository: MakeRepository, tmp_path: Path) -> Ended:
    return Ended(make_repository(), tmp_path / "shared")


def test_a_budget_that_is_used_up_is_refused(run):
    with pytest.raises(Refused, match=r"has cost its budget of \$150") as refused:
        run.retry()
    assert "raise `budget.usd_per_run`" in (refused.value.cure or "")


def test_with_a_larger_budget_the_same_run_goes_on(run):
    commit = run.apply(a=spec(200, POOL.replace("8h", "12h")))
    prices = PriceList(
        taken_at="2026-01-01T00:00:00Z",
        endpoint=ENDPOINT,
        prices=(Quote(infra="k8s/pool", accelerators="H100:8", usd_per_hour=16.7),),
    )
    run.registry.workspace.ledger.transact(
        lambda now: Draft(now).put(PATH, prices.to_json()).changes("Prices")
    )
    run.retry()
    [task] = run.launcher.submitted
    assert (task.limits, task.commit) == (Limits(seconds=12 * 3600, usd=49.8), commit)
    assert task.rates == (Rate(infra="k8s/pool", usd_per_hour=16.7),)
    attempt = run.registry.snapshot.find(run.run_id).latest
    assert (attempt.number, attempt.commit) == (2, commit)
    kept = experiment_of(run.registry.snapshot, run.run_id)
    assert (kept.budget.usd_per_run, kept.resources.max_duration) == (200, 12 * 3600)


def test_where_the_file_means_another_run_now_the_former_spec_counts(run):
    former = run.registry.snapshot.find(run.run_id).latest.commit
    run.apply(a=spec(500, rate="2.0e-6"))
    with pytest.raises(Refused, match=r"budget of \$150"):
        run.retry()
    assert run.registry.snapshot.find(run.run_id).latest.commit == former


def test_one_that_was_claimed_and_not_submitted_is_taken_up(run, monkeypatch):
    run.apply(a=spec(200))

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("runner.retry.submit_claimed", killed)
        with pytest.raises(KeyboardInterrupt):
            run.retry()
    claimed = run.registry.snapshot.find(run.run_id).latest
    assert (claimed.number, claimed.state) == (2, "claimed")
    run.retry()
    attempt = run.registry.snapshot.find(run.run_id).latest
    assert (attempt.number, attempt.state, attempt.nonce) == (2, "submitted", claimed.nonce)
    with pytest.raises(Refused, match="is submitted"):
        run.retry()
    assert len(run.launcher.submitted) == 1
