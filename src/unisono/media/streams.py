"""Opening video files from outside in FFmpeg's libraries (PyAV), and reading one stream of them.

**Conventions.** FFmpeg works inside this process, on one thread. What comes from outside is met with a list of formats
(no playlists, which would name other files), with `Limits`, and with a `DataError` for all that FFmpeg objects to.
"""

from __future__ import annotations

import errno
import io
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from unisono.errors import DataError, MachineError, pass_machine
from unisono.io import memory

#: Demuxers of FFmpeg that may read a file: formats that hold their streams themselves.
FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,flv,mpeg,mpegts,asf,ogg"
#: Streams that begin within so much of each other begin together (codecs delay what comes first), in seconds.
TOGETHER_S = Fraction(1, 10)
#: A stream may end so much earlier than the file says before it counts as cut off, in seconds.
TOLERANCE_S = 0.5
#: Twice the largest piece of memory that FFmpeg asks for, in bytes.
PLENTY = 4 * 2**30


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
        Longest time that reading one stream may take, in seconds of the processor: a busy machine damages no file.
    """

    duration_s: float = 600.0
    pixels: int = 8192 * 4320
    memory_bytes: int = 7 * 2**28
    time_s: float = 120.0


class Stream:
    """The first video or audio stream of an open file: its packets, and what their time stamps say.

    Attributes
    ----------
    packets : list of av.Packet
        In the order of decoding.
    stamps : list of int
        When the packets that are shown begin, in units of `unit_s`, sorted.
    unit_s : Fraction
    start : int
        Where time 0 is, in units of `unit_s`: where the later one of the file's pictures and sound begins, so that both
        are of one clock.
    length_s : Fraction
        From there to the last packet's end.
    skipped_s : Fraction
        From the file's own beginning to there.
    """

    def __init__(self, container: Any, stream: Any, other: Any, limits: Limits) -> None:
        self.stream = stream
        self.limits = limits
        self.end_s = time.thread_time() + limits.time_s
        self.packets: list[Any] = []
        others_s: list[Fraction] = []
        for packet in container.demux([stream] if other is None else [stream, other]):
            self._check_time()
            if packet.size and packet.stream.index == stream.index:
                self.packets.append(packet)
            elif packet.size and not packet.is_discard and (stamp := _stamp(packet)) is not None:
                others_s = [min([stamp * Fraction(packet.time_base), *others_s])]
        self.unit_s = Fraction(stream.time_base)
        # Marked for discarding: the decoder needs them, but the file's edit list cuts them away.
        kept = [(stamp, p.duration or 0) for p in self.packets if not p.is_discard and (stamp := _stamp(p)) is not None]
        if not kept:
            raise DataError(f"its {stream.type} track is empty; the file is damaged, or was cut to nothing")
        self.stamps = sorted(stamp for stamp, _ in kept)
        end: float = max(stamp + duration for stamp, duration in kept)
        if end == self.stamps[-1]:  # without a duration: as long as the others on average
            end += (end - self.stamps[0]) / max(len(kept) - 1, 1)
        self.length_s = Fraction(end - self.stamps[0]) * self.unit_s
        self._check_length()
        self.start, self.skipped_s = self.stamps[0], Fraction(0)
        begin_s = self.start * self.unit_s
        for other_s in others_s:
            if abs(other_s - begin_s) > TOGETHER_S:
                self.start = max(self.start, math.ceil(other_s / self.unit_s))
                self.skipped_s = abs(other_s - begin_s)
                self.length_s -= max(other_s - begin_s, Fraction(0))
        if self.length_s <= 0:
            raise DataError(f"its {stream.type} ends before the other track begins; the file is damaged")

    def _check_length(self) -> None:
        kind, limit_s = self.stream.type, self.limits.duration_s
        if self.length_s > limit_s:
            raise DataError(f"its {kind} is {float(self.length_s):.6g} s long, at most {limit_s:g} s are read")
        claimed_s = Fraction(self.stream.duration or 0) * self.unit_s
        if claimed_s - self.length_s > TOLERANCE_S:
            raise DataError(
                f"its {kind} ends after {float(self.length_s):.3f} of {float(claimed_s):.3f} s; the file was cut off, "
                "get it again"
            )

    def _check_time(self) -> None:
        if time.thread_time() > self.end_s:
            raise DataError(
                f"reading it takes longer than {self.limits.time_s:g} s; the file is huge, or made to do harm"
            )

    def decode(self, shown: Sequence[int] | None = None) -> Iterator[Any]:
        """Decode the stream.

        Parameters
        ----------
        shown : sequence of int, optional
            Sorted stamps of the pictures that are wanted. Decoding then begins at the key frame before the first, and
            pictures that no other one refers to are decoded only if wanted.

        Yields
        ------
        av.VideoFrame or av.AudioFrame
            In the order of showing.
        """
        context, first = self.stream.codec_context, 0
        context.thread_count = 1
        if shown is not None:
            keys = (i for i, p in enumerate(self.packets) if p.is_keyframe and p.pts is not None and p.pts <= shown[0])
            first = max(keys, default=0)
        wanted = None if shown is None else frozenset(shown)
        for packet in self.packets[first:]:
            self._check_time()
            if wanted is not None:
                context.skip_frame = "NONREF" if packet.pts is not None and packet.pts not in wanted else "DEFAULT"
            yield from context.decode(packet)
        yield from context.decode(None)


def _stamp(packet: Any) -> int | None:
    """When a packet begins; some formats know only the order of decoding."""
    stamp: int | None = packet.dts if packet.pts is None else packet.pts
    return stamp


def pass_shortage(error: BaseException) -> None:
    """Raise an error of FFmpeg again that is the machine's, not the file's: as `unisono.errors.pass_machine`.

    Of a damaged packet that claims gigabytes FFmpeg says that memory is lacking, and where memory is lacking that it
    should be asked again, as it also says of damaged packets: how much memory there is decides.

    Raises
    ------
    BaseException
        `error`, or `MachineError` in its place.
    """
    import av

    spare = memory.spare()
    if not (isinstance(error, av.error.MemoryError) and spare > PLENTY):
        pass_machine(error)
    if getattr(error, "errno", None) == errno.EAGAIN and spare < memory.SMALL:
        raise MachineError(f"not enough memory to read a video or sound ({spare >> 20} MB are left); free memory")


@contextmanager
def opened(source: bytes | Path, kind: str, limits: Limits) -> Iterator[Stream]:
    """Open a file's first stream of a kind.

    Parameters
    ----------
    source : bytes or Path
        A video file.
    kind : {"video", "audio"}
    limits : Limits

    Yields
    ------
    Stream

    Raises
    ------
    DataError
        Not a video file, no such stream, an empty or cut one, or beyond a limit; also for what FFmpeg objects to while
        the stream is used.
    """
    import av

    try:
        with (
            io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file,
            av.open(file, container_options={"format_whitelist": FORMATS}, metadata_errors="replace") as container,
        ):
            cover = av.stream.Disposition.attached_pic
            first = {s.type: s for s in reversed(container.streams) if not s.disposition & cover}
            stream, other = first.get(kind), first.get("video" if kind == "audio" else "audio")
            if stream is None or stream.codec_context is None:
                raise DataError(f"it has no {kind} track that can be decoded")
            yield Stream(container, stream, other, limits)
    except (av.FFmpegError, OSError, ValueError) as error:
        pass_shortage(error)
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise DataError(f"not a video file, or damaged ({reason}); get it again") from None
