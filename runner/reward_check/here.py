"""The check on this machine: for whoever writes a reward, and for `runner validate --deep`.

The same program as in a forge's job, in a temporary folder, with the same isolation.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from runner.errors import OutsideError, Refused
from runner.reward_check.bundle import SECONDS, write_bundle
from runner.reward_check.result import Checked, read_checked
from runner.spec.tree import Tree, WorkTree

FUNCTION = "compute_score"
"""What is checked where a person names only the file: what verl looks for."""


def named(root: Path, start: Path, target: str) -> str:
    """Return the reward `FILE[:FUNCTION]`, as a person says it in `start`, as specs name it.

    Raises Refused when the registry at `root` has no such file.
    """
    name, _, function = target.partition(":")
    place = (start / name).resolve()
    if not place.is_file() or not place.is_relative_to(root.resolve()):
        raise Refused(f"`{name}` is no file of this registry", cure="runner reward check FILE")
    path = place.relative_to(root.resolve()).as_posix()
    return f"{path}:{function or FUNCTION}"


def check_rewards(
    tree: Tree, rewards: dict[str, tuple[str, ...]], seconds: int = SECONDS
) -> tuple[Checked, ...]:
    """Check `rewards`, each on rows of its datasets; one result each, in their order.

    Raises OutsideError when the program itself fails.
    """
    with tempfile.TemporaryDirectory(prefix="rollbook-reward-") as name:
        folder = Path(name) / "bundle"
        if not write_bundle(tree, rewards, folder, seconds):
            return ()
        command = [sys.executable, "-I", "-B", str(folder / "check.py")]
        done = subprocess.run(command, cwd=name, capture_output=True, text=True)
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
            raise OutsideError(f"the reward check failed: {last}")
        return read_checked(folder / "result.json")


def check_file(root: Path, start: Path, target: str) -> Checked:
    """Check one reward of the registry at `root`; raises Refused when there is no such file.

    Its rows are those of the first experiment that names it and whose dataset has some.
    """
    tree = WorkTree(root)
    reward = named(root, start, target)
    return check_rewards(tree, {reward: _sets(tree, reward)})[0]


def _sets(tree: Tree, reward: str) -> tuple[str, ...]:
    from runner.spec.check import load_experiments

    specs = [run.spec for one in load_experiments(tree).experiments for run in one.runs[:1]]
    data = [spec.data for spec in specs if spec.reward == reward and spec.data]
    return tuple(dict.fromkeys(path for one in data for path in (one.train, *one.val.values())))
