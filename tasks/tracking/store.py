"""The tracking store: where it is, whether it answers, and a client that gives up quickly."""

from __future__ import annotations

import contextlib
import logging
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from filelock import FileLock

from tasks.exits import UnreachableError
from tasks.tracking import artifacts

if TYPE_CHECKING:
    from mlflow import MlflowClient

EXPERIMENT = "rushes"
_SQLITE = "sqlite:///"
# A store that is away must be noticed in seconds; by default MLflow tries for minutes.
_SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "15",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",  # what is loaded here was exported here, without pickle
    # Files come through the server that passes artifacts on, not past it from S3 by addresses that it signs: who asks
    # it may not see S3 at all, and MLflow tries that for minutes.
    "MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD": "false",
    **artifacts.SETTINGS,
}
# Warnings about MLflow's own code, which its user can do nothing about.
_NOISE = ("The ``noload`` loader strategy is deprecated", ".*Any type hint is inferred as AnyType")


def project_folder() -> Path:
    """The nearest folder from the working folder upwards that holds `dvc.yaml`, or the working folder."""
    here = Path.cwd()
    return next((folder for folder in [here, *here.parents] if (folder / "dvc.yaml").is_file()), here)


def tracking_uri() -> str:
    """`MLFLOW_TRACKING_URI`, or SQLite beside the project's data."""
    local = project_folder() / "data" / "mlflow" / "mlflow.db"
    return os.environ.get("MLFLOW_TRACKING_URI") or f"{_SQLITE}{local}"


def shown(uri: str) -> str:
    """The store's address as people may see it: without the password, if it holds one."""
    parts = urlsplit(uri)
    name, _, host = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{name.partition(':')[0]}:...@{host}").geturl() if ":" in name else uri


def prepare() -> None:
    """Settle MLflow's own settings; before it is imported. What the user has set stays."""
    for key, value in _SETTINGS.items():
        os.environ.setdefault(key, value)
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)
    for message in _NOISE:
        warnings.filterwarnings("ignore", message=message)


def require_reachable(uri: str) -> None:
    """Raise `UnreachableError` within seconds if nobody listens at an http(s) store."""
    if urlsplit(uri).scheme not in {"http", "https"}:
        return
    try:
        artifacts.connect(uri)
    except OSError as error:
        raise UnreachableError(f"{_away(uri)} ({error})") from error


def unanswered(error: BaseException) -> bool:
    """Whether MLflow's server did not answer a request, which it may have carried out, or may yet."""
    return "API request to" in str(error)


def _away(uri: str) -> str:
    return (
        f"the tracking store {shown(uri)} does not answer; start it, or correct MLFLOW_TRACKING_URI, or unset it to"
        " use the project's own store"
    )


def database_folder(uri: str) -> Path | None:
    """The folder of a SQLite store; None for any other."""
    return Path(uri.removeprefix(_SQLITE)).absolute().parent if uri.startswith(_SQLITE) else None


@contextlib.contextmanager
def connected(uri: str) -> Iterator[MlflowClient]:
    """A client of the store, made ready where it is the local one.

    Raises:
        UnreachableError: the store, or what keeps its artifacts, does not answer, now or while the block runs.
        ValueError: either refuses.
    """
    require_reachable(uri)
    prepare()
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        _create(uri)
        yield MlflowClient(tracking_uri=uri, registry_uri=uri)
    except MlflowException as error:
        if unanswered(error) or "database is locked" in str(error):
            raise UnreachableError(f"{_away(uri)} ({error!s:.200})") from error
        if "s3://" in str(error):
            raise artifacts.in_words(error) from error
        raise ValueError(f"the tracking store {shown(uri)} refused: {error!s:.400}") from error
    except SQLAlchemyError as error:
        raise UnreachableError(f"{_away(uri)} ({error!s:.200})") from error
    except artifacts.errors() as error:
        raise artifacts.in_words(error) from error


def _create(uri: str) -> None:
    """Make a SQLite store on first use, one process at a time: two at once would trip over the table definitions."""
    folder = database_folder(uri)
    if folder is None or (folder / "created").is_file():
        return
    from mlflow import MlflowClient

    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "create.lock", timeout=120):
        MlflowClient(tracking_uri=uri, registry_uri=uri).search_experiments(max_results=1)
        (folder / "created").touch()


def experiment_id(client: MlflowClient, uri: str) -> str:
    """The experiment all runs stand in. Where its artifacts lie is settled when it is made (`artifacts.location`)."""
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(EXPERIMENT)
    if found is None:
        location = artifacts.location(uri, database_folder(uri))
        try:
            return client.create_experiment(EXPERIMENT, artifact_location=location)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
            found = client.get_experiment_by_name(EXPERIMENT)
            assert found is not None
    return found.experiment_id
