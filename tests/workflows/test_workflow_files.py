"""The workflow files as files: what GitHub's schema, act and zizmor say, and what act passes over.

Who may change these files may do everything that they may: docs/github.md.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from act_runner import ACT, require_act

from runner.authoring.workflows import ACTION, NAMES, SPENDING, forge_files

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".github/workflows"
FILES = sorted(FOLDER.glob("*.yml"))
PINS = {
    "actions/checkout": "11bd71901bbe5b1630ceea73d27597364c9af683  # v4.2.2",
    "actions/setup-python": "a26af69be951a213d495a4c3e4e4022e16d87065  # v5.6.0",
    "actions/upload-artifact": "ea165f8d65b6e75b540449e92b4886f43607fa02  # v4.6.2",
    "actions/download-artifact": "d3f86a106a0bac45b974a628896c90dbdf5c8093  # v4.3.0",
}
"""Commit and release: the same pairs stand in many public workflows."""

TRIGGERS: dict[str, dict[str, Any]] = {
    "ci": {"push": {"branches": ["main"]}, "pull_request": None, "merge_group": None},
    "plan": {
        "pull_request": {"types": ["opened", "synchronize", "reopened", "ready_for_review"]},
        "merge_group": {"types": ["checks_requested"]},
    },
    "apply": {
        "push": {"branches": ["main"]},
        "workflow_dispatch": {
            "inputs": {
                "verb": {
                    "description": "What to do",
                    "type": "choice",
                    "options": ["apply", "launch", "rerun", "retry", "cancel"],
                    "default": "apply",
                },
                "name": {"description": "The experiment or run (none for apply)", "type": "string"},
            }
        },
    },
    "sync": {"schedule": [{"cron": "7,22,37,52 * * * *"}], "workflow_dispatch": None},
    "commands": {"issue_comment": {"types": ["created"]}},
}
TELL = {"contents": "read", "pull-requests": "write", "statuses": "write"}
LAUNCH = {"contents": "write", "pull-requests": "write", "statuses": "write"}
PERMISSIONS = {
    "ci": {"test": {"contents": "read"}},
    "plan": {
        "plan": TELL,
        "reward-check": {},
        "reward-report": TELL,
    },
    "apply": {"apply": LAUNCH, "replan": TELL},
    "sync": {"sync": LAUNCH},
    "commands": {"command": LAUNCH, "try": {"contents": "read"}},
}
CONCURRENCY = {
    "ci": ("ci-${{ github.event.pull_request.number || github.sha }}", "a newer head"),
    "plan": (
        "plan-${{ github.event.pull_request.number || github.event.merge_group.head_sha }}",
        "a newer head",
    ),
    "apply": ("apply-${{ github.event_name == 'push' && 'push' || github.run_id }}", ""),
    "sync": ("sync", ""),
    "commands": ("command-${{ github.event.comment.id }}", ""),
}
"""Each group, and what may cancel a run of it."""


def load(name: str) -> dict[str, Any]:
    content = yaml.safe_load((FOLDER / f"{name}.yml").read_text())
    content["on"] = content.pop(True)  # YAML 1.1 takes the key for a boolean
    return dict(content)


def jobs(name: str) -> dict[str, dict[str, Any]]:
    return dict(load(name)["jobs"])


def steps(name: str, job: str) -> list[dict[str, Any]]:
    return list(jobs(name)[job]["steps"])


def command(*arguments: str, cwd: Path = ROOT) -> None:
    done = subprocess.run(
        [str(Path(sys.executable).with_name(arguments[0])), *arguments[1:]],
        cwd=cwd, check=False, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


ALL_JOBS = [(path.stem, job) for path in FILES for job in jobs(path.stem)]
each_file = pytest.mark.parametrize("name", [path.stem for path in FILES])
each_job = pytest.mark.parametrize(("name", "job"), ALL_JOBS)


# What others say of them


@pytest.fixture
def registry(tmp_path: Path) -> Path:
    """Return a folder with the files that `runner init` writes for GitHub."""
    for path, text in forge_files(None, "main").items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    return tmp_path


def test_zizmor_finds_nothing(registry: Path) -> None:
    """At its strictest; what is passed over is said in the files, line by line."""
    strict = ("zizmor", "--quiet", "--offline", "--persona=auditor")
    command(*strict, ".github", "action.yml")
    command(*strict, ".github", cwd=registry)


def test_github_knows_every_key(registry: Path) -> None:
    written = [str(path) for path in (registry / ".github/workflows").glob("*.yml")]
    schema = ("check-jsonschema", "--builtin-schema")
    command(*schema, "vendor.github-workflows", *map(str, FILES), *written)
    actions = ("action.yml", str(registry / ACTION / "action.yml"))
    command(*schema, "vendor.github-actions", *actions)


def test_act_reads_every_expression(registry: Path, tmp_path: Path) -> None:
    require_act()
    home = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    for folder in (FOLDER, registry / ".github/workflows"):
        checked = [str(ACT), "--validate", "--strict", "--workflows", str(folder)]
        done = subprocess.run(
            checked, cwd=tmp_path, env=home, check=False, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr


def test_act_would_find_a_wrong_expression(tmp_path: Path) -> None:
    require_act()
    wrong = (FOLDER / "plan.yml").read_text().replace("needs.plan.outputs", "needes.plan.outputs")
    (tmp_path / "plan.yml").write_text(wrong)
    checked = [str(ACT), "--validate", "--strict", "--workflows", "plan.yml"]
    home = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    assert subprocess.run(
        checked, cwd=tmp_path, env=home, capture_output=True, check=False
    ).returncode


# What starts them, and what they may


@each_file
def test_triggers(name: str) -> None:
    assert load(name)["on"] == TRIGGERS[name]


@each_file
def test_permissions_are_none_but_for_what_a_job_needs(name: str) -> None:
    assert load(name)["permissions"] == {}
    assert {job: about["permissions"] for job, about in jobs(name).items()} == PERMISSIONS[name]


@each_file
def test_concurrency_drops_nothing_that_counts(name: str) -> None:
    group, cancelled_by = CONCURRENCY[name]
    found = load(name)["concurrency"]
    cancels = found["cancel-in-progress"]
    if name == "ci":
        assert cancels == "${{ github.event_name == 'pull_request' }}"
    else:
        assert cancels is bool(cancelled_by)
    assert found["group"] == group


@each_job
def test_every_job_ends(name: str, job: str) -> None:
    minutes = jobs(name)[job]["timeout-minutes"]
    # Where the local launcher may wait for a run GitHub's own limit of six hours counts.
    launches = job in ("apply", "sync", "command")
    assert minutes == 360 if launches else minutes <= 60


def test_commands_are_filtered_before_anything_starts() -> None:
    condition = jobs("commands")["command"]["if"]
    assert condition == (
        "github.event.issue.pull_request && startsWith(github.event.comment.body, '/runner')"
    )


@pytest.mark.parametrize("name", SPENDING)
def test_only_the_default_branch_spends(name: str) -> None:
    """A comment's and a schedule's workflows are always the default branch's."""
    first, *others = jobs(name).values()
    assert first["environment"] == "rollbook"
    assert not any("environment" in other for other in others)
    if name != "commands":
        default = "github.ref == format('refs/heads/{0}', github.event.repository.default_branch)"
        assert default in first["if"]


# What they execute


@each_job
def test_no_text_of_others_stands_in_a_script(name: str, job: str) -> None:
    assert not [step for step in steps(name, job) if "${{" in step.get("run", "")]


def test_no_text_of_others_stands_in_the_actions_scripts() -> None:
    action = yaml.safe_load((ROOT / "action.yml").read_text())
    scripts = [step["run"] for step in action["runs"]["steps"] if "run" in step]
    assert scripts
    assert not [script for script in scripts if "${{" in script]


@each_file
def test_shells_stop_at_the_first_failure(name: str) -> None:
    """`shell: bash` is GitHub's word for `bash -eo pipefail`; without it there is no pipefail."""
    scripts = [step for job in jobs(name) for step in steps(name, job) if "run" in step]
    default = load(name).get("defaults", {}).get("run", {}).get("shell")
    assert all(step.get("shell", default) == "bash" for step in scripts if step["run"] != ".ci/run")


@pytest.mark.parametrize("path", [*FILES, ROOT / "action.yml"], ids=lambda path: path.name)
def test_actions_are_pinned(path: Path) -> None:
    used = re.findall(r"uses: ([^@\s]+)@(.+)", path.read_text())
    assert used or path.name != "action.yml"
    assert all(PINS[action] == pin for action, pin in used)


@pytest.mark.parametrize("name", NAMES)
def test_checkouts_keep_no_token_and_take_no_request(name: str) -> None:
    base = "${{ github.event.pull_request.base.sha || github.event.merge_group.base_sha }}"
    for job in jobs(name):
        for step in steps(name, job):
            if step.get("uses", "").startswith("actions/checkout"):
                ref = step["with"].get("ref")
                allowed = (base, "${{ github.event.pull_request.base.sha }}")
                assert ref in allowed if name == "plan" else ref is None
                assert step["with"]["persist-credentials"] is False


def test_the_job_that_executes_rewards_has_nothing() -> None:
    """No checkout, no runner, no token, no secret; and nothing of it for a fork's request."""
    job = jobs("plan")["reward-check"]
    used = [
        step["uses"].partition("@")[0].partition("/")[2] for step in job["steps"] if "uses" in step
    ]
    assert used == ["download-artifact", "setup-python", "upload-artifact"]
    assert [step["run"] for step in job["steps"] if "run" in step] == [
        'python "$RUNNER_TEMP/plan/reward-check/check.py"'
    ]
    assert "github.event.pull_request.head.repo.full_name == github.repository" in job["if"]
    assert not re.search(r"secrets\.|github\.token|vars\.|env", yaml.safe_dump(job))


@each_job
def test_secrets_reach_only_what_launches(name: str, job: str) -> None:
    texts = [yaml.safe_dump(step) for step in steps(name, job)]
    with_secrets = [text for text in texts if re.search(r"secrets\.|vars\.", text)]
    launches = (name, job) in [("apply", "apply"), ("sync", "sync"), ("commands", "command")]
    assert len(with_secrets) == int(launches)
    assert not re.search(r"secrets\.|vars\.", yaml.safe_dump(load(name).get("env", {})))


def test_those_that_launch_are_given_the_same() -> None:
    given = [
        step["env"]
        for name in SPENDING
        for step in steps(name, next(iter(jobs(name))))
        if step.get("uses") == "./"
    ]
    assert given[0] == given[1] == given[2]
    assert all(value == f"${{{{ {kind(value)}.{name} }}}}" for name, value in given[0].items()
               if name != "GITHUB_TOKEN")  # fmt: skip


def kind(value: str) -> str:
    return "vars" if "vars." in value else "secrets"
