"""THE clip dataset: a manifest over memory-mapped frame stores."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from tasks import files, sampling, stores, tables
from tasks.media import Frame
from tasks.params import Clips
from tasks.stores import StoredSource

if TYPE_CHECKING:
    import pandas as pd

OF_A_SOURCE = ("source", "length", "step", "split", "group", "label")  # columns that are the same for all its clips
OPEN_STORES = 128  # a process may have 1024 files open on most machines, 256 on some, and reads several splits


class ClipDataset(torch.utils.data.Dataset[dict[str, Any]]):
    """The clips of one split, read-only. A clip of step 1 is one contiguous read of a memory map.

    Picklable: maps are opened in the process that first reads from them, so it works with workers that are spawned.

    Args:
        frames: `data/frames/<dataset>`.
        clips: `data/clips/<dataset>`.
        split: `train`, `validation` or `test`.

    Attributes:
        table: the manifest's rows of this split (see docs/clip-format.md), index 0, 1, 2, ...
        shape: (frames, height_px, width_px, channels) of every clip.
        labels: the classes of the whole dataset, sorted; a clip's label is a place in this list.
        data_sha256: identity of this split: its rows and the bytes of its stores.

    Raises:
        ValueError: a file is missing, the split is empty, or a store is not the one the manifest was made from.
    """

    def __init__(self, frames: Path, clips: Path, split: str) -> None:
        import pandas as pd

        manifest = clips / "clips.parquet"
        if not manifest.is_file():
            raise ValueError(f"{manifest} does not exist; run stage assemble")
        everything = pd.read_parquet(manifest)
        table = everything[everything["split"] == split].reset_index(drop=True)
        if table.empty:
            there = ", ".join(sorted(everything["split"].unique())) or "none"
            raise ValueError(f"{manifest} has no clip of split {split!r}; its splits are: {there}")
        self.labels: list[str] = sorted(everything["label"].unique().tolist())
        self._frames = frames
        self._open = self._opener()
        self._hold(table)
        self.data_sha256 = self._verify()
        first = self._clip(0)
        self.shape: tuple[int, int, int, int] = (first.shape[0], first.shape[1], first.shape[2], first.shape[3])

    def every(self, stride_frames: int) -> ClipDataset:
        """The same sources, another choice of clips: one every `stride_frames` of a clip's frames (not of the stored
        ones), over all that is stored of them. Their `table` has no `clip`, `first_frame` and `first_seconds`.
        """
        import pandas as pd

        index = pd.read_parquet(self._frames / "index.parquet", columns=["source", "span"])
        spans = {str(source): rows.tolist() for source, rows in index.groupby("source")["span"]}
        rows = []
        for about in self.table.drop_duplicates("source")[list(OF_A_SOURCE)].to_dict("records"):
            clips = Clips(length_frames=about["length"], step_frames=about["step"])
            for span, first in sampling.span_windows(spans[about["source"]], clips, stride_frames * about["step"]):
                rows.append(about | {"span": span, "first_row": first})
        other = copy.copy(self)
        other._hold(pd.DataFrame(rows))
        return other

    def _hold(self, table: pd.DataFrame) -> None:
        """Take the rows of `table` as the clips."""
        self.table = table
        self._sources = table["source"].tolist()
        self._rows = [
            sampling.clip_rows(first, length, step)
            for first, length, step in zip(
                table["first_row"].tolist(),
                table["length"].tolist(),
                table["step"].tolist(),
                strict=True,
            )
        ]
        self._label_indices = [self.labels.index(label) for label in table["label"].tolist()]

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """`clip`: uint8 tensor (T, H, W, C), a copy; `label` and `clip_index`: int."""
        if not 0 <= index < len(self):
            raise IndexError(f"clip {index} of {len(self)}")
        clip = torch.from_numpy(np.array(self._clip(index)))
        return {"clip": clip, "label": self._label_indices[index], "clip_index": index}

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_open"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ |= state
        self._open = self._opener()

    def clips(self, indices: Any) -> Frame:
        """Several clips, uint8 (B, T, H, W, C), in the order of `indices`."""
        chosen = [int(i) for i in indices]
        batch = np.empty((len(chosen), *self.shape), np.uint8)
        for at, index in enumerate(chosen):
            batch[at] = self._clip(index)
        return batch

    def _clip(self, index: int) -> Frame:
        return self._open(self._sources[index])[self._rows[index]]

    def _opener(self) -> Callable[[str], Frame]:
        """Opens the store of a source and keeps the last `OPEN_STORES` that were read from, for all threads."""
        frames = self._frames

        @functools.lru_cache(OPEN_STORES)
        def opened(source: str) -> Frame:
            return stores.open_store(stores.store_path(frames, source))

        return opened

    def _verify(self) -> str:
        """Hash this split's stores, compare with what stage sample recorded, and give the split's identity."""
        recorded = {s.source: s.store_sha256 for s in tables.read(self._frames / "sources.csv", StoredSource)}
        for source in sorted(set(self._sources)):
            path = stores.store_path(self._frames, source)
            if source not in recorded or not path.is_file():
                raise ValueError(f"the frame store {path} is missing; run the stages sample and assemble")
            if files.sha256_of(path) != recorded[source]:
                raise ValueError(f"the frame store {path} is not what stage sample wrote; run sample again")
        columns = [name for name in self.table.columns if name != "clip"]
        return stores.clips_sha256(self.table[columns].itertuples(index=False, name=None), recorded)
