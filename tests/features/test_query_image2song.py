"""A picture or lyrics of one's own as a query on image2song: the features of the stages, and what is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from tests.datasets.image2song import PARAMS, encoded
from tests.features import test_image2song_words as made_words
from tests.features.image2song_made import SMALL, build, extract, lemmas, parts, picture, rows
from tests.features.test_image2song_tags import train
from unisono.errors import ConfigError, DataError
from unisono.features import query
from unisono.features.query import image2song
from unisono.io import parquet


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = build(tmp_path_factory.mktemp("built"))
    extract(folder)
    train(folder)
    made_words.embed(folder)
    (folder / "models" / "tags").mkdir()
    (folder / "models" / "pixels").rename(folder / "models" / "tags" / "pixels")
    (folder / "word_models").rename(folder / "models" / "words")
    return folder


@pytest.fixture(autouse=True)
def _parameters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = yaml.safe_load(PARAMS.read_text(encoding="utf-8"))
    for key, value in {**SMALL, "features.tags.set": "pixels", "features.sets": ["pixels"]}.items():
        section = raw["image2song"]
        *path, last = key.split(".")
        for part in path:
            section = section[part]
        section[last] = value
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(raw), encoding="utf-8")
    monkeypatch.chdir(tmp_path)


def asked(built: Path, tmp_path: Path, source: Path | str, name: str, **more: Any) -> query.Extracted:
    folder = tmp_path / "query"
    sets = {"image": name, "lyrics": name}
    return query.extract(source, "image2song", view=None, sets=sets, built=built, folder=folder, **more)


def stored(built: Path, name: str, row: int, deal: int) -> np.ndarray:
    found: np.ndarray = np.asarray(parquet.to_numpy(parquet.read(built / "features" / name)[name]))[row]
    return found if name == "pixels" else found[deal]


@pytest.mark.parametrize("name", ["pixels", "tags", "probabilities", "tag_vectors", "commonness"])
@pytest.mark.parametrize("deal", [0, 1])
def test_a_picture_of_the_data_set_gets_its_features(built: Path, tmp_path: Path, name: str, deal: int) -> None:
    """One that both deals test on, of which the predictor has seen as little as of a new one."""
    row = next(place for place, part in enumerate(parts(rows())) if part == ["test", "test"])
    path = tmp_path / "own.png"
    path.write_bytes(picture(row // 6, row % 6))
    found = asked(built, tmp_path, path, name, deal=deal)
    assert found.view == "image"
    np.testing.assert_allclose(found.vectors[0], stored(built, name, row, deal), rtol=1e-5, atol=1e-6)
    assert not found.notes if name == "pixels" else found.notes[0].startswith("its likeliest tags: ")


@pytest.mark.parametrize("name", image2song.LYRIC_SETS)
def test_lyrics_of_the_data_set_get_their_features(built: Path, tmp_path: Path, name: str) -> None:
    path = tmp_path / "song.txt"
    path.write_text("\n".join(lemmas(5)), encoding="utf-8")
    for source in (path, " ".join(lemmas(5))):
        found = asked(built, tmp_path, source, name, deal=1)
        assert found.view == "lyrics"
        expected = stored(built, name, 5, 1)
        np.testing.assert_allclose(found.vectors[0], expected[: len(found.vectors[0])], rtol=1e-5, atol=1e-6)
        assert found.notes[0].startswith("tags in it: ")


def test_a_photograph_of_any_kind(built: Path, tmp_path: Path) -> None:
    path = tmp_path / "photograph.JPEG"
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (300, 700, 3), dtype=np.uint8))
    path.write_bytes(encoded(image.convert("CMYK"), "JPEG"))
    assert asked(built, tmp_path, path, "tags").vectors.any()


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("x.png", b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>", "SVG"),
        ("x.jpg", encoded(np.zeros((1, 1, 3), np.uint8), "JPEG"), "1 x 1 pixels"),
        (
            "x.png",
            encoded(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8))[:200],
            "not a readable picture",
        ),
        ("x.webp", b"", "an empty file"),
        ("x.txt", b"Zzz qqq xxx.", "none of its 3 words is among the tags of the data set"),
        ("x.txt", b"a" * (2**20 + 1), "more than the 1,048,576 bytes of text"),
    ],
)
def test_what_cannot_be_a_query(built: Path, tmp_path: Path, name: str, content: bytes, reason: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"{name}: .*{reason}"):
        asked(built, tmp_path, path, "bag" if name.endswith("txt") else "tags")


def test_sets_that_a_file_cannot_have(built: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(picture(0, 0))
    with pytest.raises(DataError, match="'true_tags' are keywords, which a picture of your own does not have"):
        asked(built, tmp_path, path, "true_tags")
    with pytest.raises(ConfigError, match="'bag' are of lyrics"):
        asked(built, tmp_path, path, "bag")
    with pytest.raises(ConfigError, match="'tags' are of no lyrics"):
        asked(built, tmp_path, "roses are red", "tags")
