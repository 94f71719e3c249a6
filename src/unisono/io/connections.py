"""One connection to a server of files: what to ask it, what it says of a file, and when to ask again.

**Conventions.** `Retry` says that another attempt may help, `unisono.errors.DownloadError` that none will. Which
version of a file a server has is known by its entity tag, or its date, and its length (`Version`).
"""

from __future__ import annotations

import email.utils
import hashlib
import io
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import requests
import urllib3

from unisono.errors import DownloadError

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


class Retry(Exception):
    """An attempt failed in a way that another may not."""

    def __init__(self, reason: str, wait_s: float = 0.0) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


class TooLargeError(Exception):
    """A server sends, or says that it will send, more than the file can be."""


class Version(NamedTuple):
    """What a server says of the file: enough to know it again."""

    url: str = ""
    validator: str = ""
    total: int | None = None

    @classmethod
    def of(cls, url: str, response: Any) -> Version:
        """Read the headers of a response to a request for the whole file or the rest of it."""
        headers = response.headers
        etag = headers.get("ETag", "")
        validator = etag if etag and not etag.startswith("W/") else headers.get("Last-Modified", "")
        if response.status_code == 206:
            length = headers.get("Content-Range", "").rpartition("/")[2]
        else:
            length = headers.get("Content-Length", "")
        return cls(url, validator, int(length) if length.isdigit() else None)


def check_size(size: int | None, max_bytes: int) -> None:
    """Raise `TooLargeError` where a file has, or is said to have, more bytes than it can have."""
    if size is not None and size > max_bytes:
        raise TooLargeError(
            f"{size:,} bytes or more, at most {max_bytes:,} are expected; check the address, or give a local path"
        )


def continues(response: Any, offset: int, known: Version, version: Version) -> bool:
    """Say whether a partial response goes on exactly where we stopped, in the same version of the file."""
    start = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
    same = known.validator == version.validator if known.validator else known.total is not None
    return bool(start == str(offset) and same and known.total in (None, version.total))


def get(url: str, offset: int = 0, validator: str = "") -> Any:
    """Send one request, from byte `offset` on; raise `Retry` where a second one may help."""
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
        raise Retry(f"no connection ({type(error).__name__})") from error
    status = response.status_code
    if status in (200, 206):
        return response
    response.close()
    reason = f"the server answered {status} {response.reason}"
    if status in (408, 416, 425, 429) or status >= 500:
        wait_s = _retry_after(response.headers.get("Retry-After", ""))
        if wait_s > MAX_WAIT_S:
            raise DownloadError(f"{url}: {reason} and asks to wait {wait_s:.0f} s; run again then")
        raise Retry(reason, wait_s)
    raise DownloadError(f"{url}: {reason}; check the address, or give a local path instead")


def _retry_after(value: str) -> float:
    """Read a ``Retry-After`` header, seconds or a date, as seconds from now."""
    if value.isdigit():
        return float(value)
    try:
        return max(email.utils.parsedate_to_datetime(value).timestamp() - time.time(), 0.0)
    except (ValueError, TypeError):
        return 0.0


def wait(url: str, problem: Retry, failures: int) -> None:
    """Wait before the next attempt, or give up."""
    if failures >= ATTEMPTS:
        raise DownloadError(
            f"{url}: {problem} ({failures} attempts); check the connection and run again (what arrived is kept), "
            "or give a local path instead"
        ) from problem
    time.sleep(max(problem.wait_s, FIRST_WAIT_S * 2 ** (failures - 1)))


def chunks(response: Any) -> Iterator[bytes]:
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
                    raise Retry(f"the server sent {arrived} bytes in {waited_s:.0f} s")
                arrived, waited_s = 0, 0.0
    except (urllib3.exceptions.HTTPError, requests.RequestException, OSError) as error:
        raise Retry(f"the connection was cut ({type(error).__name__})") from error


class HttpStream(io.RawIOBase):
    """The body of a URL as a stream that survives cut connections."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url
        self.position = 0
        self.failures, self.failed_at = 0, 0
        self.digest = hashlib.sha256()
        self.version = Version()
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
                check_size(self.position + len(chunk), MAX_BYTES)
                if not chunk and self.version.total is not None and self.position < self.version.total:
                    raise Retry(f"the connection ended after {self.position} of {self.version.total} bytes")
            except Retry as problem:
                self._hang_up()
                self.failures = 1 if self.position >= self.failed_at + CHUNK_BYTES else self.failures + 1
                self.failed_at = self.position
                wait(self.url, problem, self.failures)
                continue
            except TooLargeError as problem:
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
        response = get(self.url, self.position, self.version.validator)
        known, self.version = self.version, Version.of(self.url, response)
        self.response, self.chunks = response, chunks(response)
        if self.position == 0 or (
            response.status_code == 206 and continues(response, self.position, known, self.version)
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
            raise Retry("the connection ended early")
        if again.digest() != self.digest.digest():
            raise DownloadError(f"{self.url}: changed while it was read; run again")
        self.position += len(self.rest)
        self.digest.update(self.rest)
