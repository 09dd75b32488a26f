"""The runner killed between submitting and recording, the API server restarted: one training."""

from __future__ import annotations

import re
import sys

KILLED = """\
import os, signal, sys
from runner.__main__ import main
from runner.launchers.skypilot import SkyPilotLauncher

submit = SkyPilotLauncher.submit

def submit_and_die(launcher, task):
    submit(launcher, task)
    os.kill(os.getpid(), signal.SIGKILL)

SkyPilotLauncher.submit = submit_and_die
sys.argv = ["runner", "apply", "--launcher", "skypilot"]
main()
"""
"""An apply that dies once SkyPilot has given the job its id, before the ledger has it."""


def test_a_submission_that_nobody_recorded_is_adopted_after_a_restart(make, tmp_path_factory, host):
    started = tmp_path_factory.mktemp("started") / "jobs"
    registry = make("killed")
    registry.merge({"demo": registry.spec("--started", started, "--pause", 0.2)})

    assert registry.execute(sys.executable, "-c", KILLED).code == -9
    claimed = registry.attempt("demo")
    assert (claimed["state"], claimed["job"]) == ("claimed", None)

    host.script("stop-server")
    refused = registry.runner("apply")
    assert refused.code == 3
    assert "SkyPilot" in refused.err
    assert registry.attempt("demo") == claimed

    host.script("up")
    registry.apply()
    adopted = registry.attempt("demo")
    assert adopted["nonce"] == claimed["nonce"]
    assert re.fullmatch(f"job-[0-9]+-{registry.job('demo')}", adopted["job"])
    registry.await_end("demo")
    assert registry.attempt("demo")["outcome"] == "succeeded"
    assert started.read_text().split() == [registry.job("demo")]
    assert registry.leases("demo") == ["epoch-1"]
    assert registry.left(["demo"]) == {}
