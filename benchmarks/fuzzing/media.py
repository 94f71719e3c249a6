"""Pictures, sounds, melodies and videos."""

from __future__ import annotations

import io
import random
import struct
import tarfile
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

from fuzzing import inputs
from fuzzing.fields import Mutator, flip


def _png(width: int, height: int, depth: int, colour: int, rows: bytes, *more: tuple[bytes, bytes]) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n"
    for kind, content in ((b"IHDR", head), *more, (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b"")):
        data += struct.pack(">I", len(content)) + kind + content
        data += struct.pack(">I", zlib.crc32(kind + content))
    return data


def picture_made(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    from PIL import Image

    def saved(image: Any, kind: str, **options: Any) -> bytes:
        with io.BytesIO() as file:
            image.save(file, kind, **options)
            return file.getvalue()

    frames = [Image.new("L", (400, 300), i) for i in range(60)]
    made: dict[str, Callable[[], bytes]] = {
        "39 megapixels": lambda: _png(6500, 6000, 8, 0, bytes(6501 * 6000)),
        "39 megapixels of 16 bits and transparency": lambda: _png(6500, 6000, 16, 6, bytes((6500 * 8 + 1) * 6000)),
        "39 megapixels of a bit": lambda: _png(6500, 6000, 1, 0, bytes((6500 // 8 + 2) * 6000)),
        "a billion pixels": lambda: _png(2**15, 2**15, 1, 0, b""),
        "2^31 pixels": lambda: _png(2**31 - 1, 1, 8, 0, b"\0\0"),
        "no pixels": lambda: _png(0, 0, 8, 0, b""),
        "a line": lambda: _png(30_000_000, 1, 1, 0, bytes(30_000_000 // 8 + 2)),
        "a column": lambda: _png(1, 30_000_000, 8, 0, bytes(60_000_000)),
        "one pixel": lambda: _png(1, 1, 8, 0, b"\0\0"),
        "two rows": lambda: _png(400, 2, 8, 0, (b"\0" + b"\xff\0" * 200) * 2),
        "black": lambda: _png(200, 100, 8, 0, bytes(201 * 100)),
        "a palette of nothing": lambda: _png(10, 10, 8, 3, bytes(110), (b"PLTE", b"")),
        "texts that unpack": lambda: _png(
            10, 10, 8, 0, bytes(110), *[(b"zTXt", b"a\0\0" + zlib.compress(bytes(2**26), 9))] * 8
        ),
        "a profile that unpacks": lambda: _png(
            10, 10, 8, 0, bytes(110), (b"iCCP", b"a\0\0" + zlib.compress(bytes(2**28), 9))
        ),
        "a turn": lambda: _png(
            10, 10, 8, 0, bytes(110), (b"eXIf", b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\xff\xff\xff\x7f\x06\0\0\0")
        ),
        "many chunks": lambda: _png(10, 10, 8, 0, bytes(110), *[(b"tEXt", b"a\0b")] * 50_000),
        "a long row of data": lambda: _png(10, 10, 8, 0, bytes(2**28)),
        "frames": lambda: saved(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True),
        "animated PNG": lambda: saved(frames[0], "PNG", save_all=True, append_images=frames[1:]),
        "pages of TIFF": lambda: saved(
            frames[0], "TIFF", save_all=True, append_images=frames[1:], compression="tiff_deflate"
        ),
        "floats": lambda: saved(Image.new("F", (300, 80), float("nan")), "TIFF"),
        "32-bit numbers": lambda: saved(Image.new("I", (300, 80), 2**31 - 1), "TIFF"),
        "16-bit numbers": lambda: saved(Image.new("I;16", (300, 80), 65535), "PNG"),
        "CMYK": lambda: saved(Image.new("CMYK", (300, 80)), "TIFF"),
        "Lab": lambda: saved(Image.new("LAB", (300, 80)), "TIFF"),
        "a big TIFF": lambda: saved(Image.new("1", (6000, 6000)), "TIFF", compression="group4"),
        "a big TIFF of colours": lambda: saved(Image.new("RGBA", (6300, 6300)), "TIFF", compression="tiff_lzw"),
        "a big WebP": lambda: saved(Image.new("RGB", (6000, 6000)), "WEBP", quality=1, method=0),
        "a big JPEG": lambda: saved(Image.new("RGB", (6000, 6000)), "JPEG", quality=1, progressive=draw.random() < 0.5),
        "PostScript": lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n(x) (w) file closefile\n",
        "GIF": lambda: saved(Image.new("L", (20, 20)), "GIF"),
        "ICO": lambda: saved(Image.new("L", (20, 20)), "ICO"),
        "JPEG 2000": lambda: b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(200),
        "a staff on nothing": lambda: saved(_transparent(), "PNG"),
        "a bitmap by runs": lambda: _rle(),
    }
    name = draw.choice(sorted(made))
    return made[name](), name


def _transparent() -> Any:
    image = inputs.staff().convert("RGBA")
    image.putalpha(0)
    return image


def _rle() -> bytes:
    body = b"\xff\0" * 1000 + b"\0\x02\xff\xff" * 20_000 + b"\0\1"
    head = struct.pack("<IIIHHIIIIII", 40, 6000, 6000, 1, 8, 1, len(body), 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54 + 1024 + len(body), 0, 0, 54 + 1024) + head + bytes(1024) + body


def sound_made(kind: str) -> Mutator:
    def mutate(draw: random.Random, data: bytes) -> tuple[bytes, str]:
        import soundfile

        def written(samples: np.ndarray, rate: int = 16_000, **options: Any) -> bytes:
            return inputs.encoded(samples, rate, kind, **options)

        tone = 0.3 * np.sin(np.arange(4000) / 5)
        made: dict[str, Callable[[], bytes]] = {
            "silence": lambda: written(np.zeros(4000)),
            "one sample": lambda: written(tone[:1]),
            "no samples": lambda: written(tone[:0]),
            "8 channels": lambda: written(np.stack([tone] * (8 if kind in ("WAV", "FLAC") else 2), axis=1)),
            "20 minutes of silence": lambda: written(np.zeros(1200 * 8000, np.int16), 8000),
            "8 kHz": lambda: written(tone, 8000),
            "others": lambda: draw.choice(
                [inputs.sound(each)()[0] for each in ("WAV", "FLAC", "OGG", "MP3", "AIFF", "AU")]
            ),
            "twice": lambda: data * 2,
            "a tag before it": lambda: b"ID3\x04\0\0\x7f\x7f\x7f\x7f" + data,
            "a long tag before it": lambda: b"ID3\x04\0\0\0\x10\0\0" + bytes(2**18) + data,
            "a tag after it": lambda: data + b"TAG" + bytes(125),
            "full scale": lambda: written(np.where(tone > 0, 1.0, -1.0)),
        }
        if kind == "WAV":
            made |= {
                "floats that are none": lambda: written(np.full(4000, np.nan), subtype="FLOAT"),
                "huge floats": lambda: written(np.full(4000, 1e300), subtype="DOUBLE"),
                "infinite": lambda: written(np.append(tone, np.inf), subtype="FLOAT"),
                "1 Hz": lambda: written(tone, 1),
                "2^31 Hz": lambda: written(tone, 2**31 - 1),
                "an odd rate": lambda: written(tone, draw.choice((7, 15_999, 44_101, 655_350, 100_003))),
                "ADPCM": lambda: written(tone, subtype=draw.choice(("IMA_ADPCM", "MS_ADPCM", "GSM610", "ULAW"))),
                "1,000 channels": lambda: written(np.zeros((40, 1000)) + 0.3),
                "64 bits": lambda: b"RF64" + data[4:],
            }
        if kind == "FLAC":
            made |= {
                "2^36 samples": lambda: data[:21] + bytes([data[21] | 15]) + b"\xff" * 4 + data[26:],
                "no number of samples": lambda: data[:21] + bytes([data[21] & 0xF0]) + bytes(4) + data[26:],
                "a picture of 16 MB": lambda: data[:42] + b"\x06\xff\xff\xff" + data[42:],
            }
        name = draw.choice(sorted(made))
        try:
            return made[name](), name
        except (soundfile.SoundFileError, ValueError, TypeError):
            return flip(draw, data)

    return mutate


def midi_made(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    def file(track: bytes, division: int = 220, n: int = 1, kind: int = 1) -> bytes:
        return (
            b"MThd"
            + struct.pack(">IHHH", 6, kind, n, division)
            + (b"MTrk" + struct.pack(">I", len(track)) + track) * min(n, 2000)
        )

    note = b"\x00\x90\x3c\x40\x30\x80\x3c\x40"
    end = b"\0\xff\x2f\0"
    last = b"\xff\xff\xff\x7f"
    made: dict[str, bytes] = {
        "late notes": file((last + b"\x90\x3c\x40" + last + b"\x80\x3c\x40") * 30 + end),
        "later notes": file((last + b"\x90\x3c\x40" + b"\x10\x80\x3c\x40") * 3000 + end),
        "100,000 notes": file(note * 100_000 + end),
        "notes without end": file(b"\0\x90\x3c\x40" * 100_000 + end),
        "division 0": file(note * 24 + end, 0),
        "SMPTE": file(note * 24 + end, 0xE728),
        "65,535 tracks": file(end, n=65_535),
        "2,000 tracks": file(note * 24 + end, n=2000),
        "kind 2": file(note * 24 + end, kind=2),
        "tempo 0": file(b"\0\xff\x51\x03\0\0\0" + note * 24 + end),
        "tempo of 2 bytes": file(b"\0\xff\x51\x02\0\0" + note * 24 + end),
        "200,000 tempi": file(b"\x01\xff\x51\x03\x01\0\0" * 200_000 + note * 24 + end),
        "tempi far apart": file((last + b"\xff\x51\x03\x01\0\0") * 2000 + note * 24 + end),
        "slow": file(b"\0\xff\x51\x03\xff\xff\xff" + (last + b"\x90\x3c\x40" + last + b"\x80\x3c\x40") * 24 + end, 1),
        "a signature of 2^255": file(b"\0\xff\x58\x04\x04\xff\x18\x08" + note * 24 + end),
        "a signature of 0": file(b"\0\xff\x58\x04\0\x02\x18\x08" + note * 24 + end),
        "a long text": file(b"\0\xff\x01\x83\xff\xff\x7f" + b"x" * (2**16 + 2**14) + note * 24 + end),
        "a meta event of 2^28": file(b"\0\xff\x01\xff\xff\xff\x7f" + note * 24 + end),
        "a long delta": file(b"\xff" * 1000 + b"\0" + note * 24 + end),
        "a SysEx without end": file(b"\0\xf0" + b"\x7f" * 10 + note * 24 + end),
        "running status": file(b"\0\x90\x3c\x40" + b"\x10\x3c\x00\x10\x3c\x40" * 24 + end),
        "data without status": file(b"\0\x3c\x40" * 24 + end),
        "drums": file(note.replace(b"\x90", b"\x99").replace(b"\x80", b"\x89") * 24 + end),
        "bends": file(b"\0\xe0\x7f\x7f" * 50_000 + note * 24 + end),
        "programmes": file((b"\0\xc0\x05" + note) * 24 + end),
        "notes of no length": file(b"\0\x90\x3c\x40\0\x80\x3c\x40" * 24 + end),
        "RMID": b"RIFF\0\0\0\0RMIDdata\0\0\0\0" + data,
        "RMID without MIDI": b"RIFF\0\0\0\0RMID" + bytes(100),
        "a key of 2^7": file(b"\0\xff\x59\x02\x80\xff" + note * 24 + end),
        "a key of one byte": file(b"\0\xff\x59\x01\x80" + note * 24 + end),
        "no track": b"MThd" + struct.pack(">IHHH", 6, 1, 0, 220),
        "lyrics of no coding": file(b"\0\xff\x05\x02\xff\xfe" + note * 24 + end),
    }
    name = draw.choice(sorted(made))
    return made[name], name


def film_made(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    import av

    def encoded(width: int, height: int, n: int, rate: int, *, kind: str = "mp4", sound: int = 0) -> bytes:
        with io.BytesIO() as file:
            with av.open(file, "w", format=kind) as out:
                video = out.add_stream("mpeg4", rate=rate)
                video.width, video.height, video.pix_fmt, video.gop_size = width, height, "yuv420p", 300
                # All streams before the first packet, which writes the header.
                audio = (
                    out.add_stream("pcm_s16le" if kind != "mp4" else "aac", rate=sound, layout="mono")
                    if sound
                    else None
                )
                video.codec_context.qmin = video.codec_context.qmax = 31
                picture = av.VideoFrame.from_ndarray(np.zeros((height, width, 3), np.uint8), format="rgb24").reformat(
                    format="yuv420p"
                )
                for i in range(n):
                    picture.pts = i
                    out.mux(video.encode(picture))
                out.mux(video.encode(None))
                if audio:
                    frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.int16), format="s16", layout="mono")
                    frame.sample_rate = sound
                    out.mux(audio.encode(frame))
                    out.mux(audio.encode(None))
            return file.getvalue()

    made: dict[str, Callable[[], bytes]] = {
        "large pictures": lambda: encoded(3840, 2160, 3, 1),
        "pictures of seconds": lambda: encoded(320, 240, 60, 1),
        "a line": lambda: encoded(4096, 16, 3, 1),
        "5,000 pictures": lambda: encoded(32, 32, 5000, 30),
        "AVI": lambda: encoded(64, 48, 8, 4, kind="avi", sound=8000),
        "Matroska": lambda: encoded(64, 48, 8, 4, kind="matroska", sound=8000),
        "no sound": lambda: encoded(64, 48, 8, 4),
        "a playlist": lambda: b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n",
        "a concatenation": lambda: b"ffconcat version 1.0\nfile /etc/passwd\n",
        "an SDP": lambda: b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n",
        "a reference": lambda: data.replace(b"url \0\0\0\1", b"url \0\0\0\0"),
        "boxes in boxes": lambda: _boxes(5000) + data,
        "many boxes": lambda: struct.pack(">I4s", 8, b"free") * 100_000 + data,
        "the index twice": lambda: data + data[data.find(b"moov") - 4 :],
        "only a sound": lambda: inputs.sound(draw.choice(("WAV", "OGG", "FLAC")))()[0],
        "Matroska of sizes unknown": lambda: (
            b"\x1a\x45\xdf\xa3\x80\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xff" * 2000
        ),
    }
    name = draw.choice(sorted(made))
    return made[name](), name


def _boxes(n: int) -> bytes:
    return b"".join(struct.pack(">I4s", 8 * (n - i), b"moov") for i in range(n))


def graph_made(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    from unisono.features.tf_runtime import tensorflow

    tf = tensorflow()
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        inner = archive.extractfile(next(iter(archive))).read()  # type: ignore[union-attr]
    graph = tf.compat.v1.GraphDef()
    graph.ParseFromString(inner)
    node = draw.choice(list(graph.node))
    what = draw.choice(("op", "input", "cycle", "name", "gone", "attr", "file", "shape", "many", "print"))
    if what == "op":
        node.op = draw.choice(("Nope", "ReadFile", "PyFunc", "Placeholder", "WriteFile", "Identity", ""))
    elif what == "input":
        node.input.append(draw.choice(("nowhere", "^nowhere", ":0", "a:99999999999", "pool_3/_reshape", "")))
    elif what == "cycle" and node.input:
        node.input[0] = node.name
    elif what == "name":
        node.name = draw.choice(("", "../x", "é", "pool_3/_reshape", "a" * 10_000))
    elif what == "gone":
        graph.node.remove(node)
    elif what == "attr" and node.attr:
        node.attr[draw.choice(sorted(node.attr))].i = -1
    elif what == "shape":
        for each in graph.node:
            if "value" in each.attr and each.attr["value"].tensor.tensor_shape.dim:
                each.attr["value"].tensor.tensor_shape.dim[0].size = draw.choice((-1, 0, 2**40, 2**62))
    elif what == "many":
        for i in range(3000):
            extra = graph.node.add()
            extra.name, extra.op = f"n{i}", "NoOp"
            graph.node[0].input.append(f"^n{i}")
    elif what in ("file", "print"):
        extra = graph.node.add()
        extra.name, extra.op = "x", "WriteFile" if what == "file" else "Print"
        extra.input.extend(["Input", "Input"])
        node.input.append("^x")
    return inputs.tarred({"graph.pb": graph.SerializeToString()}, "w:gz"), f"{what} of {node.name[:40]}"
