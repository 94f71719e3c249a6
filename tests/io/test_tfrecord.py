"""TFRecord framing and SequenceExample decoding, against TensorFlow and against damage."""

from __future__ import annotations

import gzip
import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unisono.errors import DataError
from unisono.io import sequence_example, tfrecord


@pytest.fixture(scope="module")
def frames() -> dict[str, np.ndarray]:
    """Five frames of 8-bit rgb and audio."""
    rng = np.random.default_rng(0)
    return {
        "rgb": rng.integers(0, 256, (5, 1024), dtype=np.uint8),
        "audio": rng.integers(0, 256, (5, 128), dtype=np.uint8),
    }


@pytest.fixture
def shard(tmp_path: Path, frames: dict[str, np.ndarray]) -> Path:
    """Three records in a file."""
    path = tmp_path / "a.tfrecord"
    assert tfrecord.write(path, [sequence_example.encode(f"v{i}", [14, 300 * i], frames) for i in range(3)]) == 3
    return path


def parse(data: bytes) -> sequence_example.SequenceExample:
    return sequence_example.parse(data, where="a.tfrecord: record 0")


def test_tensorflow_reads_what_we_write(shard: Path, frames: dict[str, np.ndarray]) -> None:
    tf = pytest.importorskip("tensorflow")
    records = [record.numpy() for record in tf.data.TFRecordDataset(str(shard))]
    assert records == list(tfrecord.read(shard))
    _, lists = tf.io.parse_single_sequence_example(
        records[1],
        context_features={
            "id": tf.io.FixedLenFeature([], tf.string),
            "labels": tf.io.VarLenFeature(tf.int64),
        },
        sequence_features={name: tf.io.FixedLenSequenceFeature([], tf.string) for name in frames},
    )
    for name, expected in frames.items():
        np.testing.assert_array_equal(tf.io.decode_raw(lists[name], tf.uint8).numpy(), expected)
    message = tf.train.SequenceExample.FromString(records[1])
    assert message.context.feature["id"].bytes_list.value == [b"v1"]
    assert list(message.context.feature["labels"].int64_list.value) == [14, 300]
    assert message.SerializeToString(deterministic=True) == records[1]


def test_we_read_what_tensorflow_writes(tmp_path: Path, frames: dict[str, np.ndarray]) -> None:
    tf = pytest.importorskip("tensorflow")
    message = tf.train.SequenceExample()
    message.context.feature["video_id"].bytes_list.value.append(b"older name")
    message.context.feature["labels"].int64_list.value.extend([14, 3861, -1])
    message.context.feature["segment_scores"].float_list.value.append(0.5)
    for name, rows in frames.items():
        for row in rows:
            message.feature_lists.feature_list[name].feature.add().bytes_list.value.append(row.tobytes())
    path = tmp_path / "tf.tfrecord"
    with tf.io.TFRecordWriter(str(path)) as writer:
        writer.write(message.SerializeToString())
    record = parse(next(tfrecord.read(path)))
    assert (record.id, record.labels) == ("older name", (14, 3861, -1))
    for name, rows in frames.items():
        np.testing.assert_array_equal(record.frames(name, rows.shape[1]), rows)
        assert record.n_frames(name, rows.shape[1]) == 5


def test_unpacked_labels_and_irregular_frames_are_legal(frames: dict[str, np.ndarray]) -> None:
    """Unpacked integers, an unknown field inside a frame and one between frames decode to the same values."""
    field = sequence_example._field
    unpacked = b"".join(b"\x08" + sequence_example.encode_varint(label) for label in (14, 300))
    context = field(1, field(1, b"id") + field(2, field(1, field(1, b"x"))))
    context += field(1, field(1, b"labels") + field(2, field(3, unpacked)))
    rows = [field(1, b"\x48\x05" + field(1, field(1, row.tobytes()))) for row in frames["audio"]]
    rows.insert(2, b"\x50\x07")
    lists = field(1, field(2, b"".join(rows)) + field(1, b"audio"))  # value before key
    record = parse(field(2, lists) + field(1, context))  # lists before context
    assert record.labels == (14, 300)
    np.testing.assert_array_equal(record.frames("audio", 128), frames["audio"])


def test_checksum_has_the_published_value() -> None:
    """CRC-32C of "123456789" is 0xE3069283 (RFC 3720); masked as TFRecord does."""
    crc = 0xE3069283
    assert tfrecord.masked_crc32c(b"123456789") == (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def test_reads_a_stream_that_returns_little_at_a_time(shard: Path) -> None:
    class Slow(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            return super().read(min(size or 0, 100))

    assert list(tfrecord.records(Slow(shard.read_bytes()), name="slow")) == list(tfrecord.read(shard))


@pytest.mark.parametrize(
    "compress", [gzip.compress, zlib.compress, lambda data: gzip.compress(data[:5000]) + gzip.compress(data[5000:])]
)
def test_compressed_files_are_read_as_they_are(shard: Path, compress: Callable[[bytes], bytes]) -> None:
    expected = list(tfrecord.read(shard))
    packed = compress(shard.read_bytes())
    shard.write_bytes(packed)
    assert list(tfrecord.read(shard)) == expected
    shard.write_bytes(packed[:-9])
    with pytest.raises(DataError, match="truncated"):
        list(tfrecord.read(shard))
    shard.write_bytes(packed[:40] + bytes(40) + packed[80:])
    with pytest.raises(DataError, match="damaged"):
        list(tfrecord.read(shard))


def test_tensorflow_s_own_compression(tmp_path: Path) -> None:
    tf = pytest.importorskip("tensorflow")
    for kind in ("GZIP", "ZLIB"):
        path = tmp_path / f"{kind}.tfrecord"
        with tf.io.TFRecordWriter(str(path), tf.io.TFRecordOptions(compression_type=kind)) as writer:
            writer.write(b"first")
            writer.write(b"")
            writer.write(b"third" * 100_000)
        assert list(tfrecord.read(path)) == [b"first", b"", b"third" * 100_000]


@pytest.mark.parametrize(
    ("labels", "kind"), [({"float_list": [1.0, 2.0]}, "floats"), ({"bytes_list": [b"14"]}, "bytes")]
)
def test_labels_of_another_type_are_named(labels: dict[str, list[Any]], kind: str) -> None:
    tf = pytest.importorskip("tensorflow")
    message = tf.train.SequenceExample()
    message.context.feature["id"].bytes_list.value.append(b"v")
    for name, values in labels.items():
        getattr(message.context.feature["labels"], name).value.extend(values)
    with pytest.raises(DataError, match=f"'labels' holds {kind}, expected whole numbers"):
        parse(message.SerializeToString())


def test_frames_of_numbers_are_named() -> None:
    tf = pytest.importorskip("tensorflow")
    message = tf.train.SequenceExample()
    message.context.feature["id"].bytes_list.value.append(b"v")
    message.context.feature["labels"].int64_list.value.append(14)
    message.feature_lists.feature_list["rgb"].feature.add().float_list.value.extend([0.5] * 1024)
    with pytest.raises(DataError, match="frame 0 of 'rgb' holds floats, expected 1024 bytes"):
        parse(message.SerializeToString()).frames("rgb", 1024)


def test_truncation_anywhere_is_found(shard: Path) -> None:
    data = shard.read_bytes()
    length = len(data) // 3
    for size in (5, 11, 12, 500, length - 1, length + 1, 2 * length + 13, len(data) - 1):
        with pytest.raises(DataError, match=rf"a: record {min(size // length, 2)} at byte .*truncated"):
            list(tfrecord.records(io.BytesIO(data[:size]), name="a"))


@pytest.mark.parametrize(
    ("position", "message"),
    [
        (0, "not a TFRecord file"),
        (9, "not a TFRecord file"),
        (200, "record 0 at byte 0: wrong checksum of the data"),
        (-1, "record 2 at byte .*: wrong checksum of the data"),
    ],
)
def test_a_flipped_bit_is_found(shard: Path, position: int, message: str) -> None:
    data = bytearray(shard.read_bytes())
    data[position] ^= 1
    with pytest.raises(DataError, match=message):
        list(tfrecord.records(io.BytesIO(data), name="a"))


def test_a_flipped_length_in_a_later_record_is_found(shard: Path) -> None:
    data = bytearray(shard.read_bytes())
    data[len(data) // 3] ^= 1
    with pytest.raises(DataError, match=r"record 1 at byte .*: wrong checksum of the length"):
        list(tfrecord.records(io.BytesIO(data), name="a"))


def test_records_before_the_damage_are_given(shard: Path) -> None:
    reader = tfrecord.records(io.BytesIO(shard.read_bytes()[:-1]), name="a")
    assert [parse(next(reader)).id for _ in range(2)] == ["v0", "v1"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\x89PNG\r\n\x1a\n and more text than a header", "not a TFRecord"),
        (b"abc", "truncated"),
    ],
)
def test_other_files_are_named(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "other"
    path.write_bytes(content)
    with pytest.raises(DataError, match=f"other: .*{message}"):
        list(tfrecord.read(path))


def test_a_missing_file_and_a_folder_are_errors(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(DataError, match="cannot be read"):
            list(tfrecord.read(path))


def test_a_terabyte_with_a_right_checksum_is_not_believed() -> None:
    length = struct.pack("<Q", 2**40)
    data = length + struct.pack("<I", tfrecord.masked_crc32c(length)) + b"x" * 100
    with pytest.raises(DataError, match="claims 1099511627776 bytes"):
        list(tfrecord.records(io.BytesIO(data), name="a"))


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    def broken() -> object:
        yield b"one"
        raise RuntimeError

    with pytest.raises(RuntimeError):
        tfrecord.write(tmp_path / "a", broken())  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_missing_features_are_named(frames: dict[str, np.ndarray]) -> None:
    record = parse(sequence_example.encode("vid7", [14], {"rgb": frames["rgb"]}))
    with pytest.raises(DataError, match=r"id 'vid7'.*no feature list 'audio'"):
        record.frames("audio", 128)
    field = sequence_example._field
    only_id = field(1, field(1, field(1, b"id") + field(2, field(1, field(1, b"vid8")))))
    with pytest.raises(DataError, match=r"id 'vid8'.*no feature 'labels'"):
        parse(only_id)
    with pytest.raises(DataError, match="no feature 'id'"):
        parse(b"")


def test_a_frame_of_another_width_is_named(frames: dict[str, np.ndarray]) -> None:
    record = parse(sequence_example.encode("vid7", [14], {"rgb": frames["rgb"][:, :1000], "audio": frames["audio"]}))
    with pytest.raises(DataError, match=r"id 'vid7'.*frame 0 of 'rgb' is 1000 bytes wide, expected 1024"):
        record.frames("rgb", 1024)


def test_one_odd_frame_among_many_is_named(frames: dict[str, np.ndarray]) -> None:
    """A narrow frame and a wide one whose lengths cancel out, so that the total looks regular."""
    field = sequence_example._field
    rows = [row.tobytes() for row in frames["audio"]]
    rows[2], rows[3] = rows[2][:-1], rows[3] + b"x"
    encoded = b"".join(field(1, field(1, field(1, row))) for row in rows)
    context = field(1, field(1, b"id") + field(2, field(1, field(1, b"x"))))
    context += field(1, field(1, b"labels") + field(2, field(3, field(1, b"\x0e"))))
    record = parse(field(1, context) + field(2, field(1, field(1, b"audio") + field(2, encoded))))
    with pytest.raises(DataError, match="frame 2 of 'audio' is 127 bytes wide"):
        record.frames("audio", 128)


def test_random_bytes_never_escape_as_another_error(frames: dict[str, np.ndarray]) -> None:
    rng = np.random.default_rng(1)
    valid = sequence_example.encode("v", [14, 3000], {name: rows[:2] for name, rows in frames.items()})
    for _ in range(500):
        data = bytearray(valid)
        for position in rng.integers(0, len(data), 3):
            data[position] = rng.integers(256)
        if rng.random() < 0.3:
            data = data[: rng.integers(len(data))]
        try:
            record = parse(bytes(data))
            record.frames("rgb", 1024)
            record.frames("audio", 128)
        except DataError:
            continue
