"""A run as a task before it is submitted: what is only known then is shown as such."""

from __future__ import annotations

from pathlib import Path

from runner.launchers.skypilot.task import as_yaml, sky_task
from runner.node.task import Limits, NodeTask
from runner.registry import Registry
from runner.spec.experiment import Run
from runner.spec.resources import Candidate, Resources
from runner.trainers.base import planned_steps

UNKNOWN_RUN = "unknown"
"""Instead of a run id whose inputs are not here."""
NONCE = "random"
"""Instead of what makes the name of one submission its own."""


def preview(run: Run, run_id: str, commit: str, registry: Registry) -> str:
    """Return the YAML of the task with which `run` is first submitted; `run_id` may be empty."""
    environment = registry.environments.get(run.spec.trainer)
    image = run.spec.image or (environment.image if environment else None)
    identity = run_id or UNKNOWN_RUN
    task = NodeTask(
        run_id=identity,
        attempt="a1",
        job=f"r{identity}-a1-{NONCE}",
        nonce=NONCE,
        experiment=run.experiment,
        seed=run.seed,
        spec=run.spec,
        steps=planned_steps(run, None),
        commit=commit,
        code="code",
        store="",
        scratch="scratch",
        train_python="",
        image=image,
        lock=environment.lock if environment and not image else None,
        data_remote="",
        checkpoint_remote="",
        node_variables=registry.node_variables,
        limits=Limits(seconds=run.spec.resources.max_duration),
    )
    return _heading(run, run_id) + as_yaml(
        sky_task(task, Path("bundle")), {"resources": _places(run.spec.resources)}
    )


def _heading(run: Run, run_id: str) -> str:
    lines = [
        f"{run.experiment}, seed {run.seed}, as SkyPilot gets it when it is launched.",
        f"Made at that moment: the end of its name, here `{NONCE}`, and the folder `bundle`.",
    ]
    if not run_id:
        lines.append(f"The run id is `{UNKNOWN_RUN}`, since its inputs are not all here.")
    return "".join(f"# {line}\n" for line in lines) + "\n"


def _places(resources: Resources) -> list[str]:
    """Return in words where it may run later, when there is no capacity at the first place."""
    minutes = f"{resources.wait_per_candidate / 60:g}"
    later = resources.candidates[1:]
    return [f"After {minutes} min without capacity also: {_named(one)}." for one in later]


def _named(candidate: Candidate) -> str:
    spot = ", spot" if candidate.spot else ""
    asked = ", once an owner says so" if candidate.needs_approval else ""
    return f"{candidate.infra}{spot}{asked}"
