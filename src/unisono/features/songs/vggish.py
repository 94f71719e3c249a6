"""VGGish on songs: a vector for every 0.96 s, `hop_s` apart; 31 of 128 numbers with the usual settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from unisono.config.mtm import VGGish
from unisono.features import logmel, vggish
from unisono.features.mfcc import SAMPLE_RATE
from unisono.features.vggish import extraction
from unisono.io import parquet


class Songs:
    """VGGish with its weights.

    Parameters
    ----------
    network : unisono.features.vggish.Extractor
    hop_s : float
        Step between patches, in seconds.
    """

    def __init__(self, network: vggish.Extractor, *, hop_s: float) -> None:
        self.network, self.hop_s = network, hop_s
        self.kind = parquet.matrix(None, network.dimensions)

    def extract(self, samples: np.ndarray) -> np.ndarray:
        """Compute (n_patches, 128); see `unisono.features.songs`."""
        return self.network.embed(logmel.patches(samples, SAMPLE_RATE, hop_s=self.hop_s))


def fetch(settings: VGGish, downloads: Path) -> VGGish:
    """Bring the published files here, where they are asked for; see `unisono.features.songs`."""
    return extraction.fetch_weights(settings, downloads)


def create(settings: VGGish, *, clip_s: float) -> Songs:
    """Build the network; see `unisono.features.songs`."""
    return Songs(extraction.create(settings), hop_s=settings.hop_s)


def describe(settings: VGGish) -> dict[str, Any]:
    """Name the extractor; see `unisono.features.songs`."""
    return extraction.describe(settings)
