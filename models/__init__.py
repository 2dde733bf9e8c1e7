"""The architectures, found by file name: one file an architecture, underscore files are shared parts."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
from types import ModuleType
from typing import Any

from models._base import Kind, VideoModel

__all__ = ["VideoModel", "build", "kind_of", "names"]


def names() -> list[str]:
    """The architectures that exist, sorted: every public module of this package."""
    return sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))


def build(name: str, **config: Any) -> VideoModel:
    """Build an architecture from its settings.

    Args:
        name: one of `names()`.
        config: fields of that module's frozen `Config`; what is not given keeps its default.

    Raises:
        ValueError: no such architecture, an unknown setting, or a value the architecture refuses.
    """
    module = _module(name)
    known = {field.name for field in dataclasses.fields(module.Config)}
    unknown = sorted(set(config) - known)
    if unknown:
        raise ValueError(f"{name} has no setting {', '.join(unknown)}; its settings are: {', '.join(sorted(known))}")
    model = module.Model(module.Config(**config))
    assert isinstance(model, VideoModel)
    return model


def kind_of(name: str) -> Kind:
    """The kind of an architecture, without building it.

    Raises:
        ValueError: no such architecture.
    """
    kind: Kind = _module(name).Model.kind
    return kind


def _module(name: str) -> ModuleType:
    if name not in names():
        raise ValueError(f"architecture {name!r} does not exist; the architectures are: {', '.join(names())}")
    return importlib.import_module(f"models.{name}")
