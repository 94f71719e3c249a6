"""Pictures of any kind as plain ones: RGB on white, of a size that is worth keeping.

**Conventions.** Of an animated picture the first frame counts, 16 bits become 8, CMYK becomes RGB. A picture with
transparent places is a drawing: it is cut out and put in the middle of a white square with a margin. Nothing is drawn
of SVG files, which are programs.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from unisono.errors import DataError
from unisono.media import pictures

#: Least side of a picture that shows something, in pixels, and most times that a picture is wider than high or back.
MIN_SIDE, MAX_RATIO = 8, 20
#: White on each side of a drawing, as a share of its longer side.
MARGIN = 0.06
#: Of the JPEGs that are written.
QUALITY = 92
_JPEG = b"\xff\xd8\xff"


def plain(content: bytes, name: str, *, max_side: int) -> Any:
    """Make a picture from outside plain.

    Parameters
    ----------
    content : bytes
        PNG, JPEG, TIFF, BMP or WebP.
    name : str
        For messages.
    max_side : int
        A longer side is scaled down to it, in pixels.

    Returns
    -------
    PIL.Image.Image [mode RGB]

    Raises
    ------
    DataError
        It is none, damaged, too large or small, far wider than high or back, or of one colour.
    """
    if content[:1024].lstrip().startswith((b"<svg", b"<?xml", b"<!DOCTYPE svg")):
        raise DataError(f"{name}: an SVG file, which is not drawn here; save it as PNG")
    with pictures.opened(content, name) as image:
        width, height = image.size
        if min(width, height) < MIN_SIDE:
            raise DataError(f"{name}: {width} x {height} pixels, at least {MIN_SIDE} each way are needed")
        if max(width, height) > MAX_RATIO * min(width, height):
            raise DataError(f"{name}: {width} x {height} pixels, one side over {MAX_RATIO} times the other; cut it")
        found = _rgb(image, name, max_side)
    if all(low == high for low, high in found.getextrema()):
        raise DataError(f"{name}: all of one colour; give a picture that shows something")
    return found


def _rgb(image: Any, name: str, max_side: int) -> Any:
    """Convert to RGB, of at most so many pixels a side."""
    from PIL import Image

    if image.mode.startswith("I") or image.mode == "F":
        values = np.asarray(image, dtype=np.float64)
        if not np.isfinite(values).all():
            raise DataError(f"{name}: holds NaN or infinite values; save it with 8 bits")
        # 16 bits are the rule; whatever goes beyond is brought down, too.
        top = max(float(values.max(initial=0)), 65535.0 if values.max(initial=0) > 255 else 255.0)
        image = Image.fromarray((values.clip(0) / top * 255).round().astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        drawing = image.convert("RGBA")
        drawing.thumbnail((max_side, max_side))
        return on_white(drawing)
    found = image.convert("RGB")
    found.thumbnail((max_side, max_side))
    return found


def on_white(drawing: Any) -> Any:
    """Put a drawing in the middle of a white square.

    Parameters
    ----------
    drawing : PIL.Image.Image [mode RGBA]

    Returns
    -------
    PIL.Image.Image [mode RGB]
        White alone where nothing is drawn.
    """
    from PIL import Image

    box = drawing.getchannel("A").getbbox()
    if box is None:
        return Image.new("RGB", drawing.size, "white")
    cut = drawing.crop(box)
    side = max(cut.size) + 2 * round(MARGIN * max(cut.size))
    square = Image.new("RGBA", (side, side), "white")
    square.alpha_composite(cut, ((side - cut.width) // 2, (side - cut.height) // 2))
    return square.convert("RGB")


def encode(image: Any, *, like: bytes = b"") -> tuple[bytes, str]:
    """Encode a plain picture.

    Parameters
    ----------
    image : PIL.Image.Image [mode RGB]
    like : bytes
        The file that it was: a photograph (JPEG) becomes one again, everything else a PNG.

    Returns
    -------
    bytes
    {".jpg", ".png"}
    """
    made = io.BytesIO()
    if like.startswith(_JPEG):
        image.save(made, "JPEG", quality=QUALITY)
        return made.getvalue(), ".jpg"
    image.save(made, "PNG", optimize=False)
    return made.getvalue(), ".png"
