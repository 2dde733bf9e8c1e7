"""An inbox behind a URL: what is there, by fsspec, and bringing it here whole.

`s3://bucket/rushes`, `gs://...`, `https://host/list/` (a page with links; those below it are followed) or one file.
Keys come from the environment (`AWS_*`, `GOOGLE_APPLICATION_CREDENTIALS`, `~/.netrc`), never from the URL.
"""

from __future__ import annotations

import email.utils
import errno
import os
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from tasks.exits import UnreachableError

FULL = (errno.ENOSPC, errno.EDQUOT)  # of this machine's disk
MOST_PAGES, MOST_FILES = 10_000, 1_000_000
ETAGS = ("ETag", "etag", "md5Hash", "Content-MD5", "generation", "VersionId")
TIMES = ("LastModified", "last_modified", "Last-Modified", "mtime", "modified", "updated", "timeModified", "created")


@dataclass(frozen=True)
class RemoteFile:
    """A file behind the inbox's URL."""

    path: str  # below the inbox
    address: str  # as its file system calls it
    bytes: int | None
    version: str  # by its etag or time, and its size
    changed_seconds: float | None  # since 1970


class VanishedError(Exception):
    """It is there no more, or is another file by now; the next listing will tell."""


def is_url(inbox: str) -> bool:
    return "://" in inbox


def list_files(inbox: str) -> list[RemoteFile]:
    """Every file, by path; names that lead out of the inbox are left out.

    Raises:
        ValueError: no such place, no permission, a URL with a password in it, or its file system is not installed.
        UnreachableError: the network or the server failed; it may be worth trying again.
    """
    with _saying(inbox):
        fs, root = _filesystem(inbox)
        if _is_http(inbox):
            found = _http(fs, inbox)
        else:
            found = dict(fs.find(root, detail=True))
            if not found and not fs.exists(root):
                raise FileNotFoundError(inbox)
        listed = [_file(fs, root, address, info) for address, info in found.items()]
    safe = [file for file in listed if all(part not in ("", ".", "..") for part in file.path.split("/"))]
    return sorted((file for file in safe if "\\" not in file.path), key=lambda file: file.path)


def fetch(inbox: str, file: RemoteFile, into: Path, largest_bytes: float) -> None:
    """Bring a file to `into`, which appears when it is whole.

    Raises:
        VanishedError: it went or changed meanwhile.
        ValueError, UnreachableError: as in `list_files`; a ValueError also where it is larger than allowed.
        OSError: it cannot be written here.
    """
    into.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".rushes-fetching-", dir=into.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        with _saying(f"{inbox}: {file.path}"):
            fs, root = _filesystem(inbox)
            try:
                fs.get_file(file.address, name, callback=_limit(largest_bytes))
                again = fs.info(file.address)
            except FileNotFoundError as error:
                if _gone(error):
                    raise VanishedError(file.path) from error
                raise
        if _file(fs, root, file.address, again).version != file.version:
            raise VanishedError(file.path)
        here = temporary.stat().st_size
        if file.bytes is not None and here != file.bytes:
            raise UnreachableError(f"{inbox}: {file.path} broke off after {here} of {file.bytes} bytes")
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        temporary.chmod(0o644)
        temporary.replace(into)
    finally:
        temporary.unlink(missing_ok=True)


def _limit(largest_bytes: float) -> Any:
    """A server that states no size, or a wrong one, must not fill the disk."""
    from fsspec.callbacks import Callback

    class Limit(Callback):  # type: ignore[misc]
        def relative_update(self, inc: int = 1) -> None:
            super().relative_update(inc)
            if self.value > largest_bytes:
                raise ValueError(f"is more than largest_file_gib {largest_bytes / 2**30:g} allows")

    return Limit()


def _filesystem(inbox: str) -> tuple[Any, str]:
    from fsspec.core import url_to_fs

    parts = urlsplit(inbox)
    if parts.username or parts.password:
        raise ValueError(f"the inbox {parts.scheme}://...@{parts.hostname} holds a name or password; take it out and"
                         " set it in the environment (AWS_ACCESS_KEY_ID, ~/.netrc and so on)")  # fmt: skip
    options: dict[str, Any] = {"skip_instance_cache": True, "use_listings_cache": False}
    if _is_http(inbox):
        options["client_kwargs"] = {"trust_env": True}  # proxies and ~/.netrc
    try:
        fs, root = url_to_fs(inbox, **options)
    except ImportError as error:
        raise ValueError(f"the inbox {inbox} needs a package that is not installed: {error}") from error
    return fs, root


def _is_http(inbox: str) -> bool:
    return inbox.startswith(("http://", "https://"))


def _http(fs: Any, inbox: str) -> dict[str, dict[str, Any]]:
    """A single file, or what the pages at and below a URL that ends in a slash link to."""
    if not inbox.endswith("/"):
        info = fs.info(inbox)
        if info.get("mimetype") != "text/html":
            return {inbox: info}
        inbox += "/"
    pages, files, read = [inbox], set[str](), set[str]()
    while pages and len(read) < MOST_PAGES and len(files) < MOST_FILES:
        page = pages.pop()
        read.add(page)
        for link in fs.ls(page, detail=False):
            if link.startswith(inbox) and not set("?#") & set(link) and ".." not in link.split("/"):
                if not link.endswith("/"):
                    files.add(link)
                elif link not in read and link not in pages:
                    pages.append(link)
    with ThreadPoolExecutor(8) as pool:
        infos = pool.map(lambda link: _info(fs, link), sorted(files))
        return {link: info for link, info in zip(sorted(files), infos, strict=True) if info is not None}


def _info(fs: Any, address: str) -> dict[str, Any] | None:
    """None for a link that leads nowhere."""
    try:
        info: dict[str, Any] = fs.info(address)
    except FileNotFoundError as error:
        if _gone(error):
            return None
        raise
    return info


def _file(fs: Any, root: str, address: str, info: dict[str, Any]) -> RemoteFile:
    info = info if "size" in info else {**fs.info(address), **info}
    base = root.rstrip("/")
    path = address[len(base) + 1 :] if address.startswith(f"{base}/") else address.rpartition("/")[2]
    etag = next((str(info[key]) for key in ETAGS if info.get(key)), "")
    times = [_seconds(info[key]) for key in TIMES if info.get(key)]
    changed = next((seconds for seconds in times if seconds is not None), None)
    size = None if info.get("size") is None else int(info["size"])
    version = f"{etag or changed} {size}"
    return RemoteFile(unquote(path) if "://" in address else path, address, size, version, changed)


def _seconds(value: Any) -> float | None:
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(value, (int, float)):
        return float(value)
    try:
        return email.utils.parsedate_to_datetime(value).timestamp()
    except (TypeError, ValueError):
        try:
            return datetime.fromisoformat(value).timestamp()
        except (TypeError, ValueError):
            return None


@contextmanager
def _saying(what: str) -> Iterator[None]:
    """Errors of every file system as ours: bad settings apart from bad luck."""
    import aiohttp

    failures: tuple[type[Exception], ...] = (aiohttp.ClientError, OSError, EOFError)
    refusals: tuple[type[Exception], ...] = (PermissionError,)
    try:
        import botocore.exceptions as aws
    except ImportError:
        pass
    else:
        failures += (aws.BotoCoreError, aws.ClientError)
        refusals += (aws.NoCredentialsError, aws.PartialCredentialsError)
    try:
        yield
    except refusals as error:
        raise ValueError(f"{what}: access is denied ({error}); set the keys in the environment") from error
    except failures as error:
        if isinstance(error, OSError) and error.errno in FULL:
            raise  # here, not there
        status = getattr(error, "status", None) or getattr(error.__cause__, "status", None)
        if status in (401, 403):
            raise ValueError(f"{what}: access is denied (HTTP {status}); set the keys in ~/.netrc") from error
        if isinstance(error, FileNotFoundError) and _gone(error):
            raise ValueError(f"{what} does not exist") from error
        raise UnreachableError(f"{what} cannot be reached: {error or type(error).__name__}") from error


def _gone(error: BaseException) -> bool:
    """Whether it is not there; fsspec calls every failure of an HTTP server a file that is not found."""
    import aiohttp

    cause = error.__cause__
    return not isinstance(cause, (aiohttp.ClientError, TimeoutError)) or getattr(cause, "status", None) in (404, 410)
