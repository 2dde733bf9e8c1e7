"""Runs, registry and lineage, kept by MLflow. The only package that imports it, and only inside functions.

store      where the tracking store is, and a client that gives up quickly
origin     commit, lock, environment
runs       what a training tells while it runs: spooled on disk, delivered in the background
delivery   each event to the store, once
training_runs  the run that belongs to a set of weights
export     a model that needs no code of ours
companions  the same for whatever else a model can do:
rendering  pictures of any size and any number of times
describing  descriptors of clips
registry   from a trained and judged run to a version
versions   versions and aliases as the store has them
judged     a version's scores, one an evaluation
gate       champion or not
turns      one promoter at a time, among many machines
history    which version was champion when, and why
promotion  the alias moves: promote, roll back
catalogue  what there is
loaded     a version as functions of clips

Each of these is imported when one of its names is asked for: a training tells what it does by `runs` alone, and does
not become stale when the registry's code changes.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tasks.tracking.catalogue import champion_of_kind, list_models, registry_record, resolve
    from tasks.tracking.delivery import deliver_pending
    from tasks.tracking.gate import Decision
    from tasks.tracking.history import Entry
    from tasks.tracking.loaded import Loaded, load, load_describing
    from tasks.tracking.origin import lineage
    from tasks.tracking.promotion import add_scores, champions, judged_on, promote, rollback
    from tasks.tracking.registry import Registered, register
    from tasks.tracking.runs import RunLogger, RunStart
    from tasks.tracking.store import tracking_uri

__all__ = [
    "Decision", "Entry", "Loaded", "Registered", "RunLogger", "RunStart", "add_scores", "champion_of_kind",
    "champions", "deliver_pending", "judged_on", "lineage", "list_models", "load", "load_describing", "promote",
    "register", "registry_record", "resolve", "rollback", "tracking_uri",
]  # fmt: skip

_HOME = {
    "catalogue": "champion_of_kind list_models registry_record resolve",
    "delivery": "deliver_pending",
    "gate": "Decision",
    "history": "Entry",
    "loaded": "Loaded load load_describing",
    "origin": "lineage",
    "promotion": "add_scores champions judged_on promote rollback",
    "registry": "Registered register",
    "runs": "RunLogger RunStart",
    "store": "tracking_uri",
}


def __getattr__(name: str) -> Any:
    for module, names in _HOME.items():
        if name in names.split():
            return getattr(importlib.import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
