"""musicnn on songs: a vector for every 3 s, `hop_s` apart; 10 of 200 numbers with the usual settings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from unisono.config.songs_extractors import Musicnn
from unisono.errors import ConfigError
from unisono.features import musicnn
from unisono.features.mfcc import SAMPLE_RATE
from unisono.features.musicnn import package
from unisono.io import parquet, tensors
from unisono.io.files import replacing

_KEY = "musicnn"
#: Sound under a patch, in seconds.
SHORTEST_S = 3.0


class Songs:
    """musicnn with its weights.

    Parameters
    ----------
    weights : mapping of str to np.ndarray
    settings : Musicnn
    clip_s : float
        What is heard of a song, in seconds.
    """

    def __init__(self, weights: Mapping[str, np.ndarray], settings: Musicnn, *, clip_s: float) -> None:
        if clip_s < SHORTEST_S:
            raise ConfigError(
                f"songs.audio.clip_s: {clip_s:g} s are less than musicnn's patch; set {SHORTEST_S:g} or more"
            )
        self.hop_s = settings.hop_s
        self.network = musicnn.Extractor(weights, output=settings.output, batch_size=settings.batch_size)
        self.kind = parquet.matrix(None, self.network.dimensions)

    def extract(self, samples: np.ndarray) -> np.ndarray:
        """Compute (n_patches, d); see `unisono.features.songs`."""
        return self.network.embed(musicnn.patches(samples, SAMPLE_RATE, hop_s=self.hop_s))


def fetch(settings: Musicnn, downloads: Path) -> Musicnn:
    """Take trained weights out of their package, once for all workers; see `unisono.features.songs`."""
    from safetensors.numpy import save

    if settings.weights == "untrained":
        return settings
    weights = package.read(settings.variant, settings.location if settings.weights == "location" else "")
    path = downloads / f"musicnn_{settings.variant}.safetensors"
    with replacing(path) as temporary:
        temporary.write_bytes(save(weights))
    return settings.model_copy(update={"location": str(path)})


def create(settings: Musicnn, *, clip_s: float) -> Songs:
    """Build the network; see `unisono.features.songs`."""
    if settings.weights == "untrained":
        return Songs(musicnn.untrained(settings.seed), settings, clip_s=clip_s)
    path = Path(settings.location)
    _, weights = tensors.read(path, _KEY, what="weights of musicnn", remedy="delete it and run again")
    return Songs(weights, settings, clip_s=clip_s)


def describe(settings: Musicnn) -> dict[str, Any]:
    """Name the extractor; see `unisono.features.songs`."""
    origin: dict[str, Any] = {"weights": "untrained", "seed": settings.seed}
    if settings.weights != "untrained":
        origin = {"weights": "pretrained", "sha256": package.PUBLISHED[settings.variant][-1]}
    variant = f"{settings.variant}, {settings.output}, hop {settings.hop_s:g} s"
    return {"extractor": "musicnn", "variant": variant} | origin
