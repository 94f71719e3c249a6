"""musicnn on the sound of clips: one vector for each 3 s, `hop_s` apart; a shorter sound is repeated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from unisono.config.extractors import Musicnn
from unisono.features import musicnn
from unisono.features.clips import SECONDS
from unisono.features.musicnn import package
from unisono.features.songs import musicnn as songs
from unisono.io import tensors
from unisono.media import video

#: Steps have a second at least.
N_ROWS = SECONDS
#: Samples of the shortest sound: a patch.
_SHORTEST = 3 * musicnn.SAMPLE_RATE


class Clips(musicnn.Extractor):
    """musicnn with its weights."""

    hop_s: float

    def rows(self, clip: bytes) -> np.ndarray:
        """Decode the sound and cut it into log-mel patches: (m, 187, 96)."""
        samples = video.sound(clip, musicnn.SAMPLE_RATE)[: SECONDS * musicnn.SAMPLE_RATE]
        whole = np.resize(samples, max(len(samples), _SHORTEST))
        return musicnn.patches(whole, musicnn.SAMPLE_RATE, hop_s=self.hop_s)


def fetch(settings: Musicnn, downloads: Path) -> Musicnn:
    """Take trained weights out of their package; see `unisono.features.clips`."""
    return settings.model_copy(update={"location": songs.fetch(settings, downloads).location})


def create(settings: Musicnn) -> Clips:
    """Build the network; see `unisono.features.clips`."""
    if settings.weights == "untrained":
        weights = musicnn.untrained(settings.seed)
    else:
        what, remedy = "weights of musicnn", "delete it and run again"
        _, weights = tensors.read(Path(settings.location), package.PACKAGE, what=what, remedy=remedy)
    made = Clips(weights, output=settings.output, batch_size=settings.batch_size)
    made.hop_s = settings.hop_s
    return made


def describe(settings: Musicnn) -> dict[str, Any]:
    """Name the extractor; see `unisono.features.clips`."""
    return songs.describe(settings)
