"""Versions and aliases of a recipe's registered model, as the store has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

PREFIX = "rushes-"
CHAMPION, CHALLENGER = "champion", "challenger"
KIND = "rushes.kind"
DESCRIBE = "rushes.describe"  # the file that makes descriptors; no tag: there is none
INTERVAL = "rushes.interval"  # of kind regress: how far ratings lie from the truth, as the evaluation found, JSON
SIGNAL = "rushes.signal"  # of kind regress: whether it was shown to be better than a constant (found, enough), JSON
LINEAGE = ("git_commit", "git_dirty", "dvc_lock_sha256", "flow_run_id")


def versions_of(client: MlflowClient, full: str) -> list[ModelVersion]:
    """Newest first."""
    found = client.search_model_versions(f"name = '{full}'", max_results=1000)
    return sorted(found, key=lambda v: int(v.version), reverse=True)


def version_numbered(client: MlflowClient, full: str, version: str) -> ModelVersion:
    found = next((v for v in versions_of(client, full) if str(v.version) == str(version)), None)
    if found is None:
        raise ValueError(f"there is no version {version} of {full}; rushes models lists what there is")
    return found


def aliased(client: MlflowClient, full: str) -> dict[str, ModelVersion]:
    versions = {str(v.version): v for v in versions_of(client, full)}
    if not versions:
        return {}
    aliases = client.get_registered_model(full).aliases
    return {alias: versions[str(number)] for alias, number in aliases.items() if str(number) in versions}


def pick(client: MlflowClient, full: str, alias: str | None, number: str | None) -> ModelVersion:
    versions = versions_of(client, full)
    if not versions:
        known = sorted(m.name for m in client.search_registered_models(max_results=1000) if m.name.startswith(PREFIX))
        raise ValueError(
            f"there is no registered model {full}; there are: {', '.join(known) or 'none'}. Make one with: rushes run"
            f" {full.removeprefix(PREFIX)}"
        )
    if alias is None:
        assert number is not None
        return version_numbered(client, full, number)
    found = aliased(client, full).get(alias)
    if found is None:
        raise ValueError(
            f"{full} has no {alias}; name one of its {len(versions)} version(s) as models:/{full}/{versions[0].version}"
        )
    return found
