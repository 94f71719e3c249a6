"""A model of the Hugging Face hub on the frames of clips: one vector a second, of those shown at 0, 1, 2, ... s."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from unisono.config.extractors import HuggingFaceImage
from unisono.features import huggingface
from unisono.features.clips import SECONDS, squares
from unisono.features.huggingface import hub, pictures
from unisono.media import video

N_ROWS = SECONDS


class Clips(pictures.Extractor):
    """The model with its weights."""

    def rows(self, clip: bytes) -> np.ndarray:
        """Decode the frames, take the square in the middle and bring it to what the model takes: (n, 3, h, w)."""
        return self.prepare(squares(video.frames(clip)[:SECONDS], self.side))


def fetch(settings: HuggingFaceImage, downloads: Path) -> HuggingFaceImage:
    """Bring the model into the hub's cache, where it is asked for; see `unisono.features.clips`."""
    del downloads
    return hub.fetch(settings)


def create(settings: HuggingFaceImage) -> Clips:
    """Build the network; see `unisono.features.clips`."""
    return Clips(settings)


def describe(settings: HuggingFaceImage) -> dict[str, Any]:
    """Name the extractor; see `unisono.features.clips`."""
    found = huggingface.describe(settings)
    return found | {"variant": f"{found['variant']}, 1 frame/s"}
