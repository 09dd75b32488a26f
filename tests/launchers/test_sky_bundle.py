"""What is sent to a node, and the scripts that make and use environments there, run for real."""

import hashlib
import json
import os
import re
import stat
import subprocess
import sys
import tarfile
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from test_sky_task import SCRIPT, task_of

from runner.launchers.skypilot.bundle import REQUIREMENTS, bundle
from runner.launchers.skypilot.task import sky_task
from runner.launchers.skypilot.wheel import make_wheel, runner_wheel
from runner.node.task import NodeTask, read_task

ROOT = Path(__file__).parents[2]
TRAIN = """\
import json, os, sys
print("trained with", sys.executable, os.environ["HF_HOME"], flush=True)
open(os.environ["ROLLBOOK_METRICS"], "w").write('{"step": 1, "reward/mean": 1}\\n')
sys.exit(int(os.environ.get("FAIL", "0")))
"""
SPEC = {
    **SCRIPT,
    "script": {"command": ["python", "train.py"], "files": ["train.py"]},
    "training": {"steps": 1, "prompts_per_step": 8, "learning_rate": 1e-05},
    "checkpoints": {"export": "none"},
}


@pytest.fixture
def code(tmp_path: Path) -> Path:
    folder = tmp_path / "code"
    (folder / "lib").mkdir(parents=True)
    (folder / "train.py").write_text(TRAIN)
    (folder / "lib" / "tool.sh").write_text("echo hello\n")
    (folder / "lib" / "tool.sh").chmod(0o755)
    (folder / "lib" / ".skyignore").write_text("*\n")
    (folder / "link.py").symlink_to("train.py")
    return folder


def sent(code: Path, folder: Path, **more: Any) -> tuple[NodeTask, Path]:
    """Bundle a task; return it and the folder inside, named after the job."""
    task = task_of(
        **{
            "spec": SPEC,
            "experiment": "demo",
            "code": str(code),
            "store": str(folder / "store"),
            "data_remote": str(folder / "data"),
            "checkpoint_remote": str(folder / "checkpoints"),
            **more,
        }
    )
    return task, bundle(task, folder / "sky_workdir") / task.job


def digest(folder: Path) -> str:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    parts = [str(path.relative_to(folder)).encode() + path.read_bytes() for path in files]
    return hashlib.sha256(b"".join(parts)).hexdigest()


def test_a_bundle_holds_the_code_as_it_was_and_is_the_same_each_time(code, tmp_path):
    _, inside = sent(code, tmp_path)
    once = digest(inside.parent)
    os.utime(code / "train.py", (1, 1))
    assert digest(sent(code, tmp_path)[1].parent) == once
    assert [path.name for path in inside.parent.iterdir() if path != inside] == [".skyignore"]
    assert all(path.is_file() for path in inside.iterdir())
    with tarfile.open(inside / "code.tar") as archive:
        archive.extractall(tmp_path / "out", filter="data")
    out = tmp_path / "out"
    assert (out / "train.py").read_text() == TRAIN
    assert os.access(out / "lib" / "tool.sh", os.X_OK)
    assert not os.access(out / "train.py", os.X_OK)
    assert (out / "lib" / ".skyignore").exists()
    assert (out / "link.py").readlink() == Path("train.py")


def test_a_task_is_read_on_a_node_with_its_places_there(code, tmp_path, monkeypatch):
    _, inside = sent(code, tmp_path)
    monkeypatch.setenv("RUNNER_TRAIN_PYTHON", "/env/bin/python")
    monkeypatch.chdir(inside)
    task = read_task(Path("task.json"))
    assert (task.code, task.scratch) == (str(inside / "code"), str(inside / "scratch"))
    assert task.train_python == "/env/bin/python"
    monkeypatch.delenv("RUNNER_TRAIN_PYTHON")
    assert read_task(Path("task.json")).train_python == sys.executable


@pytest.mark.parametrize(("kept", "restarts"), [({}, (3, 1)), ({"keep_cluster": "1h"}, (0, 0))])
def test_the_node_knows_how_often_it_is_started_again(code, tmp_path, kept, restarts):
    resources = {"recover": {"preemptions": 3, "errors": 1}, **kept}
    _, inside = sent(code, tmp_path, spec={**SPEC, "resources": resources})
    limits = json.loads((inside / "task.json").read_text())["limits"]
    assert (limits["preemptions"], limits["errors"]) == restarts


def test_the_runner_is_a_wheel_of_what_runs_here(tmp_path):
    wheel = runner_wheel()
    make_wheel.cache_clear()
    assert runner_wheel() == wheel
    path = tmp_path / wheel.name
    path.write_bytes(wheel.content)
    install = [
        "-m",
        "pip",
        "install",
        "-q",
        "--no-deps",
        "--no-index",
        "--target",
        tmp_path / "env",
    ]
    subprocess.run([sys.executable, *install, path], check=True, capture_output=True)
    installed = tmp_path / "env" / "runner"
    assert (installed / "launchers/skypilot" / REQUIREMENTS).is_file()
    here = {path.relative_to(ROOT / "runner") for path in (ROOT / "runner").rglob("*.py")}
    assert here == {path.relative_to(installed) for path in installed.rglob("*.py")}
    assert (tmp_path / "env" / "bin" / "runner").is_file()
    with zipfile.ZipFile(path) as archive:
        assert {stat.S_IMODE(one.external_attr >> 16) for one in archive.infolist()} == {0o644}


def test_what_a_node_needs_is_pinned_and_is_what_the_control_environment_has():
    def pins(path: Path) -> dict[str, str]:
        lines = (line.partition(" ;")[0] for line in path.read_text().splitlines())
        named = (line.partition("==") for line in lines if line and line[0] not in "#-")
        return {re.sub("[-_.]+", "-", name).lower(): version for name, _, version in named}

    node = pins(ROOT / "runner/launchers/skypilot" / REQUIREMENTS)
    control = pins(ROOT / "requirements/control.txt")
    assert all(node.values())
    assert {"dvc", "dvc-s3", "s3fs", "pyarrow", "pydantic"} <= set(node)
    differ = {one for one in node.keys() & control.keys() if node[one] != control[one]}
    assert differ == set()


def test_pytorchs_index_for_the_cpu_is_the_same_everywhere():
    index = re.compile(r"https://download\.pytorch\.org/\S+cpu")
    script = ROOT / "runner/launchers/skypilot/scripts/environment.sh"
    texts = (script.read_text(), (ROOT / "scripts/train-env.sh").read_text())
    assert len({index.search(text)[0] for text in texts}) == 1  # type: ignore[index]


# Scripts


def environment(folder: Path, **more: str) -> dict[str, str]:
    """Return a node's environment, with its home in `folder` and no uv."""
    kept = {name: os.environ[name] for name in ("LANG", "TMPDIR") if name in os.environ}
    return {**kept, "PATH": f"{tools(folder)}:/usr/bin:/bin", "HOME": str(folder), **more}


def tools(folder: Path) -> Path:
    """Return a folder with this test's interpreter as python3.11, below any virtual environment."""
    place = folder / "tools"
    place.mkdir(exist_ok=True)
    link = place / f"python3.{sys.version_info[1]}"
    if not link.is_symlink():
        link.symlink_to(getattr(sys, "_base_executable", sys.executable))
    return place


def a_wheel(folder: Path, name: str, version: str) -> None:
    """Write the smallest wheel there is, of one module."""
    folder.mkdir(exist_ok=True)
    about = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": f"version = {version!r}\n",
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{about}/RECORD"] = "".join(f"{path},,\n" for path in [*files, f"{about}/RECORD"])
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)


class Node:
    """A machine on which environments are made from wheels in a folder, without a network."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.cache = folder, folder / "cache"
        tools(folder)
        a_wheel(folder / "wheels", "tiny", "1.0")
        a_wheel(folder / "wheels", "torch", "2.13.0")
        a_wheel(folder / "cpu-wheels", "torch", "2.13.0+cpu")
        (folder / "list.txt").write_text("# what is needed\ntiny==1.0\ntorch==2.13.0\n")

    def make(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        script = ROOT / "runner/launchers/skypilot/scripts/environment.sh"
        return subprocess.run(
            ["bash", str(script), *(arguments or ("list.txt", ">=3.11,<3.14"))],
            cwd=self.folder,
            env=environment(
                self.folder,
                PIP_NO_INDEX="1",
                **{
                    "ROLLBOOK_CACHE": str(self.cache),
                    "PIP_FIND_LINKS": str(self.folder / "wheels"),
                    **more,
                },
            ),
            capture_output=True,
            text=True,
            timeout=120,
        )


def has(python: str, module: str) -> str:
    show = f"import importlib.metadata as m; print(m.version({module!r}))"
    done = subprocess.run([python, "-P", "-c", show], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Node:
    return Node(tmp_path_factory.mktemp("node"))


def test_of_two_jobs_at_once_one_makes_the_environment_and_it_is_kept(node):
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: node.make(), range(2)))
    assert [one.returncode for one in both] == [0, 0], both
    assert sum("making" in one.stderr for one in both) == 1
    again = node.make()
    assert {one.stdout for one in both} == {again.stdout}
    assert again.stderr == ""
    python = again.stdout.strip()
    assert (has(python, "tiny"), has(python, "torch")) == ("1.0", "2.13.0")


def test_an_environment_that_was_left_unfinished_is_made_anew(node):
    home = Path(node.make().stdout.strip()).parents[1]
    (home / "complete").unlink()
    (home / "rest").touch()
    assert "making" in node.make().stderr
    assert not (home / "rest").exists()


def test_the_cpu_build_is_another_environment(node):
    places = f"{node.folder}/wheels {node.folder}/cpu-wheels"
    made = node.make("list.txt", ">=3.11,<3.14", "cpu", PIP_FIND_LINKS=places)
    assert made.returncode == 0, made.stderr
    assert has(made.stdout.strip(), "torch") == "2.13.0+cpu"
    assert node.make().stdout != made.stdout


def test_a_cpu_build_that_is_nowhere_is_said_so(node):
    made = node.make("list.txt", ">=3.11,<3.14", "cpu", ROLLBOOK_CACHE=str(node.folder / "other"))
    assert made.returncode == 1
    assert "no torch==2.13.0+cpu where packages come from, nor at PyTorch's" in made.stderr


def test_an_environment_that_cannot_be_made_is_no_environment(node):
    before = set(node.cache.rglob("complete"))
    (node.folder / "other.txt").write_text("absent==1.0\n")
    made = node.make("other.txt", ">=3.11,<3.14")
    assert (made.returncode, made.stdout) == (1, "")
    assert "absent" in made.stderr
    assert set(node.cache.rglob("complete")) == before


def test_a_node_without_a_fitting_python_says_so(node):
    made = node.make("list.txt", ">=3.99,<3.100")
    assert made.returncode == 1
    assert "no Python >=3.99,<3.100, and no uv to install one" in made.stderr


@pytest.mark.parametrize(("trainer", "found"), [("tiny", True), ("", True), ("absent", False)])
def test_the_python_of_an_image_is_the_one_with_the_trainer(node, tmp_path, trainer, found):
    made = node.make()
    home = Path(made.stdout.strip()).parents[1]
    (tmp_path / "sky-user-env").mkdir()
    (tmp_path / "sky-user-env" / "bin").symlink_to(home / "bin")
    script = ROOT / "runner/launchers/skypilot/scripts/image-python.sh"
    path = f"{tmp_path}/sky-user-env/bin:{home}/bin:/usr/bin:/bin"
    done = subprocess.run(
        ["bash", str(script), trainer],
        env={"HOME": str(tmp_path), "PATH": path},
        capture_output=True,
        text=True,
    )
    assert (done.returncode == 0) is found
    assert done.stdout.strip() == (f"{home}/bin/python3" if found else "")
    assert found or "no Python of this image has the package 'absent'" in done.stderr


def start(task: NodeTask, folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Do what SkyPilot does with a task: setup, then run, each in the synced folder."""
    config = sky_task(task, folder / "sky_workdir")
    # In place of an environment of all that a node needs: this one, which has it.
    stub = f"#!/usr/bin/env bash\necho {sys.executable}\n"
    (folder / "sky_workdir" / task.job / "environment.sh").write_text(stub)
    env = environment(folder, **config["envs"], **more)
    for part in ("setup", "run"):
        done = subprocess.run(
            ["bash", "-c", config[part]],
            cwd=folder / "sky_workdir",
            env=env,
            capture_output=True,
            text=True,
            timeout=120,
        )
        if done.returncode:
            break
    return done


def test_a_bundle_trains_and_each_start_has_a_folder_of_its_own(code, tmp_path):
    task, inside = sent(code, tmp_path)
    done = start(task, tmp_path)
    assert done.returncode == 0, done.stderr
    store = Path(task.store) / "a1" / "epoch-1"
    assert json.loads((store / "result.json").read_text())["exit_code"] == 0
    said = (store / "log.txt").read_text()
    assert said.startswith(f"trained with {sys.executable} {tmp_path}/.cache/rollbook/huggingface")
    again = start(task, tmp_path)  # the job is recovered on the same machine
    assert "has its node program already" not in again.stderr
    assert len(list(inside.glob("start-*"))) == 2


def test_the_exit_code_of_a_job_is_the_node_programs(code, tmp_path):
    task, _ = sent(code, tmp_path)
    assert start(task, tmp_path, FAIL="1").returncode == 5


def test_a_setup_that_fails_ends_the_job(code, tmp_path):
    task, inside = sent(code, tmp_path)
    (inside / "places.sh").write_text("false\n")
    assert start(task, tmp_path).returncode == 1
    assert not list(inside.glob("start-*"))
