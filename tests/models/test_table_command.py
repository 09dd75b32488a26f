"""The command that writes the table: from config.json files, other rows untouched."""

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "scripts" / "model_table.py"


def test_rows_are_written_from_configs(tmp_path):
    folder, written = tmp_path / "configs" / "acme" / "tiny", tmp_path / "table.json"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"hidden_size": 8, "torch_dtype": "bfloat16"}))
    written.write_text(json.dumps({"acme/old": {"source": "s", "config": {"hidden_size": 1}}}))
    command = [sys.executable, SCRIPT, "--from", tmp_path / "configs", "--table", written]
    subprocess.run([*command, "acme/tiny"], check=True)
    rows = json.loads(written.read_bytes())
    assert list(rows) == ["acme/old", "acme/tiny"]
    assert rows["acme/old"]["config"] == {"hidden_size": 1}
    assert rows["acme/tiny"] == {"source": "config.json of acme/tiny", "config": {"hidden_size": 8}}


def test_the_committed_table_is_as_the_command_writes_it(tmp_path):
    table = SCRIPT.parents[1] / "runner" / "models" / "table.json"
    rows = json.loads(table.read_bytes())
    for name, row in rows.items():
        folder = tmp_path / name
        folder.mkdir(parents=True)
        (folder / "config.json").write_text(json.dumps(row["config"]))
    written = tmp_path / "table.json"
    written.write_bytes(table.read_bytes())
    subprocess.run([sys.executable, SCRIPT, "--from", tmp_path, "--table", written], check=True)
    again = json.loads(written.read_bytes())
    assert {n: (r["config"], r.get("gated")) for n, r in again.items()} == {
        n: (r["config"], r.get("gated")) for n, r in rows.items()
    }
    assert written.read_text().count("\n") == table.read_text().count("\n")
