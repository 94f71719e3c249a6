"""How each extractor is fed with clips: one module per extractor, loaded by name.

**Conventions.** A clip is a whole video file as bytes. A module ``unisono.features.clips.<name>`` has

- ``N_ROWS``: the most vectors it makes of a clip,
- ``fetch(settings, downloads)``: the settings with local files and their checksums,
- ``create(settings)``: a `ClipExtractor`,
- ``describe(settings)``: extractor, variant and weights, for the metadata,
- ``published(settings, downloads)``: the published whitening, in modules whose network has one.

Row k of a clip belongs to its second k (VGGish: to its k-th step).
"""

from __future__ import annotations

import hashlib
import importlib
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np

from unisono.config.extractors import Extractor
from unisono.io.download import fetch

#: Seconds of a clip that are used (D: clips of 2 to 10 s).
SECONDS = 10

S = TypeVar("S", bound=Extractor)


class ClipExtractor(Protocol):
    """A network with its weights."""

    dimensions: int
    batch_size: int

    def rows(self, clip: bytes) -> np.ndarray:
        """Decode a clip into what the network sees: (n, ...), 1 <= n <= N_ROWS; thread-safe."""

    def embed(self, rows: np.ndarray) -> np.ndarray:
        """Turn (n, ...) into (n, dimensions); each row on its own."""


def module(name: str) -> Any:
    """Import the module of an extractor.

    Parameters
    ----------
    name : {"inception", "vggish", "soundnet", "i3d", "efficientnet_lite0", "musicnn", "huggingface_audio",
        "huggingface_image"}
    """
    return importlib.import_module(f"{__name__}.{name}")


def squares(frames: np.ndarray, side: int) -> np.ndarray:
    """Take the square in the middle of frames and scale it with Pillow's bicubic filter.

    Parameters
    ----------
    frames : np.ndarray [shape=(n, height, width, 3), dtype=uint8]
    side : int
        Of the result, in pixels.

    Returns
    -------
    np.ndarray [shape=(n, side, side, 3), dtype=uint8]
    """
    from PIL import Image

    height, width = frames.shape[1:3]
    shorter = min(height, width)
    left, top = (width - shorter) / 2, (height - shorter) / 2
    box = (left, top, left + shorter, top + shorter)
    resize = Image.Resampling.BICUBIC
    return np.stack([np.asarray(Image.fromarray(frame).resize((side, side), resize, box)) for frame in frames])


def fetch_file(settings: S, key: str, downloads: Path) -> S:
    """Bring the file that `key` locates onto this machine.

    Parameters
    ----------
    settings : Extractor
        Its `key` is a URL or path, ``<key>_sha256`` (``sha256`` for ``location``) the expected checksum.
    key : str
    downloads : Path
        Folder for the file.

    Returns
    -------
    Extractor
        The same settings with a local path and the checksum of what lies there.

    Raises
    ------
    DownloadError
        The file cannot be had, or is not the one that was promised.
    """
    checksum = "sha256" if key == "location" else f"{key}_sha256"
    location = getattr(settings, key)
    path = fetch(location, downloads / location.rsplit("/", 1)[-1], sha256=getattr(settings, checksum))
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return settings.model_copy(update={key: str(path), checksum: digest})


def origin(settings: Extractor, checksum: str) -> dict[str, Any]:
    """Name the weights: their seed, or the checksum of their file.

    Parameters
    ----------
    settings : Extractor
    checksum : str
        Of the pretrained weights.
    """
    if settings.weights == "untrained":
        return {"weights": "untrained", "seed": settings.seed}
    return {"weights": "pretrained", "sha256": checksum}
