"""SkyPilot's pages on a job, and the way to a shell on its first node.

A kept cluster is one of SkyPilot's own: `sky status` writes it into ~/.ssh/config. So is the
cluster of a managed job, but SkyPilot 0.14.1 leaves it out of every answer unless the client's
environment has SKYPILOT_DEBUG=1; and to pods and Slurm jobs its ssh goes through the API server,
which passes only kept clusters on. There the scheduler's own way is taken.

Source: get_clusters in sky/backends/backend_utils.py, _get_cluster_and_validate in
sky/server/server.py, _get_cluster_records_and_set_ssh_config in sky/client/cli/command.py; the
names of pods and Slurm jobs in sky/provision/.
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from runner.errors import Refused
from runner.launchers.base import RAY_DASHBOARD, Shell
from runner.launchers.skypilot.ids import JobId
from runner.launchers.skypilot.records import Machines
from runner.launchers.skypilot.server import without_password

_NEW_HOSTS = "StrictHostKeyChecking=accept-new"
SLURM_LOGINS = Path("~/.slurm/config")
"""Where SkyPilot reads how the login node of each Slurm cluster is reached."""


def page(url: str, job: JobId) -> str:
    """Return the address of the page on a job on the dashboard of the API server at `url`."""
    about = f"clusters/{job.name}/{job.number}" if job.is_kept else f"jobs/{job.number}"
    return f"{without_password(url)}/dashboard/{about}"


def shell(machines: Machines, logins: Path = SLURM_LOGINS) -> Shell:
    """Return how a shell on the first of `machines` is had from here.

    Raises Refused where it is not, with what to do instead.
    """
    kind, _, rest = machines.infra.partition("/")
    if kind == "k8s" and not machines.is_kept:
        return _in_a_pod(f"{machines.on_cloud}-head", rest.partition("/")[0])
    if kind == "slurm" and not machines.is_kept:
        return _in_a_slurm_job(machines.on_cloud, rest.partition("/")[0], logins.expanduser())
    return _by_ssh(machines)


def _by_ssh(machines: Machines) -> Shell:
    name = machines.cluster
    written = (str(Path(sys.executable).with_name("sky")), "status", name)
    hidden = () if machines.is_kept else ("env", "SKYPILOT_DEBUG=1")
    return Shell(
        command=("ssh", name),
        before=(*hidden, *written),
        forward=("ssh", "-N", "-L", f"{RAY_DASHBOARD}:127.0.0.1:{RAY_DASHBOARD}", name),
        otherwise=""
        if machines.is_kept
        else "a server that keeps managed jobs on a controller of their own has the key there: "
        f"sky status names that controller (sky-jobs-controller-…); ssh to it, there: ssh {name}",
    )


def _in_a_pod(pod: str, context: str) -> Shell:
    at = ("--context", context) if context else ()
    return Shell(
        command=("kubectl", *at, "exec", "-it", pod, "--", "bash"),
        forward=("kubectl", *at, "port-forward", f"pod/{pod}", f"{RAY_DASHBOARD}:{RAY_DASHBOARD}"),
        otherwise=f"kubectl of this machine has to know the context {context or '(its current)'} "
        "and the namespace that SkyPilot uses there",
    )


def _in_a_slurm_job(name: str, cluster: str, logins: Path) -> Shell:
    found = f"$(squeue --noheader --format=%A --name={shlex.quote(name)} | head -n 1)"
    step = f"srun --jobid={found} --overlap --nodes=1 --ntasks=1 --pty bash -l"
    if not logins.is_file():
        raise Refused(
            f"this machine does not know how to log in to the Slurm cluster {cluster}",
            cure=f"on its login node: {step}",
        )
    return Shell(
        command=("ssh", "-t", "-o", _NEW_HOSTS, "-F", str(logins), cluster, step),
        otherwise=f"on the login node of {cluster}: {step}",
    )
