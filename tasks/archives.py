"""Unpacking what strangers packed: zip and tar, every member checked before it is written (see `archive_members`)."""

from __future__ import annotations

import bz2
import contextlib
import errno
import gzip
import io
import lzma
import os
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

from tasks.archive_members import CHUNK_BYTES, ArchiveError, Intake, taking_place

__all__ = ["ArchiveError", "is_archive", "unpack"]

ZIP_STARTS = (b"PK\x03\x04", b"PK\x05\x06")
COMPRESSIONS: dict[bytes, Callable[[Path, Literal["rb"]], io.BufferedIOBase]] = {
    b"\x1f\x8b": gzip.GzipFile,
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\x00": lzma.LZMAFile,
}
DOCUMENT_MEMBERS = {"[Content_Types].xml", "mimetype", "META-INF/MANIFEST.MF"}  # a spreadsheet is a zip too
SMALL_CHUNK_BYTES = 2**12  # of bzip2 and LZMA, which unpack what they read whole: 4 KiB may be 80 MB
LONGEST_READ_BYTES = 2**20  # a tar header may claim any length for itself
OVERHEAD_BYTES = 2**12  # of a tar stream, a member: headers and padding
DAMAGE = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, gzip.BadGzipFile, EOFError, UnicodeDecodeError,
    NotImplementedError,
)  # fmt: skip


def is_archive(path: Path) -> bool:
    """Whether a file is a zip, or a tar as it is or in gzip, bzip2 or xz: by its content, whatever it is called.

    Spreadsheets and other documents that are zips inside are none. A damaged zip is one, for `unpack` to say so.
    """
    if _is_zip(path):
        with contextlib.suppress(*DAMAGE), zipfile.ZipFile(path) as archive:
            return DOCUMENT_MEMBERS.isdisjoint(archive.namelist())
        return True
    with contextlib.suppress(*DAMAGE, OSError), _decompressed(path) as stream:
        tarfile.TarInfo.frombuf(stream.read(512), "utf-8", "surrogateescape")
        return True
    return False


def unpack(archive: Path, into: Path, *, members: int, gib: float) -> list[Path]:
    """Unpack an archive as the folder `into`, which has to be new; what is in it is checked first (see `Intake`).

    macOS's and Windows' own files (`__MACOSX`, `._*`, `.DS_Store`, `Thumbs.db`) are passed over, as are empty folders.
    Owners, permissions and times in the archive are not taken over.

    Args:
        members: the most entries that it may have.
        gib: the most that its files may have in all, unpacked, in GiB.

    Returns:
        the files that were written, sorted.

    Raises:
        ArchiveError: it is damaged, encrypted or none of the known kinds, a member is refused, or a limit is passed.
            Nothing is left of it then.
    """
    with taking_place(archive, into) as temporary:
        intake = Intake(archive, temporary, members, gib)
        try:
            if _is_zip(archive):
                _unzip(archive, intake)
            else:
                _untar(archive, intake)
        except (*DAMAGE, OSError) as error:
            # bzip2 says damage without a number; a zip that leads to a place before its start is an invalid argument.
            if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
                raise
            raise ArchiveError(archive, f"is damaged, or no zip or tar ({error})", "get it again") from error
        if not intake.written:
            raise ArchiveError(archive, "holds no file", "get it again, or leave it out")
    return sorted(into / path for path in intake.written)


def _is_zip(path: Path) -> bool:
    """By its start: the end of a tar may be that of a zip in it."""
    with path.open("rb") as stream:
        return stream.read(4) in ZIP_STARTS


def _unzip(archive: Path, intake: Intake) -> None:
    with zipfile.ZipFile(archive) as opened:
        for info in opened.infolist():
            if "\0" in info.orig_filename or not info.filename:
                raise intake.refuse("its name cannot be printed", info.orig_filename)
            if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise intake.refuse("is a link or a device", info.filename)
            if info.flag_bits & 0x1:
                raise intake.refuse("is encrypted", info.filename, "pack it anew without a password")
            path = intake.admit(info.filename, info.is_dir(), info.file_size)
            if path is not None:
                plain = info.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
                try:
                    with opened.open(info) as stream:
                        intake.write(path, stream, CHUNK_BYTES if plain else SMALL_CHUNK_BYTES)
                except DAMAGE as error:
                    raise intake.refuse(f"is damaged ({error})", info.filename, "get the archive again") from error


def _untar(archive: Path, intake: Intake) -> None:
    with _decompressed(archive) as stream:
        guarded = _Guarded(stream, intake)
        with tarfile.open(fileobj=guarded, mode="r:") as opened:
            for info in opened:
                if not (info.isreg() or info.isdir()) or info.issparse():
                    raise intake.refuse("is a link, a device or a sparse file", info.name)
                path = intake.admit(info.name, info.isdir(), 0 if info.isdir() else info.size)
                if path is None:
                    continue
                content = opened.extractfile(info)
                assert content is not None, info.name
                with content:
                    intake.write(path, content)
        # tarfile takes a damaged header for the end, and never looks at the checksum behind it.
        if guarded.last != bytes(tarfile.BLOCKSIZE):
            raise tarfile.ReadError("it ends early")
        while guarded.read(CHUNK_BYTES):
            pass


@contextlib.contextmanager
def _decompressed(path: Path) -> Iterator[io.BufferedIOBase]:
    with path.open("rb") as raw:
        start = raw.read(6)
    opener = next((opener for magic, opener in COMPRESSIONS.items() if start.startswith(magic)), None)
    with opener(path, "rb") if opener else path.open("rb") as stream:
        yield stream


class _Guarded(io.RawIOBase):
    """A tar as a stream that ends in an error where it grows past the limit, or where a header wants to be read whole
    that is larger than any honest one."""

    def __init__(self, stream: io.BufferedIOBase, intake: Intake) -> None:
        self._stream, self._intake = stream, intake
        self._limit_bytes = intake.limit_bytes + OVERHEAD_BYTES * (intake.members + 1) + LONGEST_READ_BYTES
        self.last = b""  # what was read last

    def read(self, size: int = -1, /) -> bytes:
        if not 0 <= size <= LONGEST_READ_BYTES:
            raise self._intake.refuse(f"has a header of {size} bytes", fix="get it again")
        if self._stream.tell() + size > self._limit_bytes:
            raise self._intake.too_large()
        self.last = self._stream.read(size)
        return self.last

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        assert whence == os.SEEK_SET, whence
        if offset > self._limit_bytes:
            raise self._intake.too_large()
        return self._stream.seek(offset)

    def tell(self) -> int:
        return self._stream.tell()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True
