"""A real Ray over two addresses of this machine, from the training environment."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from nodes import Nodes

from runner.errors import OutsideError
from runner.node import job, ray

ROOT = Path(__file__).resolve().parents[2]
TRAIN_PYTHON = Path(
    os.environ.get("RUNNER_TRAIN_PYTHON") or ROOT / ".venv-train" / "bin" / "python"
)
MANDATORY = "train" in os.environ.get("RUNNER_TESTS_MANDATORY", "")
needs_ray = [
    pytest.mark.train,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not (MANDATORY or TRAIN_PYTHON.exists()), reason="no .venv-train"),
]

# Says on which nodes of the cluster tasks have run, and whether a stranger is let in.
TRAIN = """\
import json, os, subprocess, sys, time
print("node", os.environ["ROLLBOOK_NODE_RANK"], flush=True)
if os.environ["ROLLBOOK_NODE_RANK"] != "0":
    time.sleep(REST)
    sys.exit()
import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy as On
ray.init(log_to_driver=False)

@ray.remote(num_cpus=1)
def told():
    return os.environ["ROLLBOOK_SEED"], os.environ["ROLLBOOK_CHECKPOINTS"]

for node in ray.nodes():
    options = told.options(scheduling_strategy=On(node["NodeID"], soft=False))
    seed, folder = ray.get(options.remote())
    same = folder == os.environ["ROLLBOOK_CHECKPOINTS"]
    print("a task on", node["NodeName"], "with seed", seed, same, flush=True)
stranger = "import ray; ray.init(log_to_driver=False); print(ray.nodes())"
done = subprocess.run(
    [sys.executable, "-c", stranger],
    env={**os.environ, "RAY_AUTH_TOKEN": "f" * 64},
    capture_output=True, text=True, timeout=100,
)
print("a stranger ends with", done.returncode, "AuthenticationError" in done.stderr, flush=True)
time.sleep(REST)
print(json.dumps({"step": 4}), file=open(os.environ["ROLLBOOK_METRICS"], "a"))
"""


@pytest.fixture
def nodes(tmp_path: Path, git_home: Path) -> Iterator[Nodes]:
    # What somebody leaves who has once asked Ray for a token.
    (git_home / ".ray").mkdir()
    (git_home / ".ray" / "auth_token").write_text("0" * 64)
    made = Nodes(tmp_path, shared=True)
    made.train_python = str(TRAIN_PYTHON)
    yield made
    made.close()


def script() -> dict[str, object]:
    command = {"command": ["python", "train.py"], "files": ["train.py"], "ray": True}
    training = {"steps": 4, "prompts_per_step": 1, "learning_rate": 0.1}
    return {"script": command, "training": training}


class TestCluster:
    pytestmark = needs_ray

    def test_two_nodes_are_one_ray_that_strangers_cannot_enter(self, nodes):
        codes = nodes.run(TRAIN.replace("REST", "0"), spec=script(), patience=60)
        log = nodes.read("log.txt")
        assert codes == [0, 0], nodes.said(0) + nodes.said(1) + log
        for rank in (0, 1):
            assert f"a task on node-{rank} with seed 7 True" in log
        assert "a stranger ends with 1 True" in log
        assert "node 1" in nodes.read("node-1/log.txt")
        assert "Ray runtime started" in nodes.read("node-1/ray.txt")
        assert nodes.left() == []

    def test_a_command_that_fails_is_the_runs_failure_and_no_nodes(self, nodes):
        failing = 'import os, sys\nsys.exit(7 if os.environ["ROLLBOOK_NODE_RANK"] == "0" else 0)\n'
        assert nodes.run(failing, spec=script(), patience=60) == [5, 5]
        assert nodes.evidence().exit_code == 7
        assert nodes.result().error == ""

    def test_a_ray_that_dies_on_another_node_ends_the_run(self, nodes):
        started = nodes.start(TRAIN.replace("REST", "100"), spec=script(), patience=60)
        nodes.until("log.txt", "a stranger ends", 200)
        for process in job.marked_processes(job.name_on(nodes.home(1).name, 1)):
            if process.name() == "raylet":
                process.kill()
        assert nodes.codes(started, 200) == [3, 3]
        assert "node 1 (127.0.0.2): Ray has ended on it" in nodes.result().error
        assert nodes.left() == []


@pytest.mark.parametrize(
    ("found", "why"),
    [
        ({"node-0": 4, "node-1": 3}, r"node 1 \(10.0.0.2\) has 3 GPUs in Ray, planned 4"),
        ({"node-0": 4}, r"node 1 \(10.0.0.2\) has not joined Ray within 120 s"),
        ({"node-0": 4, "node-1": 4, "other": 8}, "not of this job: other"),
    ],
)
def test_a_cluster_that_was_not_planned_is_refused(found, why):
    with pytest.raises(OutsideError, match=why):
        ray._check(found, ("10.0.0.1", "10.0.0.2"), 4)
