"""The scripts of the action, with the programs that they call stood in for; the hook's entry."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
TELL = '#!/bin/bash\nprintf "%s\\n" "$PWD" "$@"\n{ env | grep -c "^EMPTY="; echo "$FULL"; } >&2\n'


def script(name: str) -> str:
    action = yaml.safe_load((ROOT / "action.yml").read_text())
    [step] = [step for step in action["runs"]["steps"] if step["name"] == name]
    assert step["shell"] == "bash"
    return str(step["run"])


def call(folder: Path, text: str, **environment: str) -> tuple[list[str], list[str]]:
    """Return folder and arguments of the program that is called, and what two variables are."""
    for program in ("python", "runner"):
        (folder / program).write_text(TELL)
        (folder / program).chmod(0o755)
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", text],
        cwd=folder,
        env={"PATH": f"{folder}:/usr/bin:/bin", "RUNNER_TEMP": "/temp", **environment},
        check=True,
        capture_output=True,
        text=True,
        timeout=30,
    )
    return done.stdout.splitlines(), done.stderr.splitlines()


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("plan", ["--artifact", "/temp/plan"]),
        ("reward-report", ["/temp/reward-check/result.json"]),
        ("apply", []),
        ("try", []),
    ],
)
def test_the_runner_is_called(tmp_path: Path, command: str, arguments: list[str]) -> None:
    told, _ = call(tmp_path, script("Call the runner"), COMMAND=command, DIRECTORY="a folder")
    called = [str(tmp_path), "-C", "a folder", "ci", command, *arguments]
    assert told[: len(called)] == called


def test_a_secret_that_is_not_set_is_as_if_it_were_not_named(tmp_path: Path) -> None:
    values = {"EMPTY": "", "FULL": "two words"}
    told, errors = call(
        tmp_path, script("Call the runner"), COMMAND="sync", DIRECTORY=".", **values
    )
    assert told[-2:] == ["0", "two words"]
    assert errors == []  # in one stream with the rest: see `commands_stopped`


@pytest.mark.parametrize(
    ("command", "install", "installed"),
    [
        ("plan", "rollbook[all]==1.2.3", "rollbook[github]==1.2.3"),
        ("replan", ".[all]", ".[github]"),
        ("reward-report", "rollbook[all]==1.2.3", "rollbook[github]==1.2.3"),
        ("apply", "rollbook[all]==1.2.3", "rollbook[all]==1.2.3"),
        ("try", ".[all]", ".[all]"),
        (
            "plan",
            "rollbook @ https://host/it.whl; echo no",
            "rollbook @ https://host/it.whl; echo no",
        ),
    ],
)
def test_what_is_installed_from_where(
    tmp_path: Path, command: str, install: str, installed: str
) -> None:
    here = tmp_path / "action"
    here.mkdir()
    text = script("Install the runner")
    told, _ = call(tmp_path, text, COMMAND=command, INSTALL=install, GITHUB_ACTION_PATH=str(here))
    assert told[:4] == [str(here), "-m", "pip", "install"]
    assert told[-1] == installed


def test_the_hook_of_pre_commit_refuses_what_the_rules_refuse(tmp_path: Path) -> None:
    [hook] = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    program, *arguments = hook["entry"].split()
    assert program == "runner"
    (tmp_path / "registry.yaml").write_text(f"apiVersion: rollbook/v1\nlineage: {'0a' * 16}\n")
    good = (ROOT / "runner/templates/recipes/script.yaml").read_text()
    trainer = "scripts/example_train.py"
    for folder in ("experiments", "scripts"):
        (tmp_path / folder).mkdir()
    companion = ROOT / "runner/templates/companions" / trainer
    (tmp_path / trainer).write_text(companion.read_text())
    (tmp_path / "experiments/good.yaml").write_text(good)
    (tmp_path / "experiments/bad.yaml").write_text(good.replace("training:", "trianing:"))

    def refuses(*names: str) -> bool:
        paths = [f"experiments/{name}.yaml" for name in names]
        command = [sys.executable, "-m", "runner", *arguments, *paths]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False, timeout=60)
        assert done.returncode in (0, 1), done.stderr
        return done.returncode == 1

    assert not refuses("good")
    assert refuses("good", "bad")
