"""Writing pictures and sound as an MP4 file (H.264 where PyAV's FFmpeg can, else MPEG-4; AAC)."""

from __future__ import annotations

import functools
import io
from collections.abc import Iterable
from fractions import Fraction
from typing import Any

import numpy as np

from unisono.errors import ProgramError

#: Encoders, best first, with their options: one thread, as more would make the bytes depend on the machine's cores.
#: x264 looks ahead on small copies of the pictures, whose edges it reads without having set them: its bytes then differ
#: from run to run (seen in core 165). So it does not look ahead here.
ENCODERS = {
    "libx264": {
        "crf": "23",
        "preset": "veryfast",
        "threads": "1",
        "tune": "zerolatency",
        "x264-params": "scenecut=0:weightp=0",
    },
    "libopenh264": {"threads": "1"},
    "mpeg4": {"qmin": "3", "qmax": "6", "threads": "1"},
}
#: Of sound: 66 kbit/s at 22,050 Hz.
AUDIO_BITS_PER_SAMPLE = 3


@functools.cache
def encoder() -> str:
    """Name the encoder of the pictures.

    Raises
    ------
    ProgramError
        PyAV was built without any of `ENCODERS`.
    """
    import av

    found = next((name for name in ENCODERS if name in av.codecs_available and _encodes(name)), None)
    if found is None:
        raise ProgramError(f"PyAV has no encoder of {', '.join(ENCODERS)}; install its wheel with `pip install av`")
    return found


def _encodes(name: str) -> bool:
    import av

    try:
        return bool(av.Codec(name, "w").is_encoder)
    except av.FFmpegError:
        return False


def encode(pictures: Iterable[np.ndarray], rate: int | Fraction, samples: np.ndarray, sample_rate: int) -> bytes:
    """Encode pictures and mono sound.

    Parameters
    ----------
    pictures : iterable of np.ndarray [shape=(height, width, 3), dtype=uint8]
        RGB, all of one size with even sides; at least one.
    rate : int or Fraction
        Pictures per second.
    samples : np.ndarray [shape=(n,), dtype=float32]
        In -1 ... 1; what lies outside is clipped. Empty: no sound track.
    sample_rate : int
        In Hz; one that AAC knows (16,000, 22,050, 44,100, ...).

    Returns
    -------
    bytes
        The file, a key frame every second. The same input gives the same bytes on the same machine.

    Raises
    ------
    ProgramError
        PyAV has no encoder.
    """
    import av

    file = io.BytesIO()
    with av.open(file, "w", format="mp4", options={"fflags": "+bitexact"}) as container:
        name = encoder()
        video = container.add_stream(name, rate=Fraction(rate), options=dict(ENCODERS[name]))
        audio = container.add_stream("aac", rate=sample_rate, layout="mono") if len(samples) else None
        for stream in filter(None, (video, audio)):
            stream.codec_context.flags |= av.codec.context.Flags.bitexact
        if audio is not None:
            audio.bit_rate = AUDIO_BITS_PER_SAMPLE * sample_rate
        for index, picture in enumerate(pictures):
            if index == 0:
                video.height, video.width = picture.shape[:2]
                video.pix_fmt = "yuv420p"
                video.gop_size = max(round(rate), 1)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = index
            frame.time_base = 1 / Fraction(rate)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if audio is not None:
            _encode_sound(container, audio, samples, sample_rate)
    return file.getvalue()


def _encode_sound(container: Any, stream: Any, samples: np.ndarray, sample_rate: int) -> None:
    import av

    block = 1024  # what AAC takes at a time
    for start in range(0, len(samples), block):
        piece = np.clip(samples[start : start + block], -1, 1).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(piece[None], format="fltp", layout="mono")
        frame.sample_rate = sample_rate
        frame.pts = start
        frame.time_base = Fraction(1, sample_rate)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))
