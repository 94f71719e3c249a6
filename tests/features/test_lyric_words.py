"""Words of lyrics and of tags: closed forms, what a deal may learn from, and damaged models."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from unisono.config.picture_extractors import Words
from unisono.datasets import dealing
from unisono.datasets.base import DataSet
from unisono.errors import DataError
from unisono.features import lyric_words
from unisono.features.lyric_words import extraction
from unisono.io import parquet

SETTINGS = Words(
    vectors="word2vec", dimensions=4, window=2, min_count=1, negative=2, epochs=3, length=5, seed=0
)  # fmt: skip
LEMMAS = [["cat", "sit", "on", "mat"], ["dog", "eat", "cat"], ["moon", "on", "sea"], ["sea", "moon", "moon", "cat"]]
VOCABULARY = ["cat", "moon", "ship"]


@pytest.fixture(scope="module")
def model() -> lyric_words.Model:
    return lyric_words.fit(LEMMAS, VOCABULARY, SETTINGS)


def test_how_common_tags_are_is_counted_by_song(model: lyric_words.Model) -> None:
    assert model.tag_shares == pytest.approx([3 / 4, 2 / 4, 0])
    assert model.tag_idf == pytest.approx(np.log(5 / np.array([4, 3, 1])) + 1)


def test_pictures_get_the_mean_of_their_tags_by_weight(model: lyric_words.Model) -> None:
    weights = np.array([[1, 0.5, 0], [0, 0, 0], [0, 0, 1]], dtype=np.float32)
    found = model.pictures(weights)
    cat, moon = (model.vectors[model.words.index(word)].astype(float) for word in ("cat", "moon"))
    assert found["vectors"][0] == pytest.approx((cat + 0.5 * moon) / 1.5, abs=1e-6)
    # A picture without tags, and one whose only tag no song has.
    assert not found["vectors"][1:].any()
    assert found["commonness"].ravel() == pytest.approx([3 / 4 + 0.5 * 2 / 4, 0, 0])


def test_lyrics_get_their_tags_words_and_number_of_words(model: lyric_words.Model) -> None:
    lyrics = [["sea", "moon", "moon", "cat", "sea", "dog", "mat"], ["unheard"], []]
    found = model.lyrics(lyrics)
    assert found["has"].tolist() == [[1, 1, 0], [0, 0, 0], [0, 0, 0]]
    assert found["bag"][0] == pytest.approx(model.tag_idf * [1, 1, 0])
    assert found["n_words"].ravel().tolist() == [5, 1, 0]
    assert found["n_frames"].tolist() == [5, 1, 1]
    rows = [model.words.index(word) for word in lyrics[0]]
    assert (found["word_vectors"][0] == model.vectors[rows[:5]]).all()
    assert not found["word_vectors"][1:].any()
    weights = model.idf[rows].astype(float)
    assert found["word_means"][0] == pytest.approx(weights @ model.vectors[rows] / weights.sum(), abs=1e-6)


def test_masked_lyrics_hold_no_tag(model: lyric_words.Model) -> None:
    found, other = (model.lyrics([words], masked=True) for words in (["sea", "moon", "cat"], ["sea"]))
    assert not found["has"].any()
    for name in ("word_means", "word_vectors", "n_frames", "n_words"):
        assert (found[name] == other[name]).all()


def test_a_model_is_read_as_it_was_written(model: lyric_words.Model, tmp_path: Path) -> None:
    model.save(tmp_path / "model.safetensors")
    again = lyric_words.load(tmp_path / "model.safetensors")
    assert again.words == model.words
    assert again.settings == SETTINGS
    for name in ("vectors", "idf", "tag_idf", "tag_shares"):
        assert (getattr(again, name) == getattr(model, name)).all()
    content = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(content.replace(b'\\"lyric_words\\"', b'\\"other_words\\"'))
    with pytest.raises(DataError, match="not a model of words, or damaged"):
        lyric_words.load(tmp_path / "model.safetensors")


def test_songs_without_a_word_are_one_line() -> None:
    with pytest.raises(DataError, match="no word in 2 training songs"):
        lyric_words.fit([[], []], VOCABULARY, SETTINGS)


class Made(DataSet):
    """Tests the last picture and the last song."""

    name = "made"
    dealt_by = ()

    def deal(self, table: pa.Table, section: object) -> tuple[np.ndarray, dict[str, object]]:
        """Give two deals."""
        parts = np.full((table.num_rows, 2), "train", dtype="<U5")
        parts[[1, 5], 0], parts[[0, 2], 1] = "test", "test"
        return parts, {}


def built(folder: Path, last: list[str]) -> Path:
    """Build two pictures and four songs, the last with other words, and extract."""
    ids = ["p0", "p1", "s0", "s1", "s2", "s3"]
    words = [["cat"], ["moon"], *LEMMAS[:3], last]
    columns = {"id": ids, "part": ["image"] * 2 + ["lyrics"] * 4, "words": words}
    types = {"id": pa.string(), "part": pa.string(), "words": pa.list_(pa.string())}
    shard = parquet.shard_name(0)
    parquet.write(folder / "samples" / shard, columns, types=types, metadata={"dataset": "made", "source": "x"})
    places = {"out": folder / "divisions", "summary": folder / "divisions.json"}
    dealing.deal(Made(), None, samples=folder / "samples", **places)
    metadata = {"keyword_vocabulary": [VOCABULARY, ["cat"]]}
    parquet.write(folder / "tags" / shard, {"id": ids}, types={"id": pa.string()}, metadata=metadata)
    weights = np.zeros((2, 2, 3), dtype=np.float32)
    weights[:, :, 0] = 1
    for name in ("tags", "true_tags"):
        kind = parquet.matrix(2, 3)
        place = folder / "features" / name / shard
        parquet.write(place, {"id": ids[:2], name: weights}, types={"id": pa.string(), name: kind})
    args = (folder / "samples", folder / "divisions", folder / "tags", folder / "features", folder / "models")
    extraction.extract(*args, SETTINGS)
    return folder


def test_a_song_that_is_tested_on_teaches_nothing(tmp_path: Path) -> None:
    first, second = built(tmp_path / "a", LEMMAS[3]), built(tmp_path / "b", ["another", "text", "cat"])
    models = [
        [extraction.model_file(each / "models", deal).read_bytes() for deal in (0, 1)] for each in (first, second)
    ]
    assert models[0][0] == models[1][0]
    # In the second deal it is trained on.
    assert models[0][1] != models[1][1]


def test_sets_are_of_their_part_and_of_every_deal(tmp_path: Path) -> None:
    folder = built(tmp_path, LEMMAS[3])
    found = parquet.read(folder / "features" / "word_vectors")
    assert found["id"].to_pylist() == ["s0", "s1", "s2", "s3"]
    assert np.asarray(parquet.to_numpy(found["word_vectors"])).shape == (4, 2, 5, 4)
    assert np.asarray(parquet.to_numpy(found["n_frames"])).shape == (4, 2)
    bag = np.asarray(parquet.to_numpy(parquet.read(folder / "features" / "bag")["bag"]))
    # The second deal has one tag: the others are blank.
    assert bag.shape == (4, 2, 3)
    assert not bag[:, 1, 1:].any()
    assert bag[:, 1, 0].any()
    plain = parquet.read(folder / "features" / "n_words")
    assert parquet.to_numpy(plain["n_words"]).shape == (4, 1)
    assert "per_deal" not in parquet.metadata(folder / "features" / "n_words")
    assert parquet.metadata(folder / "features" / "bag")["per_deal"]


def test_tags_of_other_deals_are_one_line(tmp_path: Path) -> None:
    folder = built(tmp_path, LEMMAS[3])
    shard = parquet.shard_name(0)
    metadata = {"keyword_vocabulary": [VOCABULARY]}
    parquet.write(folder / "tags" / shard, {"id": ["p0"]}, types={"id": pa.string()}, metadata=metadata)
    args = (folder / "samples", folder / "divisions", folder / "tags", folder / "features", folder / "models")
    with pytest.raises(DataError, match="holds tags of other deals"):
        extraction.extract(*args, SETTINGS)
