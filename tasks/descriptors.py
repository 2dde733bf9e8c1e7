"""Descriptors at rest: a part for each source that is done, and the table that is made of all parts.

    features.parquet             the table, when all is done
    features.parquet.parts/      until then; one file a source
        <key>.<sha256>.parquet   key: content, model and settings; sha256: of the file, so that damage shows

A part knows neither the source's path nor its place in the table: equal content under two names is one part.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from tasks import files, new_footage

if TYPE_CHECKING:
    import pyarrow as pa

GROUP_ROWS = 1024  # of a row group: 16 MiB of descriptors of 4096 floats
METADATA = b"rushes"

Described = tuple[Sequence[int], Sequence[float], NDArray[np.float32]]  # of clips: first frames, times, (N, D)


@dataclass(frozen=True)
class Part:
    """A source that is done: how many clips and frames it has, and how many numbers a descriptor."""

    path: Path
    clips: int
    frames: int
    floats: int


class Parts:
    """The parts beside the table `out`. A damaged one counts as none.

    Args:
        settings: all that decides a descriptor besides the source's content; parts of other settings are not taken.
    """

    def __init__(self, out: Path, settings: dict[str, Any]) -> None:
        self.folder = out.with_name(f"{out.name}.parts")
        self._settings = settings
        self._there: dict[str, Path] = {}
        self._used: set[Path] = set()

    @contextlib.contextmanager
    def held(self) -> Iterator[Parts]:
        """Keep other processes out, see what is there, and when the block ends well remove the parts it used.

        Parts of other footage or settings stay; where there are none the folder goes.

        Raises:
            ValueError: another process writes the same table.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.folder / "lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise ValueError(f"another process fills {self.folder}; let it end, or name another file") from None
        try:
            self._there = {p.name.split(".")[0]: p for p in self._lying()}
            yield self
            for path in self._used:
                path.unlink()
            if not self._lying():
                shutil.rmtree(self.folder)
        finally:
            lock.release()

    def _lying(self) -> list[Path]:
        return sorted(self.folder.glob("[!.]*.*.parquet"))

    def key(self, content: Sequence[object]) -> str:
        """The name of the part of a source with this content."""
        told = json.dumps([list(content), self._settings], sort_keys=True)
        return files.sha256_of_bytes(told.encode())[:32]

    def find(self, key: str) -> Part | None:
        """What was written under this name, if it is whole."""
        path = self._there.get(key)
        if path is None:
            return None
        if files.sha256_of(path) != path.name.split(".")[1]:
            path.unlink()
            del self._there[key]
            return None
        self._used.add(path)
        return read_part(path)

    def write(self, key: str, described: Iterable[Described], counts: new_footage.Counts) -> Part:
        """Write the descriptors as they come; `counts` is read when all have come."""
        plain = self.folder / f"{key}.parquet"
        write_part(plain, described, counts)
        path = plain.replace(self.folder / f"{key}.{files.sha256_of(plain)}.parquet")
        self._there[key] = path
        self._used.add(path)
        return read_part(path)


def write_part(path: Path, described: Iterable[Described], counts: new_footage.Counts) -> None:
    """Write the descriptors of one source as they come, atomically; `counts` is read when all have come."""
    import pyarrow.parquet as pq

    writer = None
    with files.replacing(path) as temporary:
        try:
            for table in map(_table, described):
                writer = writer or pq.ParquetWriter(temporary, table.schema)
                writer.write_table(table)
            assert writer is not None
            writer.add_key_value_metadata({"frames": str(counts.frames), "clips": str(counts.clips)})
        finally:
            if writer is not None:
                writer.close()


def _table(described: Described) -> pa.Table:
    import pyarrow as pa

    first_frames, first_seconds, descriptors_ND = described
    flat = pa.array(np.ascontiguousarray(descriptors_ND).reshape(-1), pa.float32())
    return pa.table({
        "first_frame": pa.array(first_frames, pa.int64()),
        "first_seconds": pa.array(first_seconds, pa.float64()),
        "descriptor": pa.FixedSizeListArray.from_arrays(flat, descriptors_ND.shape[1]),
    })  # fmt: skip


def read_part(path: Path) -> Part:
    """What `write_part` wrote."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as part:
        told = part.metadata.metadata
        floats = part.schema_arrow.field("descriptor").type.list_size
        return Part(path, int(told[b"clips"]), int(told[b"frames"]), floats)


def write_table(out: Path, rows: Sequence[tuple[dict[str, str], Part]], about: dict[str, Any], per_clip: bool) -> None:
    """The table: for each source its columns, clips, frames and descriptor; with `per_clip` a row a clip, with its
    first frame and time. Written whole or not at all; equal parts give equal bytes.

    Args:
        rows: of each source its columns (path, source, sha256) and its part.
        about: goes into the file's metadata under `rushes`, as JSON.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = list(rows[0][0])
    columns = [pa.field(name, pa.string()) for name in names]
    columns += [pa.field(name, pa.int64()) for name in ("clips", "frames")]
    if per_clip:
        columns += [pa.field("first_frame", pa.int64()), pa.field("first_seconds", pa.float64())]
    columns.append(pa.field("descriptor", pa.list_(pa.float32(), rows[0][1].floats)))
    schema = pa.schema(columns, {METADATA: json.dumps(about, sort_keys=True)})

    def tables() -> Iterator[pa.Table]:
        for values, part in rows:
            known = values | {"clips": part.clips, "frames": part.frames}
            with pq.ParquetFile(part.path) as stored:
                for batch in stored.iter_batches(GROUP_ROWS):
                    arrays = {name: pa.repeat(value, len(batch)) for name, value in known.items()}
                    arrays |= {name: batch.column(name) for name in schema.names if name not in arrays}
                    yield pa.table([arrays[name] for name in schema.names], schema=schema)

    with (
        files.replacing(out) as temporary,
        pq.ParquetWriter(temporary, schema, use_dictionary=names, compression="zstd") as writer,
    ):
        waiting: list[pa.Table] = []
        for table in tables():
            waiting.append(table)
            if sum(map(len, waiting)) >= GROUP_ROWS:
                writer.write_table(pa.concat_tables(waiting))
                waiting.clear()
        if waiting:
            writer.write_table(pa.concat_tables(waiting))
