"""The hub that `runner pin` is tested with is one to huggingface_hub's own client."""

from __future__ import annotations

import subprocess

from stand_in_hub import COMMIT, OTHER, serving
from trainer_oracle import TRAIN_PYTHON, cannot

from runner.authoring.hub import find_revision

ASK = """\
import sys
from huggingface_hub import HfApi
endpoint, *references = sys.argv[1:]
for reference in references:
    api = HfApi(endpoint=endpoint)
    print(api.model_info("Qwen/Qwen2.5-0.5B", revision=reference, expand=["sha"]).sha)
"""


def test_the_client_of_the_hub_asks_and_reads_the_same(monkeypatch, tmp_path):
    if not TRAIN_PYTHON.exists():
        cannot("no .venv-train: scripts/train-env.sh makes it")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    with serving() as (hub, url):
        done = subprocess.run(
            [str(TRAIN_PYTHON), "-c", ASK, url, "main", "v1/x"],
            env={"HOME": str(tmp_path), "HF_HUB_DISABLE_TELEMETRY": "1"},
            capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert done.stdout.split() == [COMMIT, OTHER], done.stderr[-2000:]
        asked = [path for path, _ in hub.seen]
        monkeypatch.setenv("HF_ENDPOINT", url)
        for reference in ("main", "v1/x"):
            find_revision("huggingface", "Qwen/Qwen2.5-0.5B", reference)
        assert [path for path, _ in hub.seen[len(asked) :]] == asked
