"""Plans as pull requests bring them about: real specs of this repository, planned by real code."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import yaml
from planned_registry import SETTINGS as REGISTRY
from planned_registry import PlannedRegistry

from runner.git.commit_tree import CommitTree
from runner.planning.actions import Plan, Use
from runner.report.plan.about import About
from runner.report.plan.reward import RewardRow, RewardTable

ROOT = Path(__file__).resolve().parents[2]
HEAD, BASE = "9c1f2ab" + 33 * "0", "51d0e77" + 33 * "0"
GRPO = "gsm8k/grpo-qwen2.5-1.5b"
OTHERS = ("gsm8k/rloo-qwen2.5-1.5b", "gsm8k/sapo-qwen2.5-1.5b", "gsm8k/cispo-qwen2.5-1.5b")
BASES = ("bases/gpu", "bases/gsm8k")
SETTINGS = f"{REGISTRY}forge: github\nsecrets: {{gsm8k/*: [WANDB_API_KEY]}}\n"
ROWS = {"train": 7473, "val": 1319}
"""Questions of GSM8K."""

Make = Callable[[Path], PlannedRegistry]


class Request(NamedTuple):
    """A pull request: its plan, and what is known of it."""

    plan: Plan
    about: About


def link(path: str, line: int | None) -> str:
    place = f"https://github.example/team/registry/blob/{HEAD}/{path}"
    return f"{place}#L{line}" if line else place


def own(*names: str) -> dict[str, str]:
    """Return the files of specs of this repository, with the data that GSM8K's read."""
    paths = [f"experiments/{name}.yaml" for name in names]
    paths += ["reward/gsm8k.py", *_imported_by_rewards()]
    files = {path: (ROOT / path).read_text() for path in paths}
    for number, (kind, rows) in enumerate(ROWS.items()):
        files[f"data/gsm8k/rl.{kind}.jsonl.dvc"] = _pointer(f"rl.{kind}.jsonl", number, rows)
    return files


def _imported_by_rewards() -> list[str]:
    command = ["git", "ls-files", "reward"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [path for path in listed.split() if path.endswith(".py")]


def _pointer(name: str, number: int, rows: int) -> str:
    """Return a .dvc file with a card: the number of rows is GSM8K's, the rest is made up."""
    quantiles = {"median": 300, "p95": 600, "longest": 900}
    card = {
        "rows": rows,
        "columns": ["prompt", "reward_model"],
        "characters": quantiles,
        "duplicates": 0,
        "sample_sha256": "0" * 64,
    }
    output = {
        "md5": f"{number:x}" * 32,
        "size": 1,
        "hash": "md5",
        "path": name,
        "meta": {"card": card},
    }
    return yaml.safe_dump({"outs": [output]})


def edited(text: str, **changes: str) -> str:
    """Return a spec with lines added at its end."""
    return text + "".join(f"{key}: {value}\n" for key, value in changes.items())


RENTED = "{accelerators: H100:4, candidates: [{infra: nebius, spot: true}, {infra: nebius}]}"
"""Candidates whose price is known."""


def registry(folder: Path, names: tuple[str, ...] = (GRPO, *OTHERS)) -> PlannedRegistry:
    """Return a registry with GSM8K's experiments, that are launched when they are merged."""
    files = {**own(*BASES, *names), "registry.yaml": SETTINGS}
    for name in names:
        path = f"experiments/{name}.yaml"
        files[path] = edited(files[path], launch="on_merge", resources=RENTED)
    return PlannedRegistry.with_files(folder, files)


def request(made: PlannedRegistry, **about: object) -> Request:
    """Plan the newest commit of a registry as a pull request's."""
    plan, runs = made._make()
    tree = CommitTree(made.workspace.repository, plan.head)
    values = {"number": 214, "link": link, "read": tree.read, "version": "0.1.0", **about}
    known = About(head=HEAD, base=BASE, runs=runs, **values)  # type: ignore[arg-type]
    return Request(plan, known)


REWARD = RewardTable(
    reward="reward/gsm8k.py:compute_score",
    rows_from="the reward's own cases",
    count=20,
    seconds=1.24,
    verdict="note",
    rows=(
        RewardRow("reference solution", "1", "1.00", "ok", ""),
        RewardRow("empty", "0", "0.00", "ok", ""),
        RewardRow(
            "right number, other format (`\\boxed{}`)", "", "0.00", "note", "counts as wrong"
        ),
    ),
)
USES = (
    Use(ceiling="launches_per_apply", used=0, planned=3, limit=10),
    Use(ceiling="usd_per_month", used=2040, planned=270, limit=6000),
    Use(ceiling="gpus_at_once", used=12, planned=12, limit=32),
)


def new(folder: Path) -> Request:
    """A new experiment beside three that are stale: their data have changed."""
    made = registry(folder, OTHERS)
    made.run()
    path = f"experiments/{GRPO}.yaml"
    spec = edited(own(GRPO)[path], launch="on_merge", resources=RENTED)
    pointer = _pointer("rl.train.jsonl", 7, ROWS["train"])
    made.commit({path: spec, "data/gsm8k/rl.train.jsonl.dvc": pointer})
    found = request(made, rewards=(REWARD,), complete="https://github.example/team/run/1")
    return found._replace(plan=found.plan._replace(policy=USES))


def changed(folder: Path) -> Request:
    """An edited learning rate, while one of the seeds still trains with the former one."""
    made = registry(folder, (GRPO,))
    made.run("running", step=41, steps=105, cost_usd=31.5)
    path = f"experiments/{GRPO}.yaml"
    spec = (made.folder / path).read_text()
    training = "training: {learning_rate: 5.0e-7}"
    made.commit({path: f"{spec}{training}\nwhen_edited: cancel_running\n"})
    return request(made, rewards=None)


def misspelt(folder: Path) -> Request:
    """A misspelt key in one experiment; another one proceeds."""
    made = registry(folder, OTHERS[:1])
    path = f"experiments/{GRPO}.yaml"
    spec = own(GRPO)[path].replace("group_size: 5", "groupsize: 5")
    made.commit({path: edited(spec, launch="on_merge")})
    return request(made)


def does_not_divide(folder: Path) -> Request:
    """A batch that does not divide, said by the rule that knows."""
    made = registry(folder, (GRPO,))
    path = f"experiments/{GRPO}.yaml"
    text = (made.folder / path).read_text()
    made.commit({path: f"{text}training: {{prompts_per_update: 250}}\n"})
    return request(made)


def held(folder: Path) -> Request:
    """One that waits for a person, one that is over a ceiling of the policy."""
    files = own(*BASES, GRPO, *OTHERS[:2])
    files["registry.yaml"] = f"{SETTINGS}policy: {{launches_per_apply: 2, owners: [alice, bob]}}\n"
    for name, *lines in ((OTHERS[0],), (OTHERS[1], "seeds: [1, 2, 3]\n")):
        path = f"experiments/{name}.yaml"
        files[path] = edited(files[path] + "".join(lines), launch="on_merge", resources=RENTED)
    made = PlannedRegistry.with_files(folder, files)
    return request(made, owners=("alice", "bob"))


def nothing(folder: Path) -> Request:
    """A change that concerns no run."""
    made = registry(folder, (GRPO,))
    made.run()
    made.commit({"README.md": "# Ours\n"})
    return request(made)


def queued(folder: Path) -> Request:
    """What a merge queue asks about: no pull request, so nothing to comment on."""
    return request(registry(folder, (GRPO,)), number=None)


REQUESTS: dict[str, Callable[[Path], Request]] = {
    "new": new,
    "changed": changed,
    "misspelt": misspelt,
    "does-not-divide": does_not_divide,
    "held": held,
    "nothing": nothing,
    "queued": queued,
}
