"""What merging does, however merges, jobs and people cross each other."""

from __future__ import annotations

from github_git import bare_git
from hosted_registry import HostedRegistry
from live_registry import script_spec

SPEC = script_spec(steps=2)


def outcomes(hosted: HostedRegistry) -> dict[str, list[str]]:
    """Return the outcome, or state, of every attempt of each experiment."""
    return {
        record["experiment"]: [one["outcome"] or one["state"] for one in record["attempts"]]
        for record in hosted.records()
    }


def test_a_merged_request_is_launched_and_told(hosted: HostedRegistry) -> None:
    pull = hosted.open({"a": SPEC})
    assert hosted.plan(pull).code == 0
    commit = hosted.merge(pull)
    done = hosted.apply(commit)
    assert done.code == 0, done.log
    assert outcomes(hosted) == {"a": ["succeeded"]}
    shown = hosted.statuses(commit)["runner/a"]
    assert shown.state == "success"
    told = [one.body for one in hosted.comments(pull)]
    assert len(told) == 2
    assert told[1].startswith("<!-- rollbook:run:v1 a -->")
    assert "succeeded" in told[1]
    assert "a" in (hosted.ledger("README.md") or "")
    again = hosted.apply(commit)
    assert again.code == 0
    assert outcomes(hosted) == {"a": ["succeeded"]}
    assert [one.body for one in hosted.comments(pull)] == told


def test_two_merged_quickly_are_launched_by_the_apply_of_the_second(
    hosted: HostedRegistry,
) -> None:
    one = hosted.open({"a": SPEC}, branch="one")
    two = hosted.open({"b": SPEC.replace("steps: 2", "steps: 3")}, branch="two")
    first, second = hosted.merge(one), hosted.merge(two)
    late = hosted.apply(first)
    assert late.code == 0
    assert "superseded" in late.log
    assert hosted.records() == []
    assert hosted.apply(second).code == 0
    assert outcomes(hosted) == {"a": ["succeeded"], "b": ["succeeded"]}
    # Each request is told of its own experiment alone.
    assert [c.body.split(" -->")[0].rpartition(" ")[2] for c in hosted.comments(one)] == ["a"]
    assert [c.body.split(" -->")[0].rpartition(" ")[2] for c in hosted.comments(two)] == ["b"]
    assert hosted.apply(first).code == 0
    assert outcomes(hosted) == {"a": ["succeeded"], "b": ["succeeded"]}


def test_revert_delete_rename_and_twins_launch_nothing_again(hosted: HostedRegistry) -> None:
    edited = SPEC.replace("steps: 2", "steps: 3")
    for files in (
        {"a": SPEC},
        {"a": edited},
        {"a": SPEC},  # reverted
        {"a": None, "renamed": SPEC},
        {"twin": SPEC},
        {"twin": None, "renamed": None},
    ):
        hosted.push(files)
        done = hosted.apply()
        assert done.code == 0, done.log
    assert len(hosted.records()) == 2
    assert [len(record["attempts"]) for record in hosted.records()] == [1, 1]


def test_a_mended_reward_makes_stale_and_launches_nothing(hosted: HostedRegistry) -> None:
    uses = "reward: reward/exact.py:compute_score\n"
    spec = script_spec("--reward", "varied", steps=2, more=uses)
    hosted.push({"a": spec, "b": spec.replace("steps: 2", "steps: 3")})
    assert hosted.apply().code == 0
    mended = "def compute_score(data_source, solution_str, ground_truth, extra_info=None):\n"
    pull = hosted.open(
        {"reward/exact.py": f"{mended}    return 1.0 * (solution_str == ground_truth)\n"}
    )
    assert hosted.plan(pull).code == 0
    assert "2 stale" in hosted.plan_comment(pull)
    hosted.merge(pull)
    assert hosted.apply().code == 0
    assert len(hosted.records()) == 2
    done = hosted.dispatch("rerun", "a")
    assert done.code == 0, done.log
    assert len(hosted.records()) == 3


def test_what_is_over_the_ceiling_waits_for_an_owner(hosted: HostedRegistry) -> None:
    settings = bare_git(hosted.github.repository.folder, "show", "main:registry.yaml")
    policy = "\npolicy: {launches_per_apply: 1, owners: [ann]}\n"
    hosted.push({"registry.yaml": settings + policy})
    assert hosted.apply().code == 0
    wider = settings + "\npolicy: {launches_per_apply: 9, owners: [ann, bob]}\n"
    files = {"a": SPEC, "b": SPEC.replace("steps: 2", "steps: 3"), "registry.yaml": wider}
    pull = hosted.open(files)
    assert hosted.plan(pull).code == 0
    assert "1 held" in hosted.plan_comment(pull)
    commit = hosted.merge(pull)
    for _ in range(2):  # again lifts nothing
        assert hosted.apply(commit).code == 0
        assert outcomes(hosted) == {"a": ["succeeded"]}
    shown = hosted.statuses(commit)["runner/b"]
    assert shown.state == "pending"
    assert "ann" in shown.description
    for login in ("ann", "bob"):
        hosted.github.repository.collaborators[login] = "write"
    refused = hosted.comment(pull, "/runner launch b", by="bob")
    assert refused.code == 1
    assert outcomes(hosted) == {"a": ["succeeded"]}
    granted = hosted.comment(pull, "/runner launch b", by="ann")
    assert granted.code == 0, granted.log
    assert outcomes(hosted) == {"a": ["succeeded"], "b": ["succeeded"]}


def test_a_run_whose_job_of_ci_fails_is_lost_and_retried(hosted: HostedRegistry) -> None:
    pull = hosted.open({"a": SPEC})
    commit = hosted.merge(pull)
    url = hosted.variables["AWS_ENDPOINT_URL"]
    hosted.variables["AWS_ENDPOINT_URL"] = "http://127.0.0.1:9"
    failed = hosted.apply(commit)
    assert failed.code == 1
    assert outcomes(hosted) == {"a": ["lost"]}
    hosted.variables["AWS_ENDPOINT_URL"] = url
    assert hosted.sync().code == 0
    shown = hosted.statuses(commit)["runner/a"]
    assert shown.state == "failure"
    assert "lost" in shown.description
    assert outcomes(hosted) == {"a": ["lost"]}  # nothing is launched again by itself
    done = hosted.dispatch("retry", "a")
    assert done.code == 0, done.log
    assert outcomes(hosted) == {"a": ["lost", "succeeded"]}
    assert hosted.statuses(commit)["runner/a"].state == "success"


def test_an_apply_that_could_not_push_is_made_good_by_the_next(hosted: HostedRegistry) -> None:
    hosted.push({"a": SPEC})
    hosted.github.arm("bad_gateway", path=".*/git-receive-pack", times=50)
    failed = hosted.apply()
    assert failed.code == 1
    assert hosted.records() == []
    hosted.github.faults.disarm()
    done = hosted.apply()
    assert done.code == 0, done.log
    assert outcomes(hosted) == {"a": ["succeeded"]}


def test_a_run_that_fails_says_so_and_is_retried_by_a_comment(hosted: HostedRegistry) -> None:
    pull = hosted.open({"a": script_spec("--crash-at", "2", steps=4)})
    commit = hosted.merge(pull)
    done = hosted.apply(commit)
    assert done.code == 1
    assert hosted.statuses(commit)["runner/a"].state == "failure"
    [told] = [one.body for one in hosted.comments(pull)]
    assert "❌" in told
    assert "the ninth wave" in told
    hosted.comment(pull, "/runner retry a")
    assert outcomes(hosted) == {"a": ["failed", "failed"]}
    bodies = [one.body for one in hosted.comments(pull)]
    assert [one.startswith("<!-- rollbook:run:v1") for one in bodies].count(True) == 1


def test_a_stranger_may_ask_for_nothing(hosted: HostedRegistry) -> None:
    pull = hosted.open({"a": f"{SPEC}launch: manual\n"})
    hosted.merge(pull)
    assert hosted.apply().code == 0
    done = hosted.comment(pull, "/runner launch a", by="stranger")
    assert done.code == 1
    assert hosted.records() == []
    assert "no write access" in hosted.comments(pull)[-1].body
    assert hosted.comment(pull, "/runner launch a").code == 0
    assert outcomes(hosted) == {"a": ["succeeded"]}


def test_a_lost_ledger_and_a_forks_first_apply_are_refused(hosted: HostedRegistry) -> None:
    folder = hosted.github.repository.folder
    hosted.push({"a": SPEC})
    assert hosted.apply().code == 0
    known = bare_git(folder, "rev-parse", "refs/heads/runs")
    bare_git(folder, "update-ref", "-d", "refs/heads/runs")
    hosted.push({"b": SPEC.replace("steps: 2", "steps: 3")})
    gone = hosted.apply()
    assert gone.code == 1
    assert "no ledger branch" in gone.log
    # A fork has made a ledger of its own by hand: another lineage.
    tree = bare_git(folder, "mktree", stdin=b"")
    bare_git(
        folder, "update-ref", "refs/heads/runs", bare_git(folder, "commit-tree", tree, "-m", "x")
    )
    foreign = hosted.apply()
    assert foreign.code == 1
    assert "lineage" in foreign.log
    bare_git(folder, "update-ref", "refs/heads/runs", known)
    assert hosted.apply().code == 0
    assert sorted(outcomes(hosted)) == ["a", "b"]
