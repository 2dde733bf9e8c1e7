"""Reading the registry: what there is, what the gate said, and a version as a function of clips."""

from __future__ import annotations

import atexit
import functools
import math
import re
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.tracking.store import connected, prepare, tracking_uri
from tasks.tracking.versions import CHALLENGER, CHAMPION, KIND, LINEAGE, PREFIX, aliased, pick, versions_of

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

    from tasks.tracking.rendering import Render

_URI = re.compile(r"models:/(?P<name>[^/@]+)(?:@(?P<alias>[^/@]+)|/(?P<version>\d+))")


@dataclass(frozen=True)
class Loaded:
    """A registered model, brought here; its networks are loaded onto the CPU when they are first asked.

    `input` says how footage must be read for it: gray, fit, every_frames, height_px, width_px, length_frames.
    `inputs` and `outputs` are the places in a clip that it is shown and that it answers.
    `renders`: it has `render`; a model that has not answers at its own size and places only.
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

    @functools.cached_property
    def _predictor(self) -> Any:
        prepare()
        import mlflow.pyfunc

        return mlflow.pyfunc.load_model(str(self.folder), model_config={"device": "cpu"})

    @functools.cached_property
    def _renderer(self) -> Render:
        from tasks.tracking.rendering import load_render

        return load_render(self.folder)

    @property
    def channels(self) -> int:
        """1 (gray) or 3 (RGB)."""
        return 1 if self.input["gray"] else 3

    def predict(self, clip_BNHWC: np.ndarray) -> np.ndarray:
        """The frames at `inputs`, uint8 (B, N, H, W, C), 0 to 255, to those at `outputs`, float32 (B, M, H, W, C)."""
        shape = (len(self.inputs), self.input["height_px"], self.input["width_px"], self.channels)
        if clip_BNHWC.dtype != np.uint8 or clip_BNHWC.shape[1:] != shape:
            raise ValueError(
                f"{self.uri} takes uint8 clips (B, {', '.join(map(str, shape))});"
                f" got {clip_BNHWC.dtype} {clip_BNHWC.shape}"
            )
        answer: np.ndarray = self._predictor.predict(clip_BNHWC)
        return answer

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


def registry_record(name: str) -> dict[str, Any]:
    """What the report says of a recipe's registry: no time in it, so that equal states give equal bytes."""
    full = PREFIX + name
    with connected(tracking_uri()) as client:
        found = aliased(client, full)
    champion, challenger = found.get(CHAMPION), found.get(CHALLENGER)
    decided = challenger.tags if challenger is not None else {}
    return {
        "recipe": name,
        "model": full,
        "champion_version": None if champion is None else str(champion.version),
        "challenger_version": None if challenger is None else str(challenger.version),
        "champion": _score(champion),
        "challenger": _score(challenger),
        "decision": {
            "promoted": decided.get("rushes.promoted") == "true",
            "reason": decided.get("rushes.promotion", ""),
        },
    }


def _score(version: ModelVersion | None) -> dict[str, Any] | None:
    if version is None:
        return None
    tags = version.tags
    figures = {key: _finite(tags.get(f"rushes.{key}")) for key in ("value", "low", "high")}
    known = ("metric", "evaluation_sha256", "weights_sha256", "data_sha256", *LINEAGE)
    return {**figures, **{key: tags.get(f"rushes.{key}") for key in known}}


def _finite(text: str | None) -> float | None:
    value = math.nan if text is None else float(text)
    return value if math.isfinite(value) else None


def list_models() -> list[dict[str, Any]]:
    """Every version of every recipe, newest first within a recipe: aliases, score, lineage, the gate's words."""
    with connected(tracking_uri()) as client:
        listed = []
        for model in sorted(
            client.search_registered_models(f"name LIKE '{PREFIX}%'", max_results=1000), key=lambda m: m.name
        ):
            for version in versions_of(client, model.name):
                aliases = sorted(a for a, number in model.aliases.items() if str(number) == str(version.version))
                created = datetime.fromtimestamp(version.creation_timestamp / 1000, UTC).isoformat(timespec="seconds")
                listed.append({
                    "model": model.name, "recipe": model.name.removeprefix(PREFIX), "version": str(version.version),
                    "kind": version.tags.get(KIND, "reconstruct"), "aliases": aliases, **(_score(version) or {}),
                    "reason": version.tags.get("rushes.promotion", ""), "description": version.description or "",
                    "run_id": version.run_id, "created": created,
                })  # fmt: skip
    return listed


def resolve(model: str) -> str:
    """The address of a model: `models:/...` as it stands, a recipe's name as its champion.

    Raises:
        ValueError: no such model, or it has no champion yet.
    """
    if model.startswith("models:"):
        return model
    with connected(tracking_uri()) as client:
        pick(client, PREFIX + model, CHAMPION, None)
    return f"models:/{PREFIX}{model}@{CHAMPION}"


def champion_of_kind(kind: str) -> str:
    """The address of the champion of the only recipe of this kind that has one.

    Raises:
        ValueError: there is none, or there are several: they are named.
    """
    recipes = [row["recipe"] for row in list_models() if row["kind"] == kind and CHAMPION in row["aliases"]]
    if len(recipes) != 1:
        found = f"several champions of kind {kind}: {', '.join(recipes)}" if recipes else f"no champion of kind {kind}"
        mend = "name one with --model" if recipes else "make one with: rushes run RECIPE"
        raise ValueError(f"the registry has {found}; {mend}")
    return f"models:/{PREFIX}{recipes[0]}@{CHAMPION}"


def load(uri: str) -> Loaded:
    """Bring a registered model here, for this process. No code of this repository and no pickle is used.

    Args:
        uri: `models:/NAME@ALIAS` or `models:/NAME/VERSION`.

    Raises:
        ValueError: not such an address, or nothing stands there.
        UnreachableError: the store does not answer.
    """
    match = _URI.fullmatch(uri)
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
        folder = Path(tempfile.mkdtemp(prefix="rushes-model-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        path = mlflow.artifacts.download_artifacts(artifact_uri=address, dst_path=str(folder), tracking_uri=store)
        own = (Model.load(path).metadata or {}).get("rushes")
    if own is None:
        raise ValueError(f"{uri} was not registered by Rushes: its MLmodel says nothing of how footage is read for it")
    every = list(range(own["input"]["length_frames"]))  # versions from before there were other kinds say no places
    inputs, outputs = (tuple(own.get(key, every)) for key in ("inputs", "outputs"))
    renders = bool(own.get("render"))
    return Loaded(
        uri, own["recipe"], str(version.version), own["kind"], own["input"], inputs, outputs, renders, Path(path)
    )
