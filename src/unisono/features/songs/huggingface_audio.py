"""A model of the Hugging Face hub on songs: a vector for each window; 3 of 10 s with the usual settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from unisono.config.huggingface import Audio
from unisono.features import huggingface
from unisono.features.huggingface import hub, sound
from unisono.features.mfcc import SAMPLE_RATE
from unisono.io import parquet


class Songs(sound.Extractor):
    """The model with its weights."""

    def __init__(self, settings: Audio) -> None:
        super().__init__(settings)
        self.kind = parquet.matrix(None, self.dimensions)

    def extract(self, samples: np.ndarray) -> np.ndarray:
        """Compute (n_windows, d); see `unisono.features.songs`."""
        return self.embed(self.windows(samples, SAMPLE_RATE))


def fetch(settings: Audio, downloads: Path) -> Audio:
    """Bring the model into the hub's cache, where it is asked for; see `unisono.features.songs`."""
    del downloads
    return hub.fetch(settings)


def create(settings: Audio, *, clip_s: float) -> Songs:
    """Build the network; see `unisono.features.songs`."""
    del clip_s
    return Songs(settings)


def describe(settings: Audio) -> dict[str, Any]:
    """Name the extractor; see `unisono.features.songs`."""
    found = huggingface.describe(settings)
    return found | {"variant": f"{found['variant']}, windows of {settings.window_s:g} s"}
