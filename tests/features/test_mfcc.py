"""Cepstral coefficients: closed forms, a plain transform as oracle, the composition of the statistics."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.fft

from unisono.features import mfcc

N = 30 * mfcc.SAMPLE_RATE


@pytest.fixture(scope="module")
def tune() -> np.ndarray:
    """30 s: a tone of a scale every half second, and a little noise."""
    t = np.arange(N) / mfcc.SAMPLE_RATE
    steps = np.array([0, 2, 4, 5, 7, 9, 11, 12])[(2 * t).astype(int) % 8]
    samples = 0.3 * np.sin(2 * np.pi * 261.63 * 2 ** (steps / 12) * t)
    return (samples + np.random.default_rng(0).normal(0, 0.01, N)).astype(np.float32)


def test_thirty_seconds_have_646_frames(tune: np.ndarray) -> None:
    found = mfcc.mfcc(tune)
    assert found.shape == (646, 20)
    assert found.dtype == np.float32
    assert mfcc.mfcc(tune, coefficients=13, hop=512).shape == (1 + N // 512, 13)


def test_of_silence_the_loudness_alone_is_left() -> None:
    """All 128 bands lie at the floor of -100 dB: an orthonormal transform gives -100 sqrt(128), then noughts."""
    found = mfcc.mfcc(np.zeros(N, dtype=np.float32))
    np.testing.assert_allclose(found[:, 0], -100 * np.sqrt(128), rtol=1e-6)
    np.testing.assert_allclose(found[:, 1:], 0, atol=1e-3)


@pytest.mark.parametrize("level", [1.0, 0.25])
def test_of_a_constant(level: float) -> None:
    """All frames within are alike, and a gain g adds 20 log10(g) dB to every band: sqrt(128) times that to the 0th."""
    found = mfcc.mfcc(np.full(N, level, dtype=np.float32))[2:-2]
    np.testing.assert_allclose(found, found[:1].repeat(len(found), axis=0), atol=1e-2)
    whole = mfcc.mfcc(np.full(N, 1.0, dtype=np.float32))[2:-2]
    np.testing.assert_allclose(found[:, 0] - whole[:, 0], np.sqrt(128) * 20 * np.log10(level), atol=1e-2)
    np.testing.assert_allclose(found[:, 1:], whole[:, 1:], atol=1e-2)


def test_as_written_down(tune: np.ndarray) -> None:
    """One frame by scipy: window, power, librosa's bands, decibels above the floor, cosine transform."""
    import librosa

    frame, k = tune[100 * 1024 - 1024 : 100 * 1024 + 1024].astype(np.float64), np.arange(2048)
    power = np.abs(np.fft.rfft(frame * (0.5 - 0.5 * np.cos(2 * np.pi * k / 2048)))) ** 2
    bands = librosa.filters.mel(sr=22_050, n_fft=2048, n_mels=128) @ power
    expected = scipy.fft.dct(10 * np.log10(bands), norm="ortho")[:20]
    np.testing.assert_allclose(mfcc.mfcc(tune)[100], expected, atol=2e-2)


def test_statistics_are_means_and_deviations_of_what_they_say(tune: np.ndarray) -> None:
    found = mfcc.statistics(tune)
    assert found.shape == (168,)
    assert found.dtype == np.float32
    cepstrum = mfcc.mfcc(tune).T.astype(np.float64)
    means, deviations = np.split(found, 2)
    np.testing.assert_allclose(means[:20], cepstrum.mean(axis=1), rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(deviations[:20], cepstrum.std(axis=1), rtol=1e-4, atol=1e-3)
    # Least squares over 9 frames: sum of k x(t + k) over sum of k^2 = 60; within, where nothing is cut off.
    slopes = np.stack([np.convolve(row, np.arange(4, -5, -1) / 60, mode="valid") for row in cepstrum])
    np.testing.assert_allclose(deviations[20:40], slopes.std(axis=1), rtol=0.05)
    chroma = means[60:72]
    assert np.all((chroma >= 0) & (chroma <= 1))
    assert set(np.argsort(chroma)[-7:]) == {0, 2, 4, 5, 7, 9, 11}, "the scale that was played"


def test_statistics_of_silence_are_finite() -> None:
    found = mfcc.statistics(np.zeros(N, dtype=np.float32))
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found[84:], 0, atol=1e-3)
