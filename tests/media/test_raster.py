"""PDF pages as pictures: what is ink, what is cut away, what is refused."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import pypdfium2
import pytest
from PIL import Image

from unisono.errors import DataError
from unisono.media import raster


@pytest.fixture
def pdf(tmp_path: Path) -> Path:
    """Three pages of 2000 x 200 pixels at 72 dpi: a block on the left, a block on the right, nothing."""
    pictures = [np.full((200, 2000), 255, np.uint8) for _ in range(3)]
    pictures[0][50:80, 40:300] = 0
    pictures[1][20:180, 1700:1960] = 100
    first, *others = map(Image.fromarray, pictures)
    first.save(tmp_path / "pages.pdf", save_all=True, append_images=others)
    return tmp_path / "pages.pdf"


def test_pages_keep_all_ink(pdf: Path) -> None:
    pages = list(raster.pages(pdf, resolution_dpi=100))
    assert raster.count_pages(pdf) == len(pages) == 3
    document = pypdfium2.PdfDocument(pdf)
    for page, ours in list(zip(document, pages, strict=True))[:2]:
        whole = page.render(scale=100 / 72, grayscale=True).to_numpy().squeeze()
        np.testing.assert_array_equal(raster.crop(ours), raster.crop(whole))


def test_resolution_scales_the_picture(pdf: Path) -> None:
    small, large = (raster.crop(next(raster.pages(pdf, resolution_dpi=dpi))).shape for dpi in (72, 144))
    assert abs(large[1] - 2 * small[1]) <= 2


def test_crop_keeps_the_faintest_ink_and_nothing_else() -> None:
    page = np.full((40, 60), 255, np.uint8)
    page[10, 20], page[29, 39] = 254, 0
    assert raster.crop(page).shape == (20, 20)


def test_blank_page_is_refused(pdf: Path) -> None:
    *_, blank = raster.pages(pdf, resolution_dpi=50)
    with pytest.raises(DataError, match="blank"):
        raster.crop(blank)


@pytest.mark.parametrize("edge", [np.s_[0, :], np.s_[-1, :], np.s_[:, 0], np.s_[:, -1]])
def test_ink_at_an_edge_is_refused(edge: tuple) -> None:
    page = np.full((40, 60), 255, np.uint8)
    page[edge] = 0
    with pytest.raises(DataError, match="does not fit on one line of a page of 60 x 40 pixels"):
        raster.crop(page)


def test_png_is_grey_lossless_and_deterministic() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (30, 50), dtype=np.uint8)
    data = raster.png(picture[:, 5:])
    read = Image.open(io.BytesIO(data))
    assert read.mode == "L"
    np.testing.assert_array_equal(np.asarray(read), picture[:, 5:])
    assert data == raster.png(picture[:, 5:].copy())


@pytest.mark.parametrize("content", [None, b"", b"no pdf", b"%PDF-1.4\n"])
def test_damaged_pdf_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "x.pdf"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=r"x\.pdf: not a readable PDF file"):
        raster.count_pages(path)


def test_a_page_of_any_size_is_refused(pdf: Path) -> None:
    data = pdf.read_bytes()
    (box,) = set(re.findall(rb"/MediaBox \[[^]]*\]", data))
    pdf.write_bytes(data.replace(box, b"/MediaBox [0 0 9999999 99999]"[: len(box) - 1].ljust(len(box) - 1) + b"]"))
    with pytest.raises(DataError, match=r"pages\.pdf: (a page of .* pixels|page 1 is damaged)"):
        list(raster.pages(pdf, resolution_dpi=1000))
