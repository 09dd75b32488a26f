"""Where huggingface_hub keeps what it has fetched from the hub, by its own variables.

Layout: `models--<owner>--<name>/snapshots/<commit>/…`, with `refs/<branch>` naming a commit.
"""

from __future__ import annotations

import os
from pathlib import Path


def hub_cache() -> Path:
    """Return the folder of the cache (HF_HUB_CACHE, HF_HOME, XDG_CACHE_HOME)."""
    caches = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = os.environ.get("HF_HOME") or f"{caches}/huggingface"
    return Path(os.environ.get("HF_HUB_CACHE") or f"{home}/hub").expanduser()


def snapshot(name: str, revision: str) -> Path:
    """Return the folder of the model `name` at a commit; it is there when it was fetched."""
    return _folder(name) / "snapshots" / revision


def fetched_revision(name: str, reference: str = "main") -> str | None:
    """Return the commit that a branch or tag was at when it was last fetched."""
    try:
        return (_folder(name) / "refs" / reference).read_text().strip() or None
    except (OSError, ValueError):
        return None


def _folder(name: str) -> Path:
    return hub_cache() / f"models--{name.replace('/', '--')}"
