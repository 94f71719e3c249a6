"""The default source's clips: what they show and say, and that they are the same every time."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from unisono.config.compute import Compute
from unisono.config.vegas import Vegas
from unisono.datasets.vegas import digits as plan
from unisono.datasets.vegas import drawing as digits
from unisono.io import parquet
from unisono.media import speech, video

ROOT = Path(__file__).resolve().parents[2]
needs_espeak = pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")


def tiny() -> Vegas:
    """Two clips of each digit in two groups, one outside; shards of 16."""
    vegas = Vegas.load(ROOT / "params.yaml")
    source = vegas.clips.digits.model_copy(update={"clips_per_class": 2, "outside_per_class": 1, "groups": 2})
    clips = vegas.clips.model_copy(update={"digits": source, "shard_size": 16})
    return vegas.model_copy(update={"clips": clips})


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("espeak-ng") is None:
        pytest.skip("espeak-ng is not installed")
    folder = tmp_path_factory.mktemp("digits")
    digits.build(tiny(), Compute(executor="serial", scratch=folder / "scratch"), out=folder / "samples")
    return folder / "samples"


def test_shards_hold_playable_clips_of_every_class(built: Path) -> None:
    table = parquet.read(built)
    assert table.num_rows == 30
    assert [path.name for path in parquet.shards(built)] == [parquet.shard_name(0), parquet.shard_name(1)]
    facts = parquet.metadata(built)
    assert facts["source"] == "digits"
    assert facts["tool"].startswith("eSpeak NG")
    for row in table.slice(0, 6).to_pylist():
        data = row["video"]["bytes"]
        assert row["video"]["path"] == f"{row['id']}.mp4"
        assert 2 <= row["duration_s"] <= 6
        assert video.duration(data) == pytest.approx(row["duration_s"], abs=0.01)
        assert len(video.sound(data)) / 16_000 == pytest.approx(row["duration_s"], abs=0.1)
        assert video.frames(data).shape == (int(np.ceil(row["duration_s"] - 1e-3)), digits.SIDE, digits.SIDE, 3)


def test_another_run_gives_the_same_bytes(built: Path, tmp_path: Path) -> None:
    compute = Compute(workers=2, scratch=tmp_path / "scratch")
    digits.build(tiny(), compute, out=tmp_path / "again")
    for path in parquet.shards(built):
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes()


def test_the_digit_is_large_white_and_inside_the_picture() -> None:
    images, numbers = plan.load_images()
    for seed in range(6):
        generator = np.random.default_rng(seed)
        image = images[numbers == 8][seed]
        pictures = np.stack(list(digits.draw(image, images[:8], 40, generator))).astype(float)[..., 0]
        assert pictures.shape == (40, digits.SIDE, digits.SIDE)
        bright = pictures > 0.35 * 255  # clutter stays below
        for picture in bright:
            rows = np.flatnonzero(picture.any(axis=1))
            assert 0.45 < (rows[-1] - rows[0] + 1) / digits.SIDE < 0.9
        assert pictures.max(axis=(1, 2)).min() > 0.75 * 255
        middles = np.array([np.argwhere(picture).mean(axis=0) for picture in bright])
        assert np.abs(np.diff(middles, axis=0)).max() < 3  # it drifts and does not jump


def test_clutter_is_faint() -> None:
    images = plan.load_images()[0]
    (picture,) = digits.draw(np.zeros((8, 8)), images[:8], 1, np.random.default_rng(0))
    assert 10 < picture.max() <= np.ceil(digits.CLUTTER * 255)


@needs_espeak
def test_a_word_is_said_several_times_over_noise() -> None:
    offered = speech.voices()
    samples = digits.speak("two", offered.variants[:5], offered.accents, 4.0, np.random.default_rng(3))
    assert samples.shape == (4 * speech.SAMPLE_RATE,)
    assert samples.dtype == np.float32
    assert 0.5 < np.abs(samples).max() < 1
    assert samples[: speech.SAMPLE_RATE // 20].std() > 0  # noise before the first word


def test_noise_has_unit_power() -> None:
    for seed in range(4):
        noise = digits._noise(22_051, np.random.default_rng(seed))
        assert noise.shape == (22_051,)
        assert noise.std() == pytest.approx(1, abs=0.05)


def test_words_are_spoken_up_to_the_fastest_and_highest(monkeypatch: pytest.MonkeyPatch) -> None:
    class Last(np.random.Generator):
        """Draws the last of whole numbers."""

        def integers(self, low: int, high: int | None = None, **_: object) -> int:  # type: ignore[override]
            return (low if high is None else high) - 1

    asked: list[dict[str, object]] = []

    def say(word: str, **how: object) -> np.ndarray:
        asked.append(how)
        return np.ones(4000)

    monkeypatch.setattr(digits.speech, "say", say)
    digits.speak("one", ["a", "b"], ["c"], 2.0, Last(np.random.PCG64(0)))
    assert asked[0] == {
        "accent": "c", "variant": "b", "words_per_minute": digits.WORDS_PER_MINUTE[1], "pitch": digits.PITCH[1],
    }  # fmt: skip
