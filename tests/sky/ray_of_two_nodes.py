"""A training script on two nodes: what their Ray is, as a metric; a user's file in a registry.

It starts on both nodes; the first one asks Ray, and has each node say who it is.
"""

import json
import os
import socket
from pathlib import Path

import ray

if os.environ["ROLLBOOK_NODE_RANK"] == "0":
    ray.init()  # RAY_ADDRESS and its token are in the environment
    alive = [node for node in ray.nodes() if node["Alive"]]

    @ray.remote(num_gpus=2, num_cpus=0)
    def where():
        slurm = os.environ["SLURMD_NODENAME"]
        return slurm, len(ray.get_gpu_ids()), socket.gethostname()

    found = ray.get([where.options(scheduling_strategy="SPREAD").remote() for _ in alive])
    print("nodes:", sorted(found))
    values = {
        "my/nodes": len(alive),
        "my/gpus": sum(node["Resources"].get("GPU", 0) for node in alive),
        "my/reached": len({name for name, _, _ in found}),
        "my/devices": sum(devices for _, devices, _ in found),
        "reward/mean": 0.5,
    }
    with Path(os.environ["ROLLBOOK_METRICS"]).open("a") as metrics:
        metrics.write(json.dumps({"step": 1, **values}) + "\n")
