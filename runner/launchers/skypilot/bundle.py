"""The folder that is sent to a node as the task's working directory.

It holds one folder, named after the job, so that two jobs sent to one kept cluster do not write
over each other; and that one only files:

    task.json                   the NodeTask; `code` and `scratch` are relative, beside it
    code.tar                    the files of the commit that the run needs
    rollbook-<version>….whl     the runner itself
    node-requirements.txt       what the runner needs, pinned
    training-requirements.txt   what the trainer needs, pinned; not with an image
    environment.sh, …           what `setup` and `run` of the rendered task call

The code is an archive because SkyPilot drops what it sends in transit where a file's mode is
concerned (an API server elsewhere unpacks it without), and leaves out what a .skyignore below it
names. The empty .skyignore at the top keeps the registry's own .gitignore from counting.
"""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path

from runner.launchers.skypilot.wheel import runner_wheel
from runner.node.job import TASK
from runner.node.task import NodeTask

REQUIREMENTS = "node-requirements.txt"
TRAINING_REQUIREMENTS = "training-requirements.txt"
CODE = "code.tar"
SENT_SCRIPTS = ("environment.sh", "image-python.sh", "places.sh")

_DATA = Path(__file__).parent
_SCRIPTS = _DATA / "scripts"


def bundle(task: NodeTask, folder: Path) -> Path:
    """Write what a node needs for `task` into `folder`, anew, and return it.

    `task.code` is where the files of the commit are on this machine. Raises OutsideError when the
    runner cannot be sent.
    """
    shutil.rmtree(folder, ignore_errors=True)
    inside = folder / task.job
    inside.mkdir(parents=True)
    (folder / ".skyignore").touch()
    _archive(Path(task.code), inside / CODE)
    shutil.copyfile(_DATA / REQUIREMENTS, inside / REQUIREMENTS)
    if task.lock:
        shutil.copyfile(Path(task.code) / task.lock, inside / TRAINING_REQUIREMENTS)
    for name in SENT_SCRIPTS:
        shutil.copyfile(_SCRIPTS / name, inside / name)
    wheel = runner_wheel()
    (inside / wheel.name).write_bytes(wheel.content)
    (inside / TASK).write_text(on_node(task).model_dump_json(by_alias=True, indent=1))
    return folder


def script(name: str) -> str:
    """Return the text of one of the scripts that run on a node."""
    return (_SCRIPTS / name).read_text()


def on_node(task: NodeTask) -> NodeTask:
    """Return `task` as the node reads it: its places there, and who starts it again how often."""
    recover = task.spec.resources.recover
    is_managed = task.spec.resources.keep_cluster is None
    limits = {"preemptions": recover.preemptions, "errors": recover.errors} if is_managed else {}
    return task.model_copy(
        update={
            "code": "code",
            "scratch": "scratch",
            "train_python": "",  # RUNNER_TRAIN_PYTHON, which the start script sets
            "limits": task.limits.model_copy(update=limits),
        }
    )


def _archive(folder: Path, target: Path) -> None:
    """Write the files of `folder` to a tar file: the same bytes for the same files."""
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as archive:
        for path in sorted(folder.rglob("*")):
            archive.add(path, str(path.relative_to(folder)), recursive=False, filter=_anonymous)


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Leave out who had the file, and when."""
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mtime = 0
    member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
    return member
