"""Progress on standard error: a bar with the stage's last line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class Quiet:
    """Says nothing: inside a deployment Prefect's own log is the progress."""

    def stages(self, count: int) -> None:
        """How many steps there will be."""

    def start(self, name: str) -> None:
        """A step begins."""

    def line(self, text: str) -> None:
        """The step said something."""

    def end(self, name: str, state: str) -> None:
        """The step is over: `ran`, `up to date`, `failed` or a sentence."""


class Plain(Quiet):
    """One line for each event, for files, pipes and CI."""

    def __init__(self) -> None:
        self._count = self._done = 0
        self._since = time.monotonic()

    def stages(self, count: int) -> None:
        self._count += count

    def start(self, name: str) -> None:
        self._since = time.monotonic()
        self._say(f"[{self._done + 1}/{self._count}] {name}")

    def line(self, text: str) -> None:
        if text:
            self._say(f"    {text}")

    def end(self, name: str, state: str) -> None:
        self._done += 1
        self._say(f"[{self._done}/{self._count}] {name}: {state}, {time.monotonic() - self._since:.1f} s")

    @staticmethod
    def _say(text: str) -> None:
        sys.stderr.write(text + "\n")
        sys.stderr.flush()


class Bars(Plain):
    """A bar over the steps on a terminal; finished steps scroll up above it."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        super().__init__()
        self.bar = Progress(
            SpinnerColumn(), TextColumn("{task.description}"), BarColumn(bar_width=24), MofNCompleteColumn(),
            TimeElapsedColumn(), TextColumn("[dim]{task.fields[last]}", markup=True), console=Console(stderr=True),
        )  # fmt: skip
        self._task = self.bar.add_task("", total=0, last="")

    def stages(self, count: int) -> None:
        super().stages(count)
        self.bar.update(self._task, total=self._count)

    def start(self, name: str) -> None:
        self._since = time.monotonic()
        self.bar.update(self._task, description=name, last="")

    def line(self, text: str) -> None:
        from rich.markup import escape

        if text:
            self.bar.update(self._task, last=escape(text[:80]))

    def end(self, name: str, state: str) -> None:
        self._done += 1
        self.bar.console.print(
            f"{name}: {state}, {time.monotonic() - self._since:.1f} s", highlight=False, markup=False
        )
        self.bar.update(self._task, completed=self._done)


current: ContextVar[Quiet] = ContextVar("progress")


def progress() -> Quiet:
    """The progress of this context; silent where nobody asked for one."""
    return current.get(Quiet())


@contextmanager
def showing() -> Iterator[Quiet]:
    """Show progress while the block runs."""
    shown = Bars() if sys.stderr.isatty() else Plain()
    token = current.set(shown)
    try:
        if isinstance(shown, Bars):
            with shown.bar:
                yield shown
        else:
            yield shown
    finally:
        current.reset(token)
