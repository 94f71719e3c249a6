"""How each extractor sees a picture: one module per extractor, loaded by name.

**Conventions.** A picture is a file as bytes. What is seen of it is a square of RGB (`seen`): drawings are set on white
with a margin, of others the central square is taken; it is scaled to `side` pixels with Pillow's bicubic filter. A
module ``unisono.features.pictures.<name>`` has

- ``fetch(settings, downloads)``: the path of the weights as a local file, or None where there are none,
- ``create(settings, weights)``: a `PictureExtractor`,
- ``describe(settings)``: extractor, variant and weights, for the metadata.

What an extractor makes of a picture are the numbers of P parts of it, the whole first, and further columns of its own.
A picture goes through a network alone, so that its numbers do not depend on the pictures around it.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from unisono.media import plain

#: Longer side to which larger pictures are scaled first, in pixels.
LARGEST = 1024
#: Column of the parts' numbers, (P, d).
PARTS = "parts"


class PictureExtractor(Protocol):
    """Numbers of a picture.

    Attributes
    ----------
    side : int
        Height and width of the squares that it sees.
    columns : mapping of str to tuple of int
        Shapes of what it makes of a picture, `PARTS` among them.
    """

    side: int
    columns: Mapping[str, tuple[int, ...]]

    def extract(self, picture: np.ndarray) -> dict[str, np.ndarray]:
        """Turn a square (side, side, 3) of uint8 into float32 arrays of the shapes in `columns`."""


def module(name: str) -> Any:
    """Import the module of an extractor.

    Parameters
    ----------
    name : {"efficientnet_lite0", "pixels", "huggingface_image"}
    """
    return importlib.import_module(f"{__name__}.{name}")


def seen(content: bytes, name: str, *, side: int) -> np.ndarray:
    """Decode what is seen of a picture.

    Parameters
    ----------
    content : bytes
        PNG, JPEG, TIFF, BMP or WebP.
    name : str
        What to call it in an error.
    side : int
        Height and width in pixels.

    Returns
    -------
    np.ndarray [shape=(side, side, 3), dtype=uint8]

    Raises
    ------
    DataError
        It is none, damaged, too large or small, far wider than high or back, or of one colour.
    """
    from PIL import Image

    image = plain.plain(content, name, max_side=LARGEST)
    own = min(image.size)
    left, top = (image.width - own) // 2, (image.height - own) // 2
    box = (left, top, left + own, top + own)
    return np.asarray(image.resize((side, side), Image.Resampling.BICUBIC, box=box))
