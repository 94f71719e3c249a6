"""Sounds and pictures small enough to lie inside a page.

**Conventions.** Everything becomes a data URI: sound as MP3, which every browser plays, pictures as WebP. The same
input gives the same bytes on the same machine.
"""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np

from unisono.errors import ProgramError
from unisono.features import logmel
from unisono.media import pictures

#: What to do about a damaged picture.
ADVICE = "run the stage that writes it again"
#: Of sound, in bits per second: enough for a voice or a piano at 16 kHz.
SOUND_BITS = 24_000
#: Height of one frame of a strip, and frames in it, at most.
FRAME_PIXELS, FRAMES = 96, 5
#: Height of a line of music, at most.
SHEET_PIXELS = 120
#: Width and height of a picture of features over time.
FEATURE_PIXELS = (144, 64)
#: Drawings up to this size stay lossless; larger ones (photographs) do not.
LOSSLESS_BYTES = 150_000
#: Width and height of a figure, at most.
FIGURE_PIXELS = (1600, 8000)


def data_uri(kind: str, content: bytes) -> str:
    """Write bytes as a data URI (``kind`` is ``"image/webp"``)."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def sound(samples: np.ndarray, rate: int) -> str:
    """Encode mono sound as MP3.

    Parameters
    ----------
    samples : np.ndarray [shape=(n,), dtype=float32]
        In -1 ... 1.
    rate : int
        Of `samples`, in Hz; the result has 16,000.

    Returns
    -------
    str
        A data URI.

    Raises
    ------
    ProgramError
        PyAV was built without an MP3 encoder.
    """
    import av

    if "libmp3lame" not in av.codecs_available:
        raise ProgramError("PyAV has no MP3 encoder (libmp3lame); install its wheel with `pip install av`")
    samples = np.clip(logmel.resample(samples, rate), -1, 1).astype(np.float32)
    file = io.BytesIO()
    with av.open(
        file, "w", format="mp3", options={"fflags": "+bitexact", "write_xing": "0", "id3v2_version": "0"}
    ) as out:
        stream = out.add_stream("libmp3lame", rate=logmel.SAMPLE_RATE, layout="mono")
        stream.codec_context.flags |= av.codec.context.Flags.bitexact
        stream.bit_rate = SOUND_BITS
        stream.codec_context.open()
        block = stream.codec_context.frame_size
        for start in range(0, len(samples), block):
            piece = samples[start : start + block]
            frame = av.AudioFrame.from_ndarray(
                np.pad(piece, (0, block - len(piece)))[None], format="fltp", layout="mono"
            )
            frame.sample_rate = logmel.SAMPLE_RATE
            frame.pts = start
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return data_uri("audio/mpeg", file.getvalue())


def picture(pixels: np.ndarray, *, lossless: bool = False) -> str:
    """Encode a picture as WebP.

    Parameters
    ----------
    pixels : np.ndarray [shape=(height, width) or (height, width, 3), dtype=uint8]
    lossless : bool
        For drawings.

    Returns
    -------
    str
        A data URI.
    """
    from PIL import Image

    return data_uri("image/webp", _webp(Image.fromarray(pixels), lossless=lossless))


def strip(frames: np.ndarray) -> str:
    """Put frames of a video side by side, at most `FRAMES` of them, evenly apart.

    Parameters
    ----------
    frames : np.ndarray [shape=(n, height, width, 3), dtype=uint8]

    Returns
    -------
    str
        A data URI.
    """
    from PIL import Image

    chosen = frames[np.linspace(0, len(frames) - 1, min(FRAMES, len(frames))).round().astype(int)]
    height, width = chosen.shape[1:3]
    size = (max(round(width * FRAME_PIXELS / height), 1), FRAME_PIXELS)
    return picture(np.concatenate([np.asarray(Image.fromarray(frame).resize(size)) for frame in chosen], axis=1))


def sheet(content: bytes) -> str:
    """Make a printed line of music small.

    Parameters
    ----------
    content : bytes
        A picture file.

    Returns
    -------
    str
        A data URI.

    Raises
    ------
    DataError
        It is no picture.
    """
    with pictures.opened(content, "a line of music", advice=ADVICE) as image:
        grey = image.convert("L")
        grey.thumbnail((grey.width, SHEET_PIXELS))
        # 16 greys are enough for ink on paper, and a third of the bytes.
        return picture(np.asarray(grey) // 17 * 17, lossless=True)


def features(values: np.ndarray) -> str:
    """Draw features over time as a small heat map, low dimensions at the top.

    Parameters
    ----------
    values : np.ndarray [shape=(n_frames, n_dimensions), dtype=uint8]
        8-bit features of YouTube-8M.

    Returns
    -------
    str
        A data URI.
    """
    from matplotlib import colormaps
    from PIL import Image

    grey = Image.fromarray(np.ascontiguousarray(values.T, dtype=np.uint8)).resize(FEATURE_PIXELS)
    return picture((colormaps["magma"](np.asarray(grey))[..., :3] * 255).astype(np.uint8))


def figure(path: Path) -> tuple[str, tuple[int, int]]:
    """Read a drawn figure for the page.

    Parameters
    ----------
    path : Path
        PNG file.

    Returns
    -------
    uri : str
    size : (int, int)
        Width and height in pixels.

    Raises
    ------
    DataError
        It is no picture.
    """
    with pictures.opened(path.read_bytes(), str(path), advice=ADVICE) as image:
        plain = image.convert("RGB")
        plain.thumbnail(FIGURE_PIXELS)
        drawn = _webp(plain, lossless=True)
        return data_uri("image/webp", drawn if len(drawn) <= LOSSLESS_BYTES else _webp(plain)), plain.size


def _webp(image: Any, *, lossless: bool = False) -> bytes:
    file = io.BytesIO()
    image.save(file, "webp", lossless=lossless, quality=70, method=4)
    return file.getvalue()
