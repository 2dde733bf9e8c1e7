"""What is measured at every step, summed up until the next row of the history."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

Reduce = Callable[[Tensor], float]  # the mean over processes


class Means:
    """Sums on the device, in float64: adding waits for nothing. A name counts the steps that it was measured at."""

    def __init__(self, device: torch.device, record: dict[str, Any]) -> None:
        self.sums = {k: torch.tensor(v, dtype=torch.float64, device=device) for k, v in record.get("sums", {}).items()}
        self.counts: dict[str, int] = dict(record.get("counts", {}))

    def add(self, name: str, value: Tensor) -> None:
        """One more value of `name`, a scalar."""
        value = value.detach().to(torch.float64)
        self.sums[name] = self.sums[name] + value if name in self.sums else value.clone()
        self.counts[name] = self.counts.get(name, 0) + 1

    def take(self, reduce: Reduce) -> dict[str, float]:
        """The means since the last time."""
        means = {name: reduce(value / self.counts[name]) for name, value in self.sums.items()}
        self.sums, self.counts = {}, {}
        return means

    def record(self, reduce: Reduce) -> dict[str, Any]:
        """What a checkpoint keeps, to go on adding."""
        return {"sums": {name: reduce(value) for name, value in self.sums.items()}, "counts": dict(self.counts)}
