"""Finding the five lines of a staff, and bringing a picture to one size by them.

**Conventions.** A *space* is the distance of two neighbouring staff lines; a *step* is half of one, a line to the next
space. A *strip* is 128 rows of ink (0 paper, 1 black) in which a space is 8 pixels and the staff's middle line lies
between rows 61 and 62: the same music gives nearly the same strip at any resolution. In *cells* of 4 x 4 pixels a
strip has 32 rows, one a step, and row `MIDDLE_CELL` is the middle line; step s is cell row ``MIDDLE_CELL - s``.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

SPACE_PIXELS = 8
CELL_PIXELS = SPACE_PIXELS // 2
CELL_ROWS = 32
STRIP_ROWS = CELL_PIXELS * CELL_ROWS
MIDDLE_CELL = 15
MIDDLE_ROW = CELL_PIXELS * MIDDLE_CELL + (CELL_PIXELS - 1) / 2
#: Longest strip, in pixels: 1,024 spaces, where 20 notes take about 100. What is longer is cut.
MAX_COLUMNS = 8192
# Rows in which lines are looked for; a taller picture is shrunk for it.
_MAX_ROWS = 600
# Pixels in which they are looked for: of a larger picture columns are left out, evenly.
_MAX_PIXELS = 4_000_000
# Candidates of a space: from 3 pixels to the height of the picture over 5, each 2 % above the one before.
_LEAST_SPACE, _GROWTH = 2.5, 1.02
# Contrast of lines to the spaces between them: printed ones have .3 and more after a blur of a pixel, noise .17.
_LEAST_CONTRAST = 0.2
_LINES = np.arange(-2.0, 3.0)
_BETWEEN = np.arange(-1.5, 2.0)
_BESIDE = np.array([-2.5, 2.5])


class Staff(NamedTuple):
    """Where a staff lies in a picture, in its pixels."""

    middle: float
    """Row of the middle line; 0 is the middle of the first row."""
    space: float
    """Distance of two lines."""
    contrast: float
    """Ink of the lines less that of the spaces between them, or between and beside if that is more; up to 1."""


def find(picture: np.ndarray) -> Staff | None:
    """Find the staff: the five equally spaced rows that hold the most ink against what lies between them.

    A row's ink is the median over its columns, in which nothing but lines through the whole width is left.

    Parameters
    ----------
    picture : np.ndarray [shape=(rows, columns), dtype=uint8]
        Grey, white 255.

    Returns
    -------
    Staff or None
        None where no five rows stand out.
    """
    rows, columns = picture.shape
    shrink = -(-rows // _MAX_ROWS)
    every = -(-rows * columns // _MAX_PIXELS)
    ink = 1 - picture[: rows - rows % shrink, ::every].astype(np.float32) / 255
    profile = np.median(ink.reshape(len(ink) // shrink, shrink, -1).mean(axis=1), axis=1).astype(np.float64)
    n = len(profile)
    best: Staff | None = None
    space = _LEAST_SPACE
    while space <= n / 4:
        found = _fit(profile, np.arange(2 * space - 0.5, n - 2 * space, 0.5), np.array([space]))
        best = found if best is None or found.contrast > best.contrast else best
        space *= _GROWTH
    if best is None or best.contrast < _LEAST_CONTRAST:
        return None
    middle, space = _refined(profile, best)
    return Staff((middle + 0.5) * shrink - 0.5, space * shrink, best.contrast)


def _refined(profile: np.ndarray, rough: Staff) -> tuple[float, float]:
    """Fit middle and space to the centres of the lines' ink, below a pixel."""
    rows = np.arange(len(profile))
    centres = []
    for place in rough.middle + rough.space * _LINES:
        near = profile * (np.abs(rows - place) < 0.4 * rough.space)
        centres.append((near @ rows) / near.sum() if near.sum() > 0 else place)
    space, middle = np.polyfit(_LINES, centres, 1)
    return float(middle), float(space)


def _fit(profile: np.ndarray, middles: np.ndarray, spaces: np.ndarray) -> Staff:
    """Take the best of some middles and spaces; rows beyond the picture are paper."""
    places = np.arange(len(profile))

    def ink(offsets: np.ndarray) -> np.ndarray:
        at = middles[:, None, None] + spaces[None, :, None] * offsets
        values: np.ndarray = np.interp(at.ravel(), places, profile, left=0, right=0).reshape(at.shape).mean(axis=2)
        return values

    between = ink(_BETWEEN)
    contrast = ink(_LINES) - np.maximum(between, (2 * between + ink(_BESIDE)) / 3)
    row, column = np.unravel_index(contrast.argmax(), contrast.shape)
    return Staff(float(middles[row]), float(spaces[column]), float(contrast[row, column]))


def strip(picture: np.ndarray) -> tuple[np.ndarray, bool]:
    """Bring a picture to the strip's size, its staff to the strip's middle.

    Parameters
    ----------
    picture : np.ndarray [shape=(rows, columns), dtype=uint8]
        Grey, white 255, one line of music.

    Returns
    -------
    strip : np.ndarray [shape=(128, columns), dtype=uint8]
        Ink, 255 black; a multiple of 4 columns, at least 4. Paper where no staff was found.
    found : bool
        Whether there was a staff.
    """
    import scipy.ndimage

    staff = find(picture)
    if staff is None:
        return np.zeros((STRIP_ROWS, CELL_PIXELS), np.uint8), False
    zoom = SPACE_PIXELS / staff.space
    columns = min(-(-int(np.ceil(picture.shape[1] * zoom)) // CELL_PIXELS) * CELL_PIXELS, MAX_COLUMNS)
    reach = (MIDDLE_ROW + 1) / zoom + 2
    top, bottom = max(int(staff.middle - reach), 0), min(int(staff.middle + reach) + 2, len(picture))
    ink = 1 - picture[top:bottom, : int(columns / zoom) + 2].astype(np.float32) / 255
    if zoom < 1:  # what lies between the strip's pixels counts
        ink = scipy.ndimage.gaussian_filter(ink, (1 / zoom - 1) / 2, mode="constant")
    rows = staff.middle - top + (np.arange(STRIP_ROWS) - MIDDLE_ROW) / zoom
    at = np.meshgrid(rows, (np.arange(columns) + 0.5) / zoom - 0.5, indexing="ij")
    resampled = scipy.ndimage.map_coordinates(np.pad(ink, 1), [axis + 1 for axis in at], order=1, mode="constant")
    return np.rint(255 * resampled.clip(0, 1)).astype(np.uint8), True
