"""Statistics over time of a song's cepstral coefficients and chroma: a vector, 168 numbers with the usual settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from unisono.config.songs_extractors import MFCC
from unisono.features import mfcc
from unisono.io import parquet


class Songs:
    """Statistics of songs.

    Parameters
    ----------
    settings : MFCC
    """

    def __init__(self, settings: MFCC) -> None:
        self.settings = settings
        self.kind = parquet.vector(6 * settings.coefficients + 4 * mfcc.CHROMA)

    def extract(self, samples: np.ndarray) -> np.ndarray:
        """Compute (6 coefficients + 48,); see `unisono.features.songs`."""
        return mfcc.statistics(samples, coefficients=self.settings.coefficients, hop=self.settings.hop)


def fetch(settings: MFCC, downloads: Path) -> MFCC:
    """Need no file; see `unisono.features.songs`."""
    return settings


def create(settings: MFCC) -> Songs:
    """See `unisono.features.songs`."""
    return Songs(settings)


def describe(settings: MFCC) -> dict[str, Any]:
    """Name the extractor; see `unisono.features.songs`."""
    variant = f"means and deviations of {settings.coefficients} MFCC, chroma and their differences"
    return {"extractor": "mfcc_stats", "variant": f"{variant}, hop {settings.hop} samples"}
