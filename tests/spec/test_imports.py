"""What a Python file imports from the repository, read from its syntax tree alone."""

import subprocess
import sys
import time

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


HOSTILE = {
    "a name without end": "import one\nimport a" + ".a" * 40_000,
    "over many lines": "import one\nimport a" + " \\\n . a" * 40_000,
    "in a from": "import one\nfrom a" + ".a" * 40_000 + " import b",
    "in another encoding": "# coding: utf-7\nimport one\nimport a" + "+AC4-a" * 40_000,
    "nested without end": "import one\nx = " + "not " * 200_000 + "1",
    "operators without end": "import one\nx = 1" + "+1" * 200_000,
    "a file without end": "import one\n" + "#" * 2**20,
}


@pytest.mark.parametrize("source", HOSTILE.values(), ids=HOSTILE)
def test_what_would_parse_without_end_has_no_imports(source):
    started = time.monotonic()
    assert closure_of(main=source, one="") == {"main.py"}
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("cookie", ["utf-8", "latin-1", "cp1252", "gbk", "ascii"])
def test_the_usual_encodings_are_read(cookie):
    assert closure_of(main=f"# coding: {cookie}\nimport one", one="") == {"main.py", "one.py"}
    assert closure_of(main="\ufeffimport one", one="") == {"main.py", "one.py"}


def test_names_that_no_file_can_have_are_passed_over():
    deep, wide = ".".join("a" * 51), "b" * 5000
    source = f"import {deep}\nfrom {deep} import c\nfrom {wide} import c\nimport {wide}\nimport one"
    assert closure_of(main=source, one="", a="") == {"main.py", "one.py"}
    fifty = "/".join("a" * 50)
    found = closure(MemoryTree({"main.py": f"import {fifty.replace('/', '.')}".encode(),
                                f"{fifty}.py": b""}), "main.py")  # fmt: skip
    assert found == (f"{fifty}.py", "main.py")


def test_each_module_is_looked_up_once():
    class Counting(MemoryTree):
        reads = 0

        def read(self, path):
            self.reads += 1
            return super().read(path)

    package = ".".join("a" * 49)
    source = f"from {package} import " + ", ".join(f"x{number % 10}" for number in range(20_000))
    tree = Counting({"main.py": source.encode()})
    assert closure(tree, "main.py") == ("main.py",)
    assert tree.reads < 200
