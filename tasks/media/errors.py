"""The one error of `media`."""

from __future__ import annotations

from pathlib import Path
from typing import Any


class MediaError(ValueError):
    """A file that cannot be used. `reason` says why, without the path."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path, self.reason = path, reason

    def __reduce__(self) -> tuple[Any, ...]:  # so that it crosses from a worker process
        return (MediaError, (self.path, self.reason))
