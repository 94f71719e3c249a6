"""Mono sound as FLAC bytes and as samples.

**Conventions.** Samples are float32 in -1 ... 1, shape ``(n,)``; a file holds 16-bit integers, that is steps
of 1 / 32,768. Several channels become one by `mono`, wherever sound is read.
"""

from __future__ import annotations

import io
import re
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from unisono.errors import DataError, pass_machine

if TYPE_CHECKING:
    from soundfile import SoundFile

#: Longest sound that is read whole, in samples of all channels: ten minutes of stereo at 48 kHz.
MAX_SAMPLES = 2 * 48_000 * 600
#: Rates that are read, in Hz; the filter of a resampling is as long as the rate is high.
MIN_RATE_HZ, MAX_RATE_HZ = 1_000, 768_000
#: A mean of channels with less than this share of the loudest one's level says that they cancel each other.
CANCELLED = 0.1
#: What libsndfile notes of a part whose header claims more bytes than follow, of Ogg and of VOC.
_CUT = re.compile(r"^ *\S.*: *(\d+) \(should be (\d+)\)|lacks an end-of-stream|truncated file", re.MULTILINE)
#: Claims of this size are a writer's that did not know the length, of a pipe: no claim.
_STREAMED = 0x7FFF0000


def check_rate(rate: int) -> None:
    """Raise `DataError` where nobody records sound at such a rate, in Hz."""
    if not MIN_RATE_HZ <= rate <= MAX_RATE_HZ:
        raise DataError(f"{rate} samples per second, expected {MIN_RATE_HZ:,} to {MAX_RATE_HZ:,}; encode it anew")


def check_whole(file: SoundFile) -> None:
    """Hold what the header of a sound file says against what is there.

    Parameters
    ----------
    file : soundfile.SoundFile
        Just opened.

    Raises
    ------
    DataError
        The file ends before its sound does, or its rate is none.
    """
    check_rate(file.samplerate)
    for found in _CUT.finditer(file.extra_info):
        if found[1] and not int(found[2]) + 8 < int(found[1]) < _STREAMED:
            continue
        share = f" after {int(found[2]) / int(found[1]):.0%} of its bytes" if found[1] else ""
        raise DataError(f"truncated{share}, {file.frames / file.samplerate:.2f} s are left; get the whole file")


def mono(samples: np.ndarray) -> tuple[np.ndarray, bool]:
    """Mix channels down to one that is as loud as they are.

    Parameters
    ----------
    samples : np.ndarray [shape=(n, channels), dtype=float32]

    Returns
    -------
    mixed : np.ndarray [shape=(n,), dtype=float32]
        The mean of the channels, raised to the level (root mean square) of the loudest one, yet not beyond -1 ... 1.
        Channels that cancel each other, like those of a stereo pair out of phase, would leave next to nothing: the
        loudest one then stands for all.
    cancelled : bool
        Whether they do.

    Examples
    --------
    >>> left = np.array([0.5, -0.5], dtype=np.float32)
    >>> mono(np.stack([left, left], axis=1)), mono(np.stack([left, -left], axis=1))[1]
    ((array([ 0.5, -0.5], dtype=float32), False), True)
    """
    if samples.shape[1] == 1 or not len(samples):
        return samples.mean(axis=1, dtype=np.float32), False
    levels = np.sqrt(np.square(samples, dtype=np.float64).mean(axis=0))
    mixed = samples.mean(axis=1, dtype=np.float32)
    level = np.sqrt(np.square(mixed, dtype=np.float64).mean())
    # Of channels as loud as each other the first.
    loudest = int(np.argmax(levels >= 0.999 * levels.max()))
    if not level >= CANCELLED * levels[loudest]:
        return samples[:, loudest].astype(np.float32), True
    if level > 0 and levels[loudest] > level * (1 + 1e-6):
        gain = min(levels[loudest] / level, max(1.0, 1 / float(np.abs(mixed).max())))
        mixed *= np.float32(gain)
    return mixed, False


def resample(samples: np.ndarray, rate: int, wanted: int) -> np.ndarray:
    """Bring samples to another rate by a polyphase low-pass filter.

    Parameters
    ----------
    samples : np.ndarray [shape=(n,), dtype=float32]
    rate, wanted : int
        Of the samples and of the result, in Hz.

    Returns
    -------
    np.ndarray [shape=(round(n * wanted / rate),), dtype=float32]
    """
    from scipy.signal import resample_poly

    if rate != wanted:
        ratio = Fraction(wanted, rate)
        # Exact rounding, halves up; resample_poly rounds up, so there is never a sample too few.
        length = (2 * len(samples) * wanted + rate) // (2 * rate)
        samples = resample_poly(samples, ratio.numerator, ratio.denominator)[:length]
    return samples.astype(np.float32, copy=False)


def encode_flac(samples: np.ndarray, rate: int) -> bytes:
    """Encode mono samples as a 16-bit FLAC file.

    Parameters
    ----------
    samples : np.ndarray [shape=(n,), dtype=int16 or float]
        Floats in -1 ... 1; what lies outside is clipped.
    rate : int
        Samples per second, in Hz.

    Returns
    -------
    bytes
        The file. The same samples give the same bytes.

    Raises
    ------
    DataError
        `samples` is empty or not one-dimensional, or holds NaN or infinity; FLAC has no such rate.
    """
    import soundfile

    if samples.ndim != 1 or samples.size == 0:
        raise DataError(f"expected mono samples of shape (n,) with n > 0, got shape {samples.shape}")
    if samples.dtype != np.int16:
        if not np.isfinite(samples).all():
            raise DataError("expected finite samples, got NaN or infinity")
        samples = np.clip(np.rint(samples * 32768.0), -32768, 32767).astype(np.int16)
    file = io.BytesIO()
    try:
        soundfile.write(file, samples, rate, format="FLAC", subtype="PCM_16")
    except soundfile.SoundFileError as error:
        pass_machine(error)
        raise DataError(f"{rate} samples per second, which FLAC cannot hold; resample it to 44,100, say") from None
    return file.getvalue()


def decode(data: bytes, *, longest_s: float | None = None) -> tuple[np.ndarray, int]:
    """Decode a sound file (FLAC, WAV, or what else libsndfile reads) to mono samples.

    Parameters
    ----------
    data : bytes
        The whole file.
    longest_s : float, optional
        No more than its first so many seconds are decoded.

    Returns
    -------
    samples : np.ndarray [shape=(n,), dtype=float32]
        In -1 ... 1; mixed by `mono`.
    rate : int
        Samples per second, in Hz.

    Raises
    ------
    DataError
        `data` is not a sound file, is damaged or truncated, or holds no samples.
    """
    import soundfile

    try:
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            rate = int(file.samplerate)
            n = file.frames if longest_s is None else min(file.frames, round(longest_s * rate))
            if n * file.channels > MAX_SAMPLES:
                raise DataError(f"a sound file that claims {n:,} samples, more than the {MAX_SAMPLES:,} read")
            check_whole(file)
            samples = file.read(n, dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, RuntimeError) as error:
        pass_machine(error)
        # Without the place in memory that soundfile names it by: a list of what was left out is the same in every run.
        reason = getattr(error, "error_string", error)
        raise DataError(f"not a readable sound file ({len(data)} bytes): {reason}") from None
    if len(samples) == 0:
        raise DataError(f"a sound file without samples ({len(data)} bytes)")
    return mono(samples)[0], rate
