"""I3D on clips: one vector a second, of the 25 pictures shown from then on; the last one stands still to fill up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from unisono.config.extractors import Torch
from unisono.features import i3d, torch_weights
from unisono.features.clips import SECONDS, fetch_file, origin
from unisono.media import video

N_ROWS = SECONDS


class Clips(i3d.Extractor):
    """I3D with its weights."""

    def rows(self, clip: bytes) -> np.ndarray:
        """Decode the pictures: (n, 25, 224, 224, 3)."""
        frames = i3d.cropped(video.frames(clip, rate=i3d.RATE)[: SECONDS * i3d.RATE])
        missing = -len(frames) % i3d.RATE
        frames = np.concatenate([frames, np.repeat(frames[-1:], missing, axis=0)])
        return frames.reshape(-1, i3d.RATE, *frames.shape[1:])


def fetch(settings: Torch, downloads: Path) -> Torch:
    """Bring the weights here, where they are asked for; see `unisono.features.clips`."""
    return fetch_file(settings, "location", downloads) if settings.weights == "pretrained" else settings


def create(settings: Torch) -> Clips:
    """Build the network; see `unisono.features.clips`."""
    network = i3d.build()
    torch_weights.fill(network, settings)
    return Clips(network, batch_size=settings.batch_size)


def describe(settings: Torch) -> dict[str, Any]:
    """Name the extractor; see `unisono.features.clips`."""
    variant = "Inception V1 inflated, 400 Kinetics scores, 25 pictures a second"
    return {"extractor": "i3d", "variant": variant} | origin(settings, settings.sha256)
