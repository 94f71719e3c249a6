"""Pictures of any kind become plain ones, or are refused in one line."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from tests.datasets.image2song import encoded, pixels
from unisono.errors import DataError
from unisono.media import plain


def made(content: bytes, max_side: int = 400) -> np.ndarray:
    return np.asarray(plain.plain(content, "x", max_side=max_side))


def test_a_photograph_stays_what_it_is_and_is_scaled_down() -> None:
    content = encoded(pixels(0, 64))
    assert np.array_equal(made(content), pixels(0, 64))
    assert made(content, 32).shape == (32, 32, 3)
    assert made(encoded(np.repeat(pixels(0, 64), 3, axis=1)), 96).shape == (32, 96, 3)


def test_a_transparent_drawing_lies_in_the_middle_of_white() -> None:
    drawing = np.zeros((40, 60, 4), np.uint8)
    drawing[10:20, 20:50] = (255, 0, 0, 255)
    found = made(encoded(drawing))
    assert found.shape == (34, 34, 3)  # 30 wide, and a margin of 2 each
    assert (found[12:22, 2:32] == (255, 0, 0)).all()
    assert (found[:12] == 255).all() and (found[:, :2] == 255).all()  # noqa: PT018


def test_a_palette_with_a_transparent_colour_and_grey_with_alpha() -> None:
    palette = Image.fromarray(pixels(1)).quantize(8)
    assert made(encoded(palette, transparency=0)).shape[2] == 3
    grey = np.zeros((32, 32, 2), np.uint8)
    grey[8:24, 8:24] = (100, 255)
    assert (made(encoded(Image.fromarray(grey, "LA")))[5, 5] == 100).all()


def test_sixteen_bits_are_scaled_and_not_cut() -> None:
    ramp = np.linspace(0, 65535, 32 * 32).reshape(32, 32).astype(np.uint16)
    found = made(encoded(Image.fromarray(ramp)))
    assert found.shape == (32, 32, 3)
    assert np.abs(found[..., 0].astype(int) - np.round(ramp / 257)).max() <= 1


def test_cmyk_becomes_rgb() -> None:
    content = encoded(Image.fromarray(pixels(2)).convert("CMYK"), "JPEG", quality=95)
    assert made(content).shape == (32, 32, 3)
    image = plain.plain(content, "x", max_side=400)
    assert plain.encode(image, like=content)[1] == ".jpg"
    assert plain.encode(image, like=encoded(pixels(2)))[1] == ".png"


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_of_an_animated_picture_the_first_frame_counts(kind: str) -> None:
    frames = [Image.fromarray(pixels(seed)) for seed in (3, 4)]
    content = encoded(
        frames[0], kind, save_all=True, append_images=frames[1:], **({"lossless": True} if kind == "WEBP" else {})
    )
    assert np.array_equal(made(content), pixels(3))


SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (encoded(pixels(0))[:200], "not a readable picture"),
        (encoded(pixels(0), "JPEG")[:300], "not a readable picture"),
        (encoded(np.zeros((1, 1, 3), np.uint8)), "1 x 1 pixels, at least 8 each way are needed"),
        (encoded(Image.new("L", (30_000, 100))), "30000 x 100 pixels, one side over 20 times the other; cut it"),
        (encoded(Image.new("1", (30_000, 2_000))), "60,000,000|more than the 40,000,000"),
        (encoded(np.full((32, 32, 3), 200, np.uint8)), "all of one colour"),
        (encoded(np.zeros((32, 32, 4), np.uint8)), "all of one colour"),
        (SVG, "an SVG file, which is not drawn here; save it as PNG"),
        (b"  <svg onload='alert(1)'/>", "an SVG file"),
        (encoded(Image.fromarray(pixels(0)).convert("P"), "GIF"), "not a readable picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0", "not a readable picture"),
        (b"", "not a readable picture"),
    ],
)
def test_what_cannot_be_shown_is_one_line(content: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message) as error:
        made(content)
    assert "\n" not in str(error.value)
    assert str(error.value).startswith("x: ")


def test_an_infinite_picture_is_refused() -> None:
    values = np.ones((32, 32), np.float32)
    values[3, 3] = np.inf
    with pytest.raises(DataError, match="NaN or infinite"):
        made(encoded(Image.fromarray(values), "TIFF"))


def test_a_claim_of_size_takes_no_memory() -> None:
    head = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + b"IHDR" + head + struct.pack(">I", zlib.crc32(b"IHDR" + head))
    with pytest.raises(DataError, match="exceeds limit"):
        made(b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT")))
