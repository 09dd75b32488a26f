"""DVC without a git repository: what was pushed is pulled by its digest."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path

import pytest

from runner.errors import OutsideError
from runner.node.data import DvcWorkspace, digest_of, pointer_of
from runner.node.task import Input

ROWS = [
    {"prompt": "1 + 1", "data_source": "sums", "extra_info": {"answer": "2"}},
    {"prompt": "2 + 2", "data_source": "sums", "extra_info": {"answer": "4"}},
]


@pytest.fixture
def jsonl(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return path


def test_a_pointer_says_path_and_digest():
    pointer = pointer_of("0" * 32, "rows.jsonl")
    assert pointer["outs"][0]["path"] == "rows.jsonl"
    assert digest_of(json.dumps(pointer)) == "0" * 32


def test_what_was_pushed_is_pulled_by_its_digest_alone(tmp_path, jsonl):
    remote = str(tmp_path / "remote")
    pusher = DvcWorkspace(tmp_path / "pusher", remote)
    (tmp_path / "pusher" / "set").mkdir()
    jsonl.rename(tmp_path / "pusher" / "set" / "rows.jsonl")
    digest = pusher.add(tmp_path / "pusher" / "set")
    pusher.push(tmp_path / "pusher" / "set")
    assert digest.endswith(".dir")

    puller = DvcWorkspace(tmp_path / "puller", remote)
    puller.pull([Input(path="data/my set", md5=digest)])
    pulled = tmp_path / "puller" / "data" / "my set" / "rows.jsonl"
    assert len(pulled.read_text().splitlines()) == 2

    with pytest.raises(OutsideError, match="dvc pull failed: the remote has no other") as caught:
        puller.pull([Input(path="other", md5="0" * 32)])
    assert "dvc push" in caught.value.cure


def test_a_remote_on_a_server_of_ones_own_is_found_there(tmp_path, jsonl, monkeypatch):
    from moto.server import ThreadedMotoServer

    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    try:
        put = urllib.request.Request(f"{endpoint}/bucket", method="PUT")  # noqa: S310
        urllib.request.urlopen(put, timeout=20).close()  # noqa: S310
        pusher = DvcWorkspace(tmp_path / "pusher", "s3://bucket/data", endpoint)
        digest = pusher.add(jsonl.rename(tmp_path / "pusher" / "rows.jsonl"))
        pusher.push(tmp_path / "pusher" / "rows.jsonl")
        puller = DvcWorkspace(tmp_path / "puller", "s3://bucket/data", endpoint)
        puller.pull([Input(path="rows.jsonl", md5=digest)])
    finally:
        server.stop()
        server._server.server_close()
    assert len((tmp_path / "puller" / "rows.jsonl").read_text().splitlines()) == 2


@pytest.mark.parametrize(
    "url",
    [
        "/my data/#1, the 'first'",
        "s3://bucket/a#b",
        "/with \"both\" and 'kinds'",
        "https://host/a%20b?x=1",
        "/Äpfel",
    ],
)
def test_dvc_reads_the_url_as_it_was_given(tmp_path, url):
    from dvc.config import Config

    DvcWorkspace(tmp_path, url)
    read = Config.load_file(str(tmp_path / ".dvc" / "config"))
    assert read["remote"]["remote"]["url"] == url
    assert read["core"]["remote"] == "remote"


def test_an_object_that_is_not_what_its_name_says_is_refused(tmp_path):
    remote = tmp_path / "remote"
    pusher = DvcWorkspace(tmp_path / "pusher", str(remote))
    rows = tmp_path / "pusher" / "rows.jsonl"
    rows.write_text("{}\n")
    digest = pusher.add(rows)
    pusher.push(rows)
    [stored] = [path for path in remote.rglob("*") if path.is_file()]
    stored.chmod(0o644)
    stored.write_text("[]\n")
    stored.chmod(0o444)  # as DVC leaves it: what is not protected is looked at in any case
    puller = DvcWorkspace(tmp_path / "puller", str(remote))
    with pytest.raises(OutsideError, match=r"for rows\.jsonl is not what its digest says"):
        puller.pull([Input(path="rows.jsonl", md5=digest)])
    assert not (tmp_path / "puller" / "rows.jsonl").exists()
