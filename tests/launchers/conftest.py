"""An API server of SkyPilot's for each test that asks for one."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "sky_stand_in"))

from sky_sdk import forget_server
from stand_in_sky import Sky, serving_sky

VARIABLES = ("ENDPOINT", "SERVICE_ACCOUNT_TOKEN", "LOCAL_PORT", "PROJECT_CONFIG", "GLOBAL_CONFIG")
CATALOG = {
    "accelerators.csv": "AcceleratorName,Clouds\nH100,\"['AWS', 'GCP', 'Slurm']\"\n",
    "metadata.csv": "GPU,MemoryGB,Manufacturer\nH100,80,NVIDIA\n",
}
"""What SkyPilot would fetch from a network as soon as a task names an accelerator."""


@pytest.fixture
def sky(git_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sky]:
    """Serve an API server; this process's environment leads to it."""
    for name in VARIABLES:
        monkeypatch.delenv(f"SKYPILOT_{name}", raising=False)
    monkeypatch.setenv("SKYPILOT_DISABLE_USAGE_COLLECTION", "1")
    folder = git_home / ".sky" / "catalogs" / "v8" / "common"
    folder.mkdir(parents=True)
    for name, content in CATALOG.items():
        (folder / name).write_text(content)
    with serving_sky() as served:
        monkeypatch.setenv("SKYPILOT_API_SERVER_ENDPOINT", served.url)
        forget_server()
        yield served
        forget_server()
