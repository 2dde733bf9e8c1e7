"""What is new behind a desk's URL, and bringing it to the folder that units are taken from."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from tasks.exits import UnreachableError
from tasks.ingest import arrivals, remote
from tasks.ingest.books import Refusal, Row, now, shown
from tasks.ingest.desk import CHANGED, Desk
from tasks.ingest.examine import GIB
from tasks.ingest.remote import RemoteFile

MOST_FAILURES = 3  # in a row, until a server is taken for dead


@dataclass
class News:
    """What a listing says that was not known: files to fetch, paths on their way there, and what is not fetched."""

    files: list[RemoteFile] = field(default_factory=list)
    held: list[str] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)


def news(desk: Desk, listed: Sequence[RemoteFile]) -> News:
    """Sort a listing. What is larger than allowed is refused by its stated size."""
    seen, found, at, refused = desk.books.seen(), News(), time.time(), desk.books.refusals()
    too_large: list[Refusal] = []
    desk.books.keep_refusals({place for file in listed for place in _places(file)})
    for file in listed:
        settled = file.changed_seconds is None or at - file.changed_seconds >= desk.setting.settle_seconds
        if arrivals.hidden(file.path) or seen.get(file.path) == file.version:
            continue
        if not settled or any(arrivals.partial(part) for part in file.path.split("/")):
            found.held.append(file.path)
        elif file.bytes is not None and file.bytes > desk.setting.largest_file_gib * GIB:
            reason = (
                f"{file.bytes / GIB:.1f} GiB is more than largest_file_gib {desk.setting.largest_file_gib:g} allows"
            )
            row = refused.get(shown(file.path))
            if row is None or (row.reason, row.stamp) != (reason, file.version):  # not `seen`: the limit may be raised
                too_large.append(Refusal(shown(file.path), reason, file.bytes, file.version, now()))
                found.rows.append(Row(shown(file.path), "refused", "", file.bytes, reason))
        else:
            found.files.append(file)
    desk.books.refuse(too_large)
    return found


def fetch(desk: Desk, files: Sequence[RemoteFile]) -> list[Row]:
    """Bring files here; those that are here already are left. Returns those that cannot be had.

    Raises:
        UnreachableError: the network failed for some; another call goes on with those.
    """
    rows: list[Row] = []
    failed: list[UnreachableError] = []
    in_a_row = 0
    for file in files:
        into = desk.inbox / file.path
        if into.is_file():
            continue
        try:
            remote.fetch(desk.setting.inbox, file, into, desk.setting.largest_file_gib * GIB)
            in_a_row = 0
        except remote.VanishedError:
            rows.append(Row(shown(file.path), "waiting", reason=CHANGED))
        except UnreachableError as error:
            failed.append(error)
            in_a_row += 1
            if in_a_row == MOST_FAILURES:
                break
        except ValueError as error:
            rows.append(Row(shown(file.path), "not fetched", reason=str(error)))
        except OSError as error:  # a name that this file system cannot hold, beside others that it can
            if error.errno in remote.FULL:
                raise
            rows.append(Row(shown(file.path), "not fetched", reason=f"cannot be written ({error.strerror or error})"))
    if failed:
        raise UnreachableError(f"{len(failed)} of {len(files)} files could not be fetched; the first: {failed[0]}")
    return rows


def dealt_with(desk: Desk, files: Sequence[RemoteFile], waiting: Collection[str]) -> None:
    """Note files that need not be fetched again: they are here, and neither they nor their folders wait."""
    names = [shown(name) for name in waiting]
    held = {name[:end] for name in names for end, c in enumerate(f"{name}!") if c == "!"}  # a member holds its archive
    done = {file.path: file.version for file in files if held.isdisjoint(_places(file))}
    if done:
        desk.books.see(done)


def missing(desk: Desk, files: Sequence[RemoteFile]) -> list[str]:
    """Which of them are not here."""
    return [file.path for file in files if not (desk.inbox / file.path).is_file()]


def _places(file: RemoteFile) -> list[str]:
    """A file and the folders that it lies in, as tables call them."""
    path = PurePosixPath(file.path)
    return [shown(str(place)) for place in (path, *path.parents)]
