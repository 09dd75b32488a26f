"""What runs the workflows is held to what GitHub does, as far as the other tests rely on it."""

from __future__ import annotations

from pathlib import Path

import pytest
from act_runner import Act, Event, Finished, Forge, permissions
from stand_in_github import GitHub, serving_github

from runner import __version__

PIN = "actions/{}@" + "1" * 40
HEAD = """\
name: test
on: push
permissions: {}
jobs:
"""
FORGE = Forge("octo/registry", "http://api.invalid", "http://server.invalid")


def run(folder: Path, jobs: str, **about: dict[str, str]) -> Finished:
    event = Event("push", {"ref": "refs/heads/main"}, "a" * 40, "refs/heads/main")
    files = {".github/workflows/test.yml": HEAD + jobs}
    given = {"tokens": {}, **about}
    return Act(folder, FORGE).run(files, "test.yml", event, **given)  # type: ignore[arg-type]


def job(name: str, *steps: str, more: str = "") -> str:
    lines = "".join(f"      - {step}\n" for step in steps)
    return f"  {name}:\n    runs-on: ubuntu-24.04\n{more}    steps:\n{lines}"


def uses(action: str, **values: str) -> str:
    inputs = ", ".join(f"{name}: {value}" for name, value in values.items())
    return f"uses: {PIN.format(action)}\n        with: {{{inputs}}}"


PYTHON = uses("setup-python", **{"python-version": '"3.11"'})


def test_jobs_secrets_and_what_is_told(tmp_path: Path) -> None:
    says = "env:\n          KEY: ${{ secrets.KEY }}\n        run: "
    one = job(
        "one",
        f'{says}\'echo "key=$KEY" && echo "# Plan" >>"$GITHUB_STEP_SUMMARY"\'',
        "run: 'echo \"::error file=a.yaml,line=3::wrong\" && sleep 1 && exit 1'",
    )
    done = run(tmp_path, one + job("two", "run: exit 0", more="    needs: one\n"),
               secrets={"KEY": "canary"})  # fmt: skip
    assert (done.code, done.jobs) == (1, {"one": "failure", "two": "skipped"})
    assert "key=***" in done.log
    assert "canary" not in done.log
    assert done.summaries == {"one": "# Plan\n"}
    assert done.annotations == ("::error file=a.yaml,line=3::wrong",)


def test_commit_and_ref_are_the_events(tmp_path: Path) -> None:
    done = run(tmp_path, job("one", 'run: echo "$GITHUB_SHA $GITHUB_REF $GITHUB_REPOSITORY"'))
    assert f"{'a' * 40} refs/heads/main octo/registry" in done.log


def test_nothing_of_this_process_reaches_a_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary")
    assert "canary" not in run(tmp_path, job("one", "run: env")).log


def test_the_runner_is_there_once_it_is_installed(tmp_path: Path) -> None:
    release = f"python -m pip install --quiet 'rollbook[all]=={__version__}'"
    jobs = (
        job("before", PYTHON, "run: runner --version")
        + job("bare", PYTHON, "run: python -c 'import runner'")
        + job(
            "installed", PYTHON, f"run: {release} && runner --version && python -c 'import runner'"
        )
        + job("unknown", PYTHON, "run: python -m pip install --quiet 'rollbook[all]==999.0'")
    )
    done = run(tmp_path, jobs)
    assert done.jobs == {
        "before": "failure",
        "bare": "failure",
        "installed": "success",
        "unknown": "failure",
    }
    assert set(done.installed) == {
        f"installed rollbook[all]=={__version__}", "unknown rollbook[all]==999.0",
    }  # fmt: skip


def test_artifacts_go_from_job_to_job(tmp_path: Path) -> None:
    where = "'${{ runner.temp }}/things'"
    put = 'run: mkdir "$RUNNER_TEMP/things" && echo here >"$RUNNER_TEMP/things/a.txt"'
    jobs = (
        job("one", put, uses("upload-artifact", name="things", path=where))
        + job("two", uses("download-artifact", name="things", path=where),
              'run: cat "$RUNNER_TEMP/things/a.txt"', more="    needs: one\n")
        + job("three", uses("download-artifact", name="none", path=where))
    )  # fmt: skip
    done = run(tmp_path, jobs)
    assert done.jobs == {"one": "success", "two": "success", "three": "failure"}
    assert "two | here" in done.log
    assert (done.artifacts["things"] / "a.txt").read_text() == "here\n"


@pytest.fixture
def github(tmp_path: Path) -> object:
    with serving_github(tmp_path / "github") as served:
        yield served


def test_a_checkout_has_the_jobs_token_and_leaves_none(tmp_path: Path, github: GitHub) -> None:
    """A private repository: the job that may read checks out, its neighbour without does not."""
    first = github.commit({"a.txt": "first\n"})
    github.commit({"a.txt": "second"})
    github.repository.private = True
    checkout = uses("checkout", **{"fetch-depth": "0", "persist-credentials": "false"})
    look = 'run: "cat a.txt; git branch --show-current; ! git fetch origin && ! env | grep ghs_"'
    jobs = job("reads", checkout, look) + job("none", checkout)
    event = Event("push", {"ref": "refs/heads/main"}, first, "refs/heads/main")
    forge = Forge(github.repository.full_name, github.urls.api, github.urls.server)
    tokens = {
        "reads": github.workflow_token(contents="read"),
        "none": github.workflow_token("none"),
    }
    files = {".github/workflows/test.yml": HEAD + jobs}
    done = Act(tmp_path / "act", forge).run(files, "test.yml", event, tokens=tokens)
    assert done.jobs == {"reads": "success", "none": "failure"}, done.log
    assert "reads | first" in done.log
    assert "reads | main" in done.log


def test_a_checkout_that_would_keep_its_token_fails(tmp_path: Path) -> None:
    done = run(tmp_path, job("one", uses("checkout", ref="main")), tokens={"one": "ghs_x"})
    assert done.jobs == {"one": "failure"}
    assert "credentials would stay" in done.annotations[0]


def test_permissions_are_the_jobs_or_the_files() -> None:
    own = job("own", "run: exit 0", more="    permissions:\n      contents: read\n")
    assert permissions(HEAD + own + job("none", "run: exit 0")) == {
        "own": {"contents": "read"},
        "none": {},
    }
