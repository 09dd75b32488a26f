"""Money through SkyPilot: its prices reach the plan, and a budget stops a run on its node."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from live_registry import wait_until
from sky_registry import SkyRegistry

RATE = 2.5
"""US dollars for an H100 an hour, as the server's configuration says."""
BUDGET = 0.03
"""Lasts for 43 s."""


@pytest.fixture(scope="module")
def registry(make, tmp_path_factory) -> SkyRegistry:
    """Merge a run that would hold its machine for ever, and let sync ask for its price."""
    registry: SkyRegistry = make("money")
    never: Path = tmp_path_factory.mktemp("never") / "there"
    held = ("--save-every", 2, "--hold-at", 5, "--until", never)
    spec = registry.spec(*held, training=", save_every: 2")
    registry.merge({"dear": f"{spec}budget: {{usd_per_run: {BUDGET}}}\n"})
    registry.succeed("sync")
    return registry


@pytest.mark.slow
def test_the_servers_price_is_kept_on_the_ledger(registry):
    kept = json.loads(registry.ledger("prices.json"))
    assert kept["endpoint"].startswith("skypilot:")
    found = [(one["infra"], one["accelerators"], one["usd_per_hour"]) for one in kept["prices"]]
    assert set(found) == {("slurm/virtual/main", "H100:1", RATE)}


@pytest.mark.slow
def test_a_budget_stops_the_run_with_its_checkpoint_kept(registry):
    registry.apply()
    registry.await_end("dear")
    attempt = registry.attempt("dear")
    assert attempt["outcome"] == "over_budget"
    assert attempt["reason"] == ("stopped at step 5 of 6: its budget of $0.03 goes no further")
    assert attempt["cure"].endswith("runner retry   goes on from the checkpoint of step 4")
    [stay] = attempt["stays"]
    assert stay["where"].startswith("slurm/virtual")
    assert stay["usd"] == pytest.approx(RATE * stay["seconds"] / 3600, abs=1e-3)
    assert BUDGET <= attempt["cost_usd"] < 2 * BUDGET


@pytest.mark.slow
def test_what_was_spent_is_told(registry):
    found = registry.succeed("cost", "--json").json
    assert found["usd"] == registry.attempt("dear")["cost_usd"]
    assert [one["place"] for one in found["places"]] == ["slurm/virtual"]
    assert "slurm/virtual" in registry.succeed("cost").out
    # The record is written on the node's word; SkyPilot gives the machine back some seconds later.
    wait_until("nothing is left", lambda: not registry.left(["dear"]), 120)
