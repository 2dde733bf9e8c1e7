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
gate       champion or not
catalogue  what there is
loaded     a version as functions of clips
"""

from __future__ import annotations

from tasks.tracking.catalogue import champion_of_kind, list_models, registry_record, resolve
from tasks.tracking.delivery import deliver_pending
from tasks.tracking.gate import Decision, promote
from tasks.tracking.loaded import Loaded, load, load_describing
from tasks.tracking.origin import lineage
from tasks.tracking.registry import Registered, register
from tasks.tracking.runs import RunLogger, RunStart
from tasks.tracking.store import tracking_uri

__all__ = [
    "Decision", "Loaded", "Registered", "RunLogger", "RunStart", "champion_of_kind", "deliver_pending", "lineage",
    "list_models", "load", "load_describing", "promote", "register", "registry_record", "resolve", "tracking_uri",
]  # fmt: skip
