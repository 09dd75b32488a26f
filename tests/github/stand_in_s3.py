"""An S3 on this machine: moto's server, with one bucket."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import boto3
from moto.s3.models import s3_backends
from moto.server import ThreadedMotoServer

REGION = "us-east-1"
KEYS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing-secret"}


class S3(NamedTuple):
    """Where it answers."""

    url: str
    bucket: str

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to reach it: boto3, s3fs and DVC read these."""
        return {
            **KEYS,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": self.url,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def client(self) -> Any:
        """Return boto3's client, whatever the environment says."""
        id_, secret = KEYS.values()
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=id_,
            aws_secret_access_key=secret,
        )

    def keys(self) -> list[str]:
        """Return the keys of every object in the bucket."""
        pages = self.client().get_paginator("list_objects_v2").paginate(Bucket=self.bucket)
        return [found["Key"] for page in pages for found in page.get("Contents", ())]


@contextlib.contextmanager
def serving_s3(bucket: str = "rollbook-test") -> Iterator[S3]:
    """Serve an S3 with an empty bucket."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    served = S3(f"http://{host}:{port}", bucket)
    s3_backends.reset()  # what an earlier server of this process kept
    with contextlib.closing(served.client()) as client:
        client.create_bucket(Bucket=bucket)
    try:
        yield served
    finally:
        server.stop()
        server._server.server_close()
