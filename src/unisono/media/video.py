"""One picture a second, and the sound, out of a video file, by FFmpeg's libraries (PyAV).

**Conventions.** Time is counted from the first picture that is shown, in seconds: second t shows the last picture that
has begun by then, whatever the frame rate does, and there is one for every t = 0, 1, 2, ... before the last
picture ends. Pictures stand upright (a rotation that the file asks for is applied), sound is mono float32. Both work
inside this process, on one thread; what comes from outside is met with a list of formats (no playlists,
which would name other files), with limits (`Limits`), and with a `DataError` for all that FFmpeg objects to.
"""

from __future__ import annotations

import io
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from unisono.errors import DataError

#: Demuxers of FFmpeg that may read a file: formats that hold their streams themselves.
FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,flv,mpeg,mpegts,asf,ogg"
#: Endings of the file names of these formats.
SUFFIXES = (".mp4", ".m4v", ".mov", ".3gp", ".mkv", ".webm", ".avi", ".flv", ".mpg", ".mpeg", ".ts", ".wmv", ".ogv")
#: A stream may end so much earlier than the file says before it counts as cut off, in seconds.
TOLERANCE_S = 0.5


@dataclass(frozen=True)
class Limits:
    """What a file may ask for.

    Attributes
    ----------
    duration_s : float
        Longest picture or sound track, in seconds.
    pixels : int
        Largest picture; the default is 8K.
    memory_bytes : int
        Of the pictures of one file together.
    time_s : float
        Longest time that decoding may take, in seconds.
    """

    duration_s: float = 600.0
    pixels: int = 8192 * 4320
    memory_bytes: int = 2 * 2**30
    time_s: float = 120.0


def frames(source: bytes | Path, *, limits: Limits | None = None) -> np.ndarray:
    """Decode the pictures shown at 0, 1, 2, ... seconds.

    Parameters
    ----------
    source : bytes or Path
        A video file.
    limits : Limits, optional

    Returns
    -------
    np.ndarray [shape=(n, height, width, 3), dtype=uint8]
        RGB; n = the track's length in seconds, rounded up. Pictures of another size than the first are scaled to it.

    Raises
    ------
    DataError
        Not a video file, no pictures, damaged or cut off, or beyond a limit.
    """
    limits = limits or Limits()
    with _opened(source, "video", limits) as (container, stream, clock):
        packets = _packets(container, stream, clock)
        track = _Track.of(packets, stream, limits)
        context = stream.codec_context
        _check_pixels(context.width, context.height, limits)
        context.thread_count = 1
        pictures: list[np.ndarray] = []
        shown, latest = None, None  # the picture before, decoded; and as an array, once it is needed
        for frame in _decode(packets, stream, clock, track.shown_at):
            at_s = ((frame.dts if frame.pts is None else frame.pts) or 0) * stream.time_base - track.start_s
            while shown is not None and len(pictures) < track.n_seconds and len(pictures) < at_s:
                latest = _to_rgb(shown, pictures, track, limits) if latest is None else latest
                pictures.append(latest)
            if len(pictures) == track.n_seconds:
                break
            shown, latest = frame, None
        if shown is None:
            raise DataError("no picture in it can be decoded; the file is damaged")
        while len(pictures) < track.n_seconds:
            latest = _to_rgb(shown, pictures, track, limits) if latest is None else latest
            pictures.append(latest)
        return np.stack(pictures)


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
        In -1 ... 1: the mean of the channels of n decoded samples, by a polyphase low-pass filter.

    Raises
    ------
    DataError
        Not a video file, no sound, damaged or cut off, or beyond a limit.
    """
    import av
    from scipy.signal import resample_poly

    limits = limits or Limits()
    with _opened(source, "audio", limits) as (container, stream, clock):
        packets = _packets(container, stream, clock)
        _Track.of(packets, stream, limits)
        rate, parts, n = 0, [], 0
        to_float = av.AudioResampler(format="fltp")
        for frame in _decode(packets, stream, clock, None):
            if frame.sample_rate != (rate or frame.sample_rate):
                raise DataError(f"the sound changes its rate from {rate} to {frame.sample_rate} Hz; encode it anew")
            rate = frame.sample_rate
            n += frame.samples
            if n > limits.duration_s * rate:
                raise DataError(f"the sound is longer than {limits.duration_s:g} s; cut it")
            parts += [piece.to_ndarray().mean(axis=0) for piece in to_float.resample(frame)]
    if not n:
        raise DataError("no sound in it can be decoded; the audio track is empty or damaged")
    samples = np.concatenate(parts)
    if not np.isfinite(samples).all():
        raise DataError("the sound holds NaN or infinite values; encode it anew")
    if rate != sample_rate:
        ratio = Fraction(sample_rate, rate)
        # Exact rounding, halves up; resample_poly rounds up, so there is never a sample too few.
        length = (2 * len(samples) * sample_rate + rate) // (2 * rate)
        samples = resample_poly(samples, ratio.numerator, ratio.denominator)[:length]
    return samples.astype(np.float32, copy=False)


def duration(source: bytes | Path, *, limits: Limits | None = None) -> float:
    """Length of the picture track in seconds, from its time stamps alone; raises as `frames`, without decoding."""
    limits = limits or Limits()
    with _opened(source, "video", limits) as (container, stream, clock):
        return float(_Track.of(_packets(container, stream, clock), stream, limits).length_s)


class _Clock:
    """The time that is left for a file."""

    def __init__(self, limit_s: float) -> None:
        self.limit_s = limit_s
        self.end_s = time.monotonic() + limit_s

    def check(self) -> None:
        if time.monotonic() > self.end_s:
            raise DataError(f"decoding takes longer than {self.limit_s:g} s; the file is huge or made to do harm")


@dataclass(frozen=True)
class _Track:
    """What the time stamps of a stream's packets say: in seconds, but for the stamps themselves.

    Attributes
    ----------
    start_s, length_s : Fraction
        Of what is shown, in the file's own time, and from there.
    shown_at : frozenset of int, or None
        Stamps of the pictures at whole seconds; None where packets lack stamps.
    """

    start_s: Fraction
    length_s: Fraction
    shown_at: frozenset[int] | None

    @property
    def n_seconds(self) -> int:
        """Whole seconds 0, 1, 2, ... before the end, at least one."""
        return max(-(-self.length_s.numerator // self.length_s.denominator), 1)

    @classmethod
    def of(cls, packets: Sequence[Any], stream: Any, limits: Limits) -> _Track:
        """Read the stamps, and check the track's length against the limits and against what the file claims."""
        # Marked for discarding: needed by the decoder, cut away by the file's edit list.
        kept = [packet for packet in packets if not packet.is_discard]
        stamps = [packet.dts if packet.pts is None else packet.pts for packet in kept]
        known = sorted(stamp for stamp in stamps if stamp is not None)
        kind = stream.type
        if not known:
            raise DataError(f"its {kind} track is empty; the file is damaged, or was cut to nothing")
        unit = Fraction(stream.time_base)
        last = max(
            (stamp + (packet.duration or 0) for packet, stamp in zip(kept, stamps, strict=True) if stamp is not None)
        )
        if last == known[-1]:  # without a duration: as long as the others on average
            last += (known[-1] - known[0]) / max(len(known) - 1, 1)
        length_s = Fraction(last - known[0]) * unit
        if length_s > limits.duration_s:
            raise DataError(
                f"its {kind} is {float(length_s):.6g} s long, at most {limits.duration_s:g} are read; cut it"
            )
        claimed_s = Fraction(stream.duration or 0) * unit
        if claimed_s - length_s > TOLERANCE_S:
            raise DataError(
                f"its {kind} ends after {float(length_s):.3f} of {float(claimed_s):.3f} s; the file was cut off, "
                "get it again"
            )
        shown_at = None
        if all(packet.pts is not None for packet in kept):
            shown, stamp_of = 0, set()
            for second in range(-(-length_s.numerator // length_s.denominator)):
                while shown + 1 < len(known) and (known[shown + 1] - known[0]) * unit <= second:
                    shown += 1
                stamp_of.add(known[shown])
            shown_at = frozenset(stamp_of)
        return cls(known[0] * unit, length_s, shown_at)


@contextmanager
def _opened(source: bytes | Path, kind: str, limits: Limits) -> Iterator[tuple[Any, Any, _Clock]]:
    """Open a file's first video or audio stream; what FFmpeg objects to, then or later, becomes a `DataError`."""
    import av

    clock = _Clock(limits.time_s)
    try:
        data = io.BytesIO(source) if isinstance(source, bytes) else source.open("rb")
        with (
            data,
            av.open(data, container_options={"format_whitelist": FORMATS}, metadata_errors="replace") as container,
        ):
            streams = [s for s in container.streams if s.type == kind and s.codec_context is not None]
            # A cover picture is no video.
            streams = [s for s in streams if not s.disposition & av.stream.Disposition.attached_pic]
            if not streams:
                raise DataError(f"it has no {kind} stream that can be decoded")
            yield container, streams[0], clock
    except (av.FFmpegError, OSError, ValueError, RuntimeError, MemoryError) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise DataError(f"not a video file, or damaged ({reason}); get it again") from None


def _packets(container: Any, stream: Any, clock: _Clock) -> list[Any]:
    """Read the packets of a stream, in the order of decoding."""
    packets = []
    for packet in container.demux(stream):
        clock.check()
        if packet.size:
            packets.append(packet)
    return packets


def _decode(packets: Sequence[Any], stream: Any, clock: _Clock, wanted: frozenset[int] | None) -> Iterator[Any]:
    """Decode packets; of pictures that no other needs only those `wanted` (None: all)."""
    context = stream.codec_context
    for packet in packets:
        clock.check()
        if wanted is not None:
            context.skip_frame = "DEFAULT" if packet.pts in wanted else "NONREF"
        yield from context.decode(packet)
    yield from context.decode(None)


def _to_rgb(frame: Any, before: Sequence[np.ndarray], track: _Track, limits: Limits) -> np.ndarray:
    """Turn a decoded picture into an upright array, as large as the pictures before it."""
    _check_pixels(frame.width, frame.height, limits)
    needed = track.n_seconds * frame.width * frame.height * 3
    if needed > limits.memory_bytes:
        raise DataError(
            f"its pictures would take {needed} bytes, at most {limits.memory_bytes} are read; make it smaller"
        )
    turns = round(frame.rotation / 90) % 4
    size = {}
    if before:
        height, width = before[0].shape[:2]
        size = {"width": height, "height": width} if turns % 2 else {"width": width, "height": height}
    return np.ascontiguousarray(np.rot90(frame.to_ndarray(format="rgb24", **size), turns))


def _check_pixels(width: int, height: int, limits: Limits) -> None:
    if not 0 < width * height <= limits.pixels:
        raise DataError(f"its pictures are {width} x {height}, expected 1 to {limits.pixels} pixels")
