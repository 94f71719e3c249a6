"""Fetching files: whole and checked, or not at all.

**Conventions.** A location is an ``http(s)://`` or ``file://`` URL or a local path. What has arrived of a file waits
beside its destination as ``<name>.part``, with ``<name>.part.json`` for the address and version that it belongs to;
the next attempt, or the next run, goes on from there if the server can prove that it still is the same file.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit
from urllib.request import url2pathname

from tqdm import tqdm

from unisono.errors import DownloadError, cannot_write, pass_machine
from unisono.io import connections
from unisono.io.files import replacing


def local_path(location: str | Path) -> Path | None:
    """Return the path that a location means, or None for an ``http(s)://`` URL.

    Raises
    ------
    DownloadError
        The location has another scheme (``ftp://``, ``s3://``), or is not a URL though it looks like one.
    """
    if isinstance(location, Path) or "://" not in location:
        return Path(location)
    try:
        parts = urlsplit(location)
    except ValueError as error:
        raise DownloadError(f"{location}: not a URL: {error}") from None
    if parts.scheme == "file":
        return Path(url2pathname(parts.path))
    if parts.scheme in ("http", "https"):
        return None
    raise DownloadError(f"{location}: cannot fetch {parts.scheme}://; expected http(s)://, file:// or a local path")


def fetch(
    location: str,
    destination: Path,
    *,
    sha256: str = "",
    md5: str = "",
    mirrors: Sequence[str] = (),
    description: str = "",
    max_bytes: int = connections.MAX_BYTES,
) -> Path:
    """Fetch a file; it appears at `destination` only when it is complete and its checksum is right.

    A file that is there with the right checksum is not fetched again; one that is there without a checksum to
    check it by is.

    Parameters
    ----------
    location : str
        ``http(s)://`` or ``file://`` URL or local path (which is copied).
    destination : Path
    sha256, md5 : str, optional
        Expected checksums in hexadecimal; empty = not checked.
    mirrors : sequence of str, optional
        Further locations of the same file, tried in turn.
    description : str, optional
        Title of the progress bar; the file's name by default.
    max_bytes : int
        A larger file is not what was asked for: it is given up, and what arrived of it removed.

    Returns
    -------
    Path
        `destination`.

    Raises
    ------
    DownloadError
        No location gave the file: the reason for each. What arrived is kept, unless its checksum was wrong.
    MachineError, DataError
        The disk is full, or `destination` cannot be written.
    """
    if (sha256 or md5) and destination.is_file() and not _wrong_checksum(destination, sha256, md5):
        return destination
    reasons = []
    for place in (location, *mirrors):
        try:
            path = local_path(place)
            if path is not None:
                _copy(path, destination, sha256, md5)
            else:
                _download(place, destination, sha256, md5, description or destination.name, max_bytes)
            return destination
        except DownloadError as error:
            reasons.append(str(error))
    raise DownloadError("; ".join(reasons))


@contextmanager
def open_stream(location: str | Path) -> Iterator[BinaryIO]:
    """Open a location for reading from begin to end, without keeping it.

    Parameters
    ----------
    location : str or Path
        ``http(s)://`` or ``file://`` URL or local path.

    Yields
    ------
    BinaryIO
        Not seekable. A cut connection is taken up again where it was; when the server can only send the whole
        file again, its beginning is compared with what was read.

    Raises
    ------
    DownloadError
        The location is missing or cannot be reached, or changed while it was read.
    """
    path = local_path(location)
    if path is None:
        with connections.HttpStream(str(location)) as stream:
            yield io.BufferedReader(stream, connections.CHUNK_BYTES)
        return
    try:
        file = path.open("rb")
    except OSError as error:
        raise _unreadable(path, error) from None
    with file:
        yield file


def _unreadable(path: Path, error: OSError) -> DownloadError:
    pass_machine(error)
    return DownloadError(f"{path}: cannot be read: {error.strerror or error}; correct the path")


def _copy(source: Path, destination: Path, sha256: str, md5: str) -> None:
    """Copy a local file, checked before it gets its name."""
    try:
        stream = source.open("rb")
    except OSError as error:
        raise _unreadable(source, error) from None
    with stream, replacing(destination) as temporary:
        with temporary.open("wb") as copy:
            shutil.copyfileobj(stream, copy, connections.CHUNK_BYTES)
        if wrong := _wrong_checksum(temporary, sha256, md5):
            raise DownloadError(f"{source}: {wrong}")


def _wrong_checksum(path: Path, sha256: str, md5: str) -> str:
    """Say how a file differs from what was promised; empty if it does not."""
    for name, expected in (("sha256", sha256), ("md5", md5)):
        if expected:
            with path.open("rb") as stream:
                got = hashlib.file_digest(stream, name).hexdigest()
            if got != expected.lower():
                return (
                    f"{name} is {got}, expected {expected.lower()}; the file was damaged on the way or has changed "
                    "at its source: try again, or check the source and correct the checksum"
                )
    return ""


def _download(url: str, destination: Path, sha256: str, md5: str, description: str, max_bytes: int) -> None:
    """Fetch one URL into ``<destination>.part``, over several attempts; check it and give it its name."""
    part = destination.with_name(destination.name + ".part")
    notes = destination.with_name(part.name + ".json")
    failures, best = 0, 0
    while True:
        try:
            _attempt(url, part, notes, description, max_bytes)
            break
        except connections.TooLargeError as problem:
            part.unlink(missing_ok=True)
            notes.unlink(missing_ok=True)
            raise DownloadError(f"{url}: {problem}") from None
        except connections.Retry as problem:
            size = part.stat().st_size if part.exists() else 0
            failures = 1 if size >= best + connections.CHUNK_BYTES else failures + 1
            best = max(best, size)
            connections.wait(url, problem, failures)
    if wrong := _wrong_checksum(part, sha256, md5):
        part.unlink()
        notes.unlink(missing_ok=True)
        raise DownloadError(f"{url}: {wrong}")
    part.replace(destination)
    notes.unlink(missing_ok=True)


def _attempt(url: str, part: Path, notes: Path, description: str, max_bytes: int) -> None:
    """Fetch what is missing of ``part`` in one connection."""
    known = _read_notes(notes)
    # Without a version or a length there is no telling whether the rest would belong to what is here.
    provable = known.url == url and (known.validator or known.total is not None)
    offset = part.stat().st_size if provable and part.exists() else 0
    if known.total is not None and offset > known.total:
        offset = 0
    if offset and offset == known.total:
        return
    with connections.get(url, offset, known.validator) as response:
        version = connections.Version.of(url, response)
        connections.check_size(version.total, max_bytes)
        if response.status_code != 206 or not connections.continues(response, offset, known, version):
            if response.status_code == 206:
                part.unlink(missing_ok=True)
                raise connections.Retry("the server resumed with another version of the file")
            offset = 0
        with replacing(notes) as temporary:
            temporary.write_text(json.dumps(version), encoding="utf-8")
        progress = tqdm(
            desc=description, total=version.total, initial=offset, unit="B", unit_scale=True, disable=None, leave=False
        )
        with progress, part.open("ab" if offset else "wb") as stream:
            size = offset
            for chunk in connections.chunks(response):
                size += len(chunk)
                connections.check_size(size, max_bytes)
                _write(stream, chunk, part)
                progress.update(len(chunk))
    size = part.stat().st_size
    if version.total is not None and size < version.total:
        raise connections.Retry(f"the connection ended after {size} of {version.total} bytes")


def _write(stream: BinaryIO, chunk: bytes, part: Path) -> None:
    """Write, and tell a full disk from a broken connection: both are `OSError`."""
    try:
        stream.write(chunk)
        stream.flush()
    except OSError as error:
        raise cannot_write(part, error) from None


def _read_notes(notes: Path) -> connections.Version:
    try:
        return connections.Version(*json.loads(notes.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return connections.Version()
