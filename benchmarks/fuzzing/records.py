"""TFRecords, SequenceExamples and frozen graphs."""

from __future__ import annotations

import gzip
import random
import struct
import zlib
from collections.abc import Callable

import numpy as np

from fuzzing import inputs
from fuzzing.fields import flip


def framed(records: list[bytes]) -> bytes:
    from unisono.io import tfrecord

    return inputs.written(lambda path: tfrecord.write(path, records))


def tfrecord_lengths(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    from unisono.io import tfrecord

    length = draw.choice((0, 1, 2**26, 2**26 - 1, 2**31, 2**63, 2**64 - 1))
    head = struct.pack("<Q", length)
    made = head + struct.pack("<I", tfrecord.masked_crc32c(head)) + data[12:]
    return made, f"a record that claims {length} bytes"


def tfrecord_made(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    made: dict[str, Callable[[], bytes]] = {
        "a bomb": lambda: gzip.compress(framed([bytes(2**26 - 1)] * 8), 9),
        "a zlib bomb": lambda: zlib.compress(framed([bytes(2**26)] * 2), 9),
        "empty records": lambda: framed([b""] * 20_000),
        "empty members": lambda: gzip.compress(b"") * 50_000,
        "zlib": lambda: zlib.compress(framed([b"x"])),
        "changed records": lambda: framed([flip(draw, each)[0] for each in inputs.examples()]),
        "noise after gzip": lambda: gzip.compress(framed([b"x"])) + draw.randbytes(100),
    }
    name = draw.choice(sorted(made))
    return made[name](), name


def example_made(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    from unisono.io.sequence_example import _field, encode, encode_varint

    rgb = np.zeros((2, 16), np.uint8)
    frame = _field(1, b"x")
    made: dict[str, Callable[[], bytes]] = {
        "labels": lambda: encode("a", [2**63 - 1, -1, -(2**63)] * 10_000, {"rgb": rgb, "audio": rgb[:, :8]}),
        "no frames": lambda: encode("a", [14], {"rgb": rgb[:0], "audio": rgb[:0, :8]}),
        "a million fields": lambda: data + b"\x18\0" * 1_000_000,
        "lists of one name": lambda: data + _field(2, _field(1, _field(1, b"rgb") + _field(2, b"")) * 50_000),
        "a deep message": lambda: _nest(data, 2000),
        "groups": lambda: data + b"\x0b" * 1000,
        "long numbers": lambda: data + b"\x08" + b"\xff" * draw.choice((9, 10, 100_000)) + b"\x01",
        "frames of other kinds": lambda: data + _field(2, _field(1, _field(1, b"rgb") + _field(2, frame * 100_000))),
        "an id of a million letters": lambda: encode("é" * 1_000_000, [14], {"rgb": rgb, "audio": rgb[:, :8]}),
        "a length of 2^63": lambda: data + b"\x12" + encode_varint(2**63),
    }
    name = draw.choice(sorted(made))
    return made[name](), name


def _nest(data: bytes, n: int) -> bytes:
    from unisono.io.sequence_example import _field

    for _ in range(n):
        data = _field(2, data)
    return data
