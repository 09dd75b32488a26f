"""The generated reference pages: current, complete, and never written over somebody's own."""

import re
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from runner.authoring.docs import (
    IDLE,
    are_kept_in,
    is_current,
    rules_reference,
    spec_reference,
    write,
)
from runner.cli import cli
from runner.metrics import METRICS
from runner.registry import Registry
from runner.rules import RULES
from runner.spec.experiment import Experiment
from runner.spec.fields import dotted_keys

ROOT = Path(__file__).parents[2]


def rows(page):
    return [line for line in page.splitlines() if line.startswith("| `")]


def test_the_pages_are_current():
    assert is_current(ROOT / "docs"), "run: runner schema"


def test_every_key_has_a_row_with_a_meaning():
    keys = [key for key in dotted_keys(Experiment) if not key.startswith("expect.")]
    documented = [row.split(" | ") for row in rows(spec_reference())]
    assert all(cells[3].strip(" |") for cells in documented)
    wanted = {key.rpartition(".")[2] for key in (*keys, *dotted_keys(Registry))}
    assert wanted <= {cells[0].strip("|` ") for cells in documented}


def test_every_metric_and_rule_has_a_row():
    assert all(f"| `{metric.name}` |" in spec_reference() for metric in METRICS)
    assert all(f"| `{name}` | {rule.level} |" in rules_reference() for name, rule in RULES.items())
    assert all(rule.documentation for rule in RULES.values())


@pytest.mark.parametrize("name", IDLE)
def test_what_is_called_idle_is_a_key(name):
    assert name in {*dotted_keys(Experiment), *dotted_keys(Registry)}


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("group_size", "whole number ≥ 2, ≤ 1024 | `8`"),
        ("val", "per name: text | –"),
        ("max_duration", 'duration, such as `30m` or `8h` | `"24h"`'),
        ("precision", '`bf16` or `fp32` | `"bf16"`'),
        ("expect", "list of: a metric and its condition | –"),
        ("learning_rate", "number ≥ 0, ≤ 1 | **required**"),
    ],
)
def test_values_are_said_in_plain_words(key, words):
    assert any(row.startswith(f"| `{key}` | {words} |") for row in rows(spec_reference()))


def test_identity_is_what_the_table_of_fields_says():
    said = {row.split(" | ")[0].strip("|` "): row.rstrip(" |").rpartition("| ")[2]
            for row in rows(spec_reference().partition("## Metrics")[0])}  # fmt: skip
    assert said["prompts_per_step"] == "yes"
    assert said["train"] == "content"
    assert said["usd_per_run"] == "no"
    assert said["estimator"] == "yes"
    assert said["training"] == "see its keys"


def test_the_command_writes_and_checks_pages_that_are_there(tmp_path):
    write(tmp_path / "docs")
    (tmp_path / "docs/rules.md").unlink()
    assert run(tmp_path, "--check") == 1
    assert run(tmp_path) == 0
    assert is_current(tmp_path / "docs")
    assert run(tmp_path, "--check") == 0


def test_the_command_leaves_docs_of_a_registry_alone(tmp_path):
    own = tmp_path / "docs/spec.md"
    own.parent.mkdir()
    own.write_text("# Our specification")
    assert run(tmp_path) == run(tmp_path, "--check") == 0
    assert own.read_text() == "# Our specification"
    assert not are_kept_in(tmp_path / "docs")


WRITTEN = re.compile(r"(?:`|^ +)runner ([a-z][^`\n]*)", re.MULTILINE)
"""A command as pages write it, in backticks or indented."""


@pytest.mark.parametrize("page", ["skypilot.md", "github.md"])
def test_commands_on_a_page_are_commands_with_these_options(page):
    found = [text.split() for text in WRITTEN.findall((ROOT / "docs" / page).read_text())]
    assert found
    for name, *arguments in found:
        command = cli.get_command(click.Context(cli), name)
        assert command is not None, f"runner {name}"
        known = {option for parameter in command.params for option in parameter.opts}
        written = {one for one in arguments if one.startswith("-")}
        assert written <= known, f"runner {name} {' '.join(arguments)}"


def run(folder, *arguments):
    result = CliRunner().invoke(
        cli, ["-C", str(folder), "schema", *arguments], standalone_mode=False
    )
    return result.return_value
