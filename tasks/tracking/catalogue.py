"""Reading the registry: what there is, what the gate said, and a version as a function of clips."""

from __future__ import annotations

import math
import re
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.tracking.store import connected, tracking_uri
from tasks.tracking.versions import CHALLENGER, CHAMPION, LINEAGE, PREFIX, aliased, pick, versions_of

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

_URI = re.compile(r"models:/(?P<name>[^/@]+)(?:@(?P<alias>[^/@]+)|/(?P<version>\d+))")


@dataclass(frozen=True)
class Loaded:
    """A registered model on the CPU.

    `input` says how footage must be read for it: gray, fit, every_frames, height_px, width_px, length_frames.
    """

    uri: str
    recipe: str
    version: str
    input: dict[str, Any]
    model: Any

    def predict(self, clip_BTHWC: np.ndarray) -> np.ndarray:
        """uint8 (B, T, H, W, C), 0 to 255, to float32 (B, T, H, W, C), 0 to 1."""
        i = self.input
        shape = (i["length_frames"], i["height_px"], i["width_px"], 1 if i["gray"] else 3)
        if clip_BTHWC.dtype != np.uint8 or clip_BTHWC.shape[1:] != shape:
            raise ValueError(
                f"{self.uri} takes uint8 clips (B, {', '.join(map(str, shape))});"
                f" got {clip_BTHWC.dtype} {clip_BTHWC.shape}"
            )
        answer: np.ndarray = self.model.predict(clip_BTHWC)
        return answer


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
                    "aliases": aliases, **(_score(version) or {}), "reason": version.tags.get("rushes.promotion", ""),
                    "description": version.description or "", "run_id": version.run_id, "created": created,
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


def load(uri: str) -> Loaded:
    """Load a registered model onto the CPU. No code of this repository and no pickle is used.

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
        import mlflow.pyfunc

        version = pick(client, match["name"], match["alias"], match["version"])
        address = client.get_model_version_download_uri(version.name, version.version)
        with tempfile.TemporaryDirectory(prefix="rushes-model-") as folder:
            path = mlflow.artifacts.download_artifacts(artifact_uri=address, dst_path=folder, tracking_uri=store)
            model = mlflow.pyfunc.load_model(path, model_config={"device": "cpu"})
    own = (model.metadata.metadata or {}).get("rushes")
    if own is None:
        raise ValueError(f"{uri} was not registered by Rushes: its MLmodel says nothing of how footage is read for it")
    return Loaded(uri, own["recipe"], str(version.version), own["input"], model)
