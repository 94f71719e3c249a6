"""Skip-gram: sensible vectors, the same bytes each time, the authors' encoders read without running them."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from unisono.config.compute import Compute
from unisono.config.mtm import SkipGram
from unisono.errors import DataError, DownloadError
from unisono.features import _gensim_pickle, skipgram
from unisono.io import parquet


@pytest.fixture
def settings() -> SkipGram:
    """Section mtm.features.skipgram, with small vectors."""
    return SkipGram(
        weights="trained",
        syllable_encoder="",
        word_encoder="",
        dimensions=8,
        window=5,
        min_count=2,
        negative=5,
        epochs=30,
        seed=0,
    )


@pytest.fixture
def sentences() -> list[list[str]]:
    """200 sentences of 20 tokens, each about one of two topics of ten tokens."""
    rng = np.random.default_rng(0)
    return [[f"{topic}{i}" for i in rng.integers(0, 10, 20)] for topic in rng.choice(["a", "b"], 200)]


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    """Three samples in two shards: ten words of two syllables each; the last sample's are its own."""
    words = [[f"w{i % 7}-{i % 7}x" for i in range(10)], [f"w{i % 5}-{i % 5}x" for i in range(10)]]
    words.append([f"rare{i}-{i}x" for i in range(10)])
    for index, part in enumerate((slice(0, 2), slice(2, 3))):
        rows = words[part]
        parquet.write(
            tmp_path / "samples" / parquet.shard_name(index),
            {
                "id": [f"s{index}-{row}" for row in range(len(rows))],
                "syllables": [[half for word in row for half in word.split("-")] for row in rows],
                "words": [[word.replace("-", "") for word in row for _ in range(2)] for row in rows],
                "word_index": [[i // 2 for i in range(20)] for _ in rows],
            },
            types={
                "id": pa.string(),
                "syllables": parquet.strings(20),
                "words": parquet.strings(20),
                "word_index": pa.list_(pa.int32(), 20),
            },
            metadata={"dataset": "mtm", "source": "test", "n_samples": 3},
        )
    return tmp_path / "samples"


def cosine(encoder: skipgram.Encoder, tokens: Sequence[str]) -> np.ndarray:
    """Cosines between all pairs of tokens."""
    vectors = encoder.encode(tokens)
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors @ vectors.T


# ---- Training ----


def test_repeated_words_are_taken_once() -> None:
    words = ["la", "la", "la", "glory", "glory", "la"]
    assert skipgram.collapse(words, [0, 1, 1, 2, 2, 3]) == ["la", "la", "glory", "la"]


def test_tokens_of_one_topic_are_nearer(sentences: list[list[str]], settings: SkipGram) -> None:
    encoder = skipgram.train(sentences, settings)
    similar = cosine(encoder, [f"{topic}{i}" for topic in "ab" for i in range(10)])
    within = (similar[:10, :10].sum() - 10 + similar[10:, 10:].sum() - 10) / 180
    assert within > similar[:10, 10:].mean() + 0.3


def test_rare_tokens_share_one_learned_vector(sentences: list[list[str]], settings: SkipGram) -> None:
    for index in range(40):
        sentences[index].insert(10, f"only-once-{index}")
    encoder = skipgram.train(sentences, settings)
    assert len(encoder.rows) == len(encoder.vectors) == 21
    once, never = encoder.encode(["only-once-0", "never seen"])
    np.testing.assert_array_equal(once, encoder.vectors[encoder.rows[skipgram.UNKNOWN]])
    np.testing.assert_array_equal(once, never)
    assert np.abs(once).max() > 0


def test_without_rare_tokens_unknown_is_the_mean(sentences: list[list[str]], settings: SkipGram) -> None:
    encoder = skipgram.train(sentences, settings)
    np.testing.assert_allclose(encoder.encode(["?"])[0], encoder.vectors[:20].mean(axis=0), atol=1e-6)


def test_case_counts(settings: SkipGram) -> None:
    encoder = skipgram.train([["Amen", "amen"] * 10], settings)
    assert not np.array_equal(*encoder.encode(["Amen", "amen"]))


def test_one_token_alone_can_be_trained(settings: SkipGram) -> None:
    assert np.isfinite(skipgram.train([["la"] * 20], settings).vectors).all()


def test_where_all_tokens_are_rare_each_has_its_own_vector(samples: Path, tmp_path: Path, settings: SkipGram) -> None:
    encoder = skipgram.train([["glo", "ry", "be"]], settings)
    assert not np.array_equal(*encoder.encode(["glo", "ry"]))
    printed = skipgram.make_encoders(samples, tmp_path / "encoders", settings.model_copy(update={"min_count": 99}))
    skipgram.extract_folder(
        samples, tmp_path / "encoders", tmp_path / "lyrics", compute=Compute(scratch=tmp_path / "scratch")
    )
    said = parquet.metadata(tmp_path / "lyrics")["adapted"]
    assert printed == said
    assert said.startswith("mtm.features.skipgram.min_count: lower than 99 for syllables and words")


def test_nothing_to_train_on(settings: SkipGram) -> None:
    with pytest.raises(DataError, match="no token"):
        skipgram.train([], settings)


def test_seed_and_dimensions_are_obeyed(sentences: list[list[str]], settings: SkipGram) -> None:
    first = skipgram.train(sentences, settings)
    again = skipgram.train(sentences, settings)
    other = skipgram.train(sentences, settings.model_copy(update={"seed": 1}))
    assert first.vectors.shape == (21, 8)
    np.testing.assert_array_equal(first.vectors, again.vectors)
    assert not np.array_equal(first.vectors, other.vectors)


def test_same_bytes_whatever_the_hash_seed(samples: Path, tmp_path: Path, settings: SkipGram) -> None:
    """Two Python processes that hash strings differently write the same files."""
    code = (
        "import sys; from pathlib import Path\n"
        "from unisono.config.mtm import SkipGram\nfrom unisono.features import skipgram\n"
        "skipgram.make_encoders(Path(sys.argv[1]), Path(sys.argv[2]), SkipGram.model_validate_json(sys.argv[3]))"
    )
    for seed in ("1", "2"):
        subprocess.run(
            [sys.executable, "-c", code, str(samples), str(tmp_path / seed), settings.model_dump_json()],
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        )
    for level in skipgram.LEVELS:
        first, second = (tmp_path / seed / f"{level}.parquet" for seed in ("1", "2"))
        assert first.read_bytes() == second.read_bytes()


# ---- From samples to features ----


@pytest.mark.parametrize("dimensions", [8, 20])
def test_features_are_the_encoders_vectors(samples: Path, tmp_path: Path, settings: SkipGram, dimensions: int) -> None:
    encoders, out = tmp_path / "encoders", tmp_path / "lyrics"
    skipgram.make_encoders(samples, encoders, settings.model_copy(update={"dimensions": dimensions}))
    skipgram.extract_folder(samples, encoders, out, compute=Compute(scratch=tmp_path / "scratch"))
    table, original = parquet.read(out), parquet.read(samples)
    assert [path.name for path in parquet.shards(out)] == [path.name for path in parquet.shards(samples)]
    assert table["id"].to_pylist() == original["id"].to_pylist()
    for level in skipgram.LEVELS:
        values = parquet.to_numpy(table[level])
        assert values.shape == (3, 20, dimensions)
        encoder = skipgram.load(encoders / f"{level}.parquet")
        for row, tokens in zip(values, original[level].to_pylist(), strict=True):
            np.testing.assert_array_equal(row, encoder.encode(tokens))
    words = parquet.to_numpy(table["words"])
    np.testing.assert_array_equal(words[:, 0::2], words[:, 1::2])
    facts = parquet.metadata(out)
    assert facts["source"] == "test"
    assert facts["weights"] == "trained"
    assert facts["extractor"] == "skip-gram"
    assert facts["variant"] == f"{dimensions}-D syllables + {dimensions}-D words"


def test_share_of_unknown_tokens_is_counted(samples: Path, tmp_path: Path, settings: SkipGram) -> None:
    """Seen once: 12 of 30 words (w5, w6, ten rare ones), 15 of 60 syllables (the same, and 7x, 8x, 9x)."""
    skipgram.make_encoders(samples, tmp_path / "encoders", settings)
    skipgram.extract_folder(
        samples, tmp_path / "encoders", tmp_path / "lyrics", compute=Compute(scratch=tmp_path / "scratch")
    )
    facts = parquet.metadata(tmp_path / "lyrics")
    assert facts["unknown_words"] == pytest.approx(12 / 30)
    assert facts["unknown_syllables"] == pytest.approx(15 / 60)


def test_missing_encoders(samples: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"syllables\.parquet: no such file"):
        skipgram.extract_folder(samples, tmp_path, tmp_path / "out", compute=Compute(scratch=tmp_path / "scratch"))


def test_a_table_that_is_no_encoder(tmp_path: Path) -> None:
    path = tmp_path / "words.parquet"
    types = {"token": pa.string(), "vector": parquet.vector(2)}
    parquet.write(path, {"token": ["a"], "vector": [[0, 1]]}, types=types)
    with pytest.raises(DataError, match="no encoder: it lacks the token '<unknown>'"):
        skipgram.load(path)


# ---- The authors' encoders ----


def instance(name: str, state: bytes) -> bytes:
    """Pickle code of an instance of a class that need not exist here."""
    module, _, cls = name.rpartition(".")
    return f"c{module}\n{cls}\n".encode() + b")\x81" + state + b"b"


def mapping(items: dict[str, bytes]) -> bytes:
    """Pickle code of a dict whose values are pickle code."""
    return b"}" + b"".join(plain(key) + value + b"s" for key, value in items.items())


def plain(value: Any) -> bytes:
    """Pickle code of a value, without begin and end."""
    return pickle.dumps(value, protocol=2)[2:-1]


def gensim_pickle(tokens: Any, vectors: Any, **more: bytes) -> bytes:
    """A pickled gensim 3 model."""
    words = mapping({"index2word": plain(tokens), "vectors": plain(vectors)})
    keyed = instance("gensim.models.keyedvectors.Word2VecKeyedVectors", words)
    return b"\x80\x02" + instance("gensim.models.word2vec.Word2Vec", mapping({**more, "wv": keyed})) + b"."


def test_pretrained_encoder_gives_unknown_tokens_the_vector_of_i(tmp_path: Path) -> None:
    vectors = np.arange(6, dtype=np.float32).reshape(3, 2)
    random = b"cnumpy.random\n__RandomState_ctor\n)R}b"
    counts = b"ccollections\ndefaultdict\nc__builtin__\nlong\n\x85R" + plain("a") + plain(1) + b"s"
    path = tmp_path / "model.bin"
    path.write_bytes(gensim_pickle(["the", "I", "you"], vectors, random=random, raw_vocab=counts))
    encoder = skipgram.read_pretrained(path)
    np.testing.assert_array_equal(encoder.encode(["you", "I", "never seen"]), vectors[[2, 1, 1]])


@pytest.mark.parametrize(
    "data, message",
    [
        (b"", "not a pickled skip-gram model"),
        (b"garbage", "not a pickled skip-gram model"),
        (pickle.dumps([1, 2]), "not a pickled skip-gram model"),
        (b"cos\nsystem\n(S'touch pwned'\ntR.", r"names os\.system"),
        (gensim_pickle(["I"], [[0.0]], x=b'cbuiltins\neval\n(S\'open("pwned", "w")\'\ntR'), r"names builtins\.eval"),
        (gensim_pickle(["I"], [[0.0]])[:-30], "not a pickled skip-gram model"),
        (gensim_pickle(["I"], [[0.0], [1.0]]), "do not fit together"),
        (gensim_pickle(["I"], [[np.nan]]), "do not fit together"),
        (gensim_pickle([1], [[0.0]]), "do not fit together"),
        (gensim_pickle(["you"], [[0.0]]), "no vector of 'I'"),
    ],
    ids=["empty", "garbage", "other", "system", "eval", "truncated", "rows", "nan", "numbers", "no I"],
)
def test_hostile_or_damaged_encoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: bytes, message: str) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "model.bin"
    path.write_bytes(data)
    with pytest.raises(DataError, match=message):
        skipgram.read_pretrained(path)
    assert not (tmp_path / "pwned").exists()


def test_missing_encoder_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        _gensim_pickle.load(tmp_path / "none.bin")


def test_pretrained_weights_by_path(samples: Path, tmp_path: Path, settings: SkipGram) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(gensim_pickle(["I", "w0"], np.eye(2, 10, dtype=np.float32)))
    pretrained = settings.model_copy(
        update={"weights": "pretrained", "syllable_encoder": str(path), "word_encoder": path.as_uri()}
    )
    skipgram.make_encoders(samples, tmp_path / "encoders", pretrained)
    skipgram.extract_folder(
        samples, tmp_path / "encoders", tmp_path / "lyrics", compute=Compute(scratch=tmp_path / "scratch")
    )
    facts = parquet.metadata(tmp_path / "lyrics")
    assert facts["weights"] == "pretrained"
    assert facts["variant"] == "10-D syllables + 10-D words"
    assert facts["unknown_words"] == 1.0
    assert parquet.to_numpy(parquet.read(tmp_path / "lyrics")["syllables"]).shape == (3, 20, 10)


def test_pretrained_weights_that_are_not_there(samples: Path, tmp_path: Path, settings: SkipGram) -> None:
    gone = settings.model_copy(update={"weights": "pretrained", "syllable_encoder": str(tmp_path / "none.bin")})
    with pytest.raises((DownloadError, DataError), match=r"none\.bin"):
        skipgram.make_encoders(samples, tmp_path / "encoders", gone)
