"""What a Python file imports from the repository, read from its syntax tree alone."""

import subprocess
import sys

import pytest

from runner.spec.imports import closure
from runner.spec.tree import MemoryTree, WorkTree

CASES = {
    "nothing": ("x = 1", set()),
    "a module": ("import a", {"a.py"}),
    "several": ("import a, b.c as d", {"a.py", "b/__init__.py", "b/c.py"}),
    "a package": ("import b", {"b/__init__.py"}),
    "a module of a package": ("from b import c", {"b/__init__.py", "b/c.py"}),
    "a name of a package": ("from b import NAME", {"b/__init__.py"}),
    "everything of a module": ("from b.c import *", {"b/__init__.py", "b/c.py"}),
    "inside a function": ("def f():\n    from b import c", {"b/__init__.py", "b/c.py"}),
    "inside a class": ("class A:\n    import a", {"a.py"}),
    "for types alone": ("if TYPE_CHECKING:\n    import a", {"a.py"}),
    "a folder without __init__": ("import plain.x", {"plain/x.py"}),
    "relative": ("from . import near", {"pack/near.py"}),
    "relative with a name": ("from .near import x", {"pack/near.py"}),
    "relative from above": ("from ..b import c", {"b/__init__.py", "b/c.py"}),
    "relative from the root": ("from .. import a", {"a.py"}),
    "relative beyond the root": ("from ... import a", set()),
    "the standard library": ("import os, json.decoder", set()),
    "what is not there": ("import missing.module\nfrom .gone import x", set()),
    "a dotted name of a module's attribute": ("import a.b.c", {"a.py"}),
}
FILES = {
    "a.py": b"",
    "b/__init__.py": b"",
    "b/c.py": b"",
    "plain/x.py": b"",
    "pack/near.py": b"",
}


@pytest.mark.parametrize(("source", "expected"), CASES.values(), ids=CASES)
def test_an_import_brings_the_files_that_it_runs(source, expected, tmp_path):
    files = {**FILES, "pack/main.py": source.encode()}
    for path, content in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    for tree in (MemoryTree(files), WorkTree(tmp_path)):
        assert set(closure(tree, "pack/main.py")) == {"pack/main.py", *expected}


def closure_of(**files: str) -> set[str]:
    """Return the closure of `main`; `__` in a name stands for a slash."""
    paths = {f"{name.replace('__', '/')}.py": text.encode() for name, text in files.items()}
    return set(closure(MemoryTree(paths), "main.py"))


def test_imports_are_followed_to_the_end_and_once_around_a_circle():
    found = closure_of(
        main="import one", one="import two", two="import one, three", three="", four=""
    )
    assert found == {"main.py", "one.py", "two.py", "three.py"}


def test_what_does_not_parse_has_no_imports():
    for broken in ("import one\ndef (", "import one\n\0", "x = " + "(" * 3000):
        assert closure_of(main=broken, one="") == {"main.py"}
    assert closure_of(main="import one", one="def (") == {"main.py", "one.py"}


def test_a_missing_file_has_no_closure():
    assert closure(MemoryTree({}), "main.py") == ()


def test_nothing_is_executed():
    assert closure_of(main="raise SystemExit\nimport one", one="") == {"main.py", "one.py"}


def test_a_warning_of_the_parser_hides_no_import_and_prints_nothing():
    code = (
        "from runner.spec.imports import closure\n"
        "from runner.spec.tree import MemoryTree\n"
        "files = {'main.py': b'import one\\nx = \"\\\\d\"\\ny = 1 is 1\\n', 'one.py': b''}\n"
        "print(*closure(MemoryTree(files), 'main.py'))"
    )
    for flags in ([], ["-W", "error"], ["-W", "always"]):
        done = subprocess.run(
            [sys.executable, *flags, "-c", code], capture_output=True, text=True, check=False
        )
        assert (done.stdout, done.stderr) == ("main.py one.py\n", "")
