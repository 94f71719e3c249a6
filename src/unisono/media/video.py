"""One picture a second, and the sound, out of a video file.

**Conventions.** Time is counted in seconds from where both pictures and sound have begun: what lies before is left out.
Time t shows the last picture that has begun by then, whatever the frame rate does. Pictures are upright (a rotation
that the file asks for is applied), RGB, uint8; sound is mono float32. `unisono.media.streams` says how files from
outside are met.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from unisono.errors import DataError
from unisono.media import audio, mp4
from unisono.media.streams import TOGETHER_S, Limits, Stream, opened

#: Sound of a piece that is cut out, in Hz; pictures per second where the file does not say, and at most.
PIECE_RATE_HZ = 44_100
PIECE_FRAME_RATE = 25
MAX_FRAME_RATE = 30


def frames(source: bytes | Path, *, rate: int = 1, limits: Limits | None = None) -> np.ndarray:
    """Decode the pictures shown at 0, 1, 2, ... seconds.

    Parameters
    ----------
    source : bytes or Path
        A video file.
    rate : int
        Pictures per second, at 0, 1, 2, ... / `rate`, whatever the file's own rate.
    limits : Limits, optional

    Returns
    -------
    np.ndarray [shape=(n, height, width, 3), dtype=uint8]
        One for each of these times before the track's end: n is its length in seconds times `rate`, rounded up.
        Pictures of another size than the first are scaled to that.

    Raises
    ------
    DataError
        Not a video file, no pictures, damaged or cut off, or beyond a limit.
    """
    limits = limits or Limits()

    n = 0

    def moments(stream: Stream) -> Sequence[Fraction]:
        nonlocal n
        n = max(math.ceil(stream.length_s * rate), 1)
        return [Fraction(index, rate) for index in range(n)]

    # One by one: they are the larger part of the memory, and are not to be there twice.
    pictures = _shown(source, moments, limits)
    first = next(pictures)
    shown = np.empty((n, *first.shape), np.uint8)
    shown[0] = first
    for index, picture in enumerate(pictures, start=1):
        shown[index] = picture
    return shown


def sound(source: bytes | Path, sample_rate: int = 16_000, *, limits: Limits | None = None) -> np.ndarray:
    """Decode the sound, as mono at one rate.

    Parameters
    ----------
    source : bytes or Path
        A video file.
    sample_rate : int
        Of the result, in Hz.
    limits : Limits, optional

    Returns
    -------
    np.ndarray [shape=(round(n * sample_rate / the file's rate),), dtype=float32]
        In -1 ... 1: the channels of n decoded samples by `unisono.media.audio.mono`, then a polyphase low-pass filter.
        Gaps between them are silence.

    Raises
    ------
    DataError
        Not a video file, no sound, damaged or cut off, or beyond a limit.
    """
    return listen(source, sample_rate, limits=limits)[0]


def listen(source: bytes | Path, sample_rate: int = 16_000, *, limits: Limits | None = None) -> tuple[np.ndarray, bool]:
    """Decode the sound as `sound` does, and tell whether its channels cancel each other."""
    channels, rate = _decoded(source, limits or Limits())
    samples, cancelled = audio.mono(channels)
    return audio.resample(samples, rate, sample_rate), cancelled


def _decoded(source: bytes | Path, limits: Limits) -> tuple[np.ndarray, int]:
    """Decode the sound, float32 of shape (n, channels), and its rate in Hz; gaps are filled with silence."""
    import av

    parts: list[np.ndarray] = []
    # `n` is where the next sample belongs on the clock.
    rate = n = skipped = n_bytes = 0
    with opened(source, "audio", limits) as stream:
        to_float, start_s = av.AudioResampler(format="fltp"), stream.start * stream.unit_s
        for frame in stream.decode():
            rate = rate or frame.sample_rate
            audio.check_rate(rate)
            if frame.sample_rate != rate:
                raise DataError(f"its sound changes from {rate} to {frame.sample_rate} Hz; encode it anew")
            pieces = [piece.to_ndarray().T for piece in to_float.resample(frame)]
            gap = 0 if frame.pts is None else round((frame.pts * Fraction(frame.time_base) - start_s) * rate) - n
            if not parts and gap < -TOGETHER_S * rate:
                skipped, n = -gap, gap
            gap = gap if pieces and gap > TOGETHER_S * rate else 0
            n += gap + frame.samples
            if n > limits.duration_s * rate:
                raise DataError(f"its audio is longer than {limits.duration_s:g} s, which is all that is read")
            n_bytes += sum(piece.nbytes for piece in pieces) + 4 * gap
            if n_bytes > limits.memory_bytes:
                raise DataError(
                    f"its sound would take {n_bytes} bytes and more, at most {limits.memory_bytes} are read"
                )
            parts += [np.zeros((gap, pieces[0].shape[1]), np.float32), *pieces] if gap else pieces
    if n <= 0 or not parts:
        raise DataError("no sound in it can be decoded; the file is damaged")
    samples = np.concatenate(parts)[skipped:]
    if not np.isfinite(samples).all():
        raise DataError("its sound holds NaN or infinite values; encode it anew")
    return samples, rate


def duration(source: bytes | Path, *, limits: Limits | None = None) -> float:
    """Length of the pictures in seconds, from their time stamps alone; raises as `frames`, without decoding."""
    with opened(source, "video", limits or Limits()) as stream:
        return float(stream.length_s)


def cut(source: bytes | Path, start_s: float, end_s: float, *, limits: Limits | None = None) -> bytes:
    """Cut a piece out of a video file.

    Parameters
    ----------
    source : bytes or Path
        A video file.
    start_s, end_s : float
        In seconds of the file's own time; what lies beyond the pictures or the sound is left out.
    limits : Limits, optional

    Returns
    -------
    bytes
        An MP4 file of its own: pictures and sound encoded anew, the frame rate constant.

    Raises
    ------
    DataError
        As `frames` and `sound`, or the file ends before the piece begins.
    """
    limits = limits or Limits()
    with opened(source, "video", limits) as stream:
        rate = min(Fraction(stream.stream.average_rate or PIECE_FRAME_RATE), Fraction(MAX_FRAME_RATE))
        begin, end = (max(Fraction(time_s) - stream.skipped_s, Fraction(0)) for time_s in (start_s, end_s))
        if not stream.length_s > begin or not end > begin:
            whole_s = float(stream.length_s + stream.skipped_s)
            raise DataError(f"it ends after {whole_s:.3f} s, the piece begins at {start_s:g} s")

    def moments(stream: Stream) -> Sequence[Fraction]:
        n = max(math.ceil((min(end, stream.length_s) - begin) * rate), 1)
        return [begin + index / rate for index in range(n)]

    samples = sound(source, PIECE_RATE_HZ, limits=limits)[round(begin * PIECE_RATE_HZ) : round(end * PIECE_RATE_HZ)]
    even = (
        picture[: picture.shape[0] // 2 * 2, : picture.shape[1] // 2 * 2] for picture in _shown(source, moments, limits)
    )
    return mp4.encode(even, rate, samples, PIECE_RATE_HZ)


def _shown(source: bytes | Path, times: Callable[[Stream], Sequence[Fraction]], limits: Limits) -> Iterator[np.ndarray]:
    """Yield the picture shown at each of some sorted times."""
    with opened(source, "video", limits) as stream:
        context = stream.stream.codec_context
        _check_pixels(context.width, context.height, limits)
        wanted_s = times(stream)
        units = [math.floor(t_s / stream.unit_s) + stream.start for t_s in wanted_s]
        stamps = [stream.stamps[max(bisect.bisect_right(stream.stamps, unit) - 1, 0)] for unit in units]
        known = all(packet.pts is not None for packet in stream.packets)
        decoded = stream.decode(stamps if known else None)
        size: tuple[int, int] | None = None
        n_left, frame, picture = len(units), next(decoded, None), None
        if frame is None:
            raise DataError("no picture in it can be decoded; the file is damaged")
        following = next(decoded, None)
        for unit in units:
            while following is not None and _begins(following) <= unit:
                frame, picture = following, None
                following = next(decoded, None)
            if picture is None:
                picture = _to_rgb(frame, size, n_left, limits)
                size = size or picture.shape[:2]
            yield picture


def _begins(frame: Any) -> int:
    """When a picture begins, in the stream's units."""
    return int((frame.dts if frame.pts is None else frame.pts) or 0)


def _to_rgb(frame: Any, size: tuple[int, int] | None, n: int, limits: Limits) -> np.ndarray:
    """Turn a decoded picture into an upright array, (height, width) if `size` says so."""
    _check_pixels(frame.width, frame.height, limits)
    needed = n * frame.width * frame.height * 3
    if needed > limits.memory_bytes:
        raise DataError(f"its pictures would take {needed} bytes, at most {limits.memory_bytes} are read")
    turns = round(frame.rotation / 90) % 4
    scaled = {}
    if size is not None:
        height, width = reversed(size) if turns % 2 else size
        scaled = {"height": height, "width": width}
    return np.ascontiguousarray(np.rot90(frame.to_ndarray(format="rgb24", **scaled), turns))


def _check_pixels(width: int, height: int, limits: Limits) -> None:
    if not 0 < width * height <= limits.pixels:
        raise DataError(f"its pictures are {width} x {height}, expected 1 to {limits.pixels} pixels")
