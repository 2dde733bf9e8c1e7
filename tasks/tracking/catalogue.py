"""Reading the registry: what there is, and what the gate said."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tasks.tracking.store import connected, tracking_uri
from tasks.tracking.versions import CHALLENGER, CHAMPION, DESCRIBE, KIND, LINEAGE, PREFIX, aliased, pick, versions_of

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion


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
        "run_id": None if challenger is None else challenger.run_id,
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
                    "describes": DESCRIBE in version.tags,
                    "reason": version.tags.get("rushes.promotion", ""), "description": version.description or "",
                    "run_id": version.run_id, "created": created,
                })  # fmt: skip
    return listed


def resolve(model: str, version: str | None = None) -> str:
    """The address of a model: `models:/...` as it stands, a recipe's name as its champion, or as that version of it.

    Raises:
        ValueError: no such model, or it has no champion yet.
    """
    if model.startswith("models:"):
        return model
    with connected(tracking_uri()) as client:
        pick(client, PREFIX + model, CHAMPION if version is None else None, version)
    return f"models:/{PREFIX}{model}" + (f"@{CHAMPION}" if version is None else f"/{version}")


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
