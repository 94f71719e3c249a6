"""Small good files of every format that unisono reads from outside: where `fuzz.py` begins."""

from __future__ import annotations

import csv
import io
import json
import pickle
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np


def written(write: Callable[[Path], Any], name: str = "file") -> bytes:
    """Return what a function writes to a path."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        write(path)
        return next(each for each in Path(folder).rglob("*") if each.is_file()).read_bytes()


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


# ---- Tables and arrays ----


def table(columns: Mapping[str, Any], types: Mapping[str, Any], **facts: Any) -> bytes:
    from unisono.io import parquet

    return written(lambda path: parquet.write(path, columns, types=types, metadata=facts))


def features() -> list[bytes]:
    import pyarrow as pa

    from unisono.io import parquet

    ids = [f"i{row}" for row in range(12)]
    label, fold = ["a", "b"] * 6, [row % 3 for row in range(12)]
    vectors = {"x": numbers(12, 4), "y": numbers(12, 3, seed=1)}
    kinds = {"x": parquet.vector(4), "y": parquet.vector(3)}
    sequences = {"x": [numbers(2 + row % 3, 4) for row in range(12)], "y": [numbers(3) for _ in range(12)]}
    lists = {"x": pa.list_(parquet.vector(4)), "y": pa.list_(pa.float32())}
    text = {"id": pa.string(), "label": pa.string()}
    return [
        table({"id": ids, "label": label, "fold": fold, **vectors}, {**text, "fold": pa.int32(), **kinds}),
        table({"id": ids, "label": label, **sequences}, {**text, **lists}),
    ]


def samples() -> list[bytes]:
    from unisono.datasets.mtm.samples import TYPES

    notes = np.column_stack([np.arange(60, 80), np.ones(20), np.zeros(20)]).astype(np.float32)
    words = [f"la{i}" for i in range(20)]
    row = {"window": 0, "notes": notes, "syllables": words, "words": words, "word_index": list(range(20))}
    rows = [{name: row.get(name, f"{name}{i}") for name in TYPES} for i in range(3)]
    return [table({name: [each[name] for each in rows] for name in TYPES}, TYPES)]


def clips() -> list[bytes]:
    import pyarrow as pa

    from unisono.io import parquet

    videos = [(b"video", f"{i}.mp4") for i in range(4)]
    columns = {"id": list("abcd"), "label": ["x", "y"] * 2, "video": videos, "fold": [0, 1, 0, -1]}
    return [table(columns, {"id": pa.string(), "label": pa.string(), "video": parquet.MEDIA, "fold": pa.int32()})]


def videos() -> list[bytes]:
    import pyarrow as pa

    from unisono.io import parquet

    kinds = {"id": pa.string(), "label": pa.string()}
    kinds |= {"audio": parquet.matrix(None, 8), "rgb": pa.list_(pa.list_(pa.uint8(), 6))}
    rgb = [np.full((n, 6), 7, np.uint8) for n in (2, 3)]
    return [table({"id": ["a", "b"], "label": ["x", "y"], "audio": [numbers(2, 8), numbers(3, 8)], "rgb": rgb}, kinds)]


def skipgram_table() -> list[bytes]:
    from unisono.features import skipgram

    encoder = skipgram.Encoder({"la": 0, "le": 1, skipgram.UNKNOWN: 2}, numbers(3, 4))
    return [written(lambda path: skipgram.save(path, encoder, {}))]


def hdf5(arrays: Mapping[str, Any], **options: Any) -> bytes:
    import h5py

    with io.BytesIO() as stream:
        with h5py.File(stream, "w") as file:
            for name, array in arrays.items():
                file.create_dataset(name, data=array, **options)
        return stream.getvalue()


def published_hdf5() -> list[bytes]:
    labels = np.arange(6) % 2
    views = {"audio": numbers(6, 3, 4), "visual": numbers(6, 3, 5)}
    halves = {f"{view}_{part}": array for view, array in views.items() for part in ("train", "test")}
    names = np.array([b"cat", b"dog"] * 3, dtype=object)
    return [
        hdf5({**halves, "lab_train": labels, "lab_test": labels}),
        hdf5({"audio_feat": numbers(6, 4), "visual_feat": numbers(6, 5), "Label_ID": names, "Split": labels}),
        hdf5({"featN1": numbers(6, 4), "featN2": numbers(6, 5), "testLs": labels}, chunks=True, compression="gzip"),
    ]


def npy(array: Any) -> bytes:
    with io.BytesIO() as file:
        np.save(file, array)
        return file.getvalue()


def layout_d() -> dict[str, bytes]:
    found = {}
    for name in ("a", "b", "c"):
        found[f"vgg/{name}.npy"], found[f"inception/{name}.npy"] = npy(numbers(3, 4)), npy(numbers(3, 5))
        found[f"x_classes/{name}.npy"] = npy(np.array([1]))
    return {**found, "folds/1.txt": b"a\nb\n", "folds/2.txt": b"c\n"}


def zipped(files: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    with io.BytesIO() as file:
        with zipfile.ZipFile(file, "w", method) as archive:
            for name, data in files.items():
                archive.writestr(zipfile.ZipInfo(name), data, method)
        return file.getvalue()


def tarred(files: Mapping[str, bytes], mode: str = "w") -> bytes:
    with io.BytesIO() as file:
        with tarfile.open(fileobj=file, mode=mode) as archive:  # type: ignore[call-overload]
            for name, data in files.items():
                info = tarfile.TarInfo(name)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
        return file.getvalue()


def plain_npy() -> list[bytes]:
    objects = np.empty(2, dtype=object)
    objects[:] = [["la", 1.5], numbers(3)]
    return [npy(numbers(3, 4)), npy(np.array(["a", "bc"])), npy(objects)]


def pickles() -> list[bytes]:
    content = {"a": [1, 2.5, "text", b"bytes"], "b": numbers(2, 3), "c": (None, True, {3, 4}), "d": np.float32(2)}
    return [pickle.dumps(content, protocol=protocol) for protocol in (0, 2, 4, 5)]


def song() -> list[bytes]:
    def nested(value: Callable[[int], Any]) -> list[Any]:
        return [[[value(i)] for i in range(start, start + 8)] for start in (0, 8, 16)]

    content = np.empty((1, 4), dtype=object)
    content[0, 0] = nested(lambda i: [0.1 * i, 0.5, 440.0, 90])
    content[0, 1] = nested(lambda i: [60 + i, 1.0, 0.0])
    content[0, 2] = nested(lambda i: f"word{i}")
    content[0, 3] = nested(lambda i: f"syl{i}")
    # Words are a note deeper than they look: one text a syllable.
    return [npy(content)]


# ---- Records ----


def examples() -> list[bytes]:
    from unisono.io import sequence_example

    rgb, audio = (np.full((3, width), 9, np.uint8) for width in (16, 8))
    return [sequence_example.encode(f"id{n}", [14, n], {"rgb": rgb, "audio": audio}) for n in (1, 300)]


def tfrecords() -> list[bytes]:
    import gzip

    from unisono.io import tfrecord

    plain = written(lambda path: tfrecord.write(path, [*examples(), b"x" * 40]))
    return [plain, gzip.compress(plain)]


# ---- Sounds, pictures, videos ----


def encoded(samples: np.ndarray, rate: int, kind: str, **options: Any) -> bytes:
    """Encode a sound, in pieces: libsndfile's encoder of Vorbis keeps each on the stack."""
    import soundfile

    with io.BytesIO() as file:
        channels = 1 if samples.ndim == 1 else samples.shape[1]
        with soundfile.SoundFile(file, "w", rate, channels, format=kind, **options) as writer:
            for start in range(0, len(samples), 4096):
                writer.write(samples[start : start + 4096])
        return file.getvalue()


def sound(kind: str) -> Callable[[], list[bytes]]:
    def make() -> list[bytes]:
        tone = 0.3 * np.sin(np.arange(8000) / 5)
        return [encoded(samples, 16_000, kind) for samples in (tone, np.stack([tone, tone / 2], axis=1))]

    return make


def staff() -> Any:
    from PIL import Image

    pixels = np.full((80, 300), 255, np.uint8)
    pixels[20:61:10, 5:-5] = 0
    pixels[18:50, 60:64] = 0
    return Image.fromarray(pixels)


def pictures() -> list[bytes]:
    found = []
    for kind, options in (
        ("PNG", {}),
        ("JPEG", {"quality": 95, "progressive": True}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("BMP", {}),
        ("WEBP", {"lossless": True}),
    ):
        with io.BytesIO() as file:
            staff().save(file, kind, **options)
            found.append(file.getvalue())
    return found


def film(n: int = 8) -> bytes:
    from unisono.media import mp4

    shown = [np.full((48, 64, 3), 20 * i, np.uint8) for i in range(n)]
    tone = (0.3 * np.sin(np.arange(n * 4000) / 5)).astype(np.float32)
    return mp4.encode(shown, 4, tone, 16_000)


def films() -> list[bytes]:
    import av

    with io.BytesIO(film()) as source, io.BytesIO() as file:
        with av.open(source) as old, av.open(file, "w", format="matroska") as new:
            streams = {each.index: new.add_stream_from_template(each) for each in old.streams}
            for packet in old.demux():
                if packet.dts is not None:
                    packet.stream = streams[packet.stream.index]
                    new.mux(packet)
        return [film(), file.getvalue()]


def clip_archives() -> list[bytes]:
    files = {"cat/videos/cat_1.mp4": film(4), "dog/videos/2.mp4": b"no video"}
    return [zipped(files, zipfile.ZIP_STORED)]


def pdf() -> list[bytes]:
    line = b"0 0 0 RG 2 w 20 40 m 180 40 l S 20 50 m 180 50 l S"
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 100] /Contents 4 0 R >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(line), line),
    ]
    data, places = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, start=1):
        places.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table_ = b"".join(b"%010d 00000 n \n" % place for place in places)
    end = b"xref\n0 5\n0000000000 65535 f \n%strailer\n<< /Size 5 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n"
    return [data + end % (table_, len(data))]


# ---- Music and words ----


def midi() -> list[bytes]:
    import pretty_midi

    score = pretty_midi.PrettyMIDI()
    instrument = pretty_midi.Instrument(0)
    instrument.notes = [pretty_midi.Note(90, 60 + i % 12, i / 2, i / 2 + 0.4) for i in range(24)]
    score.instruments.append(instrument)
    score.key_signature_changes.append(pretty_midi.KeySignature(0, 0))
    return [written(lambda path: score.write(str(path)))]


def score() -> bytes:
    note = (
        "<note><pitch><step>{}</step><octave>4</octave></pitch><duration>2</duration><voice>1</voice>"
        "<lyric number='1'><syllabic>single</syllabic><text>la{}</text></lyric></note>"
    )
    bars = [
        f"<measure number='{bar}'>{'<attributes><divisions>2</divisions></attributes>' if bar == 1 else ''}"
        + "".join(note.format("CDEF"[i], 4 * bar + i) for i in range(4))
        + "</measure>"
        for bar in range(1, 8)
    ]
    names = "<part-list><score-part id='P1'><part-name>Voice</part-name></score-part></part-list>"
    title = "<work><work-title>Song</work-title></work>"
    head = "<?xml version='1.0' encoding='UTF-8'?>"
    return f"{head}<score-partwise>{title}{names}<part id='P1'>{''.join(bars)}</part></score-partwise>".encode()


def scores() -> list[bytes]:
    return [score()]


def compressed_scores() -> list[bytes]:
    container = b"<container><rootfiles><rootfile full-path='song.xml'/></rootfiles></container>"
    return [zipped({"META-INF/container.xml": container, "song.xml": score()})]


def lyrics() -> list[bytes]:
    return ["Mei-ne See-le er-he-bt den Herrn — und mein Geist\nfreut sich\n".encode()]


# ---- Text ----


def rows(*lines: tuple[Any, ...]) -> bytes:
    with io.StringIO() as file:
        csv.writer(file).writerows(lines)
        return file.getvalue().encode()


def youtube_list() -> list[bytes]:
    header = ("youtube_id", "start", "end", "class")
    return [rows(header, ("abcdefghijk", 1, 3.5, "cat"), ("abcdefghij-", 0, 10, "dog"))]


def vocabulary() -> list[bytes]:
    header = ("Index", "Name", "Vertical1", "Vertical2", "Vertical3")
    return [rows(header, (14, "Music video", "Arts & Entertainment", "", ""), (3, "Game", "Games", "Arts", ""))]


def pairs() -> list[bytes]:
    return [rows(("id", "tag"), ("a", "happy"), ("b", "sad"))]


def plan() -> list[bytes]:
    return [json.dumps({"files": {f"train{i:04d}.tfrecord": "0123456789abcdef" * 2 for i in range(3)}}).encode()]


def params() -> list[bytes]:
    return [(Path(__file__).parents[2] / "params.yaml").read_bytes()]


def recipe() -> list[bytes]:
    return [b"models:\n  cca:\n    n_components: 3\n"]


def arguments() -> list[bytes]:
    return [b"n_components=3", b"hidden=[64, 32]", b"kernel={name: rbf, gamma: 1e-3}"]
