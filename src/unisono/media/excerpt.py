"""A piece of a sound file of any length, without decoding the rest.

**Conventions.** libsndfile reads what it knows (WAV, FLAC, Ogg, Opus, MP3, ...), FFmpeg's libraries (PyAV) the sound
tracks of what is left (M4A, MP4, WebM, ...). Both jump to where the piece begins. A sound that ends before the piece
does is repeated from there; nothing is repeated of less than `unisono.media.midi.MIN_PIECE_S`, nor of silence.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from unisono.errors import DataError, pass_machine
from unisono.media import audio
from unisono.media.midi import check_length
from unisono.media.streams import FORMATS, pass_shortage

#: Endings of files that are taken for sound.
SUFFIXES = (
    *(".wav", ".flac", ".mp3", ".ogg", ".oga", ".opus", ".aif", ".aiff", ".aifc", ".au", ".caf", ".w64"),
    *(".m4a", ".m4b", ".mp4", ".webm", ".mka", ".mkv", ".mov", ".wma"),
)
#: A peak below this, of 1, is silence.
SILENCE = 16 / 32768
#: Most channels, and longest time for a file, in seconds of the processor.
MAX_CHANNELS = 64
TIME_S = 60.0


def read(path: Path, *, start_s: float, clip_s: float, rate: int) -> np.ndarray:
    """Read a piece of a sound file as mono sound.

    Parameters
    ----------
    path : Path
    start_s, clip_s : float
        Where it begins and how long it is, in seconds.
    rate : int
        Of the result, in Hz.

    Returns
    -------
    np.ndarray [shape=(round(clip_s * rate),), dtype=float32]
        In -1 ... 1, mixed by `unisono.media.audio.mono`.

    Raises
    ------
    DataError
        Not a sound file, damaged, silent, or shorter than a second from `start_s` on.
    """
    try:
        channels, own_rate = _by_libsndfile(path, start_s, clip_s)
    except LookupError as error:
        channels, own_rate = _by_ffmpeg(path, start_s, clip_s, str(error))
    if not np.isfinite(channels).all():
        raise DataError("its sound holds NaN or infinite values; encode it anew")
    check_length(len(channels) / own_rate, start_s)
    samples = audio.resample(audio.mono(channels)[0], own_rate, rate)
    if np.abs(samples).max(initial=0.0) <= SILENCE:
        raise DataError("it is silent")
    return np.resize(samples, round(clip_s * rate))


def _by_libsndfile(path: Path, start_s: float, clip_s: float) -> tuple[np.ndarray, int]:
    """Read channels and rate; a `LookupError` says that libsndfile does not know the format."""
    import soundfile

    try:
        with soundfile.SoundFile(path) as file:
            audio.check_whole(file)
            _check_channels(file.channels)
            begin = round(start_s * file.samplerate)
            if begin >= file.frames:
                check_length(file.frames / file.samplerate - start_s, start_s)
            file.seek(begin)
            channels = file.read(round(clip_s * file.samplerate), dtype="float32", always_2d=True)
            return channels, int(file.samplerate)
    except (soundfile.SoundFileError, RuntimeError) as error:
        pass_machine(error)
        raise LookupError(str(error).partition(": ")[2] or str(error)) from None


def _by_ffmpeg(path: Path, start_s: float, clip_s: float, objection: str) -> tuple[np.ndarray, int]:
    """Read channels and rate by PyAV; `objection` is what libsndfile said."""
    import av

    parts: list[np.ndarray] = []
    rate, end_s = 0, time.thread_time() + TIME_S
    try:
        with (
            path.open("rb") as file,
            av.open(file, container_options={"format_whitelist": FORMATS}, metadata_errors="replace") as container,
        ):
            stream = next(iter(container.streams.audio), None)
            if stream is None or stream.codec_context is None:
                raise DataError("it has no sound track that can be decoded")
            begin_s = float((stream.start_time or 0) * stream.time_base) + start_s
            stream.codec_context.thread_count = 1
            container.seek(int(begin_s / stream.time_base), stream=stream)
            to_float = av.AudioResampler(format="fltp")
            for frame in container.decode(stream):
                if time.thread_time() > end_s:
                    raise DataError(f"reading it takes longer than {TIME_S:g} s; the file is made to do harm")
                audio.check_rate(frame.sample_rate)
                _check_channels(frame.layout.nb_channels)
                rate = rate or frame.sample_rate
                if frame.sample_rate != rate:
                    raise DataError(f"its sound changes from {rate} to {frame.sample_rate} Hz; encode it anew")
                at = round(((frame.time or 0.0) - begin_s) * rate)
                if at >= clip_s * rate:
                    break
                parts += [piece.to_ndarray().T[max(-at, 0) :] for piece in to_float.resample(frame)]
                if sum(map(len, parts)) >= clip_s * rate:
                    break
    except (av.FFmpegError, OSError, ValueError) as error:
        pass_shortage(error)
        raise DataError(f"not a sound file, or damaged ({objection}); get it again") from None
    if not parts:
        raise DataError(f"no sound in it from {start_s:g} s on; it is shorter, or damaged")
    return np.concatenate(parts)[: round(clip_s * rate)], rate


def _check_channels(n: int) -> None:
    if n > MAX_CHANNELS:
        raise DataError(f"{n} channels, at most {MAX_CHANNELS} are read")
