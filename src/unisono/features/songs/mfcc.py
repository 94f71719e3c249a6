"""Mel-frequency cepstral coefficients of a song over time: (646, 20) with the usual settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from unisono.config.songs_extractors import MFCC
from unisono.features import mfcc
from unisono.features.songs import SECONDS
from unisono.io import parquet


class Songs:
    """Coefficients of songs.

    Parameters
    ----------
    settings : MFCC
    """

    def __init__(self, settings: MFCC) -> None:
        self.settings = settings
        self.kind = parquet.matrix(1 + SECONDS * mfcc.SAMPLE_RATE // settings.hop, settings.coefficients)

    def extract(self, samples: np.ndarray) -> np.ndarray:
        """Compute (T, coefficients); see `unisono.features.songs`."""
        return mfcc.mfcc(samples, coefficients=self.settings.coefficients, hop=self.settings.hop)


def fetch(settings: MFCC, downloads: Path) -> MFCC:
    """Need no file; see `unisono.features.songs`."""
    return settings


def create(settings: MFCC) -> Songs:
    """See `unisono.features.songs`."""
    return Songs(settings)


def describe(settings: MFCC) -> dict[str, Any]:
    """Name the extractor; see `unisono.features.songs`."""
    return {"extractor": "mfcc", "variant": f"{settings.coefficients} coefficients, hop {settings.hop} samples"}
