"""EfficientNet-Lite0 on clips: one vector a second, of the frames shown at 0, 1, 2, ... s."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from unisono.config.extractors import EfficientNet
from unisono.features import efficientnet_lite0 as network
from unisono.features.clips import SECONDS, origin, squares
from unisono.features.efficientnet_lite0 import package
from unisono.media import video

N_ROWS = SECONDS


class Clips:
    """EfficientNet-Lite0 with its weights.

    Parameters
    ----------
    extractor : unisono.features.efficientnet_lite0.Extractor
    batch_size : int
    """

    dimensions = network.DIMENSIONS

    def __init__(self, extractor: network.Extractor, batch_size: int) -> None:
        self.extractor, self.batch_size = extractor, batch_size

    def rows(self, clip: bytes) -> np.ndarray:
        """Decode the frames and take the square in the middle: (n, side, side, 3)."""
        return squares(video.frames(clip)[:SECONDS], self.extractor.side)

    def embed(self, rows: np.ndarray) -> np.ndarray:
        """Embed frames: (n, 1280), the whole frame."""
        found: np.ndarray = self.extractor.embed(rows).parts[:, 0]
        return found


def fetch(settings: EfficientNet, downloads: Path) -> EfficientNet:
    """Look that the package is there, where it is asked for; see `unisono.features.clips`."""
    del downloads
    if settings.weights == "pretrained":
        package.read(settings.location)
    return settings


def create(settings: EfficientNet) -> Clips:
    """Build the network; see `unisono.features.clips`."""
    trained = settings.weights == "pretrained"
    weights = package.read(settings.location) if trained else network.untrained(settings.seed)
    return Clips(network.Extractor(weights, side=settings.image_size), settings.batch_size)


def describe(settings: EfficientNet) -> dict[str, Any]:
    """Name the extractor; see `unisono.features.clips`."""
    variant = f"EfficientNet-Lite0 at {settings.image_size} px, pooled, 1 frame/s"
    return {"extractor": "efficientnet_lite0", "variant": variant} | origin(settings, package.PUBLISHED)
