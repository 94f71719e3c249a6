"""What ASMCMR sees and hears: staves found, windows halved, spectrograms as specified."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from unisono.errors import DataError
from unisono.features.asmcmr import input as asmcmr_input
from unisono.media import audio


def _staff(rows: int = 90, columns: int = 600, middle: int = 30) -> np.ndarray:
    """Five lines, 7 rows apart, around row `middle`; some notes, and a line of text below."""
    rng = np.random.default_rng(0)
    picture = np.full((rows, columns), 255, np.uint8)
    for line in range(-2, 3):
        picture[middle + 7 * line] = 60
    for column in range(60, columns - 20, 40):
        row = middle + int(rng.integers(-25, 20))
        picture[max(row, 0) : row + 6, column : column + 8] = 0
    picture[middle + 30 : middle + 40] = np.where(rng.random((10, columns)) < 0.5, 0, 255)
    return picture


def _png(picture: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    return file.getvalue()


def test_staff_is_found_in_spite_of_text_and_of_lines_between_rows() -> None:
    assert asmcmr_input.staff_centre(_staff(middle=30)) == 30
    between = _staff(middle=40)
    for line in range(-2, 3):
        between[40 + 7 * line : 42 + 7 * line] = 157
    assert abs(asmcmr_input.staff_centre(between) - 40) <= 1
    assert asmcmr_input.staff_centre(np.full((50, 300), 255, np.uint8)) == 25


def test_strip_has_the_staff_in_its_middle_and_white_around_it() -> None:
    picture = _staff(middle=30)
    strip = asmcmr_input.strip(picture)
    assert strip.shape == (160, 600)
    assert np.array_equal(strip[50:140], picture)
    assert (strip[:50] == 255).all()
    assert (strip[140:] == 255).all()
    high = asmcmr_input.strip(np.zeros((400, 300), np.uint8), centre=200)
    assert high.shape == (160, 300)
    assert not high.any()


def test_a_narrow_picture_stands_in_the_middle_of_one_window() -> None:
    strip = asmcmr_input.strip(_staff(columns=120))
    assert strip.shape == (160, 200)
    assert (strip[:, :40] == 255).all()
    assert (strip[:, 160:] == 255).all()
    assert np.array_equal(asmcmr_input.window_starts(200, 25), np.zeros(25))


def test_windows_are_equally_spaced_from_edge_to_edge() -> None:
    starts = asmcmr_input.window_starts(800, 25)
    assert starts[0] == 0
    assert starts[-1] == 600
    assert np.array_equal(np.diff(starts), np.full(24, 25))


def test_snippets_are_halved_bilinearly() -> None:
    """PyTorch's bilinear interpolation to half the size is the oracle."""
    import torch

    strip = np.random.default_rng(0).integers(0, 256, (160, 350), dtype=np.uint8)
    snippets = asmcmr_input.snippets_at(strip, np.array([0, 33, 150]))
    assert snippets.shape == (3, 80, 100)
    assert snippets.dtype == np.float32
    window = torch.from_numpy(strip[:, 33:233].astype(np.float32) / 255)
    oracle = torch.nn.functional.interpolate(window[None, None], scale_factor=0.5, mode="bilinear")
    np.testing.assert_allclose(snippets[1], oracle[0, 0].numpy(), atol=1e-6)


def test_pictures_are_read_as_ink_on_white_paper() -> None:
    picture = _staff()
    assert np.array_equal(asmcmr_input.read_picture(_png(picture), "x"), picture)
    transparent = np.zeros((*picture.shape, 4), np.uint8)
    transparent[..., 3] = 255 - picture
    assert np.array_equal(asmcmr_input.read_picture(_png(transparent), "x"), picture)


@pytest.mark.parametrize("data", [b"", b"not a picture", _png(_staff())[:200]])
def test_an_unreadable_picture_is_named(data: bytes) -> None:
    with pytest.raises(DataError, match="row 'a-w01': not a readable picture"):
        asmcmr_input.read_picture(data, "row 'a-w01'")


def test_audio_has_the_exact_length_at_22050_hz() -> None:
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(16_007) / 16_000)
    samples = asmcmr_input.read_audio(audio.encode_flac(tone, 16_000), "x")
    assert len(samples) == round(16_007 * 22_050 / 16_000)
    expected = 0.5 * np.sin(2 * np.pi * 440 * np.arange(len(samples)) / 22_050)
    np.testing.assert_allclose(samples[500:-500], expected[500:-500], atol=2e-3)


def test_unreadable_audio_is_named() -> None:
    with pytest.raises(DataError, match="row 'a-w01': not a readable sound"):
        asmcmr_input.read_audio(b"not sound", "row 'a-w01'")


def test_filters_are_92_triangles_of_area_one() -> None:
    filters = asmcmr_input.filterbank()
    assert filters.shape == (1024, 92)
    np.testing.assert_allclose(filters.sum(axis=0), 1, rtol=1e-5)
    tips = filters.argmax(axis=0)
    assert (np.diff(tips) > 0).all()
    assert (tips * 22_050 / 2048 > 30).all()
    assert (tips * 22_050 / 2048 < 6000).all()
    assert ((filters > 0).sum(axis=1) <= 2).all(), "a bin belongs to at most two neighbouring filters"


def test_spectrogram_has_a_tone_in_its_band_and_a_click_in_its_frames() -> None:
    tips_hz = asmcmr_input.filterbank().argmax(axis=0) * 22_050 / 2048
    tone = np.sin(2 * np.pi * 880 * np.arange(22_050) / 22_050).astype(np.float32)
    spectrogram = asmcmr_input.spectrogram(tone)
    assert spectrogram.shape == (92, 20)
    assert abs(tips_hz[spectrogram[:, 5].argmax()] - 880) < 15
    click = np.zeros(22_050, np.float32)
    click[6000] = 1
    # Frame i holds samples int(i * 1102.5) ... + 2047: sample 6000 is in frames 4 and 5.
    assert np.flatnonzero(asmcmr_input.spectrogram(click).max(axis=0) > 1e-6).tolist() == [4, 5]


def test_spectrogram_is_the_logarithm_of_filtered_magnitudes() -> None:
    """One frame against the plain formula in float64."""
    samples = np.random.default_rng(0).normal(0, 0.1, 5000).astype(np.float32)
    start = int(2 * 1102.5)
    magnitude = np.abs(np.fft.rfft(samples[start : start + 2048] * np.hanning(2048)))[:1024]
    expected = np.log10(1 + magnitude @ asmcmr_input.filterbank())
    np.testing.assert_allclose(asmcmr_input.spectrogram(samples)[:, 2], expected, rtol=1e-4)


def test_an_excerpt_beyond_the_ends_is_silence() -> None:
    spectrogram = np.arange(92 * 50, dtype=np.float32).reshape(92, 50) + 1
    assert np.array_equal(asmcmr_input.excerpt(spectrogram, 5), spectrogram[:, 5:47])
    early = asmcmr_input.excerpt(spectrogram, -10)
    assert not early[:, :10].any()
    assert np.array_equal(early[:, 10:], spectrogram[:, :32])
    assert np.array_equal(asmcmr_input.excerpt(spectrogram, 40)[:, :10], spectrogram[:, 40:])
    assert not asmcmr_input.excerpt(spectrogram, 60).any()
    assert not asmcmr_input.excerpt(spectrogram, -60).any()
