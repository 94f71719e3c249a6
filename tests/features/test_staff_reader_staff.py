"""Finding staves, and bringing pictures to one size."""

from __future__ import annotations

import time

import numpy as np
import pytest
from PIL import Image, ImageFilter
from scipy.ndimage import uniform_filter

from tests.features.drawn_staff import draw, melody
from unisono.features.staff_reader import staff


def _lines(middle: float, space: float, *, rows: int = 120, columns: int = 300, thickness: float = 1.0) -> np.ndarray:
    """Five lines whose edges are grey where they fall between rows, one a space, and a stem."""
    edges = np.arange(rows + 1) - 0.5
    ink = np.zeros(rows)
    for line in range(-2, 3):
        top, bottom = middle + line * space - thickness / 2, middle + line * space + thickness / 2
        ink += np.clip(np.minimum(edges[1:], bottom) - np.maximum(edges[:-1], top), 0, None)
    picture = np.rint(255 * (1 - np.repeat(ink[:, None], columns, axis=1))).astype(np.uint8)
    picture[:, 150:153] = 0
    return picture


@pytest.mark.parametrize(("middle", "space"), [(60.0, 7.0), (55.3, 6.25), (70.5, 8.8), (61.7, 12.4), (40.0, 5.5)])
def test_staff_is_found_below_a_pixel(middle: float, space: float) -> None:
    found = staff.find(_lines(middle, space))
    assert found is not None
    assert found.middle == pytest.approx(middle, abs=0.1)
    assert found.space == pytest.approx(space, rel=0.01)


def test_lines_come_to_stand_where_steps_are() -> None:
    strip, found = staff.strip(_lines(61.7, 12.4, rows=140))
    assert found
    assert strip.shape == (staff.STRIP_ROWS, 196)
    ink = np.median(strip, axis=1).astype(float)
    for line in range(-2, 3):
        row = staff.MIDDLE_ROW + line * staff.SPACE_PIXELS
        assert ink[int(row) : int(row) + 2].sum() > 100
        assert ink[int(row) + 4] < 20


def test_rescaled_music_gives_nearly_the_same_strip() -> None:
    picture = draw(melody(0), space=9, signs=True)
    usual = uniform_filter(staff.strip(picture)[0].astype(float), 4)
    image = Image.fromarray(picture)
    for zoom in (0.8, 1.25, 2.0):
        size = (round(image.width * zoom), round(image.height * zoom))
        other, found = staff.strip(np.asarray(image.resize(size, Image.Resampling.BICUBIC)))
        assert found
        assert abs(other.shape[1] - usual.shape[1]) <= 8
        columns = min(other.shape[1], usual.shape[1])
        smooth = uniform_filter(other.astype(float), 4)
        alike, shifted = (
            np.corrcoef(usual[:, :columns].ravel(), np.roll(smooth, shift, axis=1)[:, :columns].ravel())[0, 1]
            for shift in (0, 40)
        )
        assert alike > 0.88
        assert shifted < alike - 0.2


def test_blur_moves_no_staff() -> None:
    picture = draw(melody(1))
    blurred = np.asarray(Image.fromarray(picture).filter(ImageFilter.GaussianBlur(1)))
    before, after = staff.find(picture), staff.find(blurred)
    assert before is not None
    assert after is not None
    assert after.middle == pytest.approx(before.middle, abs=0.25)
    assert after.space == pytest.approx(before.space, rel=0.01)


@pytest.mark.parametrize(
    "picture",
    [
        np.full((60, 300), 255, np.uint8),
        np.zeros((60, 300), np.uint8),
        np.full((1, 1), 255, np.uint8),
        np.zeros((1, 1), np.uint8),
        np.zeros((1, 5000), np.uint8),
        np.zeros((5000, 1), np.uint8),
        np.random.default_rng(0).integers(0, 256, (60, 400)).astype(np.uint8),
        np.full((20_000, 2_000), 255, np.uint8),
        np.full((3, 1_000_000), 255, np.uint8),
    ],
    ids=["blank", "black", "pixel", "dot", "line", "column", "noise", "tall", "long"],
)
def test_pictures_without_a_staff_give_paper(picture: np.ndarray) -> None:
    start_s = time.process_time()
    strip, found = staff.strip(picture)
    assert not found
    assert not strip.any()
    assert strip.shape == (staff.STRIP_ROWS, staff.CELL_PIXELS)
    assert time.process_time() - start_s < 10


def test_endless_staff_is_cut() -> None:
    strip, found = staff.strip(_lines(20.0, 4.0, rows=40, columns=60_000))
    assert found
    assert strip.shape == (staff.STRIP_ROWS, staff.MAX_COLUMNS)
