"""Where files of runs and models lie: beside the store, on S3 or whatever else MLflow can write to, or where its server
says. Keys are the environment's, always; nothing here reads or writes one."""

from __future__ import annotations

import importlib.util
import os
import socket
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

from tasks.exits import UnreachableError

CONNECT_SECONDS = 3.0
ROOT = "MLFLOW_DEFAULT_ARTIFACT_ROOT"  # MLflow's own name for it, which its server reads too
_ENDPOINTS = ("MLFLOW_S3_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
# One try more, and not four: what is away must be noticed in seconds.
SETTINGS = {"AWS_MAX_ATTEMPTS": "2", "AWS_RETRY_MODE": "standard"}
_PORTS = {"http": 80, "https": 443}


def location(uri: str, database_folder: Path | None) -> str | None:
    """The address that a new experiment gets; None: the store's own choice.

    Args:
        uri: of the store. A server knows itself where artifacts go.
        database_folder: of a SQLite store; without a setting they lie beside it.
    """
    root = os.environ.get(ROOT)
    if urlsplit(uri).scheme in _PORTS:
        return None
    if root:
        return root if "://" in root else Path(root).absolute().as_uri()
    return None if database_folder is None else (database_folder / "artifacts").as_uri()


def connect(url: str) -> None:
    """Raise an OSError within seconds if nobody listens at an http(s) address. Behind a proxy it is not asked."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if urllib.request.getproxies().get(parts.scheme) and not urllib.request.proxy_bypass(host):
        return
    socket.create_connection((host, parts.port or _PORTS[parts.scheme]), CONNECT_SECONDS).close()


def require_reachable(address: str) -> None:
    """Raise within seconds if files cannot be read or written at `address`, an artifact's, for reasons seen from here.

    Raises:
        UnreachableError: nobody listens at the S3 server that the environment names.
        ValueError: what speaks S3 is not installed.
    """
    if urlsplit(address).scheme != "s3":
        return
    if importlib.util.find_spec("boto3") is None:
        raise ValueError(f"{address} is on S3, and boto3 is not installed; install it: pip install 'rushes[s3]'")
    variable = next((name for name in _ENDPOINTS if os.environ.get(name)), None)
    if variable is None:
        return
    try:
        connect(os.environ[variable])
    except OSError as error:
        raise UnreachableError(
            f"the S3 server {os.environ[variable]} does not answer; start it, or correct {variable} ({error})"
        ) from error


def errors() -> tuple[type[Exception], ...]:
    """What S3's library raises and MLflow lets through; nothing where it is not installed."""
    if importlib.util.find_spec("boto3") is None:
        return ()
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    return Boto3Error, BotoCoreError, ClientError


def in_words(error: Exception) -> UnreachableError | ValueError:
    """What one of `errors`, or MLflow's own word for one, is to people."""
    from botocore.exceptions import ConnectionError as NotConnectedError
    from botocore.exceptions import HTTPClientError

    if isinstance(error, (NotConnectedError, HTTPClientError)):
        return UnreachableError(f"S3 does not answer; start its server, or correct {_ENDPOINTS[0]} ({error!s:.300})")
    return ValueError(
        f"S3 refused: {error!s:.400}; see AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, whether the bucket is there, and"
        f" {_ENDPOINTS[0]} if it is not Amazon's"
    )
