"""Every kind of model behind MLflow's own server, started and asked as docs/serving.md says."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tasks import tracking
from tests import _registered
from tests._s3 import free_port
from tests.flows.conftest import Rushes

DOC = (Path(__file__).parents[2] / "docs/serving.md").read_text(encoding="utf-8")
[COMMAND] = re.findall(r"^    (mlflow models serve .*--port 5001)$", DOC, re.MULTILINE)
[REQUEST] = re.findall(r"^```python\n(.*?)^```", DOC, re.MULTILINE | re.DOTALL)
SMALL = {"variant": "default", "frames": 8, "height_px": 16, "width_px": 24, "channels": 1, "latent_floats": 32}
NARROW = {"features": 16, "classes": 2, "width8": 8, "width4": 8, "width2": 8, "width_encoder": 8}
SIDES = {"height_px": 32, "width_px": 32, "crop_height_px": None, "crop_width_px": None}
SUBCLIPS = {"count": 2, "seconds": 0.24, "start_seconds": 0.04, "snap": "none"}
MODELS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {  # architecture, config, what else is said of it
    "gru": ("gru_autoencoder", SMALL | NARROW, {}),
    "between": ("pix2pix", {"variant": "article", "height_px": 24, "width_px": 24, "width": 4}, {}),
    "actions": ("c3d", {**SIDES, "channels": 1, "base_channels": 4, "features": 8, "labels": ("bend", "run")}, {}),
    "ratings": (
        "lrcn", {"variant": "default", "frames": 6, "height_px": 24, "width_px": 32},
        {"input": {"least_frames": 3, "subclips": SUBCLIPS}},
    ),
}  # fmt: skip
# Of a strip of 40 frames: clips and what is shown of each; the answer to a clip.
SHAPES = {
    "gru": ((5, 8, 16, 24, 1), (8, 16, 24, 1)),
    "between": ((5, 2, 24, 24, 3), (5, 24, 24, 3)),
    "actions": ((2, 16, 32, 32, 1), (2,)),
    "ratings": ((2, 6, 24, 32, 3), ()),
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A champion of every kind, and a strip to ask them about."""
    root = tmp_path_factory.mktemp("served")
    (root / "dvc.yaml").write_text("stages: {}\n")
    (root / "params.yaml").write_text("{}\n")
    picture = np.random.default_rng(0).integers(0, 256, (32, 40 * 32, 3), dtype=np.uint8)
    Image.fromarray(picture).save(root / "strip.png")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{root}/data/mlflow/mlflow.db")
        for recipe, (architecture, config, facts) in MODELS.items():
            labels = config.get("labels", ())
            _registered.register(root, recipe, _registered.model(architecture, **config), labels=[*labels], **facts)
        yield root


@pytest.fixture(scope="module")
def servers(project: Path, environment: dict[str, str]) -> Iterator[dict[str, str]]:
    """The address of a server of each, all started at once by the page's own command."""
    own = {"MLFLOW_TRACKING_URI": f"sqlite:///{project}/data/mlflow/mlflow.db", "OMP_NUM_THREADS": "1"}
    own |= {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false"}
    started, addresses = [], {}
    with contextlib.ExitStack() as ending:
        for recipe in MODELS:
            port = str(free_port())
            command = shlex.split(COMMAND.replace("rushes-gru", f"rushes-{recipe}").replace("5001", port))
            log = ending.enter_context((project / f"{recipe}.log").open("wb"))
            process = subprocess.Popen(
                command, env=environment | own, start_new_session=True, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
            ending.callback(_end, process)
            started.append(process)
            addresses[recipe] = f"http://127.0.0.1:{port}"
        for recipe, process in zip(MODELS, started, strict=True):
            _wait(process, addresses[recipe], project / f"{recipe}.log")
        yield addresses


def _end(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    process.wait(30)


def _wait(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    end = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < end:
        with contextlib.suppress(OSError):
            assert told(f"{address}/ping") == (200, "\n")
            return
        time.sleep(0.3)
    raise AssertionError(log.read_text())


def told(address: str, body: bytes | None = None, kind: str = "application/json") -> tuple[int, str]:
    """The status and what the server says."""
    request = urllib.request.Request(address, body, {"Content-Type": kind})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read().decode()


@pytest.mark.parametrize("recipe", MODELS)
def test_a_server_answers_as_the_model_does_here(
    project: Path, servers: dict[str, str], recipe: str, rushes: Rushes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request, array = str(tmp_path / "request.json"), str(tmp_path / "clips.npy")
    rows = json.loads(rushes(project, "clips", recipe, "strip.png", "-o", request, "--json")[0])
    rushes(project, "clips", recipe, "strip.png", "-o", array)
    clips, (sent, answered) = np.load(array), SHAPES[recipe]
    assert (clips.shape, clips.dtype) == (sent, np.uint8)
    assert json.loads(Path(request).read_text()) == {"inputs": clips.tolist()}
    one = str(tmp_path / "one.npy")
    few = json.loads(rushes(project, "clips", recipe, "strip.png", "-o", one, "--most", "1", "--json")[0])
    assert few == rows[:1]
    np.testing.assert_array_equal(np.load(one), clips[:1])
    first = {"between": 7, "actions": 16, "ratings": 6}.get(recipe, 8)
    begins = 1 if recipe == "ratings" else 0
    assert [row["first_frame"] for row in rows] == [begins + first * clip for clip in range(len(clips))]

    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(REQUEST.replace("http://127.0.0.1:5001", servers[recipe]), names)  # as a reader of the page would
    expected = tracking.load(f"models:/rushes-{recipe}@champion").predict(clips)
    assert names["answer"].shape == (len(clips), *answered)
    assert float(np.ptp(expected)) > 1e-4
    np.testing.assert_allclose(names["answer"], expected, rtol=1e-5, atol=1e-6)


def test_what_is_no_clip_is_refused_as_the_page_says(project: Path, servers: dict[str, str]) -> None:
    address = servers["gru"] + "/invocations"
    clip = np.full((1, 8, 16, 24, 1), 9)

    def refused(clips: Any) -> str:
        status, said = told(address, json.dumps({"inputs": clips}).encode())
        assert status == 400
        message: str = json.loads(said)["message"]
        return message

    assert "Shape of input (1, 3, 16, 24, 1) does not match expected shape (-1, 8, 16, 24, 1)." in refused(
        clip[:, :3].tolist()
    )
    assert "does not match expected shape" in refused(clip[0].tolist())
    assert "Python integer 256 out of bounds for uint8" in refused((clip + 247).tolist())
    assert "Python integer -1 out of bounds for uint8" in refused((clip - 10).tolist())
    assert "Failed to enforce schema" in refused([])
    status, said = told(address, b"{}")
    assert (status, "exactly one of the input fields" in said) == (400, True)
    status, said = told(address, b"\x93NUMPY", "application/octet-stream")
    assert (status, "only supports the following content types" in said) == (415, True)
    status, said = told(address, json.dumps({"inputs": np.full(clip.shape, 0.5).tolist()}).encode())
    black = tracking.load("models:/rushes-gru@champion").predict(np.zeros(clip.shape, np.uint8))
    assert status == 200
    np.testing.assert_allclose(np.array(json.loads(said)["predictions"], np.float32), black, rtol=1e-5, atol=1e-6)
    assert told(servers["gru"] + "/health") == (200, "\n")


def test_what_no_clip_can_be_made_of_is_said(project: Path, rushes: Rushes, tmp_path: Path) -> None:
    def refused(*arguments: str) -> str:
        return rushes(project, "clips", *arguments, expect=3)[1]

    (tmp_path / "notes.mp4").write_text("no film")
    assert "notes.mp4: holds text" in refused("gru", str(tmp_path / "notes.mp4"), "-o", str(tmp_path / "a.json"))
    two = tmp_path / "two"
    two.mkdir()
    for name in "ab":
        Image.fromarray(np.zeros((32, 40 * 32, 3), np.uint8)).save(two / f"{name}.png")
    assert "it holds 2 sources; name one of them" in refused("gru", str(two), "-o", str(tmp_path / "a.json"))
    assert "ending in .json or .npy; name" in refused("gru", "strip.png", "-o", str(tmp_path / "a.txt"))
    said = refused("ratings", "strip.png", "-o", str(tmp_path / "a.json"), "--stride-frames", "2")
    assert "a model that rates takes its own subclips" in said
    assert not list(tmp_path.glob("a.*"))
