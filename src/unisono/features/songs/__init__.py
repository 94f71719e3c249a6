"""How each extractor hears a song: one module per extractor, loaded by name.

**Conventions.** A song is a sound file as bytes, of which the first `clip_s` seconds are heard (30 with the usual
settings), mono at 22,050 Hz; a shorter one is repeated. A module ``unisono.features.songs.<name>`` has

- ``fetch(settings, downloads)``: the settings with local files and their checksums,
- ``create(settings, clip_s=...)``: a `SongExtractor`,
- ``describe(settings)``: extractor, variant and weights, for the metadata.

A song goes through a network alone, so that its numbers do not depend on the songs around it.
"""

from __future__ import annotations

import importlib
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from unisono.errors import DataError
from unisono.features import logmel
from unisono.features.mfcc import SAMPLE_RATE
from unisono.media import audio

#: A song must have so many seconds.
SHORTEST_S = 1.0
#: A sound whose peak does not exceed this is silent: half a step of 16 bits, which dithering reaches.
SILENCE = 2 / 32_768


class SongExtractor(Protocol):
    """Numbers of a song.

    Attributes
    ----------
    kind : pa.DataType
        Of the column that holds them.
    """

    kind: pa.DataType

    def extract(self, samples: np.ndarray) -> np.ndarray:
        """Turn a song (n_samples(clip_s),) into a vector (d,) or a sequence (T, d), time first, float32."""


def module(name: str) -> Any:
    """Import the module of an extractor.

    Parameters
    ----------
    name : {"mfcc", "mfcc_stats", "musicnn", "vggish", "huggingface_audio"}
    """
    return importlib.import_module(f"{__name__}.{name}")


def n_samples(clip_s: float) -> int:
    """Count the samples of what is heard: 661,500 for 30 s."""
    return round(clip_s * SAMPLE_RATE)


def heard(data: bytes, *, clip_s: float) -> np.ndarray:
    """Decode what is heard of a song.

    Parameters
    ----------
    data : bytes
        A whole sound file.
    clip_s : float
        No more than its first so many seconds are decoded, and so many are returned.

    Returns
    -------
    np.ndarray [shape=(n_samples(clip_s),), dtype=float32]
        At 22,050 Hz.

    Raises
    ------
    DataError
        Not a sound file, damaged, shorter than a second, silent, or with samples that are no numbers.
    """
    samples, rate = audio.decode(data, longest_s=clip_s)
    if len(samples) < SHORTEST_S * rate:
        raise DataError(f"lasts {len(samples) / rate:.2f} s, at least {SHORTEST_S:g} s are needed; leave it out")
    if not np.isfinite(samples).all():
        raise DataError("its sound holds NaN or infinite values; encode it anew")
    if np.abs(samples).max() <= SILENCE:
        raise DataError(f"silent in its first {len(samples) / rate:.1f} s; leave it out")
    return np.resize(logmel.resample(samples, rate, SAMPLE_RATE), n_samples(clip_s))
