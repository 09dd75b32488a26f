"""What is printed: for shells, for terminals of any width, quietly and verbosely."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest
from planned_registry import SPEC
from real_git import write_files
from runner_process import run, terminal

from runner.trainers.hydra import override


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


# Terminals


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
