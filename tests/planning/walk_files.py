"""Files that a random walk over a registry writes: specs, and everything that they read."""

from __future__ import annotations

from planned_registry import FILES, SETTINGS, SPEC

from runner.spec.load import path_of

NAMES = ("a", "b", "m/c", "up", "zz")
"""Experiments; `up` and `zz` come after those that start from them, `a` and `b` before."""

_MODEL = "model: {path: Qwen/Qwen2.5-0.5B, revision: 060db6499f32}"
_ENVIRONMENT = "environments: {verl==0.9.1: {lock: train.lock}}\n"
_POINTER = "outs:\n- md5: {md5}\n  hash: md5\n  path: {path}\n"
_LOCK = (
    "schema: '2.0'\nstages:\n  make:\n    cmd: x\n"
    "    outs: [{{path: {path}, hash: md5, md5: {md5}}}]\n"
)
_STAGE = "stages:\n  make:\n    cmd: x\n{wdir}    outs: [{path}]\n"


def _spec(*lines: str, **replaced: str) -> str:
    """Return the usual spec with other values of its keys, and more `lines`."""
    text = SPEC
    for key, value in replaced.items():
        (old,) = (line for line in text.splitlines() if line.startswith(f"{key}:"))
        text = text.replace(old, f"{key}: {value}")
    return text + "".join(f"{line}\n" for line in lines)


def _starts(name: str) -> str:
    return f"{{source: run, path: {name}}}"


SPECS = (
    _spec(),
    _spec("description: in other words"),
    _spec("seeds: [1, 2]"),
    _spec("matrix: {grid: {training.learning_rate: [1.0e-6, 2.0e-6]}}"),
    _spec("launch: manual", reward="reward/helped.py:score"),
    _spec("follow_inputs: true", reward="reward/helped.py:score"),
    _spec("when_edited: cancel_running", data="{train: data/d.jsonl}"),
    _spec("when_edited: cancel_running", data="{train: data/set}"),
    _spec(data="{train: made/m.jsonl}", reward="reward/helped.py:score"),
    _spec(data="{train: data/a.jsonl, val: {v: data/set}}"),
    "extends: bases/b\n",
    "extends: bases/c\nseeds: [3]\n",
    "extends: bases/c\nreward: reward/helped.py:score\n",
    "extends: b\nseeds: [4]\n",
    _spec(model=_starts("up")),
    _spec(model=_starts("zz"), data="{train: data/d.jsonl}"),
    _spec("follow_inputs: true", model=_starts("a")),
    _spec("nonsense: 1"),
    _spec("secrets: [HF_TOKEN]"),
)
"""Some are refused where another one is not there, and are one run where bases say the same."""

OTHERS: dict[str, tuple[str | None, ...]] = {
    "reward/sums.py": (FILES["reward/sums.py"], "def score(solution):\n    return 0.5\n"),
    "reward/helped.py": (
        "import reward.extra\ndef score(solution):\n    return 1.0\n",
        "import tools.more\ndef score(solution):\n    return 1.0\n",
    ),
    "reward/extra.py": ("import tools.more\n", "X = 1\n", "", None),
    "reward/extra/__init__.py": (None, "X = 2\n"),
    "reward/__init__.py": (None, ""),
    "tools/more.py": ("Y = 1\n", "Y = 2\n", None),
    "data/a.jsonl": (FILES["data/a.jsonl"], '{"a": 1}\n'),
    "data/set/one.jsonl": ("{}\n", '{"a": 2}\n'),
    "data/set/two.jsonl": (None, "{}\n"),
    "data/d.jsonl.dvc": (
        _POINTER.format(md5="a" * 32, path="d.jsonl"),
        _POINTER.format(md5="b" * 32, path="d.jsonl"),
        None,
    ),
    "data/e.jsonl.dvc": (None, _POINTER.format(md5="c" * 32, path="e.jsonl")),
    "data/a.jsonl.dvc": (None, _POINTER.format(md5="d" * 32, path="a.jsonl")),
    "made/dvc.lock": (
        _LOCK.format(md5="a" * 32, path="m.jsonl"),
        _LOCK.format(md5="b" * 32, path="m.jsonl"),
        _LOCK.format(md5="b" * 32, path="n.jsonl"),
        None,
    ),
    "made/dvc.yaml": (
        _STAGE.format(wdir="", path="m.jsonl"),
        _STAGE.format(wdir="    wdir: ..\n", path="m.jsonl"),
        None,
    ),
    "experiments/bases/b.yaml": (
        SPEC,
        SPEC.replace("steps: 2", "steps: 9"),
        _spec(data="{train: data/d.jsonl}"),
        _spec(model=_starts("zz")),
        "nonsense: 1\n",
    ),
    "experiments/bases/c.yaml": ("extends: bases/b\n", SPEC.replace("1.0e-6", "3.0e-6"), None),
    "train.lock": ("a\n", "b\n"),
    "notes.md": (None, "words\n"),
    "registry.yaml": (
        SETTINGS + _ENVIRONMENT,
        SETTINGS + _ENVIRONMENT + "secrets: {HF_TOKEN: ['*']}\n",
        SETTINGS + _ENVIRONMENT + "policy: {launches_per_apply: 1}\n",
    ),
}
"""What each of these files may be; None: not there. What a walk begins with stands first."""

_FIRST = {
    "a": _spec(model=_starts("up")),
    "b": "extends: bases/c\nseeds: [3]\n",
    "m/c": _spec("when_edited: cancel_running", data="{train: data/d.jsonl}"),
    "up": _spec(model=_starts("zz"), data="{train: data/set}"),
    "zz": _spec(data="{train: made/m.jsonl}", reward="reward/helped.py:score"),
}
BEGIN = {path: texts[0] for path, texts in OTHERS.items() if texts[0] is not None} | {
    path_of(name): text for name, text in _FIRST.items()
}
