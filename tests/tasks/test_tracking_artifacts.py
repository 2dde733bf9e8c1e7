"""Runs and models whose files lie on S3, on a real server that checks keys."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tasks import tracking
from tasks.exits import UnreachableError
from tasks.tracking import artifacts
from tasks.tracking.store import connected, experiment_id
from tests import _registered, _s3
from tests.tasks._tiny import know_tiny

CLIPS = np.random.default_rng(0).integers(0, 256, (3, 4, 8, 8, 1), dtype=np.uint8)
KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


@pytest.fixture(scope="module")
def s3() -> Iterator[_s3.Server]:
    with _s3.serving() as server:
        yield server


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store without a run, which takes seconds to make: to be copied."""
    folder = tmp_path_factory.mktemp("empty")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder}/mlflow.db")
        assert tracking.list_models() == []
    return folder


@pytest.fixture
def store(tmp_path: Path, empty: Path, s3: _s3.Server, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty SQLite store that keeps artifacts on S3, in the environment of one of the team."""
    know_tiny()
    _forget()
    shutil.copytree(empty, tmp_path / "data/mlflow")
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv(artifacts.ROOT, f"s3://{_s3.BUCKET}/{tmp_path.name}")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/data/mlflow/mlflow.db")
    return tmp_path


def _forget() -> None:
    """Let the libraries read the environment anew, as a new process would."""
    import boto3
    from mlflow.store.artifact import s3_artifact_repo

    boto3.DEFAULT_SESSION = None
    s3_artifact_repo._cached_get_s3_client.cache_clear()


def _held(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def test_a_model_is_on_s3_alone_another_process_answers_alike_and_without_a_key_or_a_server_it_is_said(
    store: Path, s3: _s3.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = _registered.model("tiny_autoencoder", plain=True)
    _registered.register(store, "far", built)
    expected = tracking.load("models:/rushes-far@champion").predict(CLIPS)
    there = {name: data for name, data in s3.files().items() if name.startswith(f"{store.name}/")}
    assert {name.rpartition("/model/")[2] for name in there} >= {"MLmodel", "data/model.pt2"}
    assert sorted(path.name for path in (store / "data/mlflow").iterdir()) == ["create.lock", "created", "mlflow.db"]
    for secret in (s3.key, s3.secret):
        assert secret.encode() not in _held(store)
        assert not any(secret.encode() in data for data in there.values())

    np.save(store / "clips.npy", CLIPS)
    code = (
        "import mlflow.pyfunc, numpy as np\n"
        "model = mlflow.pyfunc.load_model('models:/rushes-far@champion')\n"
        "np.save('answer.npy', model.predict(np.load('clips.npy')))\n"
    )
    own = {"MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    command = [sys.executable, "-I", "-W", "ignore", "-c", code]
    done = subprocess.run(command, cwd=store, env=os.environ | own, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(np.load(store / "answer.npy"), expected, rtol=1e-6)
    _check_refusals(monkeypatch)


def _check_refusals(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a model `far` that is on S3."""
    with monkeypatch.context() as patch:
        for name in KEYS:
            patch.delenv(name)
        _forget()
        with pytest.raises(ValueError, match="S3 refused: Unable to locate credentials; see AWS_ACCESS_KEY_ID"):
            tracking.load("models:/rushes-far/1")
    with monkeypatch.context() as patch:
        patch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
        _forget()
        with pytest.raises(ValueError, match=r"S3 refused: Failed to list artifacts in s3://.*does not match"):
            tracking.load("models:/rushes-far/1")
    away = f"http://127.0.0.1:{_s3.free_port()}"
    with monkeypatch.context() as patch:
        patch.setenv("MLFLOW_S3_ENDPOINT_URL", away)
        _forget()
        said = f"the S3 server {away} does not answer; start it, or correct MLFLOW_S3_ENDPOINT_URL"
        with pytest.raises(UnreachableError, match=said):
            tracking.load("models:/rushes-far/1")
        [listed] = tracking.list_models()  # which asks S3 for nothing
        assert listed["recipe"] == "far"
    _forget()
    assert tracking.load("models:/rushes-far/1").predict(CLIPS).shape == CLIPS.shape


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("AWS_ACCESS_KEY_ID", "AKIANOBODY", "S3 refused: .*AWS Access Key Id you provided does not exist"),
        ("AWS_SECRET_ACCESS_KEY", "wrong", "S3 refused: .*signature we calculated does not match"),
        (artifacts.ROOT, "s3://not-there/mlflow", "S3 refused: .*bucket does not exist"),
    ],
)
def test_what_s3_refuses_is_said(
    store: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str
) -> None:
    monkeypatch.setenv(variable, value)
    _forget()
    uri = tracking.tracking_uri()
    with pytest.raises(ValueError, match=said) as refused, connected(uri) as client:
        client.log_text(client.create_run(experiment_id(client, uri)).info.run_id, "words", "words.txt")
    assert "see AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, whether the bucket is there" in str(refused.value)


def test_a_training_goes_on_while_s3_refuses_and_its_files_arrive_later(
    store: Path, s3: _s3.Server, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (store / "picture.png").write_bytes(b"a picture")
    spool = store / "state/tiny/tracking"
    start = tracking.RunStart(spool, "k" * 8, "tiny", {"dataset": "blobs"}, "d" * 64, True)
    with monkeypatch.context() as patch:
        patch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
        _forget()
        with tracking.RunLogger(start) as logger:
            logger.log_metrics(1, {"loss": 0.5})
            logger.log_file(store / "picture.png", "samples")
            logger.finish("FINISHED", {})
    assert "tracking: S3 refused: " in capfd.readouterr().err
    _forget()
    assert tracking.deliver_pending(store / "state") == []
    [sample] = [data for name, data in s3.files().items() if name.startswith(store.name) and "/samples/" in name]
    assert sample == b"a picture"
    assert not list(spool.iterdir())


@pytest.fixture
def server(store: Path, s3: _s3.Server) -> Iterator[str]:
    """MLflow's server, which alone has the keys and passes artifacts on; told where by MLflow's own variable."""
    port = _s3.free_port()
    address = f"http://127.0.0.1:{port}"
    own = {"MLFLOW_ARTIFACTS_DESTINATION": f"s3://{_s3.BUCKET}/passed-on", "MLFLOW_DISABLE_TELEMETRY": "true"}
    own |= {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    env = {k: v for k, v in os.environ.items() if k not in (artifacts.ROOT, "MLFLOW_TRACKING_URI")} | own
    env["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), env.get("PATH", "")])
    command = [
        "--backend-store-uri",
        f"sqlite:///{store}/data/mlflow/mlflow.db",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    log = (store / "server.log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-m", "mlflow", "server", *command, "--workers", "1"], cwd=store, env=env,
        start_new_session=True, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
    )  # fmt: skip
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        end = time.monotonic() + 120
        while process.poll() is None and time.monotonic() < end:
            with contextlib.suppress(OSError), opener.open(f"{address}/health", timeout=10):
                break
            time.sleep(0.3)
        else:
            raise AssertionError((store / "server.log").read_text())
        yield address
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)
        log.close()


def test_through_a_server_nobody_else_needs_the_keys(
    store: Path, s3: _s3.Server, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (*KEYS, "MLFLOW_S3_ENDPOINT_URL", artifacts.ROOT):
        monkeypatch.delenv(name)
    _forget()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    built = _registered.model("tiny_autoencoder", plain=True)
    _registered.register(store, "passed", built)
    assert any(name.startswith("passed-on/") and name.endswith("/model.pt2") for name in s3.files())
    answer = tracking.load("models:/rushes-passed@champion").predict(CLIPS)
    assert answer.shape == CLIPS.shape
    import torch

    with torch.no_grad():
        np.testing.assert_allclose(answer, built.predict(torch.from_numpy(CLIPS)).numpy(), rtol=1e-5, atol=1e-6)
