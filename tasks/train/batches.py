"""Which clips stand in which batch, and fetching them ahead of the step that needs them.

Nothing here keeps a state: batch i follows from the seed and i, so that a run continued at step i sees what it would
have seen.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from tasks import stores
from tasks.clips import ClipDataset

if TYPE_CHECKING:
    import pandas as pd

# clip: uint8 (B, T, H, W, C), shorter ones filled up with 0; label: int64 (B,), places in the data set's `labels`;
# score: float32 (B,), the film's rating, NaN where there is none
Batch = dict[str, Tensor]
Fetch = Callable[[np.ndarray], Batch]

AHEAD_BATCHES = 2
RESIDENT_FRACTION = 0.4  # of the accelerator's free memory; the rest is for weights, gradients and activations


def batch_indices(seed: int, step: int, batch_clips: int, clips: int) -> np.ndarray:
    """The clips of batch `step`, int64 (batch_clips,): every clip once an epoch, in an order of its own each epoch.

    A batch may straddle two epochs; no clip is dropped. Computed for any `step` without the ones before it.
    """
    positions = np.arange(step * batch_clips, (step + 1) * batch_clips)
    epochs, places = positions // clips, positions % clips
    indices = np.empty(batch_clips, np.int64)
    for epoch in np.unique(epochs):
        chosen = epochs == epoch
        indices[chosen] = _permutation(seed, int(epoch), clips)[places[chosen]]
    return indices


def balanced_indices(seed: int, step: int, batch_clips: int, groups: Sequence[np.ndarray]) -> np.ndarray:
    """The clips of batch `step`, int64 (batch_clips,): the groups in turn, in an order of its own each round.

    A group of few clips shows them more often than a large one; within a group each clip comes once before any comes
    again. Computed for any `step` without the ones before it.

    Args:
        groups: the clips of each group.
    """
    turns = np.arange(step * batch_clips, (step + 1) * batch_clips)
    indices = np.empty(batch_clips, np.int64)
    for at, turn in enumerate(turns.tolist()):
        visit, place = divmod(turn, len(groups))
        number = int(_permutation(seed, visit, len(groups))[place])
        clips = groups[number]
        epoch, within = divmod(visit, len(clips))
        indices[at] = clips[_permutation(seed + 1 + number, epoch, len(clips))[within]]
    return indices


def alike(table: pd.DataFrame, balance: str) -> list[np.ndarray] | None:
    """The clips of every class or group, which then come equally often; None where every clip does."""
    if balance == "clips":
        return None
    kind = table["group" if balance == "groups" else "label"].to_numpy()
    return [rows.to_numpy() for _, rows in table.index.to_series().groupby(kind)]


@functools.lru_cache(maxsize=1024)
def _permutation(seed: int, epoch: int, clips: int) -> np.ndarray:
    key = np.array([seed % 2**64, epoch], np.uint64)
    return np.random.Generator(np.random.Philox(key=key)).permutation(clips)


def step_seed(seed: int, step: int, rank: int) -> int:
    """The seed of whatever is random inside one step (dropout, noise), 63 bits."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{step}/{rank}".encode()).digest()[:8], "big") >> 1


def evenly_spaced(clips: int, wanted: int) -> np.ndarray:
    """At most `wanted` of `clips` indices, from the first to the last, evenly apart, each once."""
    return np.unique(np.linspace(0, clips - 1, min(clips, wanted)).round().astype(np.int64))


def reader(dataset: ClipDataset, frames: Path, device: torch.device) -> tuple[Fetch, bool]:
    """How clips, their labels and scores reach the device, and whether they already lie there.

    On an accelerator the frame stores are copied over once if they fit (frames, not clips: overlapping clips share
    them); otherwise clips are read from the memory-mapped stores and sent as uint8.
    """
    if device.type == "cuda":
        lengths = lengths_of(dataset, frames)
        free_bytes, _ = torch.cuda.mem_get_info(device)
        if sum(lengths.values()) * math.prod(dataset.shape[1:]) < RESIDENT_FRACTION * free_bytes:
            return resident(dataset, frames, lengths, device), True

    known = _known(dataset)

    def fetch(indices: np.ndarray) -> Batch:
        chosen = torch.from_numpy(indices)
        batch = {"clip": torch.from_numpy(dataset.clips(indices)), **{k: v[chosen] for k, v in known.items()}}
        return {k: v.pin_memory() for k, v in batch.items()} if device.type == "cuda" else batch

    return fetch, False


def resident(dataset: ClipDataset, frames: Path, lengths: dict[str, int], device: torch.device) -> Fetch:
    """Clips gathered from frames that lie on the device; `lengths` is in frames, of every store.

    One store is open at a time: there may be more of them than files that a process may have open.
    """
    offsets = dict(zip(lengths, itertools.accumulate(lengths.values(), initial=0), strict=False))
    frames_NHWC = torch.empty((sum(lengths.values()), *dataset.shape[1:]), dtype=torch.uint8, device=device)
    for source, length in lengths.items():
        store = np.array(stores.open_store(stores.store_path(frames, source)))
        frames_NHWC[offsets[source] : offsets[source] + length] = torch.from_numpy(store).to(device)
    table = dataset.table
    first = table["source"].map(offsets).to_numpy(np.int64) + table["first_row"].to_numpy(np.int64)
    last_N1 = table["length"].to_numpy(np.int64)[:, None] - 1
    place_T = np.arange(dataset.shape[0])
    rows = first[:, None] + table["step"].to_numpy(np.int64)[:, None] * np.minimum(place_T, last_N1)
    rows_NT, filling_NT = torch.from_numpy(rows).to(device), torch.from_numpy(place_T > last_N1).to(device)
    known, unequal = {k: v.to(device) for k, v in _known(dataset).items()}, bool((place_T > last_N1).any())

    def fetch(indices: np.ndarray) -> Batch:
        chosen = torch.from_numpy(indices).to(device)
        clip_BTHWC = frames_NHWC[rows_NT[chosen]]
        if unequal:
            clip_BTHWC.masked_fill_(filling_NT[chosen][:, :, None, None, None], 0)
        return {"clip": clip_BTHWC, **{k: v[chosen] for k, v in known.items()}}

    return fetch


def _known(dataset: ClipDataset) -> Batch:
    """What is known of every clip: `label`, int64 (N,), and `score`, float32 (N,)."""
    labels = np.searchsorted(dataset.labels, dataset.table["label"].tolist()).astype(np.int64)
    return {"label": torch.from_numpy(labels), "score": torch.from_numpy(dataset.scores.astype(np.float32))}


def lengths_of(dataset: ClipDataset, frames: Path) -> dict[str, int]:
    """How many frames every store of the data set holds."""
    sources = sorted(set(dataset.table["source"]))
    return {source: len(stores.open_store(stores.store_path(frames, source))) for source in sources}


def ahead(fetch: Fetch, indices: Callable[[int], np.ndarray], steps: range) -> Iterator[Batch]:
    """The batch of each step in turn, fetched by one thread while earlier steps compute."""
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="clips") as pool:
        waiting: deque[Future[Batch]] = deque()
        coming = iter(steps)

        def ask() -> None:
            step = next(coming, None)
            if step is not None:
                waiting.append(pool.submit(lambda: fetch(indices(step))))

        for _ in range(AHEAD_BATCHES):
            ask()
        while waiting:
            batch = waiting.popleft().result()
            ask()
            yield batch
