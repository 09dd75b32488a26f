"""What SkyPilot's own SDK keeps of a server, for processes that meet several."""

from __future__ import annotations

import warnings


def forget_server() -> None:
    """Make the SDK forget what it keeps of a server for as long as its process lives."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its dependencies', when it is loaded
        import sky.server.common as common
    common.get_server_url.cache_clear()
    common.is_api_server_local.cache_clear()
    common.get_api_server_status_response.cache_clear()
