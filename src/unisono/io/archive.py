"""Reading what is inside folders and archives, without unpacking anything to the disk.

**Conventions.** A source is a folder, a ``.zip``, ``.whl``, ``.tar``, ``.tar.gz`` or ``.tgz`` file, or any other
single file; local, or by ``file://`` or ``http(s)://`` URL. Its members come as (name, bytes), the name relative to
the source with ``/`` between folders. Nothing is written under a member's name, and still a member that would leave
the folder (``..``, an absolute name, a link or device) condemns the source: it was made to do harm, or by mistake.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import posixpath
import stat
import struct
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from unisono.errors import DataError, DownloadError, pass_machine
from unisono.io import download, memory
from unisono.io.files import temporary_folder

#: Largest member that is read into memory.
MAX_MEMBER_BYTES = 512 * 2**20
#: Read at once of a single file.
CHUNK_BYTES = 4 * 2**20
#: What a compressed archive may become: so many times what was read of it, above a spare GiB.
MAX_RATIO, SPARE_BYTES = 200, 2**30
#: Largest header (long names, comments) that a tar archive may hold.
MAX_HEADER_BYTES = 2**20

_ZIPS = (".zip", ".whl")
_TARS = (".tar", ".tar.gz", ".tgz")
_HEADERS = (
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
)


def members(
    source: str | Path,
    *,
    suffixes: tuple[str, ...] = (),
    under: str = "",
    only: Callable[[str], bool] | None = None,
    sha256: str = "",
    max_member_bytes: int = MAX_MEMBER_BYTES,
) -> Iterator[tuple[str, bytes]]:
    """Read the files of a folder or archive one after the other; a ``.tar`` by URL is not kept.

    Parameters
    ----------
    source : str or Path
        Folder, archive or single file; a path or URL.
    suffixes : tuple of str, optional
        Only members whose names end so, in any case (``(".mxl", ".xml")``).
    under : str, optional
        Only members in this folder, as seen from the top or from inside the one folder that wraps all (archives
        made by GitHub have one).
    only : callable, optional
        Only members of whose names this is true; nothing is read of others. A single file is always read.
    sha256 : str, optional
        Expected checksum of an archive or single file; empty = not checked. It is known to be wrong only at the
        end, after the last member.
    max_member_bytes : int
        Largest member allowed.

    Yields
    ------
    tuple of (str, bytes)
        Relative name and content: sorted by name for folders and zips, in the archive's order for tars. Links
        inside the source and the leftovers of macOS (``__MACOSX``, ``._x``) are passed over.

    Raises
    ------
    DataError
        The source is missing, damaged or not what its name says, or a member leaves the folder or is too large.
    DownloadError
        The URL cannot be read, or the checksum is wrong.
    """
    place = download.local_path(source)
    if place is not None and not place.exists():
        raise DataError(f"{place}: no such file or folder; correct the path")
    name = place.name if place is not None else posixpath.basename(urlsplit(str(source)).path)
    lower = name.lower()
    wanted = _Wanted(str(source), suffixes, under, max_member_bytes, only)
    if place is not None and place.is_dir():
        yield from _folder(place, wanted)
    elif lower.endswith(_ZIPS):
        with _on_disk(source, place, sha256) as file:
            yield from _zip(file, wanted)
    elif lower.endswith(_TARS):
        with _checked(source, sha256) as stream:
            yield from _tar(stream, wanted, zipped=not lower.endswith(".tar"))
    elif suffixes and not lower.endswith(wanted.suffixes):
        legal = ", ".join((".zip", *_TARS, *suffixes))
        raise DataError(f"{source}: expected a folder or a name ending in {legal}; fetch or rename it by hand")
    else:
        with _checked(source, sha256) as stream:
            data = bytearray()
            # Bit by bit: a reader may take all the memory that it is asked for before it reads.
            while len(data) <= max_member_bytes and (piece := stream.read(CHUNK_BYTES)):
                data += piece
            wanted.check_size(name, len(data))
            yield name, bytes(data)


def zip_members(file: Path, *, max_member_bytes: int = MAX_MEMBER_BYTES) -> Iterator[tuple[str, bytes]]:
    """Read the files of a zip file of any name, as `members` does."""
    yield from _zip(file, _Wanted(str(file), (), "", max_member_bytes, None))


class _Wanted:
    """Which members are asked for, and which are not allowed."""

    def __init__(
        self,
        source: str,
        suffixes: tuple[str, ...],
        under: str,
        max_member_bytes: int,
        only: Callable[[str], bool] | None,
    ) -> None:
        self.source = source
        self.suffixes = tuple(suffix.lower() for suffix in suffixes)
        self.under = under.strip("/") + "/" if under.strip("/") else ""
        self.max_member_bytes = max_member_bytes
        self.only = only

    def name(self, raw: str) -> str:
        """Return a member's name without ``./``; refuse one that leaves the folder."""
        parts = raw.replace("\\", "/").split("/")
        if parts[0] == "" or ".." in parts or "\0" in raw or (len(parts[0]) == 2 and parts[0][1] == ":"):
            raise DataError(f"{self.source}: member {raw!r} leaves the folder; do not trust this source")
        return str(PurePosixPath(raw))

    def check_size(self, name: str, size: int) -> None:
        """Refuse a member that is too large."""
        if size > self.max_member_bytes:
            raise DataError(
                f"{self.source}: member {name!r} has {size} bytes, at most {self.max_member_bytes} are allowed; "
                "take it out if the source is yours, otherwise do not trust it"
            )

    def __contains__(self, name: str) -> bool:
        """Say whether a file of that name is asked for."""
        path = PurePosixPath(name)
        inside = name.partition("/")[2]
        return (
            (not self.suffixes or name.lower().endswith(self.suffixes))
            and (name.startswith(self.under) or inside.startswith(self.under))
            and not path.name.startswith("._")
            and (self.only is None or self.only(name))
            and "__MACOSX" not in path.parts
        )

    def damaged(self, error: BaseException) -> DataError:
        """Describe an archive that cannot be read."""
        reason = f"{type(error).__name__}: {error}".rstrip(": ")
        return DataError(f"{self.source}: not the archive that its name says, or damaged ({reason}); get it again")


def _folder(folder: Path, wanted: _Wanted) -> Iterator[tuple[str, bytes]]:
    root = folder.resolve()
    names = []
    for parent, folders, files in os.walk(root):
        for path in (Path(parent, name) for name in [*folders, *files]):
            if path.is_symlink():
                if not path.resolve().is_relative_to(root):
                    raise DataError(f"{folder}: {path} is a link that leaves the folder; replace it by what it means")
            elif path.is_file():
                names.append(path.relative_to(root).as_posix())
    for name in sorted(names):
        if name in wanted:
            path = root / name
            try:
                wanted.check_size(name, path.stat().st_size)
                data = path.read_bytes()
            except OSError as error:
                pass_machine(error)
                raise DataError(f"{path}: cannot be read: {error.strerror or error}; check permissions") from None
            yield name, data


def _zip(file: Path, wanted: _Wanted) -> Iterator[tuple[str, bytes]]:
    try:
        with zipfile.ZipFile(file) as archive:
            entries = [(wanted.name(info.orig_filename), info) for info in archive.infolist()]
            for name, info in sorted(entries, key=lambda entry: entry[0]):
                mode = info.external_attr >> 16
                if stat.S_ISLNK(mode):
                    wanted.check_size(name, info.file_size)
                    _check_link(name, archive.read(info).decode("utf-8", "replace"), wanted)
                elif not info.is_dir() and name in wanted:
                    wanted.check_size(name, info.file_size)
                    memory.check(info.file_size, info.compress_size, f"{wanted.source}: {name}")
                    with archive.open(info) as stream:
                        data = stream.read(info.file_size + 1)
                    if len(data) != info.file_size:
                        raise zipfile.BadZipFile(f"{name!r} has {len(data)} bytes, claims {info.file_size}")
                    yield name, data
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError, OSError, struct.error) as error:
        pass_machine(error)
        # RuntimeError: a password is needed; its child NotImplementedError: an unknown compression.
        raise wanted.damaged(error) from error


def _tar(stream: BinaryIO, wanted: _Wanted, *, zipped: bool) -> Iterator[tuple[str, bytes]]:
    reader = _member_reader(wanted)
    try:
        plain: Any = _Unzipped(stream, wanted) if zipped else stream
        with tarfile.open(fileobj=plain, mode="r|", bufsize=2**16, tarinfo=reader, errorlevel=1) as archive:
            for member in archive:
                name = wanted.name(member.name)
                if member.issym() or member.islnk():
                    at = posixpath.dirname(name) if member.issym() else ""
                    _check_link(name, member.linkname, wanted, at)
                elif not (member.isreg() or member.isdir()):
                    raise DataError(f"{wanted.source}: member {name!r} is a device or pipe; do not trust this source")
                elif member.issparse():
                    raise DataError(f"{wanted.source}: member {name!r} is a sparse file; pack it without holes")
                elif member.isreg() and name in wanted:
                    wanted.check_size(name, member.size)
                    content = archive.extractfile(member)
                    data = content.read() if content is not None else b""
                    if len(data) != member.size:
                        raise tarfile.ReadError(f"{name!r} has {len(data)} bytes, claims {member.size}")
                    yield _printable(name), data
        if zipped:
            while plain.read(2**20):  # its checksum stands at the end
                pass
        if not reader.ended:
            raise tarfile.ReadError("ends before its end mark")
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise wanted.damaged(error) from error


class _Unzipped(gzip.GzipFile):
    """What a compressed stream holds; a bomb, of which little is read and much becomes, is an error."""

    def __init__(self, stream: BinaryIO, wanted: _Wanted) -> None:
        self.counted = _Counted(stream)
        super().__init__(fileobj=self.counted)
        self.wanted, self.became = wanted, 0

    def read(self, size: int | None = -1) -> bytes:
        """Read as a file does."""
        data = super().read(size)
        self.became += len(data)
        if self.became > MAX_RATIO * self.counted.n + SPARE_BYTES:
            raise DataError(
                f"{self.wanted.source}: {self.counted.n:,} bytes of it become {self.became:,} and more; do not trust "
                "this source"
            )
        return data


class _Counted(io.RawIOBase):
    """A stream that counts the bytes that are read from it."""

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__()
        self.stream, self.n = stream, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self.stream.read(len(buffer))
        self.taken(data)
        buffer[: len(data)] = data
        return len(data)

    def taken(self, data: bytes) -> None:
        """Note what was read."""
        self.n += len(data)


def _member_reader(wanted: _Wanted) -> Any:
    """Make a `tarfile.TarInfo` that refuses giant headers and notices the end mark, which `tarfile` does not."""

    class Reader(tarfile.TarInfo):
        ended = False

        @classmethod
        def frombuf(cls, buf: Any, encoding: str, errors: str) -> Any:
            if len(buf) == tarfile.BLOCKSIZE and not any(buf):
                cls.ended = True
            info = super().frombuf(buf, encoding, errors)
            # Long names and comments are read into memory whole.
            limit = MAX_HEADER_BYTES if info.type in _HEADERS else sys.maxsize
            if not 0 <= info.size <= limit:
                raise DataError(f"{wanted.source}: has a header of {info.size} bytes; do not trust this source")
            return info

    return Reader


def _check_link(name: str, target: str, wanted: _Wanted, folder: str | None = None) -> None:
    """Refuse a link that leaves the folder; others are passed over, since what they mean is a member itself."""
    folder = posixpath.dirname(name) if folder is None else folder
    end = posixpath.normpath(posixpath.join(folder, target))
    if end.startswith(("/", "../")) or end == "..":
        raise DataError(
            f"{wanted.source}: member {name!r} is a link to {target!r}, which leaves the folder; "
            "do not trust this source"
        )


def _printable(name: str) -> str:
    """Replace the bytes of a name that are not UTF-8."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


@contextmanager
def _on_disk(source: str | Path, place: Path | None, sha256: str) -> Iterator[Path]:
    """Give an archive that must be on the disk a path: its own, or a temporary one."""
    if place is not None and not sha256:
        yield place
        return
    with temporary_folder() as folder:
        yield download.fetch(str(source), folder / "archive.zip", sha256=sha256)


class _Hashed(_Counted):
    """A stream that hashes what is read from it."""

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__(stream)
        self.digest = hashlib.sha256()

    def taken(self, data: bytes) -> None:
        super().taken(data)
        self.digest.update(data)


@contextmanager
def _checked(source: str | Path, sha256: str) -> Iterator[BinaryIO]:
    """Open a source as a stream; at the end compare its checksum, if one is expected."""
    with download.open_stream(source) as stream:
        if not sha256:
            yield stream
            return
        hashed = _Hashed(stream)
        with io.BufferedReader(hashed, 2**20) as buffered:
            yield buffered
            while buffered.read(2**20):
                pass
        got = hashed.digest.hexdigest()
        if got != sha256.lower():
            raise DownloadError(
                f"{source}: sha256 is {got}, expected {sha256.lower()}; the file was damaged or has changed at its "
                "source: try again, or check the source and correct the checksum"
            )
