"""The colours of a picture made small: where no trained network is at hand, and to see what one is worth."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from unisono.config.picture_extractors import Pixels as Settings
from unisono.features.pictures import PARTS


class Pictures:
    """Red, green and blue of `side` x `side` pixels, in 0 ... 1."""

    def __init__(self, side: int) -> None:
        self.side = side
        self.columns: Mapping[str, tuple[int, ...]] = {PARTS: (1, 3 * side**2)}

    def extract(self, picture: np.ndarray) -> dict[str, np.ndarray]:
        """Compute (1, 3 side²); see `unisono.features.pictures`."""
        return {PARTS: picture.reshape(1, -1).astype(np.float32) / 255}


def fetch(settings: Settings, downloads: Path) -> None:
    """Bring nothing; see `unisono.features.pictures`."""
    del settings, downloads


def create(settings: Settings, weights: None = None) -> Pictures:
    """Build the extractor; see `unisono.features.pictures`."""
    del weights
    return Pictures(settings.image_size)


def describe(settings: Settings) -> dict[str, Any]:
    """Name the extractor; see `unisono.features.pictures`."""
    return {"extractor": "pixels", "variant": f"RGB at {settings.image_size} px", "weights": "none"}
