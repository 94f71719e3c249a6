"""SoundNet on clips: one vector a clip."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from unisono.config.extractors import Torch
from unisono.features import soundnet, torch_weights
from unisono.features.clips import SECONDS, fetch_file, origin
from unisono.media import video

N_ROWS = 1


class Clips(soundnet.Extractor):
    """SoundNet with its weights."""

    def rows(self, clip: bytes) -> np.ndarray:
        """Decode the sound: (1, 441000)."""
        samples = video.sound(clip, soundnet.SAMPLE_RATE)[: SECONDS * soundnet.SAMPLE_RATE]
        return soundnet.repeated(samples)[None]


def fetch(settings: Torch, downloads: Path) -> Torch:
    """Bring the weights here, where they are asked for; see `unisono.features.clips`."""
    return fetch_file(settings, "location", downloads) if settings.weights == "pretrained" else settings


def create(settings: Torch) -> Clips:
    """Build the network; see `unisono.features.clips`."""
    network = soundnet.build()
    torch_weights.fill(network, settings)
    return Clips(network, batch_size=settings.batch_size)


def describe(settings: Torch) -> dict[str, Any]:
    """Name the extractor; see `unisono.features.clips`."""
    variant = "8 layers, 401 scene scores, mean over 20 s"
    return {"extractor": "soundnet", "variant": variant} | origin(settings, settings.sha256)
