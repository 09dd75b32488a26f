"""Rules on the reward function; its file is parsed, never executed."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import lru_cache

from runner.findings import Finding
from runner.rules.base import Subject
from runner.spec.fields import nearest
from runner.spec.python import MAX_BYTES, parsed
from runner.spec.tree import Tree


def exists(subject: Subject) -> Iterator[Finding]:
    """Reinforcement learning has a reward, its file defines the function, and SFT has none."""
    spec = subject.spec
    needs = spec.algorithm.terms().needs_reward if spec.algorithm else False
    if spec.reward is None:
        if needs and spec.pin.name != "script":
            message = f"`{_name(subject)}` needs a reward function"
            cure = "add `reward: reward/<file>.py:<function>`"
            yield subject.at(("algorithm",), message, cure, on_key=True)
        return
    if spec.algorithm and not needs:
        message = f"`{_name(subject)}` has no use for a reward function"
        yield subject.at(("reward",), message, "delete `reward`", on_key=True)
        return
    problem = _problem(subject.context.tree, spec.reward)
    if problem:
        yield subject.at(("reward",), *problem)


def says_accuracy(subject: Subject) -> Iterator[Finding]:
    """A reward that returns a mapping has `acc` in it where groups are compared by accuracy.

    verl (trainer/ppo/v1/replay_buffer.py) looks for it at the first step; a plain number counts as
    both.
    """
    spec = subject.spec
    sampling = spec.algorithm.terms().dynamic_sampling if spec.algorithm else None
    if spec.pin.name != "verl" or spec.reward is None or sampling is None:
        return
    path, _, function = spec.reward.rpartition(":")
    source = subject.context.tree.read(path)
    if sampling.metric != "accuracy" or source is None or len(source) > MAX_BYTES:
        return
    if _returns_without(source, function, "acc"):
        message = f"`{function}` returns a mapping without `acc`, and groups are compared by it"
        cure = 'return {"score": …, "acc": …}, or write dynamic_sampling: {metric: reward}'
        yield subject.at(("reward",), message, cure)


def _name(subject: Subject) -> str:
    return subject.spec.algorithm.name if subject.spec.algorithm else ""


def _problem(tree: Tree, reward: str) -> tuple[str, str] | None:
    """Return what is wrong with the named function, and the cure."""
    path, _, function = reward.rpartition(":")
    source = tree.read(path)
    if source is None:
        near = nearest(path, tree.paths("reward", ".py"))
        cure = f"did you mean `{near}`?" if near else "write the file, or correct the path"
        return f"`{path}` does not exist in the repository", cure
    if len(source) > MAX_BYTES:
        return f"`{path}` is larger than 1 MiB", "keep data out of the code"
    try:
        defined = tuple(_functions(source))
    except SyntaxError as error:
        return f"`{path}` is not valid Python: line {error.lineno}: {error.msg}", "correct it there"
    except ValueError:
        return f"`{path}` is not valid Python", "correct it there"
    if function in defined:
        return None
    near = nearest(function, defined)
    cure = f"did you mean `{near}`?" if near else f"write `def {function}(…)` there"
    return f"`{path}` does not define the function `{function}`", cure


@lru_cache(maxsize=64)
def _functions(source: bytes) -> dict[str, ast.AST]:
    """Return the functions that a module defines at its top, by name."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name: node for node in parsed(source).body if isinstance(node, kinds)}


def _returns_without(source: bytes, function: str, key: str) -> bool:
    """Whether a function returns a mapping, written out where it returns, that lacks `key`."""
    try:
        node = _functions(source).get(function)
    except (SyntaxError, ValueError):
        return False  # `reward.exists` says so
    returned = [one.value for one in ast.walk(node) if isinstance(one, ast.Return)] if node else []
    written = [one.keys for one in returned if isinstance(one, ast.Dict) and None not in one.keys]
    names = [{one.value for one in keys if isinstance(one, ast.Constant)} for keys in written]
    return any(key not in one for one in names)
