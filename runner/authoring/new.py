"""`runner new`: a commented spec that validates, from a recipe or from another experiment.

Recipes lie in `runner/templates/recipes/`, one spec each, with a summary as its first line. What a
recipe's spec names and the registry does not have (a reward, a few rows of data) is written too, so
that the spec validates at once and shows the form that one's own is to have.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, NamedTuple

from runner.errors import Refused
from runner.root import find_root
from runner.spec.experiment import NAME
from runner.spec.fields import nearest
from runner.spec.load import TAKEN, Specs, is_base, path_of
from runner.spec.scalars import shown
from runner.spec.tree import WorkTree

DEFAULT = "grpo"
ROWS = {"train": 64, "val": 16}
"""Rows of the example datasets: some steps of a recipe, and a whole batch to validate."""

_SCHEMA = re.compile(r"(?<=\$schema=)\S+")
_COMPANION = re.compile(r"\b(?:data/example/\w+\.(?:train|val)\.jsonl|reward/example\.py"
                        r"|scripts/example_train\.py)")  # fmt: skip


class Recipe(NamedTuple):
    """Something to begin from."""

    name: str
    summary: str
    text: str


def recipes() -> tuple[Recipe, ...]:
    """Return the recipes that come with the runner, by name."""
    folder = _templates() / "recipes"
    texts = ((item.name, item.read_text()) for item in folder.iterdir() if item.is_file())
    return tuple(sorted(_recipe(name.removesuffix(".yaml"), text) for name, text in texts))


def experiments(start: Path) -> tuple[Recipe, ...]:
    """Return the experiments of the registry around `start`, which one can begin from too."""
    tree = WorkTree(find_root(start))
    names = (name for name in Specs(tree).names if not is_base(name))
    return tuple(_experiment(name, tree) for name in names)


def new(start: Path, name: str, source: str = DEFAULT) -> tuple[str, ...]:
    """Write the spec `name` from the recipe or experiment `source`; return what was written.

    Raises Refused when there is such a file already, or no such source.
    """
    root = find_root(start)
    short = name.removeprefix("experiments/").removesuffix(".yaml")
    if not NAME.fullmatch(short) or is_base(short) or short == TAKEN:
        raise Refused(
            f"{shown(short)} cannot name an experiment",
            cure="name it in small letters, digits, `.`, `_`, `-`, with `/` between folders"
            f"; `{TAKEN}` alone is taken by the status of plans",
        )
    if (root / path_of(short)).exists():
        raise Refused(f"{path_of(short)} is there already", cure="take another name, or edit it")
    recipe = _chosen(start, source)
    schema = f"{'../' * (short.count('/') + 1)}schemas/experiment.v1.json"
    text = _SCHEMA.sub(schema, recipe.text).replace("NAME", short)
    written = [path_of(short), *_companions(root, text)]
    _write(root / path_of(short), text)
    return tuple(written)


def _chosen(start: Path, source: str) -> Recipe:
    known = {one.name: one for one in (*experiments(start), *recipes())}
    short = source.removeprefix("experiments/").removesuffix(".yaml")
    if short in known:
        return known[short]
    near = nearest(short, known)
    raise Refused(
        f"there is neither a recipe nor an experiment `{short}`",
        cure=f"did you mean `{near}`?" if near else "runner new --list   shows them",
    )


def _recipe(name: str, text: str) -> Recipe:
    """Take the summary off a recipe's text: its first line."""
    summary, _, rest = text.partition("\n")
    return Recipe(name, summary.removeprefix("# "), rest)


def _experiment(name: str, tree: WorkTree) -> Recipe:
    text = (tree.read(path_of(name)) or b"").decode()
    said = re.search(r"^description: *(\S.*)$", text, re.MULTILINE)
    summary = said[1].strip("\"'") if said and said[1][0] not in ">|" else path_of(name)
    return Recipe(name, summary, text)


def _companions(root: Path, text: str) -> Iterator[str]:
    """Write what `text` names of the examples and `root` lacks; yield the paths."""
    for path in dict.fromkeys(_COMPANION.findall(text)):
        if (root / path).exists():
            continue
        if path.endswith(".jsonl"):
            _write(root / path, _rows(path))
        else:
            _write(root / path, (_templates() / "companions" / path).read_text())
        yield path


def _rows(path: str) -> str:
    """Return an example of a dataset: sums, which no validation row shares with a training row."""
    kind, part, _ = Path(path).name.split(".")
    first = 0 if part == "train" else ROWS["train"]
    rows = (ROW[kind](10 + n, 3 * n + 7) for n in range(first, first + ROWS[part]))
    return "".join(f"{json.dumps(row)}\n" for row in rows)


def _messages(a: int, b: int) -> dict[str, Any]:
    roles = {"user": _question(a, b), "assistant": str(a + b)}
    return {"messages": [{"role": role, "content": text} for role, text in roles.items()]}


def _prompt(a: int, b: int) -> dict[str, Any]:
    return {"prompt": _question(a, b), "ground_truth": str(a + b), "data_source": "example"}


def _pair(a: int, b: int) -> dict[str, Any]:
    wrong = f"I think it is {a + b + 1}."
    return {"prompt": _question(a, b), "chosen": f"{a + b}", "rejected": wrong}


def _question(a: int, b: int) -> str:
    return f"What is {a} + {b}? Put the number alone on the last line."


ROW: dict[str, Callable[[int, int], dict[str, Any]]] = {
    "messages": _messages,
    "prompts": _prompt,
    "pairs": _pair,
}
"""How a row of each kind of example dataset is made from two numbers."""


def _templates() -> Traversable:
    return resources.files("runner") / "templates"


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("x") as file:  # never over what is there
        file.write(text)
