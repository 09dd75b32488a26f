"""Ceilings, and what reaches a node, with the installed runner and real processes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from live_registry import LiveRegistry, script_spec

GPUS = 'resources: {accelerators: "H100:8"}\n'
KEY, OTHER = "canary-of-the-store", "canary-of-nobody"


def settings(registry: LiveRegistry, more: str) -> str:
    """Return the registry's own settings, as `runner init` wrote them, with `more`."""
    return f"{(registry.root / 'registry.yaml').read_text()}\n{more}"


def actions(registry: LiveRegistry) -> dict[str, tuple[str, str]]:
    plan = registry.succeed("plan", "--json").json
    return {one["experiment"]: (one["action"], one["reason"]) for one in plan["actions"]}


def spending(registry: LiveRegistry) -> dict[str, Any]:
    [path] = [path for path in registry.ledger_files() if path.startswith("spending/")]
    return dict(json.loads(registry.ledger(path)))


def test_what_is_over_is_held_and_applying_again_lifts_nothing(registry: LiveRegistry) -> None:
    policy = settings(registry, "policy: {launches_per_apply: 1, owners: [alice, bob]}\n")
    registry.merge({"registry.yaml": policy, "one": script_spec(), "two": script_spec(steps=9)})
    for _ in range(2):
        answer = registry.succeed("apply", "--wait")
        assert "1 more would make 2 of 1 launches per apply" in " ".join(answer.err.split())
    assert [
        run["experiment"] for run in registry.succeed("status", "--all", "--json").json["runs"]
    ] == ["one"]
    named = registry.runner("launch", "two")
    assert named.code == 1
    assert "one of alice, bob may lift it" in " ".join(named.err.split())
    [spent] = spending(registry).values()
    assert (spent["gpu_hours"], spent["usd"]) == (0, 0)  # no GPUs


def test_without_owners_and_forge_whoever_asks_by_name_lifts(registry: LiveRegistry) -> None:
    policy = settings(registry, "policy: {launches_per_apply: 1}\n")
    registry.merge({"registry.yaml": policy, "one": script_spec(), "two": script_spec(steps=9)})
    answer = registry.succeed("apply", "--wait")
    assert "anyone may lift it: runner launch two" in " ".join(answer.err.split())
    registry.succeed("launch", "two", "--wait")
    assert registry.attempt("two")["outcome"] == "succeeded"
    assert len(spending(registry)) == 2


def test_a_run_waits_for_gpus_that_another_one_has(registry: LiveRegistry, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    held = script_spec("--hold-at", 1, "--until", gate, more=GPUS)
    policy = settings(registry, "policy: {gpus_at_once: 12}\n")
    registry.merge({"registry.yaml": policy, "one": held, "two": script_spec(steps=9, more=GPUS)})
    registry.succeed("apply")
    registry.await_step("one", 1)
    assert actions(registry)["two"] == (
        "wait",
        "new; 8 more would make 16 of 12 GPUs at once; it starts by itself when they are free",
    )
    gate.touch()
    registry.succeed("apply", "--wait")
    assert registry.attempt("two")["outcome"] == "succeeded"
    took = spending(registry)[f"{registry.run('one')['run_id']}/1"]
    assert 0 < took["gpu_hours"] < 1  # eight GPUs for some seconds, as it was
    assert took["usd"] is None


def test_a_node_gets_its_variables_and_the_trainer_does_not(
    registry: LiveRegistry, tmp_path: Path
) -> None:
    gate, told = tmp_path / "gate", tmp_path / "told.json"
    spec = script_spec("--told", told, "--hold-at", 1, "--until", gate)
    more = "node_variables: [STORE_KEY]\nsecrets: {core/*: [OTHER_KEY]}\n"
    registry.merge({"registry.yaml": settings(registry, more), "demo": spec})
    canaries = {"STORE_KEY": KEY, "OTHER_KEY": OTHER, "GITHUB_TOKEN": OTHER, "GH_TOKEN": OTHER}
    registry.succeed("apply", **canaries)
    registry.await_step("demo", 1)
    [job] = registry.jobs
    node = registry.node_program(job).environ()
    assert node["STORE_KEY"] == KEY
    trainer = json.loads(told.read_text())
    assert KEY not in trainer.values()
    for process in registry.processes(job):
        assert OTHER not in process.environ().values()
    gate.touch()
    registry.succeed("apply", "--wait", **canaries)
    kept = [path for path in registry.run_store.rglob("*") if path.is_file()]
    assert kept
    for text in (
        *(path.read_text(errors="replace") for path in kept),
        *map(registry.ledger, registry.ledger_files()),
    ):
        assert KEY not in text
        assert OTHER not in text


def test_a_merge_that_permits_itself_secrets_and_variables_gets_none(
    registry: LiveRegistry, tmp_path: Path
) -> None:
    registry.merge({"harmless": script_spec()})
    registry.succeed("apply", "--wait")
    told = tmp_path / "told.json"
    greedy = (
        "secrets: {'*': [OTHER_KEY]}\nnode_variables: [OTHER_KEY]\npolicy: {owners: [mallory]}\n"
    )
    registry.merge(
        {
            "registry.yaml": settings(registry, greedy),
            "asks": script_spec("--told", told, steps=9, more="secrets: [OTHER_KEY]\n"),
            "quiet": script_spec("--told", tmp_path / "quiet.json", steps=10),
        }
    )
    for _ in range(2):  # applying it again permits no more
        answer = registry.runner("apply", "--wait", OTHER_KEY=OTHER)
        assert answer.code == 1
        assert "does not permit the secret `OTHER_KEY` for `asks`" in " ".join(answer.err.split())
        assert OTHER not in answer.out + answer.err
    assert not told.exists()
    assert OTHER not in json.loads((tmp_path / "quiet.json").read_text()).values()
    [job] = [one for one in registry.jobs if registry.run("quiet")["run_id"] in one]
    task = json.loads((registry.root / ".rollbook/local" / job / "task.json").read_text())
    assert task["node_variables"] == []


def test_another_attempt_is_held_to_the_ceilings(registry: LiveRegistry, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    crash = script_spec("--crash-at", 1, more=GPUS)
    held = script_spec("--hold-at", 1, "--until", gate, steps=9, more=GPUS)
    policy = settings(registry, "policy: {gpus_at_once: 8, owners: [alice]}\n")
    registry.merge({"registry.yaml": policy, "crash": crash})
    assert registry.runner("apply", "--wait").code == 5
    registry.merge({"other": held})
    registry.succeed("apply")
    registry.await_step("other", 1)
    answer = registry.runner("retry", "crash")
    assert answer.code == 1
    assert "8 more would make 16 of 8 GPUs at once" in " ".join(answer.err.split())
    assert registry.attempt("crash")["number"] == 1
    gate.touch()
    registry.succeed("sync", "--watch")
    assert registry.runner("retry", "crash", "--wait").code == 5
    assert registry.attempt("crash")["number"] == 2
    assert len(spending(registry)) == 3
