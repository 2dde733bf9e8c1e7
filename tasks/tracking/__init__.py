"""Runs, registry and lineage, kept by MLflow. The only package that imports it, and only inside functions.

    store      where the tracking store is, and a client that gives up quickly
    origin     commit, lock, environment
    runs       what a training tells while it runs: spooled on disk, delivered in the background
    delivery   each event to the store, once
    export     a model that needs no code of ours
    registry   versions, aliases, the gate between challenger and champion
"""

from __future__ import annotations

from tasks.tracking.delivery import deliver_pending
from tasks.tracking.registry import (
    Decision, Loaded, Registered, list_models, load, promote, register, registry_record, resolve,
)  # fmt: skip
from tasks.tracking.runs import RunLogger, RunStart
from tasks.tracking.store import tracking_uri

__all__ = [
    "Decision", "Loaded", "Registered", "RunLogger", "RunStart", "deliver_pending", "list_models", "load", "promote",
    "register", "registry_record", "resolve", "tracking_uri",
]  # fmt: skip
