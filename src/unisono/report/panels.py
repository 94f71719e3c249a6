"""Parts of items as pictures for figures: a frame, a line of music, a spectrogram."""

from __future__ import annotations

import numpy as np

from unisono.datasets import items
from unisono.datasets.base import Part
from unisono.features import logmel
from unisono.media import pictures, video


def picture(part: Part) -> np.ndarray:
    """Turn what an item looks or sounds like into one picture.

    Parameters
    ----------
    part : Part
        Of any kind but ``text``.

    Returns
    -------
    np.ndarray [shape=(h, w) of numbers or (h, w, 3) of uint8]
        The frame in the middle; the picture; the line of music; of a sound the log-mel spectrogram (64, n), low bands
        at the bottom; of features (d, n).
    """
    if part.kind in ("sound", "soundtrack"):
        samples, rate = items.heard(part)
        sound = logmel.resample(samples, rate)
        # At least one frame of the spectrogram, whatever the length.
        return logmel.log_mel(np.pad(sound, (0, max(0, logmel.WINDOW - len(sound))))).T[::-1]
    if part.kind == "frames":
        frames = video.frames(part.content)
        return np.asarray(frames[len(frames) // 2])
    if part.kind == "picture":
        return np.asarray(part.content)
    if part.kind == "features":
        return np.asarray(part.content, dtype=float).T
    with pictures.opened(part.content, f"{part.place} of {part.item}") as image:
        return np.asarray(image.convert("RGB"))
