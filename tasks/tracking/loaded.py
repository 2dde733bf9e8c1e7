"""A version of the registry as functions of clips."""

from __future__ import annotations

import atexit
import functools
import json
import re
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks import cpu
from tasks.tracking import artifacts
from tasks.tracking.catalogue import list_models
from tasks.tracking.store import connected, prepare, tracking_uri
from tasks.tracking.versions import CHAMPION, INTERVAL, SIGNAL, pick

if TYPE_CHECKING:
    from tasks.tracking.companions import Function
    from tasks.tracking.describing import Describer

ADDRESS = re.compile(r"models:/(?P<name>[^/@]+)(?:@(?P<alias>[^/@]+)|/(?P<version>\d+))")


@dataclass(frozen=True)
class Loaded:
    """A registered model, brought here; its networks are loaded onto the CPU when they are first asked.

    `input` says how footage must be read for it: gray, fit, every_frames or frames_per_second, height_px, width_px;
    length_frames of a clip, the least_frames that one may have, stride_frames from clip to clip; and which of a film:
    subclips, shots. What is null, or is not there, is not asked for.
    `inputs` and `outputs` are the places in a clip that it is shown and that it answers.
    `renders`: it has `render`; a model that has not answers at its own size and places only.
    `describes`: it has `describe`. `labels`: of a classifier, its classes in the order of its answers.
    Of kind ``regress`` `score_range` is the scale of the ratings, and `interval` how far off they were for films never
    trained on: `level` (the share of films), `half_width` (points), `films` (how many); None: too few to say. `signal`:
    `found`, whether it was shown to rate such films better than the training films' mean does, and `enough`, whether
    there were films enough to show it; None: the version does not say.
    """

    uri: str
    recipe: str
    version: str
    kind: str
    input: dict[str, Any]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    renders: bool
    folder: Path
    describes: bool = False
    labels: tuple[str, ...] = ()
    weights_sha256: str = ""
    interval: dict[str, Any] | None = None
    score_range: tuple[float, float] | None = None
    signal: dict[str, bool] | None = None

    @functools.cached_property
    def _predictor(self) -> Any:
        prepare()
        import mlflow.pyfunc

        return mlflow.pyfunc.load_model(str(self.folder), model_config={"device": "cpu"})

    @functools.cached_property
    def _renderer(self) -> Function:
        from tasks.tracking.rendering import load_render

        return load_render(self.folder)

    @functools.cached_property
    def _describers(self) -> dict[str, Describer]:
        return {}

    @property
    def channels(self) -> int:
        """1 (gray) or 3 (RGB)."""
        return 1 if self.input["gray"] else 3

    def predict(self, clip_BNHWC: np.ndarray) -> np.ndarray:
        """The frames at `inputs`, uint8 (B, N, H, W, C), 0 to 255, to those at `outputs`, float32 (B, M, H, W, C).

        A classifier: to the probability of each of `labels`, float32 (B, classes). Kind `regress`: to ratings, float32
        (B,), which may lie outside of `score_range`; a clip of fewer frames is filled up with zeros behind its last.
        """
        self._check(clip_BNHWC)
        answer: np.ndarray = self._predictor.predict(clip_BNHWC)
        return answer

    def describe(self, clip_BTHWC: np.ndarray, precision: str = "auto") -> np.ndarray:
        """The descriptor of each clip: uint8 (B, T, H, W, C) to float32 (B, D), not normalised. Always on the CPU.

        Args:
            precision: `32`, `bf16`, or `auto`: bf16 where the CPU has it in hardware.

        Raises:
            ValueError: the model has no `describe`, the clips are of another shape, or there is no such precision.
        """
        if not self.describes:
            raise ValueError(f"{self.uri} has no describe: it makes no descriptors")
        self._check(clip_BTHWC)
        from tasks.tracking.describing import Describer

        exact = cpu.settled_precision(precision)
        if exact not in self._describers:
            self._describers[exact] = Describer(self.folder, exact)
        return self._describers[exact](clip_BTHWC)

    def _check(self, clip_BNHWC: np.ndarray) -> None:
        shape = (len(self.inputs), self.input["height_px"], self.input["width_px"], self.channels)
        if clip_BNHWC.dtype != np.uint8 or clip_BNHWC.shape[1:] != shape:
            raise ValueError(
                f"{self.uri} takes uint8 clips (B, {', '.join(map(str, shape))});"
                f" got {clip_BNHWC.dtype} {clip_BNHWC.shape}"
            )

    def render(self, frames_BNHWC: np.ndarray, times_M: Sequence[float]) -> np.ndarray:
        """Two pictures of any size at any times between them: uint8 (1, 2, H, W, C) to float32 (1, M, H, W, C), 0 to 1.

        Args:
            times_M: one or more; 0 is the first picture, 1 the second.

        Raises:
            ValueError: the model has no `render`, or the pictures are of another layout.
        """
        if not self.renders:
            raise ValueError(f"{self.uri} has no render: it answers its own places at its own size only")
        shape = frames_BNHWC.shape
        layout = len(shape) == 5 and shape[:2] == (1, 2) and shape[4] == self.channels
        if frames_BNHWC.dtype != np.uint8 or not layout or not len(times_M):
            raise ValueError(
                f"{self.uri} renders uint8 pictures (1, 2, H, W, {self.channels}) at one time or more;"
                f" got {frames_BNHWC.dtype} {shape} and {len(times_M)} times"
            )
        from tasks.tracking.rendering import apply_render

        return apply_render(self._renderer, frames_BNHWC, np.asarray(times_M, np.float32))


def load(uri: str) -> Loaded:
    """Bring a registered model here, for this process. No code of this repository and no pickle is used.

    Args:
        uri: `models:/NAME@ALIAS` or `models:/NAME/VERSION`.

    Raises:
        ValueError: not such an address, or nothing stands there.
        UnreachableError: the store does not answer.
    """
    match = ADDRESS.fullmatch(uri)
    if match is None:
        raise ValueError(
            f"{uri!r} is not the address of a model; write models:/NAME@ALIAS, models:/NAME/VERSION, or a recipe"
        )
    store = tracking_uri()
    with connected(store) as client:
        import mlflow.artifacts
        from mlflow.models import Model

        version = pick(client, match["name"], match["alias"], match["version"])
        address = client.get_model_version_download_uri(version.name, version.version)
        artifacts.require_reachable(address)
        folder = Path(tempfile.mkdtemp(prefix="rushes-model-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        path = mlflow.artifacts.download_artifacts(artifact_uri=address, dst_path=str(folder), tracking_uri=store)
        own = (Model.load(path).metadata or {}).get("rushes")
    if own is None:
        raise ValueError(f"{uri} was not registered by Rushes: its MLmodel says nothing of how footage is read for it")
    every = list(range(own["input"]["length_frames"]))  # versions from before there were other kinds say no places
    inputs, outputs = (tuple(own.get(key, every)) for key in ("inputs", "outputs"))
    return Loaded(
        uri, own["recipe"], str(version.version), own["kind"], own["input"], inputs, outputs, bool(own.get("render")),
        Path(path), bool(own.get("describe")), tuple(own.get("labels", ())), own["weights_sha256"],
        json.loads(version.tags.get(INTERVAL, "null")), _range(own.get("ratings")),
        json.loads(version.tags.get(SIGNAL, "null")),
    )  # fmt: skip


def _range(ratings: dict[str, float] | None) -> tuple[float, float] | None:
    return None if ratings is None else (ratings["lowest"], ratings["highest"])


def load_describing(uri: str) -> Loaded:
    """A registered model that makes descriptors (see `load`).

    Raises:
        ValueError: it makes none; the recipes whose champion does are named.
    """
    loaded = load(uri)
    if not loaded.describes:
        able = [row["recipe"] for row in list_models() if row["describes"] and CHAMPION in row["aliases"]]
        named = ", ".join(able) or "none yet; train one of kind classify"
        raise ValueError(
            f"{uri} is of kind {loaded.kind!r} and makes no descriptors; recipes whose champion does: {named}"
        )
    return loaded
