"""Inception V3 on clips: one vector a second, of the frames shown at 0, 1, 2, ... s."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from unisono.config.extractors import Inception
from unisono.errors import ConfigError
from unisono.features import frozen_graph, inception
from unisono.features.clips import SECONDS, fetch_file, origin
from unisono.features.whitening import Whitening, load_youtube8m
from unisono.io.download import fetch as fetch_url
from unisono.media import video

N_ROWS = SECONDS


class Clips:
    """Inception V3 with its weights.

    Parameters
    ----------
    extractor : unisono.features.inception.Extractor
    """

    def __init__(self, extractor: inception.Extractor) -> None:
        self.extractor = extractor
        self.dimensions, self.batch_size = extractor.dimensions, extractor.batch_size

    def rows(self, clip: bytes) -> np.ndarray:
        """Decode the frames: (n, 299, 299, 3)."""
        return self.extractor.resize(video.frames(clip)[:SECONDS])

    def embed(self, rows: np.ndarray) -> np.ndarray:
        """Embed frames: (n, 2048)."""
        return self.extractor.embed(rows)


def fetch(settings: Inception, downloads: Path) -> Inception:
    """Bring the network's file here, where one is asked for; see `unisono.features.clips`."""
    if settings.weights == "pretrained":
        return fetch_file(settings, settings.variant, downloads)
    if settings.variant == "youtube8m":
        raise ConfigError(
            "vegas.features.inception.variant: youtube8m is a frozen, trained graph and cannot be untrained; "
            "set weights: pretrained or variant: keras"
        )
    return settings


def create(settings: Inception) -> Clips:
    """Build the network; see `unisono.features.clips`."""
    if settings.weights == "untrained":
        weights = inception.untrained(settings.seed)
    elif settings.variant == "youtube8m":
        graph = frozen_graph.read(Path(settings.youtube8m))
        return Clips(inception.Extractor.from_graph(graph, batch_size=settings.batch_size))
    else:
        weights = inception.load_h5(Path(settings.keras))
    return Clips(inception.Extractor.from_weights(weights, batch_size=settings.batch_size))


def describe(settings: Inception) -> dict[str, Any]:
    """Name the extractor; see `unisono.features.clips`."""
    network = {"keras": "Keras' network", "youtube8m": "graph of December 2015"}[settings.variant]
    checksum = settings.keras_sha256 if settings.variant == "keras" else settings.youtube8m_sha256
    return {"extractor": "inception", "variant": f"pool3 of {network}, ReLU, 1 frame/s"} | origin(settings, checksum)


def published(settings: Inception, downloads: Path) -> Whitening:
    """Read YouTube-8M's matrices; see `unisono.features.clips`."""
    wanted = settings.whitening
    path = fetch_url(wanted.location, downloads / wanted.location.rsplit("/", 1)[-1], sha256=wanted.sha256)
    return load_youtube8m(path)
