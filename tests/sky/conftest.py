"""A real SkyPilot on a real Slurm of this machine, and registries whose runs go there.

They run where RUNNER_TESTS_MANDATORY says `sky`, as `make test-all` does, since bringing it
up changes the machine: an account, names in /etc/hosts, Debian's packages of Slurm.
ROLLBOOK_SKY=DIR uses what `scripts/sky-slurm.sh up DIR` has brought up, and leaves it up: a quick
way to work on these tests. RUNNER_TRAIN_PYTHON names a training environment other than .venv-train.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS / folder) for folder in ("github", "e2e")]

from real_git import GIT_CONFIG  # noqa: E402
from sky_host import LOCK, ROOT, SkyHost  # noqa: E402
from sky_registry import SkyRegistry, make_registry  # noqa: E402
from stand_in_s3 import S3, serving_s3  # noqa: E402

REASON = "it changes this machine; as root on Debian: RUNNER_TESTS_MANDATORY=sky"
MakeRegistry = Callable[[str], SkyRegistry]


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Everything here runs where it is asked for; then what it lacks is a failure."""
    wanted = "sky" in os.environ.get("RUNNER_TESTS_MANDATORY", "") or "ROLLBOOK_SKY" in os.environ
    for item in items:
        if "tests/sky/" not in str(item.path):
            continue
        item.add_marker(pytest.mark.sky)
        item.add_marker(pytest.mark.timeout(1200))
        if not wanted:
            item.add_marker(pytest.mark.skip(reason=REASON))


@pytest.fixture(scope="session")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SkyHost]:
    """Bring Slurm and the API server up, once for all tests."""
    running = os.environ.get("ROLLBOOK_SKY")
    host = SkyHost(Path(running) if running else tmp_path_factory.mktemp("sky"))
    try:
        host.script("up")
        yield host
    finally:
        if not running:
            host.script("down")


@pytest.fixture(scope="session")
def train_python(host: SkyHost) -> Path:
    """Return the Python of the training environment, which the nodes find made already."""
    usual = ROOT / ".venv-train" / "bin" / "python"
    python = Path(os.environ.get("RUNNER_TRAIN_PYTHON", usual))
    if not python.exists() and "train" not in os.environ.get("RUNNER_TESTS_MANDATORY", ""):
        pytest.skip("no .venv-train: scripts/train-env.sh makes it")
    host.seed_environment(LOCK, python.parents[1])
    return python


@pytest.fixture(scope="session")
def s3() -> Iterator[S3]:
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # a line per request
    with serving_s3() as served:
        yield served


@pytest.fixture(scope="module")
def make(host: SkyHost, s3: S3, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeRegistry]:
    """Return a function that makes a registry; what still runs in one is cancelled."""
    made: list[SkyRegistry] = []

    def make(name: str) -> SkyRegistry:
        made.append(make_registry(tmp_path_factory.mktemp(name), host, s3, GIT_CONFIG))
        return made[-1]

    yield make
    for registry in made:
        registry.cancel_everything()
        registry.end_everything()
