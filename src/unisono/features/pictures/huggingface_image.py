"""A model of the Hugging Face hub on pictures: one vector, of the whole."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from unisono.config.huggingface import Image
from unisono.features import huggingface
from unisono.features.huggingface import hub
from unisono.features.huggingface import pictures as network
from unisono.features.pictures import PARTS


class Pictures(network.Extractor):
    """The model with its weights."""

    def __init__(self, settings: Image) -> None:
        super().__init__(settings)
        self.columns: Mapping[str, tuple[int, ...]] = {PARTS: (1, self.dimensions)}

    def extract(self, picture: np.ndarray) -> dict[str, np.ndarray]:
        """Compute (1, d); see `unisono.features.pictures`."""
        return {PARTS: self.embed(self.prepare(picture[None]))}


def fetch(settings: Image, downloads: Path) -> Path:
    """Bring the model into the hub's cache, where it is asked for; see `unisono.features.pictures`."""
    del downloads
    return Path(hub.fetch(settings).location)


def create(settings: Image, weights: Path) -> Pictures:
    """Build the network; see `unisono.features.pictures`."""
    return Pictures(settings.model_copy(update={"location": str(weights)}))


def describe(settings: Image) -> dict[str, Any]:
    """Name the extractor; see `unisono.features.pictures`."""
    return huggingface.describe(hub.fetch(settings))
