"""The pages that say how to add things are followed, step by step, in a copy of the repository.

In a page, a block of Python or YAML after a line that ends with its path in backticks is that file;
a block of a diff after such a line edits it; lines of a console that begin with `$` are run,
and the lines after them have to be in what they print.
"""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from real_git import git, write_files

from runner.authoring.new import new

ROOT = Path(__file__).parents[1]
FENCE = re.compile(r"([^\n]*)\n\n```(\w+)\n(.*?)```", re.DOTALL)
PATH = re.compile(r"`([\w/.-]+\.(?:py|yaml))`[^`]*:$")
SETTINGS = f"apiVersion: rollbook/v1\nlineage: {'0a' * 16}\n"
COPIED = ("runner", "tests/rules", "docs", "schemas")
PAGES = ("add-an-algorithm", "add-a-trainer", "add-a-rule")


class Step(NamedTuple):
    kind: str
    path: str
    text: str


def steps(page: str) -> list[Step]:
    """Return the blocks of a page in order, with the path that the line before each names."""
    text = (ROOT / "docs" / f"{page}.md").read_text()
    found = FENCE.findall(text)
    assert len(found) == text.count("\n```\n"), "every block has a line before it"
    named = ((PATH.search(before), kind, body) for before, kind, body in found)
    return [Step(kind, match[1] if match else "", body) for match, kind, body in named]


@pytest.fixture
def copy(tmp_path):
    """A registry that runs the runner of its own checkout."""
    for name in COPIED:
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    write_files(
        tmp_path, {"registry.yaml": SETTINGS, "models/tiny/config.json": "{}", "train.py": ""}
    )
    for recipe in ("sft", "grpo"):
        new(tmp_path, f"first/{recipe}", recipe)
    git(tmp_path, "init")
    return tmp_path


def edit(text: str, diff: str) -> str:
    """Return `text` with the lines of `diff` changed; they stand there once."""
    lines = diff.splitlines()
    old = "\n".join(line[1:] for line in lines if line[0] in " -")
    new_ = "\n".join(line[1:] for line in lines if line[0] in " +")
    assert text.count(old) == 1, f"{old!r} stands there {text.count(old)} times"
    return text.replace(old, new_)


def follow(step: Step, folder: Path) -> None:
    if step.kind == "diff":
        place = folder / step.path
        place.write_text(edit(place.read_text(), step.text))
    elif step.kind in ("python", "yaml"):
        assert not (folder / step.path).exists()
        write_files(folder, {step.path: step.text})
    else:
        assert step.kind == "console"
        for command in re.split(r"(?m)^\$ ", step.text)[1:]:
            line, *wanted = command.splitlines()
            run(line, wanted, folder)


def run(line: str, wanted: list[str], folder: Path) -> None:
    program, *arguments = shlex.split(line)
    assert program in ("runner", "pytest")
    done = subprocess.run(
        [sys.executable, "-m", program, *arguments],
        cwd=folder, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    printed = done.stdout + done.stderr
    for text in wanted:
        assert text in printed, f"$ {line}\n{printed}"
    refuses = any(" error: " in text for text in wanted)
    assert done.returncode == (1 if refuses else 0), f"$ {line}\n{printed}"


@pytest.mark.parametrize("page", PAGES)
def test_a_page_can_be_followed(copy, page):
    before = {path: path.read_bytes() for path in (copy / "schemas").glob("*.json")}
    for step in steps(page):
        follow(step, copy)
    if page == "add-an-algorithm":
        assert any(path.read_bytes() != content for path, content in before.items())
        assert "`name: opo`" in (copy / "docs/spec.md").read_text()
    if page == "add-a-rule":
        assert "| `owner.named` | error |" in (copy / "docs/rules.md").read_text()


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_about_a_page_long(page):
    lines = (ROOT / "docs" / f"{page}.md").read_text().splitlines()
    prose = [line for line in lines if line]
    assert len(prose) < 150
    assert all(len(line) <= 110 for line in lines if not line.startswith("experiments/"))


def test_a_step_that_no_longer_fits_is_noticed():
    with pytest.raises(AssertionError, match="stands there 0 times"):
        edit("a\nb\n", " a\n+x\n c\n")
    assert edit("a\nb\n", " a\n+x\n b\n") == "a\nx\nb\n"
