"""The command line as people and scripts see it: a process with exit code and two streams."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from planned_registry import FILES, SPEC, PlannedRegistry
from real_git import MakeRepository, git, write_files

from runner.cli import cli
from runner.trainers.hydra import override

RUNNER = [sys.executable, "-m", "runner"]
HEAVY = ("torch", "ray", "sky", "dvc", "wandb", "git", "fsspec", "rich", "matplotlib", "pyarrow")


def run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*RUNNER, *arguments],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


def commands(group: click.Group = cli, prefix: tuple[str, ...] = ()) -> Iterator[Any]:
    """Yield every command with the words that call it."""
    for name, command in group.commands.items():
        yield (*prefix, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*prefix, name))


COMMANDS = dict(commands())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a registry without git: validate needs no more."""
    write_files(tmp_path, {**FILES, "experiments/x.yaml": SPEC})
    return tmp_path


@pytest.fixture
def registry(make_repository: MakeRepository) -> PlannedRegistry:
    return PlannedRegistry.with_files(make_repository(), {"experiments/x.yaml": SPEC})


# Help


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_and_every_option_is_documented(words):
    command = COMMANDS[words]
    assert command.help, f"runner {' '.join(words)} has no help"
    options = [one for one in command.params if isinstance(one, click.Option)]
    silent = [one.opts[0] for one in options if not one.help and not command.hidden]
    assert silent == [], f"options of runner {' '.join(words)} without help"


def test_help_works_for_every_command_without_a_registry(tmp_path):
    for words in [(), *COMMANDS]:
        context = click.Context(cli, info_name="runner")
        command = COMMANDS.get(words, cli)
        assert "Usage:" in command.get_help(click.Context(command, context))
    for arguments in (["--help"], ["-h"], ["plan", "--help"], ["data", "card", "-h"]):
        done = run(tmp_path, *arguments)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("Usage: runner")


def test_the_version(tmp_path):
    done = run(tmp_path, "--version")
    assert done.returncode == 0
    assert re.fullmatch(r"runner, version \d+\.\d+\.\d+\n", done.stdout)


# Exit codes, streams


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
    assert (document["experiments"], document["runs"]) == (1, 1)
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


def test_quiet_leaves_results_and_errors(registry):
    loud, quiet = (run(registry.folder, *flags, "status") for flags in ([], ["-q"]))
    assert "no runs yet" in loud.stderr
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")
    refused = run(registry.folder, "--quiet", "show", "nothing")
    assert refused.returncode == 1
    assert "nothing" in refused.stderr
    planned = [run(registry.folder, *flags, "plan").stdout for flags in ([], ["-q"])]
    assert planned[0] == planned[1] != ""


def test_verbose_says_what_is_asked_of_others_on_standard_error(registry):
    done = run(registry.folder, "-v", "plan", "--json")
    assert json.loads(done.stdout)["actions"]
    assert re.search(r"^ +\d+\.\d\d s  git \S+.*: status \d+, ", done.stderr, re.MULTILINE)
    registry.run()
    assert "s  run store: get " in run(registry.folder, "-v", "logs", "x").stderr
    assert run(registry.folder, "plan", "--json").stderr == ""


# Rendering


def test_render_prints_what_a_shell_runs_as_it_is_meant(registry, tmp_path):
    text = "it's $(touch pwned) `touch pwned` \\ \" $HOME"
    registry.commit(x=f"{SPEC}overrides: {{trainer.x: {json.dumps(text)}}}\n")
    done = run(registry.folder, "render", "x")
    assert done.returncode == 0, done.stderr
    script = done.stdout.replace("python \\\n", f"{sys.executable} -c '{_PRINT}' \\\n", 1)
    shell = subprocess.run(
        ["sh", "-c", script],
        cwd=tmp_path,
        env={"DATA": "/the data"},
        capture_output=True,
        text=True,
    )
    arguments = json.loads(shell.stdout)
    assert "data.train_files='/the data/train.parquet'" in arguments  # Hydra's own quotes
    assert override("trainer.x", text) in arguments
    assert not (tmp_path / "pwned").exists()


_PRINT = "import json, sys; print(json.dumps(sys.argv[1:]))"


def test_render_config_names_origins(registry):
    done = run(registry.folder, "render", "x", "--what", "config")
    assert re.search(r"actor\.optim\.lr += 1e-06 +# experiments/x.yaml:\d+\n", done.stdout)
    assert re.search(r"actor\.grad_clip += 1.0 +# default of verl 0.9.1\n", done.stdout)


# Colours


def terminal(folder: Path, *arguments: str, **environment: str) -> str:
    """Return what a person sees who runs this in a terminal, both streams together."""
    main, other = pty.openpty()
    process = subprocess.Popen(
        [*RUNNER, *arguments],
        cwd=folder,
        env={**os.environ, "TERM": "xterm", **environment},
        stdin=other,
        stdout=other,
        stderr=other,
    )
    os.close(other)
    seen = b""
    while True:
        try:
            chunk = os.read(main, 65536)
        except OSError:  # Linux: the other side is closed
            break
        if not chunk:
            break
        seen += chunk
    process.wait(timeout=60)
    os.close(main)
    return seen.decode()


def test_colours_are_for_terminals_and_can_be_turned_off(folder):
    write_files(folder, {"experiments/y.yaml": "]"})
    plain = {"NO_COLOR": ""}
    assert "\x1b[" in terminal(folder, "validate", **plain)
    assert "\x1b[" in terminal(folder.parent, "validate", **plain)
    for where in (folder, folder.parent):  # findings, and an error that ends the command
        assert "\x1b[" not in terminal(where, "validate", NO_COLOR="1")
        assert "\x1b[" not in terminal(where, "--no-color", "validate", **plain)
        assert "\x1b[" not in run(where, "validate").stderr


@pytest.mark.parametrize(("columns", "is_table"), [(60, False), (110, True), (300, True)])
def test_a_table_keeps_to_the_terminals_width(registry, columns, is_table):
    long = "failed at step 1: " + "out of memory " * 12
    registry.run(outcome="failed", reason=long)
    seen = terminal(registry.folder, "status", COLUMNS=str(columns), NO_COLOR="1")
    lines = [line.rstrip() for line in seen.splitlines()]
    assert max(map(len, lines)) <= columns
    assert lines[0].startswith("EXPERIMENT" if is_table else "x")
    assert " ".join(seen.split()).count("out of memory") == 12
    piped = run(registry.folder, "status").stdout.splitlines()
    assert len(piped) == 2


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


# What is loaded


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["validate"], ["plan", "--help"], ["validate", "--json"]],
    ids=" ".join,
)
def test_nothing_heavy_is_loaded_for_an_answer_at_once(folder, arguments):
    code = (
        "import sys\n"
        "from runner.__main__ import run\n"
        f"status = run({arguments!r})\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], status, file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True
    )
    assert done.stderr.strip() == "[] 0"


def test_importing_the_commands_loads_little_more_than_click():
    code = (
        "import sys, runner.cli\n"
        f"print([name for name in {(*HEAVY, 'pydantic', 'yaml', 'asyncio')!r} "
        "if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
