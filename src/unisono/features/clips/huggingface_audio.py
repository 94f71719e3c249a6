"""A model of the Hugging Face hub on the sound of clips: one vector for each window."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from unisono.config.extractors import HuggingFaceAudio
from unisono.features import huggingface
from unisono.features.clips import SECONDS
from unisono.features.huggingface import hub, sound
from unisono.media import video

#: Windows have a second at least.
N_ROWS = SECONDS


class Clips(sound.Extractor):
    """The model with its weights."""

    def rows(self, clip: bytes) -> np.ndarray:
        """Decode the sound and cut it into windows: (m, w)."""
        return self.windows(video.sound(clip, self.rate)[: SECONDS * self.rate], self.rate)


def fetch(settings: HuggingFaceAudio, downloads: Path) -> HuggingFaceAudio:
    """Bring the model into the hub's cache, where it is asked for; see `unisono.features.clips`."""
    del downloads
    return hub.fetch(settings)


def create(settings: HuggingFaceAudio) -> Clips:
    """Build the network; see `unisono.features.clips`."""
    return Clips(settings)


def describe(settings: HuggingFaceAudio) -> dict[str, Any]:
    """Name the extractor; see `unisono.features.clips`."""
    found = huggingface.describe(settings)
    return found | {"variant": f"{found['variant']}, windows of {settings.window_s:g} s"}
