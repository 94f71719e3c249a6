"""FLAC in and out."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile

from unisono.errors import DataError
from unisono.media import audio


@pytest.fixture
def tone() -> np.ndarray:
    """A second of a quiet tone with noise, mono float32."""
    rng = np.random.default_rng(0)
    return (0.2 * np.sin(np.arange(16_000) * 0.1) + rng.normal(0, 0.01, 16_000)).astype(np.float32)


def test_round_trip_is_exact_after_rounding(tone: np.ndarray) -> None:
    data = audio.encode_flac(tone, 16_000)
    samples, rate = audio.decode(data)
    assert rate == 16_000
    assert samples.dtype == np.float32
    assert samples.shape == tone.shape
    np.testing.assert_allclose(samples, tone, atol=0.5001 / 32768)
    assert audio.encode_flac(samples, rate) == data


def test_integers_are_kept(tone: np.ndarray) -> None:
    integers = np.array([-32768, -1, 0, 1, 32767], dtype=np.int16)
    samples, _ = audio.decode(audio.encode_flac(integers, 8_000))
    np.testing.assert_array_equal(samples * 32768, integers)


def test_too_loud_is_clipped() -> None:
    samples, _ = audio.decode(audio.encode_flac(np.array([-3.0, 3.0]), 8_000))
    np.testing.assert_allclose(samples, [-1, 1], atol=1e-4)


def test_stereo_is_averaged_to_the_level_of_the_louder_channel() -> None:
    file = io.BytesIO()
    soundfile.write(file, np.array([[0.5, 0.0], [0.25, -0.25]]), 8_000, format="WAV")
    samples, rate = audio.decode(file.getvalue())
    np.testing.assert_allclose(samples, [np.hypot(0.5, 0.25), 0.0], atol=1e-4)
    assert rate == 8_000


@pytest.mark.parametrize("samples", [np.zeros(0), np.zeros((4, 2)), np.array([0.0, np.nan])])
def test_what_cannot_be_encoded(samples: np.ndarray) -> None:
    with pytest.raises(DataError, match="expected"):
        audio.encode_flac(samples, 16_000)


@pytest.mark.parametrize("data", [b"", b"garbage", b"fLaC" + bytes(40)])
def test_what_is_no_sound(data: bytes) -> None:
    with pytest.raises(DataError, match="sound file"):
        audio.decode(data)


def test_truncated_flac(tone: np.ndarray) -> None:
    data = audio.encode_flac(tone, 16_000)
    with pytest.raises(DataError, match="sound file"):
        audio.decode(data[: len(data) // 2])


def test_channels_become_one() -> None:
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (4000, 6)).astype(np.float32)
    same = np.repeat(noise[:, :1], 6, axis=1)
    np.testing.assert_allclose(audio.mono(same)[0], noise[:, 0], atol=1e-6)
    np.testing.assert_array_equal(audio.mono(noise[:, :1])[0], noise[:, 0])
    mixed, cancelled = audio.mono(noise)
    assert mixed.std() == pytest.approx(noise.std(axis=0).max(), rel=0.01)
    assert not cancelled
    one_side = noise[:, :2] * np.float32([1, 0])
    np.testing.assert_allclose(audio.mono(one_side)[0], noise[:, 0], atol=1e-6)
    against = np.stack([noise[:, 0], -0.95 * noise[:, 0]], axis=1)
    np.testing.assert_array_equal(audio.mono(against)[0], noise[:, 0])
    assert audio.mono(against)[1]
    loud = np.ones((10, 2), np.float32) * np.float32([1, 0.9])
    assert np.abs(audio.mono(loud)[0]).max() <= 1
    assert not audio.mono(np.zeros((10, 2), np.float32))[0].any()


@pytest.mark.parametrize("rate", [1, 999, 2**31 - 1])
def test_a_rate_that_nobody_uses_is_refused(rate: int, tone: np.ndarray) -> None:
    file = io.BytesIO()
    soundfile.write(file, tone, rate, format="WAV")
    with pytest.raises(DataError, match=f"{rate} samples per second, expected 1,000 to 768,000"):
        audio.decode(file.getvalue())


def test_a_rate_that_flac_has_not_is_refused() -> None:
    with pytest.raises(DataError, match="100003 samples per second, which FLAC cannot hold"):
        audio.encode_flac(np.ones(100, np.int16), 100_003)
