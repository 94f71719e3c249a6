"""``tf.train.SequenceExample``, read just as far as needed: context first, frames only when asked for.

**Conventions.** A frame-level YouTube-8M record holds a context (``id`` bytes, ``labels`` int64 list) and
feature lists (``rgb`` 1,024 bytes a frame, ``audio`` 128 bytes a frame, one frame a second, 8-bit). Deciding
on a video takes its context and the number of its frames, a few hundred of its 250,000 bytes; the rest is
skipped by its length. Frames of one width lie at equal distances, so that a list of them is one strided
array, checked header by header and copied once.

References
----------
.. [1] Protocol Buffers: Encoding. TensorFlow: example.proto, feature.proto.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from unisono.errors import DataError

#: Field numbers: SequenceExample.context, .feature_lists; Feature.bytes_list, .int64_list.
_CONTEXT, _FEATURE_LISTS = 1, 2
_BYTES_LIST, _FLOAT_LIST, _INT64_LIST = 1, 2, 3
#: What a Feature may hold, by field number.
_KINDS = {_BYTES_LIST: "bytes", _FLOAT_LIST: "floats", _INT64_LIST: "whole numbers"}
#: Names of a video's id, newest first.
ID_KEYS = (b"id", b"video_id")

Span = tuple[int, int]


class _MalformedError(ValueError):
    """The bytes are not the message they should be."""


@dataclass(frozen=True)
class SequenceExample:
    """One record, its frames still encoded.

    Attributes
    ----------
    id : str
    labels : tuple of int
    """

    id: str
    labels: tuple[int, ...]
    _data: bytes
    _lists: tuple[Span, ...]
    _where: str

    def n_frames(self, name: str, width: int) -> int:
        """Count the frames of a feature list; see `frames`."""
        return len(self.frames(name, width))

    def frames(self, name: str, width: int) -> np.ndarray:
        """Decode a feature list of 8-bit frames.

        Parameters
        ----------
        name : str
            ``"rgb"`` or ``"audio"``.
        width : int
            Expected bytes of a frame.

        Returns
        -------
        np.ndarray [shape=(n_frames, width), dtype=uint8]
            Possibly a read-only view of the record.

        Raises
        ------
        DataError
            The record has no such list, or a frame does not hold `width` bytes; the message names the record's
            id.
        """
        try:
            span = self._span(name.encode())
            if span is None:
                raise DataError(
                    f"{self._where} (id {self.id!r}): has no feature list {name!r}; "
                    "frame-level records are needed, not video-level ones"
                )
            regular = _regular(self._data, span, width)
            return self._walk(span, name, width) if regular is None else regular
        except _MalformedError as error:
            raise DataError(f"{self._where} (id {self.id!r}): not a SequenceExample: {error}") from None

    def _span(self, key: bytes) -> Span | None:
        """Find the FeatureList of `key`; the last one counts, as in any protobuf map."""
        found = None
        for lists in self._lists:
            for field, entry in _messages(self._data, lists):
                if field == 1 and (value := _map_value(self._data, entry, key)) is not None:
                    found = value
        return found

    def _walk(self, span: Span, name: str, width: int) -> np.ndarray:
        """Decode frame by frame: encodings that are legal but not regular, and wrong widths."""
        frames: list[bytes] = []
        for field, feature in _messages(self._data, span):
            if field != 1:
                continue
            values = [
                self._data[slice(*value)]
                for kind, inner in _messages(self._data, feature)
                if kind == _BYTES_LIST
                for number, value in _messages(self._data, inner)
                if number == 1
            ]
            kind = next((_KINDS[kind] for kind, _ in _messages(self._data, feature) if kind in _KINDS), "nothing")
            if kind != _KINDS[_BYTES_LIST]:
                raise DataError(
                    f"{self._where} (id {self.id!r}): frame {len(frames)} of {name!r} holds {kind}, expected {width} "
                    "bytes, one a number (8-bit features)"
                )
            got = sum(map(len, values)) if values else 0
            if len(values) != 1 or got != width:
                raise DataError(
                    f"{self._where} (id {self.id!r}): frame {len(frames)} of {name!r} is {got} bytes wide, "
                    f"expected {width}; the file is damaged or of another data set"
                )
            frames.append(values[0])
        return np.frombuffer(b"".join(frames), np.uint8).reshape(-1, width)


def parse(data: bytes, *, where: str) -> SequenceExample:
    """Read id and labels of a record; feature lists are only located.

    Parameters
    ----------
    data : bytes
        A serialised SequenceExample.
    where : str
        File and record, for messages.

    Returns
    -------
    SequenceExample

    Raises
    ------
    DataError
        The bytes are no SequenceExample, its context lacks the id or the labels, or labels are no whole numbers.
    """
    context: dict[bytes, Span] = {}
    lists: list[Span] = []
    try:
        for field, span in _messages(data, (0, len(data))):
            if field == _FEATURE_LISTS:
                lists.append(span)
            elif field == _CONTEXT:
                for number, entry in _messages(data, span):
                    if number == 1:
                        key, value = _map_entry(data, entry)
                        context[key] = value
        id_key = next((name for name in ID_KEYS if name in context), None)
        if id_key is None:
            raise DataError(f"{where}: its context has no feature 'id' (or 'video_id'); not a YouTube-8M record")
        identifier = _first_bytes(data, context[id_key]).decode("utf-8", errors="backslashreplace")
        if b"labels" not in context:
            raise DataError(
                f"{where} (id {identifier!r}): its context has no feature 'labels'; "
                "use a partition with labels (train, validate)"
            )
        kind = next((_KINDS[kind] for kind, _ in _messages(data, context[b"labels"]) if kind in _KINDS), None)
        if kind not in (None, _KINDS[_INT64_LIST]):
            raise DataError(
                f"{where} (id {identifier!r}): its feature 'labels' holds {kind}, expected whole numbers (indices into "
                "the vocabulary); write an int64 list"
            )
        labels = tuple(_int64s(data, context[b"labels"]))
    except _MalformedError as error:
        raise DataError(f"{where}: not a SequenceExample: {error}") from None
    return SequenceExample(identifier, labels, data, tuple(lists), where)


def _regular(data: bytes, span: Span, width: int) -> np.ndarray | None:
    """View a FeatureList as one array if each frame is encoded in the canonical way, else None."""
    header = _frame_header(width)
    stride = len(header) + width
    start, stop = span
    if (stop - start) % stride:
        return None
    rows = np.frombuffer(data, np.uint8, count=stop - start, offset=start).reshape(-1, stride)
    if not (rows[:, : len(header)] == np.frombuffer(header, np.uint8)).all():
        return None
    return rows[:, len(header) :]


def _frame_header(width: int) -> bytes:
    """Bytes before a frame of `width` bytes: FeatureList.feature, Feature.bytes_list, BytesList.value."""
    value = b"\x0a" + encode_varint(width)
    bytes_list = b"\x0a" + encode_varint(len(value) + width) + value
    return b"\x0a" + encode_varint(len(bytes_list) + width) + bytes_list


def _varint(data: bytes, position: int, stop: int) -> tuple[int, int]:
    """Read an unsigned base-128 number; return it and the position after it."""
    result = shift = 0
    while position < stop:
        byte = data[position]
        position += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result & 0xFFFFFFFFFFFFFFFF, position
        shift += 7
        if shift > 63:
            raise _MalformedError(f"a number longer than 10 bytes at byte {position}")
    raise _MalformedError(f"it ends within a number at byte {position}")


def _fields(data: bytes, span: Span) -> Iterator[tuple[int, int, Span, int]]:
    """Walk a message: field number, wire type, span of its bytes, value if a varint."""
    position, stop = span
    while position < stop:
        tag, position = _varint(data, position, stop)
        field, wire = tag >> 3, tag & 7
        value, start = 0, position
        if wire == 0:
            value, end = _varint(data, position, stop)
        elif wire == 1:
            end = position + 8
        elif wire == 2:
            length, start = _varint(data, position, stop)
            end = start + length
        elif wire == 5:
            end = position + 4
        else:
            raise _MalformedError(f"unknown wire type {wire} at byte {position}")
        if field == 0 or end > stop:
            raise _MalformedError(f"field {field} runs past its end at byte {position}")
        yield field, wire, (start, end), value
        position = end


def _messages(data: bytes, span: Span) -> Iterator[tuple[int, Span]]:
    """Walk the length-delimited fields of a message, skipping others."""
    for field, wire, inner, _ in _fields(data, span):
        if wire == 2:
            yield field, inner


def _map_entry(data: bytes, span: Span) -> tuple[bytes, Span]:
    """Read an entry of a protobuf map with string keys."""
    key, value = b"", (span[1], span[1])
    for field, inner in _messages(data, span):
        if field == 1:
            key = data[slice(*inner)]
        elif field == 2:
            value = inner
    return key, value


def _map_value(data: bytes, span: Span, key: bytes) -> Span | None:
    found, value = _map_entry(data, span)
    return value if found == key else None


def _first_bytes(data: bytes, feature: Span) -> bytes:
    """First value of a Feature's bytes list."""
    for field, inner in _messages(data, feature):
        if field == _BYTES_LIST:
            for number, value in _messages(data, inner):
                if number == 1:
                    return data[slice(*value)]
    raise _MalformedError("the id holds no bytes")


def _int64s(data: bytes, feature: Span) -> Iterator[int]:
    """Values of a Feature's int64 list, packed or not."""
    for field, inner in _messages(data, feature):
        if field != _INT64_LIST:
            continue
        for number, wire, (position, stop), value in _fields(data, inner):
            if number != 1:
                continue
            if wire == 0:
                yield _signed(value)
            elif wire == 2:
                while position < stop:
                    value, position = _varint(data, position, stop)
                    yield _signed(value)


def _signed(value: int) -> int:
    return value - 2**64 if value >= 2**63 else value


def encode_varint(value: int) -> bytes:
    """Encode an unsigned number in base 128, least significant group first."""
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def _field(number: int, content: bytes) -> bytes:
    """Encode a length-delimited field."""
    return encode_varint(number << 3 | 2) + encode_varint(len(content)) + content


def encode(identifier: str, labels: Sequence[int], frames: Mapping[str, np.ndarray]) -> bytes:
    """Write a frame-level record.

    Parameters
    ----------
    identifier : str
    labels : sequence of int
        Indices into the vocabulary.
    frames : mapping of str to np.ndarray [shape=(n_frames, width), dtype=uint8]
        Feature lists by name.

    Returns
    -------
    bytes
        A serialised SequenceExample, fields in order of their numbers and names.
    """
    packed = b"".join(encode_varint(label & 0xFFFFFFFFFFFFFFFF) for label in labels)
    features = {
        "id": _field(_BYTES_LIST, _field(1, identifier.encode())),
        "labels": _field(_INT64_LIST, _field(1, packed)),
    }
    context = b"".join(_field(1, _field(1, name.encode()) + _field(2, feature)) for name, feature in features.items())
    lists = b"".join(
        _field(1, _field(1, name.encode()) + _field(2, _encode_frames(frames[name]))) for name in sorted(frames)
    )
    return _field(_CONTEXT, context) + _field(_FEATURE_LISTS, lists)


def _encode_frames(frames: np.ndarray) -> bytes:
    header = np.frombuffer(_frame_header(frames.shape[1]), np.uint8)
    rows = np.empty((len(frames), len(header) + frames.shape[1]), np.uint8)
    rows[:, : len(header)] = header
    rows[:, len(header) :] = frames
    return rows.tobytes()
