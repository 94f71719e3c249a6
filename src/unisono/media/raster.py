"""Pages of a PDF file as cropped grey pictures.

**Conventions.** A picture is ``np.ndarray [shape=(rows, columns), dtype=uint8]``, 0 black, 255 white. PNG bytes depend
on the picture alone (no time stamps, a fixed compression level).
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pypdfium2
from PIL import Image

from unisono.errors import DataError, pass_machine

WHITE = 255
POINTS_PER_INCH = 72
#: Largest page.
MAX_PIXELS = 2**28
COARSER = 16
"""How much coarser the first look at a page is."""


def pages(path: Path, *, resolution_dpi: float) -> Iterator[np.ndarray]:
    """Rasterise the pages of a PDF file, one at a time.

    Parameters
    ----------
    path : Path
    resolution_dpi : float
        Pixels per inch.

    Yields
    ------
    np.ndarray [shape=(rows, columns), dtype=uint8]
        A page; white columns to the right of the ink may be missing, since pages may be much wider than their music.

    Raises
    ------
    DataError
        The file is missing or not a PDF file.
    """
    scale = resolution_dpi / POINTS_PER_INCH
    with _opened(path) as document:
        for page in _each(document, path):
            size = page.get_width() * scale, page.get_height() * scale
            # Not so, too, where it is NaN.
            if not (max(size) >= 1 and size[0] * size[1] <= MAX_PIXELS):
                raise DataError(
                    f"{path.name}: a page of {size[0]:g} x {size[1]:g} pixels, at most {MAX_PIXELS:,} are read"
                )
            # A first look at low resolution finds the right end of the ink: a page of 5 m takes half the time.
            ink = np.flatnonzero(_render(page, scale / COARSER).min(axis=0) < WHITE)
            right = (ink[-1] + 3) * COARSER / scale if len(ink) else page.get_width()
            yield _render(page, scale, cut_right=max(0.0, page.get_width() - right))
            page.close()


def _each(document: pypdfium2.PdfDocument, path: Path) -> Iterator[pypdfium2.PdfPage]:
    """Open page after page."""
    for index in range(len(document)):
        try:
            yield document[index]
        except pypdfium2.PdfiumError as error:
            pass_machine(error)
            raise DataError(f"{path.name}: page {index + 1} is damaged ({error}); make the file again") from None


def _render(page: pypdfium2.PdfPage, scale: float, *, cut_right: float = 0.0) -> np.ndarray:
    """Rasterise a page at `scale` pixels per point, without the last `cut_right` points."""
    bitmap = page.render(scale=scale, grayscale=True, crop=(0, 0, cut_right, 0))
    picture = bitmap.to_numpy()
    picture = picture.reshape(picture.shape[:2]).copy()
    bitmap.close()
    return picture


def count_pages(path: Path) -> int:
    """Count the pages of a PDF file; `DataError` when it is missing or not one."""
    with _opened(path) as document:
        return len(document)


def _opened(path: Path) -> pypdfium2.PdfDocument:
    try:
        return pypdfium2.PdfDocument(path)
    except (pypdfium2.PdfiumError, OSError) as error:
        pass_machine(error)
        raise DataError(f"{path.name}: not a readable PDF file: {error}") from None


def crop(page: np.ndarray) -> np.ndarray:
    """Cut a page down to its ink.

    Parameters
    ----------
    page : np.ndarray [shape=(rows, columns), dtype=uint8]

    Returns
    -------
    np.ndarray [shape=(rows, columns), dtype=uint8]
        The smallest rectangle with everything that is not white (a view of `page`).

    Raises
    ------
    DataError
        The page is blank, or ink reaches its edge, so that some may be missing.
    """
    rows = np.flatnonzero(page.min(axis=1) < WHITE)
    columns = np.flatnonzero(page.min(axis=0) < WHITE)
    if not len(rows):
        raise DataError("the page is blank")
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    if top == 0 or left == 0 or bottom == page.shape[0] or right == page.shape[1]:
        raise DataError(f"the music does not fit on one line of a page of {page.shape[1]} x {page.shape[0]} pixels")
    return page[top:bottom, left:right]


def png(picture: np.ndarray) -> bytes:
    """Encode a grey picture as PNG, the same bytes for the same picture."""
    with io.BytesIO() as file:
        Image.fromarray(picture).save(file, format="PNG", compress_level=6)
        return file.getvalue()
