"""Which API server of SkyPilot is used: found as SkyPilot finds it, without loading SkyPilot.

Source: get_server_url in sky/server/common.py and the order of files in sky/skypilot_config.py,
SkyPilot 0.14.1.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from runner.errors import Refused

ENDPOINT = "SKYPILOT_API_SERVER_ENDPOINT"
TOKEN = "SKYPILOT_SERVICE_ACCOUNT_TOKEN"  # noqa: S105 - the name of a variable
_PORT = "SKYPILOT_API_SERVER_LOCAL_PORT"
_USUAL_PORT = "46580"
_USUAL_WORKSPACE = "default"
_FILES = (
    ("SKYPILOT_PROJECT_CONFIG", ".sky.yaml"),
    ("SKYPILOT_GLOBAL_CONFIG", "~/.sky/config.yaml"),
)
"""Variable and usual place of each configuration file; the first that knows a setting wins."""


def server_url() -> str:
    """Return the address of the API server, without a slash at its end.

    Raises Refused when a configuration file of SkyPilot's cannot be read.
    """
    local = f"http://127.0.0.1:{os.environ.get(_PORT, _USUAL_PORT)}"
    return str(os.environ.get(ENDPOINT) or _setting("api_server", "endpoint") or local).rstrip("/")


def workspace() -> str:
    """Return SkyPilot's workspace that is active; empty for the default one."""
    name = str(_setting("active_workspace") or _USUAL_WORKSPACE)
    return "" if name == _USUAL_WORKSPACE else name


def is_loopback(url: str) -> bool:
    """Return whether `url` is a server of this machine, which only this machine can ask."""
    host = urlsplit(url).hostname or ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    return address.is_loopback or address.is_unspecified


def without_password(url: str) -> str:
    """Return `url` as it may be shown: an address may hold a user's name and password."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _setting(*keys: str) -> Any:
    for content in _configurations():
        value: Any = content
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        if value:
            return value
    return None


def _configurations() -> Iterator[Any]:
    for variable, usual in _FILES:
        path = Path(os.environ.get(variable) or usual).expanduser()
        try:
            yield yaml.safe_load(path.read_text()) if path.is_file() else {}
        except (OSError, ValueError, yaml.YAMLError) as error:
            raise Refused(
                f"SkyPilot's configuration {path} cannot be read: {error}",
                cure="mend it; `sky api info` reads it as well",
            ) from error
