"""Hold rendered tasks to SkyPilot's own validation: no network, no server, a home of its own.

    python sky_validation.py FILE…

Prints what SkyPilot made of each as JSON; raises what it objects to. A process of its own, since
SkyPilot reads its home when it is imported.
"""

import json
import os
import socket
import sys
import tempfile
from pathlib import Path

CATALOG = {
    "accelerators.csv": "AcceleratorName,Clouds\n"
    + "".join(f"{name},\"['AWS', 'GCP']\"\n" for name in ("H100", "L40S", "A100", "A100-80GB")),
    "metadata.csv": "GPU,MemoryGB,Manufacturer\nH100,80,NVIDIA\n",
}


def main(files: list[str]) -> None:
    os.environ.update(HOME=tempfile.mkdtemp(), SKYPILOT_DISABLE_USAGE_COLLECTION="1")
    catalog = Path.home() / ".sky" / "catalogs" / "v8" / "common"
    catalog.mkdir(parents=True)
    for name, content in CATALOG.items():
        (catalog / name).write_text(content)
    socket.socket.connect = refuse  # type: ignore[method-assign]
    print(json.dumps([checked(Path(file)) for file in files]), file=sys.stderr)


def refuse(*_: object) -> None:
    raise AssertionError("a rendered task is validated without a network")


def checked(file: Path) -> dict[str, object]:
    import sky
    import sky.jobs.recovery_strategy
    import yaml
    from sky.jobs.utils import generate_managed_job_cluster_name
    from sky.utils import common_utils, registry

    config = yaml.safe_load(file.read_text())
    os.chdir(file.parent)
    Path("bundle").mkdir(exist_ok=True)
    task = sky.Task.from_yaml_config(dict(config))
    places = list(task.resources)
    if all(place.cloud and not place.region for place in places):  # else it asks the cloud itself
        task.validate()
    # What its controller does later: it names a cluster after the job, and recovers it.
    common_utils.check_cluster_name_is_valid(generate_managed_job_cluster_name(task.name, 12345))
    recoveries = [place.job_recovery for place in places if place.job_recovery]
    known = registry.JOBS_RECOVERY_STRATEGY_REGISTRY
    assert all(known.from_str(one["strategy"]) for one in recoveries)
    for place in places:
        for key, value in place.labels.items():
            for cloud in (sky.clouds.AWS, sky.clouds.GCP, sky.clouds.Kubernetes):
                assert cloud.is_label_valid(key, value)[0], (cloud, key, value)
    return {
        "name": task.name,
        "nodes": task.num_nodes,
        "ordered": isinstance(task.resources, list),
        "places": [
            {
                "cloud": str(place.cloud) if place.cloud else None,
                "accelerators": place.accelerators,
                "spot": place.use_spot,
                "image": place.extract_docker_image(),
                "most_usd_per_hour": place.max_hourly_cost,
                "restarts": place.job_recovery and place.job_recovery["max_restarts_on_errors"],
                "down_after_minutes": place.autostop_config and place.autostop_config.idle_minutes,
            }
            for place in places
        ],
        "secrets": [one.name for one in task.managed_secret_refs],
        "volumes": task.volumes,
        "api_server_access": task.api_server_access,
    }


if __name__ == "__main__":
    main(sys.argv[1:])
