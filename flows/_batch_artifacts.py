"""The Prefect artifacts of a batch: how far it is, and what came of it."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING
from uuid import UUID

from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)

from flows._artifacts import table_rows

if TYPE_CHECKING:
    from tasks.batch.running import Summary

TELL_EVERY_SECONDS = 2.0


class Bar:
    """A progress artifact, made when there is progress and told of it now and then."""

    def __init__(self, key: str, what: str) -> None:
        self.key, self.what, self.share, self.told = key, what, 0.0, 0.0
        self.id: UUID | None = None

    def to(self, done: int, of: int) -> None:
        self.share = 100.0 * done / of
        if self.id is None:
            made = create_progress_artifact(
                progress=self.share, key=_key(f"{self.key}-progress"), description=self.what
            )
            assert isinstance(made, UUID)
            self.id, self.told = made, time.monotonic()
        elif time.monotonic() - self.told >= TELL_EVERY_SECONDS:
            self.tell()

    def tell(self) -> None:
        if self.id is not None:
            update_progress_artifact(artifact_id=self.id, progress=self.share)
            self.told = time.monotonic()


@contextlib.contextmanager
def telling(key: str, what: str) -> Iterator[Bar]:
    """Progress, told to its end however the block ends."""
    bar = Bar(key, what)
    try:
        yield bar
    finally:
        bar.tell()


def _key(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def write(summary: Summary, recipe: str) -> None:
    """Tables of results and rejects, and a page of words with where the page is."""
    import pandas as pd

    key = f"batch-{summary.batch}-{recipe}"
    for what in ("results", "rejects"):
        path = summary.folder / f"{what}.csv"
        if path.is_file():
            rows = table_rows(pd.read_csv(path), path.name)
            create_table_artifact(key=_key(f"{key}-{what}"), table=rows, description=f"{what} of {summary.model}")
    page = summary.folder / "index.html"
    counts = f"{summary.done} done now, {summary.kept} kept, {summary.rejected} rejected, {summary.removed} removed"
    faults = "".join(f"\n- fault on {fault}" for fault in summary.faults)
    told = f"# {summary.batch}: {summary.model}\n\n{summary.sources} sources: {counts}.\n\nThe page: `{page}`\n{faults}"
    create_markdown_artifact(key=_key(key), markdown=told, description=f"What `{summary.model}` made of new footage.")
