"""Fetching files: whole and checked, or not at all.

**Conventions.** A location is an ``http(s)://`` or ``file://`` URL or a local path. What has arrived of a file waits
beside its destination as ``<name>.part``, with ``<name>.part.json`` for the address and version that it belongs to;
the next attempt, or the next run, goes on from there if the server can prove that it still is the same file.
"""

from __future__ import annotations

import email.utils
import hashlib
import io
import json
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple
from urllib.parse import urlsplit
from urllib.request import url2pathname

import requests
import urllib3
from tqdm import tqdm

from unisono.errors import DownloadError, cannot_write, pass_machine
from unisono.io.files import replacing

#: Attempts in a row without progress before an address is given up.
ATTEMPTS = 5
#: Wait before the second attempt, in s; it doubles from attempt to attempt.
FIRST_WAIT_S = 1.0
#: Longest wait that a server may ask for by ``Retry-After``, in s.
MAX_WAIT_S = 120.0
#: Longest silence of a server, in s.
TIMEOUT_S = 30.0
CHUNK_BYTES = 2**20
#: A server that sends fewer bytes than this in so many seconds of waiting is as good as silent.
SLOW_BYTES, SLOW_S = 2**14, 30.0
#: Largest file that is fetched, where its reader names no smaller one.
MAX_BYTES = 256 * 2**30


class _Retry(Exception):
    """An attempt failed in a way that another may not."""

    def __init__(self, reason: str, wait_s: float = 0.0) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


class _TooLargeError(Exception):
    """A server sends, or says that it will send, more than the file can be."""


class _Version(NamedTuple):
    """What a server says of the file: enough to know it again."""

    url: str = ""
    validator: str = ""
    total: int | None = None

    @classmethod
    def of(cls, url: str, response: Any) -> _Version:
        """Read the headers of a response to a request for the whole file or the rest of it."""
        headers = response.headers
        etag = headers.get("ETag", "")
        validator = etag if etag and not etag.startswith("W/") else headers.get("Last-Modified", "")
        if response.status_code == 206:
            length = headers.get("Content-Range", "").rpartition("/")[2]
        else:
            length = headers.get("Content-Length", "")
        return cls(url, validator, int(length) if length.isdigit() else None)


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
    max_bytes: int = MAX_BYTES,
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
        with _HttpStream(str(location)) as stream:
            yield io.BufferedReader(stream, CHUNK_BYTES)
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
            shutil.copyfileobj(stream, copy, CHUNK_BYTES)
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
        except _TooLargeError as problem:
            part.unlink(missing_ok=True)
            notes.unlink(missing_ok=True)
            raise DownloadError(f"{url}: {problem}") from None
        except _Retry as problem:
            size = part.stat().st_size if part.exists() else 0
            failures = 1 if size >= best + CHUNK_BYTES else failures + 1
            best = max(best, size)
            _wait(url, problem, failures)
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
    with _get(url, offset, known.validator) as response:
        version = _Version.of(url, response)
        _check_size(version.total, max_bytes)
        if response.status_code != 206 or not _continues(response, offset, known, version):
            if response.status_code == 206:
                part.unlink(missing_ok=True)
                raise _Retry("the server resumed with another version of the file")
            offset = 0
        with replacing(notes) as temporary:
            temporary.write_text(json.dumps(version), encoding="utf-8")
        progress = tqdm(
            desc=description, total=version.total, initial=offset, unit="B", unit_scale=True, disable=None, leave=False
        )
        with progress, part.open("ab" if offset else "wb") as stream:
            size = offset
            for chunk in _chunks(response):
                size += len(chunk)
                _check_size(size, max_bytes)
                _write(stream, chunk, part)
                progress.update(len(chunk))
    size = part.stat().st_size
    if version.total is not None and size < version.total:
        raise _Retry(f"the connection ended after {size} of {version.total} bytes")


def _check_size(size: int | None, max_bytes: int) -> None:
    if size is not None and size > max_bytes:
        raise _TooLargeError(
            f"{size:,} bytes or more, at most {max_bytes:,} are expected; check the address, or give a local path"
        )


def _write(stream: BinaryIO, chunk: bytes, part: Path) -> None:
    """Write, and tell a full disk from a broken connection: both are `OSError`."""
    try:
        stream.write(chunk)
        stream.flush()
    except OSError as error:
        raise cannot_write(part, error) from None


def _read_notes(notes: Path) -> _Version:
    try:
        return _Version(*json.loads(notes.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return _Version()


def _continues(response: Any, offset: int, known: _Version, version: _Version) -> bool:
    """Say whether a partial response goes on exactly where we stopped, in the same version of the file."""
    start = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
    same = known.validator == version.validator if known.validator else known.total is not None
    return bool(start == str(offset) and same and known.total in (None, version.total))


def _get(url: str, offset: int = 0, validator: str = "") -> Any:
    """Send one request, from byte `offset` on; raise `_Retry` where a second one may help."""
    headers = {"Accept-Encoding": "identity", "User-Agent": "unisono"}
    if offset:
        headers["Range"] = f"bytes={offset}-"
        if validator:
            headers["If-Range"] = validator
    try:
        response = requests.get(url, headers=headers, stream=True, timeout=TIMEOUT_S)
    except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema) as error:
        raise DownloadError(f"{url}: not a URL: {error}") from None
    except requests.RequestException as error:
        raise _Retry(f"no connection ({type(error).__name__})") from error
    status = response.status_code
    if status in (200, 206):
        return response
    response.close()
    reason = f"the server answered {status} {response.reason}"
    if status in (408, 416, 425, 429) or status >= 500:
        wait_s = _retry_after(response.headers.get("Retry-After", ""))
        if wait_s > MAX_WAIT_S:
            raise DownloadError(f"{url}: {reason} and asks to wait {wait_s:.0f} s; run again then")
        raise _Retry(reason, wait_s)
    raise DownloadError(f"{url}: {reason}; check the address, or give a local path instead")


def _retry_after(value: str) -> float:
    """Read a ``Retry-After`` header, seconds or a date, as seconds from now."""
    if value.isdigit():
        return float(value)
    try:
        return max(email.utils.parsedate_to_datetime(value).timestamp() - time.time(), 0.0)
    except (ValueError, TypeError):
        return 0.0


def _wait(url: str, problem: _Retry, failures: int) -> None:
    """Wait before the next attempt, or give up."""
    if failures >= ATTEMPTS:
        raise DownloadError(
            f"{url}: {problem} ({failures} attempts); check the connection and run again (what arrived is kept), "
            "or give a local path instead"
        ) from problem
    time.sleep(max(problem.wait_s, FIRST_WAIT_S * 2 ** (failures - 1)))


def _chunks(response: Any) -> Iterator[bytes]:
    """Yield the body as it was sent (a .tar.gz stays one), as it arrives."""
    arrived, waited_s = 0, 0.0
    try:
        while True:
            start_s = time.monotonic()
            chunk = response.raw.read1(CHUNK_BYTES, decode_content=False)
            waited_s += time.monotonic() - start_s
            arrived += len(chunk)
            if not chunk:
                return
            yield chunk
            if waited_s >= SLOW_S:
                if arrived < SLOW_BYTES:
                    raise _Retry(f"the server sent {arrived} bytes in {waited_s:.0f} s")
                arrived, waited_s = 0, 0.0
    except (urllib3.exceptions.HTTPError, requests.RequestException, OSError) as error:
        raise _Retry(f"the connection was cut ({type(error).__name__})") from error


class _HttpStream(io.RawIOBase):
    """The body of a URL as a stream that survives cut connections."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url
        self.position = 0
        self.failures, self.failed_at = 0, 0
        self.digest = hashlib.sha256()
        self.version = _Version()
        self.response: Any = None
        self.chunks: Iterator[bytes] = iter(())
        self.rest = memoryview(b"")

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def close(self) -> None:
        """Hang up."""
        self._hang_up()
        super().close()

    def _hang_up(self) -> None:
        if self.response is not None:
            self.response.close()
            self.response = None

    def readinto(self, buffer: Any) -> int:
        """Read at most as many bytes as `buffer` holds; 0 at the end."""
        while not self.rest:
            try:
                if self.response is None:
                    self._connect()
                    continue
                chunk = next(self.chunks, b"")
                _check_size(self.position + len(chunk), MAX_BYTES)
                if not chunk and self.version.total is not None and self.position < self.version.total:
                    raise _Retry(f"the connection ended after {self.position} of {self.version.total} bytes")
            except _Retry as problem:
                self._hang_up()
                self.failures = 1 if self.position >= self.failed_at + CHUNK_BYTES else self.failures + 1
                self.failed_at = self.position
                _wait(self.url, problem, self.failures)
                continue
            except _TooLargeError as problem:
                raise DownloadError(f"{self.url}: {problem}") from None
            if not chunk:
                return 0
            self._take(chunk)
        n = min(len(buffer), len(self.rest))
        buffer[:n] = self.rest[:n]
        self.rest = self.rest[n:]
        return n

    def _take(self, chunk: bytes) -> None:
        self.rest = memoryview(chunk)
        self.position += len(chunk)
        self.digest.update(chunk)

    def _connect(self) -> None:
        """Open the connection so that the next chunk is the one at our position."""
        response = _get(self.url, self.position, self.version.validator)
        known, self.version = self.version, _Version.of(self.url, response)
        self.response, self.chunks = response, _chunks(response)
        if self.position == 0 or (
            response.status_code == 206 and _continues(response, self.position, known, self.version)
        ):
            return
        if response.status_code == 206:
            raise DownloadError(f"{self.url}: changed while it was read; run again")
        # The whole file once more: skip what we have, if it is the same.
        again, left = hashlib.sha256(), self.position
        for chunk in self.chunks:
            again.update(chunk[:left])
            self.rest = memoryview(chunk)[left:]
            left -= min(left, len(chunk))
            if not left:
                break
        else:
            raise _Retry("the connection ended early")
        if again.digest() != self.digest.digest():
            raise DownloadError(f"{self.url}: changed while it was read; run again")
        self.position += len(self.rest)
        self.digest.update(self.rest)
