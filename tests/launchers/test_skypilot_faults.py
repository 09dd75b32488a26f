"""Faults of SkyPilot's and of the way to it are told plainly, and apart from mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest
from sky_sdk import forget_server
from skypilot_bench import launcher_in, task_in
from stand_in_sky import Sky

from runner.errors import OutsideError, Refused, Unclear
from runner.launchers.skypilot import SkyPilotLauncher

pytestmark = pytest.mark.filterwarnings("ignore:Setting per-request cookies:DeprecationWarning")
"""SkyPilot's own, of its way to upload."""


@pytest.fixture
def launcher(sky: Sky, tmp_path: Path) -> SkyPilotLauncher:
    return launcher_in(tmp_path)


def fault(launcher: SkyPilotLauncher) -> str:
    with pytest.raises(OutsideError) as met:
        launcher.find(["r1"])
    return f"{met.value.message} | {met.value.cure}"


def test_no_server_on_this_machine_says_how_to_start_one_and_starts_none(
    sky: Sky, launcher: SkyPilotLauncher, git_home: Path
) -> None:
    sky.down()
    told = fault(launcher)
    assert f"on this machine ({sky.url}) does not answer" in told
    assert "sky api start" in told
    assert "SKYPILOT_API_SERVER_ENDPOINT" in told
    assert not list(git_home.rglob("*api_server*"))
    sky.up()


def test_a_name_that_leads_nowhere(
    sky: Sky, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SKYPILOT_API_SERVER_ENDPOINT", "https://sky.example.invalid")
    forget_server()
    assert "sky.example.invalid, leads nowhere" in fault(launcher_in(tmp_path))


def test_the_password_in_a_servers_address_is_not_repeated(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    address = "http://me:open-sesame@0x7f000001:9"  # of this machine, and not to be seen as such
    monkeypatch.setenv("SKYPILOT_API_SERVER_ENDPOINT", address)
    forget_server()
    told = fault(launcher_in(tmp_path))
    assert "Could not connect" in told
    assert "open-sesame" not in told


def test_a_server_without_our_token(sky: Sky, launcher: SkyPilotLauncher) -> None:
    sky.token = "sky_right"
    told = fault(launcher)
    assert "wants to know who asks" in told
    assert "SKYPILOT_SERVICE_ACCOUNT_TOKEN" in told


def test_a_token_that_is_refused(
    sky: Sky, launcher: SkyPilotLauncher, monkeypatch: pytest.MonkeyPatch
) -> None:
    sky.token = "sky_right"
    monkeypatch.setenv("SKYPILOT_SERVICE_ACCOUNT_TOKEN", "sky_wrong")
    told = fault(launcher)
    assert "refuses the token in SKYPILOT_SERVICE_ACCOUNT_TOKEN" in told
    assert "sky_wrong" not in told
    monkeypatch.setenv("SKYPILOT_SERVICE_ACCOUNT_TOKEN", "sky_right")
    forget_server()
    assert launcher.find(["r1"]) == {}


def test_a_server_of_another_version(sky: Sky, launcher: SkyPilotLauncher) -> None:
    sky.api_version = "20"
    assert "speaks another version" in fault(launcher)


def test_a_task_that_skypilot_refuses_is_a_mistake_of_the_users(
    sky: Sky, launcher: SkyPilotLauncher, tmp_path: Path
) -> None:
    from sky.exceptions import ResourcesUnavailableError

    refusal = ResourcesUnavailableError("Catalog does not contain any\n  instances for H100:3")
    sky.arm("fails", path="/jobs/launch", error=refusal)
    with pytest.raises(Refused, match="does not contain any instances for H100:3") as refused:
        launcher.submit(task_in(tmp_path))
    assert "resources" in (refused.value.cure or "")


def test_a_fault_of_skypilots_is_none_of_the_users(
    sky: Sky, launcher: SkyPilotLauncher, tmp_path: Path
) -> None:
    sky.arm("fails", path="/jobs/launch", error=RuntimeError("database is locked"))
    with pytest.raises(OutsideError, match="database is locked") as met:
        launcher.submit(task_in(tmp_path))
    assert not isinstance(met.value, Unclear)
    assert sky.asked("/jobs/launch") == 1


def test_a_task_that_cannot_be_is_refused_before_it_is_sent(
    sky: Sky, launcher: SkyPilotLauncher, tmp_path: Path
) -> None:
    nowhere = {"resources": {"candidates": [{"infra": "nowhere/at/all/there"}]}}
    with pytest.raises(Refused, match="SkyPilot refuses to submit"):
        launcher.submit(task_in(tmp_path, spec=nowhere))
    assert sky.asked("/jobs/launch") == 0
