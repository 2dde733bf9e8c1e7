"""A real S3 server on this machine, which knows one team's key and refuses every other."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

BUCKET = "rushes"


@dataclass(frozen=True)
class Server:
    url: str
    key: str
    secret: str

    @property
    def environment(self) -> dict[str, str]:
        """What a user of it has to set."""
        return {
            "AWS_ACCESS_KEY_ID": self.key, "AWS_SECRET_ACCESS_KEY": self.secret, "AWS_DEFAULT_REGION": "us-east-1",
            "MLFLOW_S3_ENDPOINT_URL": self.url,
        }  # fmt: skip

    def files(self) -> dict[str, bytes]:
        """Everything that lies in the bucket."""
        client = _client("s3", self.url, self.key, self.secret)
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
        keys = [found["Key"] for page in pages for found in page.get("Contents", [])]
        return {key: client.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys}


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


@contextlib.contextmanager
def serving() -> Iterator[Server]:
    """Start it with an empty bucket `rushes`; end it."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        _wait(process, address)
        root = address, "root", "root"
        people = _client("iam", *root)
        people.create_user(UserName="team")
        allowed = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
        rules = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
        people.put_user_policy(UserName="team", PolicyName="all", PolicyDocument=rules)
        made = people.create_access_key(UserName="team")["AccessKey"]
        _client("s3", *root).create_bucket(Bucket=BUCKET)
        _open(f"{address}/moto-api/reset-auth", b"0")  # from the next request on, signatures are checked
        yield Server(address, made["AccessKeyId"], made["SecretAccessKey"])
    finally:
        process.terminate()
        process.wait(30)


def _client(service: str, address: str, key: str, secret: str) -> Any:
    import boto3

    return boto3.client(
        service, endpoint_url=address, region_name="us-east-1", aws_access_key_id=key, aws_secret_access_key=secret
    )


def _open(address: str, body: bytes | None = None) -> None:
    request = urllib.request.Request(address, body, {"Content-Type": "text/plain"})
    urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30).close()


def _wait(process: subprocess.Popen[bytes], address: str) -> None:
    end = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < end:
        with contextlib.suppress(OSError):
            _open(f"{address}/moto-api/")
            return
        time.sleep(0.1)
    raise AssertionError("moto's server does not start")
