"""Downloading one file so that nothing is lost by an interruption and nothing wrong is kept.

    MOT17.zip.part         what has come so far
    MOT17.zip.part.json    of which version of the file: its address, length, and ETag or Last-Modified

What is there is asked to be continued (`Range`) on condition that it is still the same file (`If-Range`); a server that
does not know how, or whose file has changed, sends it from the start, and then it is taken from the start.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import shutil
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tasks import files
from tasks.exits import UnreachableError

if TYPE_CHECKING:
    import httpx

FAULTS_IN_A_ROW = 6  # without a new byte
FAULTS_IN_ALL = 100
LONGEST_WAIT_SECONDS = 60.0
LONGEST_RETRY_AFTER_SECONDS = 600.0
TIMEOUT_SECONDS = 60.0  # to connect, and between two pieces
PASSING = {408, 425, 429, 500, 502, 503, 504}

Told = Callable[[int, int | None], None]  # bytes that are there, bytes in all if known


class _PassingError(Exception):
    """Something that another attempt may mend."""

    def __init__(self, what: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(what)
        self.retry_after_seconds = retry_after_seconds


def download(
    url: str, to: Path, *, told: Told | None = None, say: Callable[[str], None] | None = None,
    wait: Callable[[float], None] = time.sleep,
) -> None:  # fmt: skip
    """Download `url` as the file `to`, going on from what an earlier call left.

    Resets, truncation, timeouts and the answers 408, 425, 429 and 5xx are tried again, after 1, 2, 4 ... 60 seconds or
    when the server says (`Retry-After`), until 6 in a row have brought no new byte.

    Args:
        told: called with the progress.
        say: told of every fault that is passed over.
        wait: called with the seconds to wait.

    Raises:
        ValueError: the server refuses (404, 403, ...), or answers with a web page, or there is no room on the disk.
        UnreachableError: it cannot be reached, or faults did not end. What has come is kept.
    """
    import httpx

    part = _Part(to, url)
    faults, in_a_row, furthest = 0, 0, part.have_bytes
    timeout, headers = httpx.Timeout(TIMEOUT_SECONDS), {"Accept-Encoding": "identity", "User-Agent": "rushes"}
    with httpx.Client(follow_redirects=True, timeout=timeout, headers=headers) as client:
        while not part.is_whole:
            try:
                _attempt(client, part, told or (lambda have, total: None))
                break
            except httpx.TooManyRedirects as error:
                raise ValueError(f"{url} leads in a circle ({error}); has its address changed?") from error
            except (httpx.TransportError, _PassingError) as error:
                if "CERTIFICATE_VERIFY_FAILED" in str(error):
                    raise _untrusted(url, error) from error
                faults, in_a_row = faults + 1, 0 if part.have_bytes > furthest else in_a_row + 1
                furthest = max(furthest, part.have_bytes)
                if in_a_row >= FAULTS_IN_A_ROW or faults >= FAULTS_IN_ALL:
                    raise UnreachableError(
                        f"{url}: {_words(error)}; {in_a_row} faults in a row, {faults} in all. {part.have_bytes} bytes "
                        "are kept, the same command goes on from there"
                    ) from error
                seconds = min(2.0 ** max(in_a_row - 1, 0), LONGEST_WAIT_SECONDS)
                if isinstance(error, _PassingError) and error.retry_after_seconds is not None:
                    seconds = error.retry_after_seconds
                if say is not None:
                    say(f"{to.name}: {_words(error)}; again in {seconds:g} s, {part.have_bytes} bytes are there")
                wait(seconds)
    part.finish()


def _attempt(client: httpx.Client, part: _Part, told: Told) -> None:
    """One request. Returns when the file is whole."""
    have = part.have_bytes
    headers = {"Range": f"bytes={have}-", "If-Range": part.validator} if have and part.validator else {}
    with client.stream("GET", part.url, headers=headers) as response:
        if response.status_code == 416:
            part.discard()
            raise _PassingError("the server has no such part of it; from the start")
        _check(part.url, response)
        if response.status_code == 206:
            part.check_continues(response, have)
        else:
            part.begin(response)
        part.check_room()
        with part.path.open("ab") as stream:
            have = stream.tell()
            told(have, part.total_bytes)
            for piece in response.iter_raw():
                stream.write(piece)
                stream.flush()  # what has come outlives this process
                have += len(piece)
                told(have, part.total_bytes)
            os.fsync(stream.fileno())
        if part.total_bytes is not None and have != part.total_bytes:
            raise _PassingError(f"it ended after {have} of {part.total_bytes} bytes")


@dataclasses.dataclass
class _Part:
    """What has come of a file."""

    to: Path
    url: str
    validator: str = ""  # a strong ETag or a date: what If-Range is made of
    total_bytes: int | None = None

    def __post_init__(self) -> None:
        self.path = self.to.with_name(self.to.name + ".part")
        self.description = self.to.with_name(self.to.name + ".part.json")
        self.to.parent.mkdir(parents=True, exist_ok=True)
        values = {}
        with contextlib.suppress(OSError, ValueError):
            values = files.read_json(self.description)
        if values.get("url") == self.url and values.get("validator") and self.path.is_file():
            self.validator, self.total_bytes = values["validator"], values["bytes"]
        else:
            self.discard()
        if self.total_bytes is not None and self.have_bytes > self.total_bytes:
            self.discard()

    @property
    def have_bytes(self) -> int:
        return self.path.stat().st_size if self.path.is_file() else 0

    @property
    def is_whole(self) -> bool:
        return self.total_bytes is not None and self.have_bytes == self.total_bytes

    def discard(self) -> None:
        self.path.unlink(missing_ok=True)
        self.description.unlink(missing_ok=True)
        self.validator, self.total_bytes = "", None

    def begin(self, response: httpx.Response) -> None:
        """The file comes from its start."""
        self.discard()
        length = response.headers.get("Content-Length", "")
        self.total_bytes = int(length) if length.isdecimal() else None
        self.validator = _validator(response)
        self.path.touch()
        values = {"url": self.url, "validator": self.validator, "bytes": self.total_bytes}
        files.write_json(self.description, values)

    def check_continues(self, response: httpx.Response, have_bytes: int) -> None:
        """Start anew where the server goes on elsewhere, or with another file."""
        match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
        etag = response.headers.get("ETag", "")
        same = (
            match is not None
            and int(match[1]) == have_bytes
            and (match[2] == "*" or int(match[2]) == self.total_bytes)
            and (not etag or not self.validator.startswith('"') or etag == self.validator)
        )
        if not same:
            self.discard()
            raise _PassingError("the server went on with something else; from the start")

    def check_room(self) -> None:
        """Raise a ValueError where the rest does not fit on the disk."""
        free = shutil.disk_usage(self.path.parent).free
        missing = (self.total_bytes or 0) - self.have_bytes
        if missing > free:
            raise ValueError(
                f"{self.to}: {missing} bytes are still to come and {free} are free on that disk; make room, what is "
                "there is kept"
            )

    def finish(self) -> None:
        self.path.replace(self.to)
        self.description.unlink(missing_ok=True)


def _check(url: str, response: httpx.Response) -> None:
    code = response.status_code
    if code in PASSING or code >= 500:
        raise _PassingError(f"the server answered {code} {response.reason_phrase}", _retry_after_seconds(url, response))
    if code not in (200, 206):
        raise ValueError(
            f"{url}: the server answered {code} {response.reason_phrase}; look at the set's page whether it has moved, "
            "or whether it asks for something first"
        )
    if response.headers.get("Content-Type", "").startswith("text/html"):
        raise ValueError(
            f"{url}: the server answered with a web page instead of the file; look at the set's page what it asks for"
        )


def _retry_after_seconds(url: str, response: httpx.Response) -> float | None:
    """When the server wants to be asked again; it says seconds or a date."""
    text = response.headers.get("Retry-After", "").strip()
    if not text:
        return None
    try:
        seconds = float(text) if text.isdecimal() else (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds()
    except (TypeError, ValueError):
        return None
    if seconds > LONGEST_RETRY_AFTER_SECONDS:
        raise UnreachableError(f"{url}: the server is busy and asks to come back in {seconds:.0f} s; do so")
    return max(seconds, 0.0)


def _validator(response: httpx.Response) -> str:
    etag: str = response.headers.get("ETag", "")
    return etag if etag.startswith('"') else response.headers.get("Last-Modified", "")


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__


def _untrusted(url: str, error: Exception) -> UnreachableError:
    return UnreachableError(
        f"{url}: the server's certificate cannot be verified ({error}); where it leaves out an intermediate "
        "certificate, get that and name a file with it and the others in SSL_CERT_FILE (docs/fetch.md)"
    )
