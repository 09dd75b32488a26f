"""A new registry's first pull request: the workflows that `runner init` has written plan it."""

from __future__ import annotations

from hosted_registry import HostedRegistry
from live_registry import script_spec

from runner import __version__


def test_the_plan_comes_as_comment_status_summary_and_artifact(hosted: HostedRegistry) -> None:
    pull = hosted.open({"first": script_spec(steps=2)})
    done = hosted.plan(pull)
    assert done.code == 0, done.log
    assert done.jobs == {"plan": "success", "reward-check": "skipped", "reward-report": "skipped"}
    assert done.installed == (f"plan rollbook[github]=={__version__}",)
    assert "launches 1 run" in hosted.plan_comment(pull)
    assert hosted.statuses(pull.head)["runner/plan"].state == "success"
    assert "first" in done.summary
    assert (done.artifacts["plan"] / "plan.json").is_file()
