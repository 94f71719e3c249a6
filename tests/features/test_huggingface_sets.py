"""A model of the Hugging Face hub in every data set that may have one, and a query that goes through it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import yaml

from tests.datasets.image2song import PARAMS
from tests.features import image2song_made, test_songs_extraction, test_texts_extraction, test_video_extraction
from tests.features.huggingface_made import save, section
from unisono.config.huggingface import Audio, Image, Text
from unisono.errors import DataError
from unisono.features import pictures_extraction, query, songs_extraction, video_extraction
from unisono.features.huggingface import hub, pictures, sound, texts
from unisono.io import parquet
from unisono.media import video

pytest.importorskip("transformers", reason='needs transformers: pip install "unisono[huggingface]"')


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    for family in ("clap", "clip", "bert"):
        save(folder / family, family)
    return folder


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    for each in (songs_extraction, pictures_extraction, video_extraction):
        each._extractor.cache_clear()
    yield
    for each in (songs_extraction, pictures_extraction, video_extraction):
        each._extractor.cache_clear()


def write_params(folder: Path, changes: dict[str, Any]) -> None:
    """Write params.yaml with other values; keys with dots."""
    raw = yaml.safe_load(PARAMS.read_text(encoding="utf-8"))
    for key, value in changes.items():
        at = raw
        *path, last = key.split(".")
        for part in path:
            at = at[part]
        at[last] = value
    (folder / "params.yaml").write_text(yaml.safe_dump(raw), encoding="utf-8")


def asked(source: Path | str, dataset: str, view: str, name: str, built: Path) -> np.ndarray:
    """Take a query through the extractor of a built data set."""
    found = query.extract(source, dataset, view=view, sets={view: name}, built=built, folder=built.parent / "query")
    return np.asarray(found.vectors[0])


def test_songs_heard(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    block = section("audio", models / "clap", window_s=2.0, pooling="own")
    sounds = {f"s{index}": test_songs_extraction.song(index) for index in range(2)}
    built = tmp_path / "songs"
    test_songs_extraction.write(built / "audio", sounds)
    assert test_songs_extraction.run(built, "huggingface_audio", Audio.model_validate(block)) == []
    found = test_songs_extraction.features(built, "huggingface_audio")
    assert {name: each.shape for name, each in found.items()} == {"s0": (15, 6), "s1": (15, 6)}
    assert not np.allclose(found["s0"], found["s1"], atol=1e-3)
    facts = parquet.metadata(built / "features" / "huggingface_audio")
    assert facts["variant"] == "clap, audio, layer -1, own, windows of 2 s"

    write_params(tmp_path, {"songs.features.huggingface_audio": block, "songs.features.sets": ["huggingface_audio"]})
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "own.flac"
    path.write_bytes(sounds["s1"])
    np.testing.assert_allclose(asked(path, "songs", "audio", "huggingface_audio", built), found["s1"], atol=1e-5)


def test_lyrics_read(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Text.model_validate(section("text", models / "bert"))
    built = tmp_path / "songs"
    lines = ["love me tender", "the rain falls on me", "gloria"] * 8
    samples, divisions = test_texts_extraction.write(built, lines, test_texts_extraction.deals())
    made = built / "models" / "huggingface_text"
    out = built / "features" / "huggingface_text"
    extract = test_texts_extraction.extraction.extract
    extract(samples, divisions, out, made, settings, name="huggingface_text", view="huggingface_text")
    found = parquet.to_numpy(parquet.read(out)["huggingface_text"])
    assert found.shape == (24, 16), "one for all deals, since it learns nothing from the songs"
    np.testing.assert_allclose(found, texts.Extractor(hub.fetch(settings)).embed(lines), atol=1e-6)
    before = (made / "model.safetensors").read_bytes()
    extract(samples, divisions, out, made, settings, name="huggingface_text", view="huggingface_text")
    assert (made / "model.safetensors").read_bytes() == before

    write_params(tmp_path, {"songs.features.texts.sets": ["huggingface_text"]})
    monkeypatch.chdir(tmp_path)
    np.testing.assert_allclose(asked("Gloria", "songs", "lyrics", "huggingface_text", built), found[2], atol=1e-6)
    with pytest.raises(DataError, match="none of its words"):
        asked(" ", "songs", "lyrics", "huggingface_text", built)


def test_another_model_in_the_place_of_the_one_that_read_the_lyrics(models: Path, tmp_path: Path) -> None:
    from unisono.features.texts import huggingface_text

    own = save(tmp_path / "own", "bert")
    huggingface_text.fit([], Text.model_validate(section("text", own))).save(tmp_path / "m.safetensors")
    huggingface_text.load(tmp_path / "m.safetensors")
    save(own, "bert", seed=1)
    with pytest.raises(DataError, match="own: its weights have SHA-256"):
        huggingface_text.load(tmp_path / "m.safetensors")
    (tmp_path / "m.safetensors").write_bytes(b"x")
    with pytest.raises(DataError, match="run the stage embed_lyrics"):
        huggingface_text.load(tmp_path / "m.safetensors")


def test_pictures_seen(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    block = section("image", models / "clip", pooling="own")
    own = image2song_made.section(features__huggingface_image=block)
    built = image2song_made.build(tmp_path / "image2song", own=own)
    assert image2song_made.extract(built, "huggingface_image", own) == []
    parts = parquet.to_numpy(parquet.read(built / "pictures" / "huggingface_image")["parts"])
    whole = parquet.to_numpy(parquet.read(built / "features" / "huggingface_image")["huggingface_image"])
    assert parts.shape == (24, 1, 6)
    np.testing.assert_array_equal(parts[:, 0], whole)
    network = pictures.Extractor(hub.fetch(Image.model_validate(block)))
    from unisono.features.pictures import seen

    square = seen(image2song_made.picture(0, 3), "x", side=32)
    np.testing.assert_allclose(whole[3], network.embed(network.prepare(square[None]))[0], atol=1e-6)

    changes = {"image2song.features.huggingface_image": block, "image2song.features.sets": ["huggingface_image"]}
    write_params(tmp_path, changes | {"image2song.features.tags.set": "huggingface_image"})
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "own.png"
    path.write_bytes(image2song_made.picture(0, 3))
    np.testing.assert_allclose(asked(path, "image2song", "image", "huggingface_image", built), whole[3], atol=1e-5)


def test_clips_heard_and_seen(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whitening = {"method": "none", "components": 3, "epsilon": 0.01, "limits": "unlimited"}
    blocks = {
        "huggingface_audio": section("audio", models / "clap", whitening=whitening, batch_size=4),
        "huggingface_image": section("image", models / "clip", whitening=whitening, pooling="own"),
    }
    built, lengths = tmp_path / "vegas", {"c0": 2.0, "c1": 3.5, "out": 2.0}
    films = {name: test_video_extraction.clip(seed, length) for seed, (name, length) in enumerate(lengths.items())}
    samples = test_video_extraction.write(
        built / "samples", {name: (-1 if name == "out" else 0, film) for name, film in films.items()}
    )
    write_params(
        tmp_path,
        {f"vegas.features.{name}": block for name, block in blocks.items()}
        | {"vegas.features.sets": {"heard": "huggingface_audio", "seen": "huggingface_image"}},
    )
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "own.mp4"
    path.write_bytes(films["c1"])
    for view, name, width in (("heard", "huggingface_audio", 16), ("seen", "huggingface_image", 6)):
        own = test_video_extraction.Extractors.model_fields[name].annotation.model_validate(blocks[name])
        assert test_video_extraction.run(samples, name, view, own) == []
        (built / "models" / f"{view}.safetensors").rename(built / "models" / f"whitening_{view}.safetensors")
        table = parquet.read(built / "features" / view)
        found = dict(zip(table["id"].to_pylist(), parquet.to_numpy(table[view]), strict=True))
        assert {key: each.shape for key, each in found.items()} == {"c0": (10, width), "c1": (10, width)}
        frames = dict(zip(table["id"].to_pylist(), table["n_frames"].to_pylist(), strict=True))
        assert frames == {"c0": 2, "c1": 4}
        kind = "audio" if view == "heard" else "visual"
        got = query.extract(path, "vegas", view=kind, sets={kind: view}, built=built, folder=tmp_path / f"q_{view}")
        np.testing.assert_allclose(got.vectors[0], found["c1"][: frames["c1"]], atol=1e-5)
    heard = sound.Extractor(hub.fetch(Audio.model_validate(section("audio", models / "clap"))))
    expected = heard.embed(heard.windows(video.sound(films["c0"], heard.rate), heard.rate))
    table = parquet.read(built / "features" / "heard")
    np.testing.assert_allclose(parquet.to_numpy(table["heard"])[0, :2], expected, atol=1e-5)
    assert table.schema.field("heard").type == pa.list_(pa.list_(pa.float32(), 16), 10)


def test_whitening_is_fitted_on_clips_outside_the_folds(models: Path, tmp_path: Path) -> None:
    whitening = {"method": "fitted", "components": 3, "epsilon": 0.01, "limits": "clipped"}
    block = section("image", models / "clip", whitening=whitening)
    own = test_video_extraction.Extractors.model_fields["huggingface_image"].annotation.model_validate(block)
    films = {name: (fold, test_video_extraction.clip(seed, 4.0)) for seed, (name, fold) in enumerate(
        {"c0": 0, "o1": -1, "o2": -1}.items()
    )}  # fmt: skip
    samples = test_video_extraction.write(tmp_path / "vegas" / "samples", films)
    assert test_video_extraction.run(samples, "huggingface_image", "seen", own) == []
    found = parquet.to_numpy(parquet.read(tmp_path / "vegas" / "features" / "seen")["seen"])
    assert found.shape == (1, 10, 3)
