"""How far a long stage is, on standard error: a bar on a terminal, a plain line every few seconds elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType

LINE_EVERY_SECONDS = 5.0


def tell(what: str, text: str) -> None:
    """A plain line on standard error."""
    sys.stderr.write(f"{what}: {text}\n")
    sys.stderr.flush()


class Progress:
    """Counts `total` steps from `done` on. A bar is drawn by rich, which honours NO_COLOR."""

    def __init__(self, what: str, total: int, done: int = 0) -> None:
        self.what, self.total, self.first, self.done = what, total, done, done
        self.started = self.told = time.monotonic()
        self.bar = None
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as Bar

            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            self.bar = Bar(*columns, console=Console(stderr=True))
            self.task = self.bar.add_task(what, total=total, completed=done)

    def __enter__(self) -> Progress:
        if self.bar is not None:
            self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.bar is not None:
            self.bar.stop()

    def begin(self, done: int = 0) -> None:
        """The first step starts now, `done` steps being done: what came before says nothing about the pace."""
        self.first = self.done = done
        self.started = self.told = time.monotonic()

    def to(self, done: int, note: str = "") -> None:
        """`done` steps are done; `note` says how it goes."""
        self.done = done
        if self.bar is not None:
            self.bar.update(self.task, completed=done, description=f"{self.what}  {note}")
        elif time.monotonic() - self.told >= LINE_EVERY_SECONDS or done == self.total:
            self.told = time.monotonic()
            rate = (done - self.first) / max(self.told - self.started, 1e-9)
            left = f", {(self.total - done) / rate:.0f} s left" if rate and done < self.total else ""
            self.say(f"{done}/{self.total}  {note}  {rate:.2f} steps/s{left}")

    def say(self, text: str) -> None:
        """A line that stays."""
        if self.bar is not None:
            self.bar.console.print(f"{self.what}: {text}", markup=False, highlight=False)
        else:
            tell(self.what, text)
