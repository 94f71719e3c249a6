"""The log-mel spectrogram against librosa, the reference's formula and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest

from unisono.features import logmel


@pytest.fixture(scope="module")
def sound() -> np.ndarray:
    """Three seconds at 16 kHz: a steady tone, a dying one, and noise."""
    t = np.arange(48000) / 16000
    tones = 0.3 * np.sin(2 * np.pi * 440 * t) + 0.2 * np.sin(2 * np.pi * 1234 * t) * np.exp(-3 * t)
    return (tones + np.random.default_rng(0).normal(0, 0.01, len(t))).astype(np.float32)


@pytest.fixture(scope="module")
def magnitudes(sound: np.ndarray) -> np.ndarray:
    """The same sound through librosa's STFT in float64: (frames, 257)."""
    import librosa

    # librosa centres the window of 400 in the 512 of the FFT: 56 samples on either side.
    padded = np.pad(sound.astype(np.float64), 56)
    return np.abs(librosa.stft(padded, n_fft=512, hop_length=160, win_length=400, center=False)).T


def test_mel_matrix_follows_the_reference_formula() -> None:
    def mel(hertz: float) -> float:
        return 1127 * math.log(1 + hertz / 700)

    step = (mel(7500) - mel(125)) / 65
    expected = np.zeros((257, 64))
    for k in range(1, 257):
        for band in range(64):
            low = mel(125) + band * step
            rising, falling = (mel(k * 31.25) - low) / step, (low + 2 * step - mel(k * 31.25)) / step
            expected[k, band] = max(0.0, min(rising, falling))
    np.testing.assert_allclose(logmel.mel_matrix(), expected, atol=1e-6)
    assert not logmel.mel_matrix()[0].any()


def test_equals_librosas_stft_with_this_mel_matrix(sound: np.ndarray, magnitudes: np.ndarray) -> None:
    expected = np.log(magnitudes @ logmel.mel_matrix().astype(np.float64) + 0.01)
    got = logmel.log_mel(sound)
    assert got.shape == (298, 64)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, expected, atol=1e-4)  # float32 against float64


def test_is_close_to_librosas_htk_mel_whose_triangles_are_straight_in_hertz(
    sound: np.ndarray, magnitudes: np.ndarray
) -> None:
    import librosa

    filters = librosa.filters.mel(sr=16000, n_fft=512, n_mels=64, fmin=125, fmax=7500, htk=True, norm=None)
    expected = np.log(magnitudes @ filters.T + 0.01)
    np.testing.assert_allclose(logmel.log_mel(sound), expected, atol=0.02)


def test_full_scale_beside_silence_keeps_the_quiet_bands() -> None:
    t = np.arange(16000) / 16000
    tone = 0.99 * np.sin(2 * np.pi * 1000 * t)
    frames = np.lib.stride_tricks.sliding_window_view(tone.astype(np.float32), 400)[::160]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    spectrum = np.abs(np.fft.rfft(frames.astype(np.float64) * hann, 512))
    expected = np.log(spectrum @ logmel.mel_matrix().astype(np.float64) + 0.01)
    np.testing.assert_allclose(logmel.log_mel(tone), expected, atol=2e-3)


@pytest.mark.parametrize("hertz", [200, 440, 1000, 3000, 7000])
def test_tone_is_loudest_in_the_band_around_it(hertz: float) -> None:
    tone = 0.5 * np.sin(2 * np.pi * hertz * np.arange(16000) / 16000)
    position = logmel.hertz_to_mel(hertz) - logmel.hertz_to_mel(125)
    width = (logmel.hertz_to_mel(7500) - logmel.hertz_to_mel(125)) / 65
    assert abs(logmel.log_mel(tone).mean(axis=0).argmax() - (position / width - 1)) < 1.2


def test_silence_is_the_logarithm_of_the_offset() -> None:
    np.testing.assert_allclose(logmel.log_mel(np.zeros(1000)), math.log(0.01), rtol=1e-6)


@pytest.mark.parametrize("n, frames", [(0, 0), (399, 0), (400, 1), (559, 1), (560, 2), (15599, 95), (15600, 96)])
def test_number_of_frames(n: int, frames: int) -> None:
    assert logmel.log_mel(np.zeros(n)).shape == (frames, 64)


def test_long_sound_is_not_changed_by_working_in_pieces(sound: np.ndarray) -> None:
    whole = logmel.log_mel(sound)
    single = np.concatenate([logmel.log_mel(sound[i * 160 : i * 160 + 400]) for i in range(298)])
    np.testing.assert_allclose(whole, single, atol=1e-5)


@pytest.mark.parametrize(
    "seconds, hop_s, n",
    [(0.974, 0.96, 0), (0.975, 0.96, 1), (3, 0.96, 3), (10, 0.96, 10), (10, 1.0, 10), (3, 0.5, 5)],
)
def test_number_of_patches(seconds: float, hop_s: float, n: int) -> None:
    assert logmel.patches(np.zeros(round(seconds * 16000)), 16000, hop_s=hop_s).shape == (n, 96, 64)


@pytest.mark.parametrize("hop_s", [0.96, 0.5])
def test_patches_are_pieces_of_the_spectrogram(sound: np.ndarray, hop_s: float) -> None:
    spectrum = logmel.log_mel(sound)
    for i, patch in enumerate(logmel.patches(sound, 16000, hop_s=hop_s)):
        start = i * round(hop_s * 100)
        np.testing.assert_array_equal(patch, spectrum[start : start + 96])


def test_patches_at_start_at_the_very_sample(sound: np.ndarray) -> None:
    got = logmel.patches_at(sound, np.array([1234, 0, 1234]))
    np.testing.assert_allclose(got[0], logmel.log_mel(sound[1234 : 1234 + 15600]), atol=1e-5)
    np.testing.assert_array_equal(got[0], got[2])
    np.testing.assert_allclose(got[1], logmel.patches(sound, 16000)[0], atol=1e-5)


def test_patches_at_hear_silence_beyond_the_end(sound: np.ndarray) -> None:
    patch = logmel.patches_at(sound, np.array([len(sound) - 1600]))[0]
    np.testing.assert_allclose(patch[10:], math.log(0.01), rtol=1e-6)
    assert (patch[:9] > math.log(0.01)).any(axis=1).all()
    assert logmel.patches_at(sound, np.array([], dtype=int)).shape == (0, 96, 64)


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 32000, 44100, 48000, 44101])
@pytest.mark.parametrize("n", [0, 1, 7, 441, 10007])
def test_resampled_length_is_exact(rate: int, n: int) -> None:
    from fractions import Fraction

    length = math.floor(Fraction(n * 16000, rate) + Fraction(1, 2))
    assert len(logmel.resample(np.zeros(n, dtype=np.float32), rate)) == length


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 48000])
def test_resampling_keeps_what_16_khz_can_hold(rate: int) -> None:
    wanted = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(16000) / 16000)
    got = logmel.resample((0.5 * np.sin(2 * np.pi * 1000 * np.arange(rate) / rate)).astype(np.float32), rate)
    np.testing.assert_allclose(got[500:-500], wanted[500:-500], atol=2e-3)


def test_resampling_removes_what_16_khz_cannot_hold() -> None:
    tone = 0.5 * np.sin(2 * np.pi * 12000 * np.arange(44100) / 44100)
    assert np.abs(logmel.resample(tone.astype(np.float32), 44100)[500:-500]).max() < 2e-3
