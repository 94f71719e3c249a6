"""VGGish on clips: one vector for each 0.96 s of sound, `hop_s` apart.

Patch k hears [k hop, k hop + 0.96) s. A patch of which less than half is left at the end of the sound is not made, but
for the first; what lies beyond the end is silence. So a sound of 10 s has 10 patches at either usual hop, as it has
10 frames.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from unisono.config.extractors import VGGish
from unisono.features import logmel, vggish
from unisono.features.clips import SECONDS, fetch_file, origin
from unisono.features.whitening import Whitening, load_vggish
from unisono.io.download import fetch as fetch_url
from unisono.media import video

N_ROWS = SECONDS

# Samples without the overlap of the last frame's window.
_PATCH = logmel.FRAMES * logmel.STEP


def starts(n_samples: int, *, hop_s: float) -> np.ndarray:
    """Place the patches of a sound.

    Parameters
    ----------
    n_samples : int
        Of the sound, at 16,000 Hz.
    hop_s : float
        Step in seconds, rounded to frames of 10 ms.

    Returns
    -------
    np.ndarray [shape=(m,), dtype=int64]
        First sample of each patch, 1 <= m <= 10.

    Examples
    --------
    >>> len(starts(160000, hop_s=0.96)), len(starts(160000, hop_s=1.0))
    (10, 10)
    """
    hop = logmel.hop_frames(hop_s) * logmel.STEP
    count = 1 + max(0, n_samples - _PATCH // 2) // hop
    return np.arange(min(count, N_ROWS), dtype=np.int64) * hop


class Clips:
    """VGGish with its weights.

    Parameters
    ----------
    extractor : unisono.features.vggish.Extractor
    hop_s : float
        Step between patches, in seconds.
    """

    def __init__(self, extractor: vggish.Extractor, *, hop_s: float) -> None:
        self.extractor, self.hop_s = extractor, hop_s
        self.dimensions, self.batch_size = extractor.dimensions, extractor.batch_size

    def rows(self, clip: bytes) -> np.ndarray:
        """Decode the sound into log-mel patches: (m, 96, 64)."""
        samples = video.sound(clip, logmel.SAMPLE_RATE)
        return logmel.patches_at(samples, starts(len(samples), hop_s=self.hop_s))

    def embed(self, rows: np.ndarray) -> np.ndarray:
        """Embed patches: (m, 128)."""
        return self.extractor.embed(rows)


def fetch(settings: VGGish, downloads: Path) -> VGGish:
    """Bring the checkpoint here, where it is asked for; see `unisono.features.clips`."""
    return fetch_file(settings, "checkpoint", downloads) if settings.weights == "pretrained" else settings


def create(settings: VGGish) -> Clips:
    """Build the network; see `unisono.features.clips`."""
    if settings.weights == "pretrained":
        weights = vggish.load_checkpoint(Path(settings.checkpoint))
    else:
        weights = vggish.untrained(settings.seed)
    return Clips(vggish.Extractor(weights, batch_size=settings.batch_size), hop_s=settings.hop_s)


def describe(settings: VGGish) -> dict[str, Any]:
    """Name the extractor; see `unisono.features.clips`."""
    variant = f"before activation, hop {settings.hop_s} s"
    return {"extractor": "vggish", "variant": variant} | origin(settings, settings.checkpoint_sha256)


def published(settings: VGGish, downloads: Path) -> Whitening:
    """Read the PCA published with VGGish; see `unisono.features.clips`."""
    wanted = settings.whitening
    return load_vggish(fetch_url(wanted.location, downloads / wanted.location.rsplit("/", 1)[-1], sha256=wanted.sha256))
