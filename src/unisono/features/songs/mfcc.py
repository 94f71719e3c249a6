"""Mel-frequency cepstral coefficients of a song over time: (646, 20) with the usual settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from unisono.config.songs_extractors import MFCC
from unisono.features import mfcc
from unisono.features.songs import n_samples
from unisono.io import parquet


class Songs:
    """Coefficients of songs.

    Parameters
    ----------
    settings : MFCC
    clip_s : float
        What is heard of a song, in seconds.
    """

    def __init__(self, settings: MFCC, *, clip_s: float) -> None:
        self.settings = settings
        self.kind = parquet.matrix(1 + n_samples(clip_s) // settings.hop, settings.coefficients)

    def extract(self, samples: np.ndarray) -> np.ndarray:
        """Compute (T, coefficients); see `unisono.features.songs`."""
        return mfcc.mfcc(samples, coefficients=self.settings.coefficients, hop=self.settings.hop)


def fetch(settings: MFCC, downloads: Path) -> MFCC:
    """Need no file; see `unisono.features.songs`."""
    return settings


def create(settings: MFCC, *, clip_s: float) -> Songs:
    """See `unisono.features.songs`."""
    return Songs(settings, clip_s=clip_s)


def describe(settings: MFCC) -> dict[str, Any]:
    """Name the extractor; see `unisono.features.songs`."""
    return {"extractor": "mfcc", "variant": f"{settings.coefficients} coefficients, hop {settings.hop} samples"}
