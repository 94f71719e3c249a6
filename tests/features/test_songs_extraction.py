"""From songs in shards to feature sets: shapes, names, what is left out, and what is heard of a song."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import soundfile

from unisono.config import validate
from unisono.config.compute import Compute
from unisono.config.songs_extractors import NAMES, Extractors
from unisono.errors import ConfigError, DataError
from unisono.features import mfcc, musicnn, songs, songs_extraction, vggish
from unisono.io import parquet
from unisono.media import audio

RATE = mfcc.SAMPLE_RATE
SECONDS = 30
THIN = {layer: max(2, width // 32) for layer, width in vggish.WIDTHS.items()} | {"fc2": 128}
UNTRAINED_VGGISH = vggish.untrained
SETTINGS: dict[str, dict[str, Any]] = {
    "mfcc": {"coefficients": 20, "hop": 1024},
    "mfcc_stats": {"coefficients": 20, "hop": 1024},
    "musicnn": {
        "weights": "untrained",
        "variant": "MSD",
        "location": "",
        "output": "penultimate",
        "hop_s": 15.0,
        "seed": 0,
        "batch_size": 5,
    },
    "vggish": {
        "weights": "untrained",
        "checkpoint": "",
        "checkpoint_sha256": "",
        "pca": "",
        "pca_sha256": "",
        "postprocess": "none",
        "hop_s": 0.96,
        "seed": 0,
        "batch_size": 32,
    },
}
SHAPES = {"mfcc": (646, 20), "mfcc_stats": (168,), "musicnn": (2, 200), "vggish": (31, 128)}


@pytest.fixture(autouse=True)
def _thin_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """VGGish of a fraction of its width, so that a test takes no seconds."""
    monkeypatch.setattr(vggish, "untrained", lambda seed: UNTRAINED_VGGISH(seed, THIN))
    songs_extraction._extractor.cache_clear()
    yield
    songs_extraction._extractor.cache_clear()


def settings(name: str, **replaced: Any) -> Any:
    return Extractors.model_fields[name].annotation.model_validate(SETTINGS[name] | replaced)


def tone(seed: int, length_s: float, rate: int = RATE) -> np.ndarray:
    generator = np.random.default_rng(seed)
    t = np.arange(round(length_s * rate)) / rate
    return 0.2 * np.sin(2 * np.pi * generator.uniform(200, 800) * t) + generator.normal(0, 0.01, len(t))


def song(seed: int, length_s: float = SECONDS, rate: int = RATE) -> bytes:
    return audio.encode_flac(tone(seed, length_s, rate), rate)


def write(folder: Path, sounds: dict[str, bytes], *, per_shard: int = 3) -> Path:
    names = list(sounds)
    for index, start in enumerate(range(0, len(names), per_shard)):
        part = names[start : start + per_shard]
        parquet.write(
            folder / parquet.shard_name(index),
            {"id": part, "audio": [(sounds[name], f"{name}.flac") for name in part]},
            types={"id": pa.string(), "audio": parquet.MEDIA},
            metadata={"dataset": "songs", "source": "test"},
        )
    return folder


def run(folder: Path, name: str, section: Any = None, clip_s: float = SECONDS) -> list[tuple[str, str]]:
    # No source of vectors of its own.
    parquet.write(folder / "samples" / parquet.shard_name(0), {"id": ["song"]}, types={"id": pa.string()})
    return songs_extraction.extract_folder(
        folder / "samples",
        folder / "audio",
        folder / "features" / name,
        view=name,
        name=name,
        settings=section or settings(name),
        clip_s=clip_s,
        compute=Compute(executor="serial", scratch=folder / "scratch"),
        downloads=folder / "raw",
    )


def features(folder: Path, name: str) -> dict[str, np.ndarray]:
    table = parquet.read(folder / "features" / name)
    return dict(zip(table["id"].to_pylist(), parquet.to_numpy(table[name]), strict=True))


@pytest.mark.parametrize("name", SETTINGS)
def test_every_extractor_and_the_same_bytes_whatever_is_beside_a_song(name: str, tmp_path: Path) -> None:
    sounds = {f"s{index}": song(index) for index in range(4)}
    write(tmp_path / "audio", sounds)
    assert run(tmp_path, name) == []
    found = features(tmp_path, name)
    assert list(found) == list(sounds)
    for values in found.values():
        assert values.shape == SHAPES[name]
        assert values.dtype == np.float32
        assert np.isfinite(values).all()
    assert not np.array_equal(found["s0"], found["s1"])
    facts = parquet.metadata(tmp_path / "features" / name)
    assert (facts["dataset"], facts["source"], facts["extractor"]) == ("songs", "test", name)
    assert facts["variant"]
    assert facts.get("weights", "untrained") == "untrained"
    write(tmp_path / "other" / "audio", {"s3": sounds["s3"]})
    run(tmp_path / "other", name)
    np.testing.assert_array_equal(features(tmp_path / "other", name)["s3"], found["s3"])


def test_every_extractor_has_its_module() -> None:
    folder = Path(str(songs.__file__)).parent
    assert {path.stem for path in folder.glob("*.py")} - {"__init__"} == set(NAMES)


def test_musicnn_in_short_steps_and_other_outputs(tmp_path: Path) -> None:
    write(tmp_path / "audio", {"s": song(0)})
    run(tmp_path, "musicnn", settings("musicnn", hop_s=3.0, output="tags"))
    (tags,) = features(tmp_path, "musicnn").values()
    assert tags.shape == (10, 50)
    assert ((tags >= 0) & (tags <= 1)).all()
    assert parquet.metadata(tmp_path / "features" / "musicnn")["variant"] == "MSD, tags, hop 3 s"


def test_musicnns_trained_weights_travel_as_plain_arrays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package is read once, by the stage; its workers find arrays."""
    from unisono.features.musicnn import package

    asked = []

    def read(variant: str, location: str = "") -> dict[str, np.ndarray]:
        asked.append((variant, location))
        return musicnn.untrained(7)

    monkeypatch.setattr(package, "read", read)
    write(tmp_path / "audio", {"s": song(0)})
    section = settings("musicnn", weights="location", location="musicnn.whl", variant="MTT", hop_s=30.0)
    run(tmp_path, "musicnn", section)
    assert asked == [("MTT", "musicnn.whl")]
    facts = parquet.metadata(tmp_path / "features" / "musicnn")
    assert (facts["weights"], facts["sha256"]) == ("pretrained", package.PUBLISHED["MTT"][1])
    trained = features(tmp_path, "musicnn")["s"]
    run(tmp_path, "musicnn", settings("musicnn", seed=7, hop_s=30.0))
    np.testing.assert_array_equal(features(tmp_path, "musicnn")["s"], trained)


def test_songs_that_cannot_be_heard_are_left_out(tmp_path: Path) -> None:
    holes = io.BytesIO()
    soundfile.write(holes, np.full(2 * RATE, np.nan, np.float32), RATE, format="WAV", subtype="FLOAT")
    sounds = {
        "good": song(0),
        "silent": audio.encode_flac(np.zeros(3 * RATE, np.int16), RATE),
        "short": song(1, 0.9),
        "page": b"<html>404</html>",
        "empty": b"",
        "holes": holes.getvalue(),
        "cut": song(2)[:20_000],
    }
    write(tmp_path / "audio", sounds)
    skipped = dict(run(tmp_path, "mfcc_stats"))
    assert list(features(tmp_path, "mfcc_stats")) == ["good"]
    assert set(skipped) == set(sounds) - {"good"}
    assert skipped["silent"].startswith("silent in its first 3.0 s")
    assert skipped["short"] == "lasts 0.90 s, at least 1 s are needed; leave it out"
    for name in ("page", "empty"):
        assert skipped[name].startswith("not a readable sound file")
        assert " at 0x" not in skipped[name]
    assert "NaN" in skipped["holes"]


def test_no_song_that_can_be_heard(tmp_path: Path) -> None:
    write(tmp_path / "audio", {"page": b"<html>404</html>"})
    with pytest.raises(DataError, match=r"audio: no song can be heard; the first, page: not a readable sound file"):
        run(tmp_path, "mfcc")


def test_an_hour_is_heard_for_thirty_seconds_in_bounded_memory() -> None:
    """An hour as samples would be 318 MB."""
    beginning = tone(0, 60)
    file = io.BytesIO()
    with soundfile.SoundFile(file, "w", RATE, 1, format="FLAC", subtype="PCM_16") as writer:
        writer.write(beginning)
        for _ in range(59):
            writer.write(np.zeros(60 * RATE, dtype=np.int16))
    data = file.getvalue()
    tracemalloc.start()
    try:
        samples = songs.heard(data, clip_s=SECONDS)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 20 * 2**20
    assert samples.shape == (SECONDS * RATE,)
    np.testing.assert_allclose(samples, beginning[: SECONDS * RATE], atol=1 / 32_768)


def test_a_shorter_song_is_repeated_and_another_rate_brought_to_ours() -> None:
    samples = songs.heard(song(0, 7.0), clip_s=SECONDS)
    assert samples.shape == (SECONDS * RATE,)
    np.testing.assert_array_equal(samples[7 * RATE : 14 * RATE], samples[: 7 * RATE])
    np.testing.assert_array_equal(samples[28 * RATE :], samples[: 2 * RATE])
    t = np.arange(SECONDS * 44_100) / 44_100
    faster = songs.heard(audio.encode_flac(0.3 * np.sin(2 * np.pi * 440 * t), 44_100), clip_s=SECONDS)
    expected = 0.3 * np.sin(2 * np.pi * 440 * np.arange(SECONDS * RATE) / RATE)
    np.testing.assert_allclose(faster[100:-100], expected[100:-100], atol=1e-3)


def test_a_damaged_shard_is_named(tmp_path: Path) -> None:
    write(tmp_path / "audio", {"s": song(0, 2.0)})
    (tmp_path / "audio" / parquet.shard_name(1)).write_bytes(b"PAR1 not")
    with pytest.raises(DataError, match=r"part-00001\.parquet: not a Parquet file or damaged"):
        run(tmp_path, "mfcc")
    assert not (tmp_path / "features" / "mfcc").exists()


def test_clips_of_another_length(tmp_path: Path) -> None:
    write(tmp_path / "audio", {"s": song(0, 12.0)})
    run(tmp_path, "mfcc", clip_s=10.0)
    run(tmp_path, "musicnn", settings("musicnn", hop_s=3.0), clip_s=10.0)
    assert features(tmp_path, "mfcc")["s"].shape == (1 + 220_500 // 1024, 20)
    assert features(tmp_path, "musicnn")["s"].shape == (3, 200)
    with pytest.raises(ConfigError, match=r"songs\.audio\.clip_s: 2 s are less than musicnn's patch; set 3 or more"):
        run(tmp_path, "musicnn", clip_s=2.0)
    with pytest.raises(ConfigError, match=r"mfcc_stats\.hop: 32768 samples leave 7 frames of 10 s, at least 9"):
        run(tmp_path, "mfcc_stats", settings("mfcc_stats", hop=32_768), clip_s=10.0)


@pytest.mark.parametrize(
    ("replaced", "message"),
    [
        ({"weights": "location"}, "needs the path of the package's wheel"),
        ({"variant": "MSD_vgg"}, "variant"),
        ({"output": "penultimat"}, "output"),
        ({"hop_s": 0}, "hop_s"),
        ({"hopp_s": 3}, "did you mean 'hop_s'"),
    ],
)
def test_settings_that_are_none(replaced: dict[str, Any], message: str) -> None:
    section = SETTINGS | {"musicnn": SETTINGS["musicnn"] | replaced}
    with pytest.raises(ConfigError, match=message):
        validate(Extractors, section, where="songs.features")
