"""Parts of items as pictures for figures: a frame, a line of music, a spectrogram, a text."""

from __future__ import annotations

import textwrap
from pathlib import Path

import numpy as np

from unisono.datasets import items
from unisono.datasets.base import Part
from unisono.features import logmel
from unisono.media import pictures, video

#: Letters of a line of a text that is shown, and lines, at most.
LETTERS, LINES = 24, 6


def picture(part: Part) -> np.ndarray:
    """Turn what an item looks or sounds like into one picture.

    Parameters
    ----------
    part : Part

    Returns
    -------
    np.ndarray [shape=(h, w) of numbers or (h, w, 3) of uint8]
        The frame in the middle; the picture; the line of music; of a sound the log-mel spectrogram (64, n), low bands
        at the bottom; of features (d, n); of a text its beginning, black on white.
    """
    if part.kind == "text":
        return _written(part.content)
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


def _written(text: str) -> np.ndarray:
    """Write a text into a picture of `LINES` lines of `LETTERS` letters, fewer of wide ones, in the font of figures."""
    import matplotlib
    from PIL import Image, ImageDraw, ImageFont

    place = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    font = ImageFont.truetype(str(place), size=22)
    image = Image.new("RGB", (13 * LETTERS, 28 * LINES), "white")
    # More than can be seen, so that a word without an end costs nothing.
    text, lines = text[: 8 * LETTERS * LINES], []
    for letters in range(LETTERS, 5, -1):
        lines = textwrap.wrap(text, letters, max_lines=LINES, placeholder=" …")
        if all(font.getlength(line) <= image.width - 8 for line in lines):
            break
    ImageDraw.Draw(image).multiline_text((4, 0), "\n".join(lines), fill="black", font=font, spacing=5)
    return np.asarray(image)
