"""Sheet music drawn by hand for the staff reader's tests: five lines, and an ellipse a note."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageDraw

from unisono.features.staff_reader import symbols

N_NOTES = 20


def draw(
    notes: np.ndarray, *, space: int = 7, margin: int = 4, head: int = 20, signs: bool = False
) -> np.ndarray:  # fmt: skip
    """Draw black heads, stems and bar lines; `head` rows of quarters and halves only, in C major.

    Parameters
    ----------
    notes : np.ndarray [shape=(n, 3)]
    space, margin : int
        Distance of lines, in pixels; spaces above and below the staff.
    head : int
        Column of the first symbol, in half spaces.
    signs : bool
        Blots where clef and time signature stand.

    Returns
    -------
    np.ndarray [shape=(rows, columns), dtype=uint8]
    """
    sample = symbols.printed(notes)
    assert sample is not None
    step = space / 2
    middle = (margin + 2) * space
    columns = int((head + 4 * (len(sample.symbols) + 1)) * step)
    image = Image.new("L", (columns, 2 * middle + 1), 255)
    pen = ImageDraw.Draw(image)
    for line in range(-2, 3):
        pen.line([(0, middle + line * space), (columns, middle + line * space)], fill=0)
    if signs:
        pen.ellipse([(step, middle - 5 * step), (4 * step, middle + 5 * step)], outline=0, width=2)
    for number, (kind, height, length, *_) in enumerate(sample.symbols):
        x, y = (head + 4 * number) * step, middle - height * step
        if kind == symbols.BAR:
            pen.line([(x, middle - 2 * space), (x, middle + 2 * space)], fill=0)
            continue
        black = symbols.LENGTHS[length] < 32
        pen.ellipse(
            [(x - step, y - 0.8 * step), (x + step, y + 0.8 * step)], fill=0 if black else 255, outline=0, width=2
        )
        pen.line([(x + step, y), (x + step, y - 6 * step)], fill=0)
    return np.asarray(image)


def melody(seed: int) -> np.ndarray:
    """Draw 20 notes at random: quarters, some halves, of C major."""
    rng = np.random.default_rng(seed)
    pitches = rng.choice([60, 62, 64, 65, 67, 69, 71, 72, 74, 76], N_NOTES)
    lengths = np.where(rng.random(N_NOTES // 2) < 0.5, 1.0, 2.0).repeat(2)
    return np.stack([pitches, lengths, np.zeros(N_NOTES)], axis=1).astype(np.float32)


def png(picture: np.ndarray) -> bytes:
    """Write as PNG."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    return file.getvalue()
