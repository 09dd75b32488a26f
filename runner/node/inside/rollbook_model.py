"""Fetches a model from its hub with the trainer's own libraries; prints its folder.

Usage: python rollbook_model.py huggingface|modelscope NAME [REVISION]
"""

import sys


def fetch(source: str, name: str, revision: str | None) -> str:
    """Download `name` at `revision` unless it is in the hub's cache, and return its folder."""
    if source == "modelscope":
        from modelscope import snapshot_download
    else:
        from huggingface_hub import snapshot_download
    return str(snapshot_download(name, revision=revision))


if __name__ == "__main__":
    source, name, *revision = sys.argv[1:]
    print(fetch(source, name, revision[0] if revision else None))
