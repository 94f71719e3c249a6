"""TFRecord files: a sequence of byte records, each framed by its length and two checksums.

**Conventions.** A record is ``length (uint64) | masked CRC-32C of length (uint32) | data | masked CRC-32C of
data (uint32)``, all little-endian; the mask is ``rotate right by 15, plus 0xa282ead8``. Every checksum is
verified. Files compressed as a whole, by gzip or zlib, are read as they are. What the bytes of a record mean is the
business of `unisono.io.sequence_example`.

References
----------
.. [1] TensorFlow: TFRecord and tf.train.Example, "TFRecords format details".
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

import google_crc32c

from unisono.errors import DataError, pass_machine
from unisono.io.files import replacing

#: A longer record is taken for damage: frame-level YouTube-8M has at most 300 frames of 1,152 bytes.
MAX_RECORD_BYTES = 2**26

_HEADER = struct.Struct("<QI")
_FOOTER = struct.Struct("<I")
#: First bytes of gzip, and of zlib in its three usual strengths.
_COMPRESSED = (b"\x1f\x8b", b"\x78\x01", b"\x78\x9c", b"\x78\xda")


def masked_crc32c(data: bytes) -> int:
    """Checksum of `data` as TFRecord stores it.

    Parameters
    ----------
    data : bytes

    Returns
    -------
    int
        Unsigned, 32 bits.
    """
    crc = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def records(stream: BinaryIO, *, name: str) -> Iterator[bytes]:
    """Read the records of a stream one after the other.

    Parameters
    ----------
    stream : binary file
        Anything with ``read``: a file, a response over HTTP, ``io.BytesIO``. Memory is bounded by one record.
    name : str
        Of the file, for messages.

    Yields
    ------
    bytes

    Raises
    ------
    DataError
        The stream is empty, is no TFRecord, ends within a record, or a checksum is wrong; the message names
        the record (from 0) and its first byte.
    """
    index, offset = 0, 0
    source: _Readable = stream
    header = _read(source, _HEADER.size)
    if header[:2] in _COMPRESSED and masked_crc32c(header[:8]) != int.from_bytes(header[8:], "little"):
        source = _Inflated(header, stream, name)
        header = _read(source, _HEADER.size)
    while header:
        where = f"{name}: record {index} at byte {offset}"
        if len(header) < _HEADER.size:
            raise _truncated(where, _HEADER.size, len(header))
        length, checksum = _HEADER.unpack(header)
        if masked_crc32c(header[:8]) != checksum:
            if index == 0:
                raise DataError(f"{name}: not a TFRecord file (it does not begin with a length and its checksum)")
            raise DataError(f"{where}: wrong checksum of the length; the file is damaged, fetch it again")
        if length > MAX_RECORD_BYTES:
            raise DataError(f"{where}: claims {length} bytes, more than {MAX_RECORD_BYTES}; not a TFRecord")
        data = _read(source, length)
        footer = _read(source, _FOOTER.size)
        if len(data) + len(footer) < length + _FOOTER.size:
            raise _truncated(where, length + _FOOTER.size, len(data) + len(footer))
        if masked_crc32c(data) != _FOOTER.unpack(footer)[0]:
            raise DataError(f"{where}: wrong checksum of the data; the file is damaged, fetch it again")
        yield data
        index += 1
        offset += _HEADER.size + length + _FOOTER.size
        header = _read(source, _HEADER.size)
    if index == 0:
        raise DataError(f"{name}: the file is empty; fetch it again")


def _truncated(where: str, expected: int, got: int) -> DataError:
    return DataError(f"{where}: truncated: expected {expected} more bytes, got {got}; fetch the file again")


class _Readable(Protocol):
    """Something with ``read``."""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes, none at the end."""


class _Inflated:
    """What a compressed stream holds, in pieces."""

    def __init__(self, begun: bytes, stream: _Readable, name: str) -> None:
        self.stream, self.name = stream, name
        # 32: of gzip or zlib, whichever it is.
        self.inflate = zlib.decompressobj(zlib.MAX_WBITS | 32)
        self.waiting = begun

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes, none at the end."""
        while size:  # for zlib no size is any size
            waiting = self.waiting or self.stream.read(2**16)
            if not waiting:
                if not self.inflate.eof:
                    raise DataError(f"{self.name}: ends within its compression; the file is truncated, fetch it again")
                return b""
            if self.inflate.eof:  # several compressed files one after the other are one
                self.inflate = zlib.decompressobj(zlib.MAX_WBITS | 32)
            try:
                data = self.inflate.decompress(waiting, size)
            except zlib.error as error:
                raise DataError(f"{self.name}: its compression is damaged ({error}); fetch it again") from None
            self.waiting = self.inflate.unconsumed_tail or self.inflate.unused_data
            if data:
                return data
        return b""


def _read(stream: _Readable, size: int) -> bytes:
    """Read `size` bytes, fewer only at the end: sockets return what has arrived."""
    data = stream.read(size)
    if len(data) == size or not data:
        return data
    parts = [data]
    missing = size - len(data)
    while missing and (part := stream.read(missing)):
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)


def read(path: Path) -> Iterator[bytes]:
    """Read the records of a file; see `records`.

    Parameters
    ----------
    path : Path

    Yields
    ------
    bytes

    Raises
    ------
    DataError
        The file is missing or unreadable, or as `records`.
    """
    try:
        with path.open("rb", buffering=0) as stream:
            yield from records(stream, name=str(path))
    except OSError as error:
        pass_machine(error)
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error


def write(path: Path, data: Iterable[bytes]) -> int:
    """Write records to a file; it appears under its name only when complete.

    Parameters
    ----------
    path : Path
    data : iterable of bytes

    Returns
    -------
    int
        Number of records.

    Raises
    ------
    DataError
        The file cannot be written.
    """
    count = 0
    with replacing(path) as temporary, temporary.open("wb") as file:
        for record in data:
            length = struct.pack("<Q", len(record))
            file.write(length + _FOOTER.pack(masked_crc32c(length)))
            file.write(record)
            file.write(_FOOTER.pack(masked_crc32c(record)))
            count += 1
    return count
