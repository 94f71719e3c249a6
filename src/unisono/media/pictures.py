"""Opening pictures from outside: the one place where Pillow sees bytes that were not made here.

**Conventions.** Pillow tells formats by content, whatever a file's name, and some of its formats start programs
(PostScript runs Ghostscript) or claim any size. Only `FORMATS` are ever opened, below `MAX_PIXELS`, and a JPEG below
`MAX_SCANS`: all that decoding costs grows with these.
"""

from __future__ import annotations

import contextlib
import io
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from unisono.errors import DataError, pass_machine

#: Formats of Pillow that may be opened.
FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "WEBP")
#: Largest picture: A4 at 600 dpi has 34.8 million pixels.
MAX_PIXELS = 40_000_000
#: Passes over a JPEG; each costs as much as decoding a whole picture, and may take ten bytes. Usual are 1 to 10.
MAX_SCANS = 40
_START_OF_SCAN = b"\xff\xda"


@contextmanager
def opened(content: bytes, name: str, *, advice: str = "get it again") -> Iterator[Any]:
    """Open and decode a picture.

    Parameters
    ----------
    content : bytes
        PNG, JPEG, TIFF, BMP or WebP.
    name : str
        What to call it in an error.
    advice : str
        What to do about a damaged one.

    Yields
    ------
    PIL.Image.Image
        Decoded, so that nothing is read from it any more, and upright: turned as its EXIF orientation says.

    Raises
    ------
    DataError
        Another format, damaged, or too large; also for what Pillow objects to while the picture is used.
    """
    from PIL import Image, ImageOps

    if content.startswith(b"\xff\xd8") and content.count(_START_OF_SCAN) > MAX_SCANS:
        raise DataError(f"{name}: a JPEG of more than {MAX_SCANS} scans, made to take long; save it anew")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd EXIF data
            image = Image.open(io.BytesIO(content), formats=FORMATS)
        with image:
            if image.width * image.height > MAX_PIXELS:
                raise DataError(
                    f"{name}: {image.width} x {image.height} pixels, more than the {MAX_PIXELS:,} that are read; "
                    "scale it down"
                )
            image.load()
            with contextlib.suppress(OSError, ValueError, SyntaxError, LookupError, TypeError, struct.error):
                ImageOps.exif_transpose(image, in_place=True)
            yield image
    except (OSError, ValueError, SyntaxError, LookupError, TypeError, OverflowError, Image.DecompressionBombError) as e:
        pass_machine(e)
        reason = f"not {', '.join(FORMATS[:-1])} or {FORMATS[-1]}" if isinstance(e, Image.UnidentifiedImageError) else e
        raise DataError(f"{name}: not a readable picture ({reason}); {advice}") from None
