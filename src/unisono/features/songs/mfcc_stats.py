"""Statistics over time of a song's cepstral coefficients and chroma: a vector, 168 numbers with the usual settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from unisono.config.songs_extractors import MFCC
from unisono.errors import ConfigError
from unisono.features import mfcc
from unisono.features.songs import n_samples
from unisono.io import parquet


class Songs:
    """Statistics of songs.

    Parameters
    ----------
    settings : MFCC
    clip_s : float
        What is heard of a song, in seconds.
    """

    def __init__(self, settings: MFCC, *, clip_s: float) -> None:
        frames = 1 + n_samples(clip_s) // settings.hop
        if frames < mfcc.SHORTEST:
            raise ConfigError(
                f"songs.features.mfcc_stats.hop: {settings.hop} samples leave {frames} frames of {clip_s:g} s, "
                f"at least {mfcc.SHORTEST} are needed; lower it"
            )
        self.settings = settings
        self.kind = parquet.vector(6 * settings.coefficients + 4 * mfcc.CHROMA)

    def extract(self, samples: np.ndarray) -> np.ndarray:
        """Compute (6 coefficients + 48,); see `unisono.features.songs`."""
        return mfcc.statistics(samples, coefficients=self.settings.coefficients, hop=self.settings.hop)


def fetch(settings: MFCC, downloads: Path) -> MFCC:
    """Need no file; see `unisono.features.songs`."""
    return settings


def create(settings: MFCC, *, clip_s: float) -> Songs:
    """See `unisono.features.songs`."""
    return Songs(settings, clip_s=clip_s)


def describe(settings: MFCC) -> dict[str, Any]:
    """Name the extractor; see `unisono.features.songs`."""
    variant = f"means and deviations of {settings.coefficients} MFCC, chroma and their differences"
    return {"extractor": "mfcc_stats", "variant": f"{variant}, hop {settings.hop} samples"}
