"""THE clip dataset: a manifest over memory-mapped frame stores."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from tasks import files, sampling, stores, subclip_split, tables
from tasks.media import Frame
from tasks.params import Clips
from tasks.stores import StoredSource

if TYPE_CHECKING:
    import pandas as pd

OF_A_SOURCE = ("source", "step", "split", "group", "label", "film", "score")  # columns that are alike in all its clips
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
        shape: (frames, height_px, width_px, channels) of every clip, as `clips` and `[]` give it. There are as many
            frames as the whole dataset's longest clip has; a shorter one (`length` in `table`) is filled up with frames
            that are all 0.
        shortest_frames: `length` of the whole dataset's shortest clip.
        labels: the classes of the whole dataset, sorted; a clip's label is a place in this list.
        scores: float64 (N,), the rating of every clip's film; NaN where there is none.
        data_sha256: identity of this split: its rows and the bytes of its stores.

    Raises:
        ValueError: a file is missing, the split is empty, or a store is not the one the manifest was made from.
    """

    def __init__(self, frames: Path, clips: Path, split: str) -> None:
        everything = _manifest(clips)
        table = everything[everything["split"] == split]
        if table.empty:
            there = ", ".join(sorted(everything["split"].unique())) or "none"
            raise ValueError(f"{clips / 'clips.parquet'} has no clip of split {split!r}; its splits are: {there}")
        self._be(frames, everything, table)

    @classmethod
    def by_subclip(cls, frames: Path, clips: Path) -> tuple[ClipDataset, ClipDataset]:
        """The same clips divided as no honest split divides them: subclips of one film stand on both sides.

        Of every film with clips from two or more subclips, one subclip is held out, whatever its split (see
        `subclip_split`). `table`'s `split` is `train` in the first and `test` in the second.

        Returns:
            What is trained on, and what is held out.

        Raises:
            ValueError: no film has two subclips; and as above.
        """
        everything = _manifest(clips)
        held = subclip_split.held_out(everything)
        halves = []
        for split, table in (("train", everything[~held]), ("test", everything[held])):
            half = cls.__new__(cls)
            half._be(frames, everything, table.assign(split=split))
            halves.append(half)
        return halves[0], halves[1]

    def _be(self, frames: Path, everything: pd.DataFrame, table: pd.DataFrame) -> None:
        """Become the clips of `table`, rows of the manifest `everything`."""
        self.labels: list[str] = sorted(everything["label"].unique().tolist())
        self._frames = frames
        self._open = self._opener()
        self._hold(table.reset_index(drop=True))
        self.data_sha256 = self._verify()
        self.shortest_frames = int(everything["length"].min())
        height_px, width_px, channels = self._clip(0).shape[1:]
        self.shape: tuple[int, int, int, int] = (int(everything["length"].max()), height_px, width_px, channels)

    def require_one_length(self, dataset: str, architecture: str) -> None:
        """Raise a ValueError if clips of any split are filled up: all kinds but `regress` would take that for footage.

        Args:
            dataset, architecture: to be named.
        """
        if self.shortest_frames < self.shape[0]:
            raise ValueError(
                f"dataset {dataset} has clips of {self.shortest_frames} to {self.shape[0]} frames, and {architecture}"
                f" takes clips of one length only; set datasets.{dataset}.clips.least_frames to null"
            )

    def every(self, stride_frames: int) -> ClipDataset:
        """The same sources, another choice of clips: one every `stride_frames` of a clip's frames (not of the stored
        ones), over all that is stored of them. Their `table` has no `clip`, `first_frame` and `first_seconds`.
        """
        import pandas as pd

        index = pd.read_parquet(self._frames / "index.parquet", columns=["source", "span"])
        spans = {str(source): rows.tolist() for source, rows in index.groupby("source")["span"]}
        longest, shortest = self.shape[0], int(self.table["length"].min())
        least = shortest if shortest < longest else None
        rows = []
        for about in self.table.drop_duplicates("source")[list(OF_A_SOURCE)].to_dict("records"):
            clips = Clips(length_frames=longest, step_frames=about["step"], least_frames=least)
            for span, first, length in sampling.span_windows(
                spans[about["source"]], clips, stride_frames * about["step"]
            ):
                rows.append(about | {"span": span, "first_row": first, "length": length})
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
        self.scores: NDArray[np.float64] = table["score"].to_numpy(np.float64)
        self._label_indices = [self.labels.index(label) for label in table["label"].tolist()]

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """`clip`: uint8 tensor (T, H, W, C), a copy; `label` and `clip_index`: int; `score`: float."""
        if not 0 <= index < len(self):
            raise IndexError(f"clip {index} of {len(self)}")
        clip = torch.from_numpy(self.clips([index])[0])
        score = float(self.scores[index])
        return {"clip": clip, "label": self._label_indices[index], "score": score, "clip_index": index}

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
            clip = self._clip(index)
            batch[at, : len(clip)] = clip
            batch[at, len(clip) :] = 0
        return batch

    def _clip(self, index: int) -> Frame:
        """A clip, as long as it is."""
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


def _manifest(clips: Path) -> pd.DataFrame:
    import pandas as pd

    manifest = clips / "clips.parquet"
    if not manifest.is_file():
        raise ValueError(f"{manifest} does not exist; run stage assemble")
    everything = pd.read_parquet(manifest)
    missing = {*OF_A_SOURCE, "span", "first_row", "length"} - set(everything.columns)
    if missing:
        raise ValueError(f"{manifest} has no column {', '.join(sorted(missing))}; run stage assemble again")
    return everything
