"""What people ask for in comments, and how they are answered."""

from __future__ import annotations

from pathlib import Path

from hosted_registry import HostedRegistry
from live_registry import script_spec

SPEC = script_spec(steps=4)


def test_help_is_a_table_and_an_unknown_verb_gets_it_too(hosted: HostedRegistry) -> None:
    pull = hosted.open({"a": SPEC})
    assert hosted.comment(pull, "/runner help").code == 0
    assert "/runner retry NAME" in hosted.comments(pull)[-1].body
    assert hosted.comment(pull, "/runner explode a").code == 1
    assert "not known" in hosted.comments(pull)[-1].body
    before = len(hosted.comments(pull))
    assert hosted.comment(pull, "/runners are shoes, too").code == 0
    assert len(hosted.comments(pull)) == before + 1


def test_a_trial_runs_the_requests_code_without_anything_that_opens_the_forge(
    hosted: HostedRegistry, tmp_path: Path
) -> None:
    canary = "canary-5e2f"
    hosted.secrets["HF_TOKEN"] = canary
    told = tmp_path / "environment.json"
    pull = hosted.open({"a": script_spec("--told", told, steps=4)})
    done = hosted.comment(pull, "/runner try a")
    assert done.jobs["try"] == "success", done.log
    assert "tried 2 steps" in done.log
    assert hosted.records() == []
    environment = told.read_text()
    assert "ROLLBOOK_JOB" in environment
    for name in ("GITHUB_TOKEN", "GIT_CONFIG_VALUE", "AUTHORIZATION", "ACTIONS_", canary):
        assert name not in environment
    assert f"Trying 2 steps of `a` at `{pull.head[:12]}`" in hosted.comments(pull)[-1].body


def test_a_forks_code_is_not_tried(hosted: HostedRegistry, tmp_path: Path) -> None:
    told = tmp_path / "environment.json"
    pull = hosted.open({"a": script_spec("--told", told)}, author="stranger", fork=True)
    done = hosted.comment(pull, "/runner try a")
    assert (done.jobs["command"], done.jobs["try"]) == ("failure", "skipped")
    assert "comes from a fork" in hosted.comments(pull)[-1].body
    assert not told.exists()


def test_what_cannot_be_done_is_answered_with_the_reason(hosted: HostedRegistry) -> None:
    pull = hosted.open({"a": SPEC})
    hosted.merge(pull)
    assert hosted.apply().code == 0
    for body, reason in (
        ("/runner retry a", "has succeeded"),
        ("/runner cancel a", "has ended already"),
        ("/runner launch nothing", "no experiment"),
        ("/runner retry nothing", "knows no run or experiment"),
    ):
        assert hosted.comment(pull, body).code == 1
        assert reason in hosted.comments(pull)[-1].body
