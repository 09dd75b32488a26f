"""Exit codes, and what comes on which stream, as text and as JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from planned_registry import SPEC
from real_git import git, write_files
from runner_process import RUNNER, run


def test_valid_specs_exit_0_with_the_result_on_standard_output(folder):
    done = run(folder, "validate")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("1 experiment, 1 run")


def test_an_invalid_spec_exits_1_with_its_place_on_standard_error(folder):
    write_files(folder, {"experiments/y.yaml": f"{SPEC}trianing: 1\n"})
    done = run(folder, "validate")
    assert done.returncode == 1
    first, second = done.stderr.splitlines()[:2]
    assert first.startswith("experiments/y.yaml:8:1: error: `trianing` ")
    assert "training" in second
    assert "[spec.unknown_key]" in second
    assert "Traceback" not in done.stderr
    assert "y.yaml" not in done.stdout


def test_validate_json_is_the_documented_document(folder):
    write_files(folder, {"experiments/y.yaml": f"{SPEC}trianing: 1\n"})
    done = run(folder, "validate", "--json")
    document = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (1, "")
    assert set(document) == {"experiments", "runs", "findings"}
    assert (document["experiments"], document["runs"]) == (2, 1)
    (finding,) = document["findings"]
    assert set(finding) == {
        "path", "line", "column", "key", "rule", "level", "message", "cure", "mended",
    }  # fmt: skip
    assert (finding["path"], finding["line"], finding["level"]) == (
        "experiments/y.yaml", 8, "error",
    )  # fmt: skip
    assert finding["mended"] == "training: 1"


def test_one_spec_is_validated_by_name_by_path_and_from_any_folder(folder):
    write_files(folder, {"experiments/y.yaml": "]"})
    for where, named in (
        (folder, "x"),
        (folder, "experiments/x.yaml"),
        (folder / "experiments", "x.yaml"),
        (folder / "experiments", "x"),
        (folder, str(folder / "experiments/x.yaml")),
    ):
        done = run(where, "validate", named)
        assert done.returncode == 0, done.stderr
    assert run(folder.parent, "-C", str(folder), "validate", "x").returncode == 0
    missing = run(folder, "validate", "z")
    assert missing.returncode == 1
    assert "no experiment `z`" in missing.stderr


@pytest.mark.parametrize(
    "arguments",
    [["nonsense"], ["plan", "--nonsense"], ["plan", "extra"], ["-C", "/nowhere", "plan"],
     ["reproduce", "x", "--require", "luck"], ["try"]],
    ids=" ".join,
)  # fmt: skip
def test_a_usage_error_exits_2(folder, arguments):
    done = run(folder, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Error: " in done.stderr
    told = run(folder, *arguments, "--json")
    assert told.returncode == 2
    if "--json" not in told.stderr:  # a command that has no --json says so
        assert json.loads(told.stdout)["error"]["message"]


NEED_A_REGISTRY = ("validate", "plan", "apply", "sync", "status")


@pytest.mark.parametrize("command", NEED_A_REGISTRY)
def test_outside_of_a_registry_the_cure_is_init(tmp_path, command):
    done = run(tmp_path, command)
    assert (done.returncode, done.stdout) == (1, "")
    assert "no registry.yaml" in done.stderr
    assert "runner init" in done.stderr
    told = run(tmp_path, command, "--json")
    assert told.returncode == 1
    error = json.loads(told.stdout)["error"]
    assert "no registry.yaml" in error["message"]
    assert error["cure"].startswith("runner init")


def test_invalid_settings_are_findings_in_json_too(folder):
    write_files(folder, {"registry.yaml": "apiVersion: rollbook/v1\nlineage: 1\n"})
    done = run(folder, "validate", "--json")
    document = json.loads(done.stdout)
    assert done.returncode == 1
    assert document["findings"][0]["path"] == "registry.yaml"
    assert "registry.yaml:2:" in done.stderr


def test_a_plan_exits_6_only_when_asked_and_there_is_something_to_do(registry):
    where = registry.folder
    assert run(where, "plan").returncode == 0
    busy = run(where, "plan", "--exit-code")
    assert (busy.returncode, busy.stderr) == (6, "")
    assert busy.stdout.startswith("Plan: launches 1 run\n")
    registry.run()
    idle = run(where, "plan", "--exit-code")
    assert (idle.returncode, idle.stdout) == (0, "Nothing to do: 1 run as planned\n")


def test_plan_json_is_the_documented_document(registry):
    registry.run()
    registry.commit(x=SPEC.replace("1.0e-6", "5.0e-7"))
    done = run(registry.folder, "plan", "--json")
    plan = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (0, "")
    assert set(plan) >= {"head", "base", "uncommitted", "digest", "actions"}
    (action,) = plan["actions"]
    assert set(action) >= {
        "experiment", "run_id", "seed", "point", "action", "reason", "changes", "trainer",
        "launcher", "findings",
    }  # fmt: skip
    assert action["changes"] == [
        {"field": "training.learning_rate", "old": 1e-06, "new": 5e-07, "bears_identity": True}
    ]


def test_a_refused_plan_exits_1_and_still_shows_the_rest(registry):
    registry.commit(y=f"{SPEC}trianing: 1\n")
    done = run(registry.folder, "plan", "--exit-code")
    assert done.returncode == 1
    assert "launch" in done.stdout
    assert "experiments/y.yaml:8:1: error" in done.stderr
    document = json.loads(run(registry.folder, "plan", "--json").stdout)
    (refused,) = [one for one in document["actions"] if one["action"] == "refuse"]
    assert refused["findings"][0]["rule"] == "spec.unknown_key"


def test_a_ledger_that_is_missing_is_told_with_the_cure(registry):
    git(registry.folder, "branch", "-D", "runs")
    done = run(registry.folder, "plan", "--json")
    assert done.returncode == 1
    assert "runner init" in json.loads(done.stdout)["error"]["cure"]


# What goes wrong


def test_a_reader_that_has_gone_is_no_error(folder):
    for arguments in (["validate", "--json"], ["--help"], ["validate"]):
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run(
            [*RUNNER, *arguments], cwd=folder, stdout=writer, stderr=subprocess.PIPE, text=True
        )
        os.close(writer)
        assert (done.returncode, done.stderr) == (0, "")


def test_an_interrupt_exits_130_without_a_traceback(folder):
    code = (
        "import os, signal, sys\n"
        "import runner.validate\n"
        # What runs in the background of a script ignores interrupts, and so do its children.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "def interrupted(*_, **__):\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    import time; time.sleep(10)\n"
        "runner.validate.validate = interrupted\n"
        "from runner.__main__ import main\n"
        "main()\n"
    )
    for flags in ([], ["--json"]):
        done = subprocess.run(
            [sys.executable, "-c", code, "validate", *flags],
            cwd=folder, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert done.returncode == 130
        assert "Traceback" not in done.stderr
        if flags:
            assert json.loads(done.stdout)["error"]["message"] == "interrupted"


def test_a_bug_exits_70_and_leaves_a_log(folder, tmp_path):
    code = (
        "import runner.validate\n"
        "def broken(*_, **__):\n"
        "    raise ZeroDivisionError('a bug')\n"
        "runner.validate.validate = broken\n"
        "from runner.__main__ import main\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "validate", "--json"],
        cwd=folder, capture_output=True, text=True, env={**os.environ, "TMPDIR": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 70
    assert "Traceback" not in done.stderr
    assert "ZeroDivisionError: a bug" in done.stderr
    (log,) = tmp_path.glob("runner-bug-*.log")
    assert str(log) in done.stderr
    assert "Traceback" in log.read_text()
    assert "a bug" in json.loads(done.stdout)["error"]["message"]
