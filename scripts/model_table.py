"""Write runner/models/table.json: what the config.json of each listed model says.

    scripts/model_table.py [--from FOLDER] [NAME…]

Without names: those that the table has. Each config.json is read from FOLDER/<owner>/<name>/, else
from the Hugging Face Hub (HF_TOKEN is sent where it is set: gated models need it). Rows of models
that are not named stay as they are.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import urllib.request
from pathlib import Path
from typing import Any

TABLE = Path(__file__).parents[1] / "runner" / "models" / "table.json"
KEYS = (
    *("model_type", "num_hidden_layers", "hidden_size", "num_attention_heads"),
    *("num_key_value_heads", "head_dim", "intermediate_size", "vocab_size"),
    *("max_position_embeddings", "tie_word_embeddings", "attention_bias"),
    *("num_experts", "n_routed_experts", "num_local_experts", "num_experts_per_tok"),
    *("moe_intermediate_size", "n_shared_experts", "first_k_dense_replace"),
    *("q_lora_rank", "kv_lora_rank", "qk_rope_head_dim", "qk_nope_head_dim", "v_head_dim"),
)
"""What of a config.json the architecture is made of."""


def main(arguments: list[str]) -> int:
    """Write the table; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--from", dest="folder", type=Path, help="read <owner>/<name>/config.json")
    parser.add_argument("--table", type=Path, default=TABLE, help=argparse.SUPPRESS)
    parser.add_argument("names", nargs="*", help="models, as owner/name")
    options = parser.parse_args(arguments)
    rows: dict[str, Any] = json.loads(options.table.read_bytes()) if options.table.exists() else {}
    for name in options.names or sorted(rows):
        config, source = _local(options.folder, name) if options.folder else _hub(name)
        known = {key: config[key] for key in KEYS if config.get(key) is not None}
        gated = {"gated": True} if rows.get(name, {}).get("gated") else {}
        rows[name] = {"source": source, **gated, "config": known}
    text = ",\n".join(f" {json.dumps(name)}: {json.dumps(rows[name])}" for name in sorted(rows))
    options.table.write_text(f"{{\n{text}\n}}\n")
    return 0


def _local(folder: Path, name: str) -> tuple[dict[str, Any], str]:
    return json.loads((folder / name / "config.json").read_bytes()), f"config.json of {name}"


def _hub(name: str) -> tuple[dict[str, Any], str]:
    """Return the config of the newest revision, and which one that is."""
    revision = json.loads(_get(f"https://huggingface.co/api/models/{name}"))["sha"]
    config = json.loads(_get(f"https://huggingface.co/{name}/resolve/{revision}/config.json"))
    return config, f"config.json of {name} at {revision}"


def _get(url: str) -> bytes:
    token = os.environ.get("HF_TOKEN")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - https, written above
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
        return bytes(answer.read())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
