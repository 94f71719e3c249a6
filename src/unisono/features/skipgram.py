"""Lyrics features: skip-gram vectors of syllables and of words (Mikolov et al., 2013), two encoders per source.

**Conventions.** A *sentence* is the tokens of one sample in order: 20 syllables, or its words once each. Tokens are
taken as they stand: case and punctuation count, as in the authors' encoders. An `Encoder` gives every token a vector;
one that it does not know gets the vector of `UNKNOWN`. Here that vector is learned: tokens rarer than ``min_count``
are all read as `UNKNOWN` while training. The authors' encoders have none and use the vector of the word "I" instead.

Training uses all lyrics of the source, whatever their split, as the dissertation does ("on all lyrics"): no pairing
with sound or picture is seen. It runs in one thread, so that the same lyrics give the same bytes.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from unisono.config.compute import Compute
from unisono.config.mtm import SkipGram
from unisono.errors import DataError
from unisono.features import _gensim_pickle
from unisono.io import download, parquet
from unisono.io.files import replacing_folder, temporary_folder
from unisono.store.shards import Shard, map_shards

UNKNOWN = "<unknown>"
PRETRAINED_UNKNOWN = "I"
LEVELS = ("syllables", "words")
SAMPLE_COLUMNS = ("id", "syllables", "words", "word_index")


class Encoder(NamedTuple):
    """Vectors of tokens."""

    rows: Mapping[str, int]
    """Token -> row of `vectors`; holds `UNKNOWN`."""
    vectors: np.ndarray
    """[shape=(n_tokens, dimensions), dtype=float32]"""

    def encode(self, tokens: Sequence[str]) -> np.ndarray:
        """Look tokens up, [shape=(len(tokens), dimensions), dtype=float32]."""
        unknown = self.rows[UNKNOWN]
        return self.vectors[[self.rows.get(token, unknown) for token in tokens]]


def collapse(words: Sequence[str], word_index: Sequence[int]) -> list[str]:
    """Take each word once, where a sample repeats it for each of its syllables.

    Parameters
    ----------
    words : sequence of str
        A word per syllable.
    word_index : sequence of int
        The word that each syllable belongs to.

    Examples
    --------
    >>> collapse(["glory", "glory", "ho", "ho"], [0, 0, 1, 2])
    ['glory', 'ho', 'ho']
    """
    return [next(group)[0] for _, group in itertools.groupby(zip(words, word_index, strict=True), key=lambda p: p[1])]


def train(sentences: Sequence[Sequence[str]], settings: SkipGram) -> Encoder:
    """Train an encoder by skip-gram with negative sampling (gensim, ``sg=1``).

    Parameters
    ----------
    sentences : sequence of sequence of str
        At least one token in all.
    settings : SkipGram
        Section ``mtm.features.skipgram``.

    Returns
    -------
    Encoder
        Most frequent token first. When no token was rare, `UNKNOWN` is the mean of all vectors.

    Raises
    ------
    DataError
        There is no token.
    """
    from gensim.models import Word2Vec

    counts = Counter(itertools.chain.from_iterable(sentences))
    if not counts:
        raise DataError("no lyrics to train skip-gram on; the samples hold no token")
    min_count = least_count(sentences, settings.min_count)
    model = Word2Vec(
        [[token if counts[token] >= min_count else UNKNOWN for token in line] for line in sentences],
        sg=1,
        vector_size=settings.dimensions,
        window=settings.window,
        min_count=1,
        negative=settings.negative,
        epochs=settings.epochs,
        seed=settings.seed,
        workers=1,
    )
    return _with_unknown(model.wv.index_to_key, model.wv.vectors, None)


def least_count(sentences: Iterable[Sequence[str]], min_count: int) -> int:
    """Lower `min_count` to the count of the most frequent token: where all are rare, all would have one vector.

    Examples
    --------
    >>> least_count([["glo", "ry"]], 2), least_count([["la", "la"]], 2)
    (1, 2)
    """
    return min(min_count, max(Counter(itertools.chain.from_iterable(sentences)).values(), default=min_count))


def read_pretrained(path: Path) -> Encoder:
    """Read one of the authors' encoders: a pickled gensim model, of which nothing is run.

    Parameters
    ----------
    path : Path
        ``*_skipgram_2019_05_22_10_dim.bin`` (methods.md 11; 20,934 syllables or 20,268 words, 10-D).

    Returns
    -------
    Encoder
        `UNKNOWN` is the vector of "I", as the authors do.

    Raises
    ------
    DataError
        The file is damaged, names a foreign class or function, or is no such model.
    """
    tokens, vectors = _gensim_pickle.load(path)
    if PRETRAINED_UNKNOWN not in tokens:
        raise DataError(f"{path}: no vector of {PRETRAINED_UNKNOWN!r}, which stands for unknown tokens")
    return _with_unknown(tokens, vectors, vectors[tokens.index(PRETRAINED_UNKNOWN)])


def _with_unknown(tokens: Sequence[str], vectors: np.ndarray, unknown: np.ndarray | None) -> Encoder:
    """Build an encoder that surely has a vector for `UNKNOWN`."""
    if UNKNOWN not in tokens:
        mean = vectors.mean(axis=0, dtype=np.float64) if unknown is None else unknown
        tokens, vectors = [*tokens, UNKNOWN], np.vstack([vectors, mean])
    return Encoder({token: row for row, token in enumerate(tokens)}, np.asarray(vectors, dtype=np.float32))


def save(path: Path, encoder: Encoder, metadata: Mapping[str, Any]) -> None:
    """Write an encoder as Parquet: columns ``token`` and ``vector``."""
    parquet.write(
        path,
        {"token": list(encoder.rows), "vector": encoder.vectors},
        types={"token": pa.string(), "vector": parquet.vector(encoder.vectors.shape[1])},
        metadata=metadata,
    )


def load(path: Path) -> Encoder:
    """Read what `save` wrote.

    Raises
    ------
    DataError
        The file is missing or damaged, or is no encoder.
    """
    parquet.check_size(path, ["token", "vector"])
    table = parquet.read(path, ["token", "vector"])
    token, vector = (table.schema.field(name).type for name in ("token", "vector"))
    numbers = pa.types.is_fixed_size_list(vector) and vector.value_type == pa.float32()
    if not pa.types.is_string(token) or not numbers:
        raise DataError(
            f"{path}: no encoder: its tokens are {token}, its vectors {vector}; run the stage train_skipgram"
        )
    rows = {token: row for row, token in enumerate(parquet.to_list(table["token"], str(path)))}
    if UNKNOWN not in rows:
        raise DataError(f"{path}: no encoder: it lacks the token {UNKNOWN!r}; run the stage train_skipgram")
    return Encoder(rows, parquet.to_numpy(table["vector"]))


def make_encoders(samples: Path, out: Path, settings: SkipGram) -> str:
    """Train both encoders on a folder of samples, or fetch and convert the authors'.

    Parameters
    ----------
    samples : Path
        Shards with the columns ``syllables``, ``words``, ``word_index``.
    out : Path
        Written: ``syllables.parquet`` and ``words.parquet``, see `save`.
    settings : SkipGram
        Section ``mtm.features.skipgram``.

    Returns
    -------
    str
        What was adapted to few lyrics; empty where nothing was.

    Raises
    ------
    DataError
        The samples or an encoder of the authors are missing or damaged.
    DownloadError
        An encoder cannot be fetched.
    """
    facts = {**_origin(samples), "extractor": "skip-gram", "weights": settings.weights}
    if settings.weights == "pretrained":
        encoders = _fetch(settings)
    else:
        table = parquet.read(samples, list(SAMPLE_COLUMNS))
        sentences = {"syllables": table["syllables"].to_pylist(), "words": _sentences_of_words(table)}
        encoders = {level: train(sentences[level], settings) for level in LEVELS}
        names = ("window", "min_count", "negative", "epochs", "seed")
        facts |= {name: getattr(settings, name) for name in names}
        lowered = [level for level in LEVELS if least_count(sentences[level], settings.min_count) < settings.min_count]
        if lowered:
            facts["adapted"] = (
                f"mtm.features.skipgram.min_count: lower than {settings.min_count} for {' and '.join(lowered)}, "
                "since none of them occurs so often"
            )
    with replacing_folder(out) as fresh:
        for level in LEVELS:
            vectors = encoders[level].vectors
            sizes = {"n_tokens": len(vectors) - 1, "dimensions": vectors.shape[1]}
            save(fresh / f"{level}.parquet", encoders[level], {**facts, "level": level, **sizes})
    return str(facts.get("adapted", ""))


def _fetch(settings: SkipGram) -> dict[str, Encoder]:
    """Fetch the authors' encoders."""
    places = {
        "syllables": (settings.syllable_encoder, settings.syllable_encoder_sha256),
        "words": (settings.word_encoder, settings.word_encoder_sha256),
    }
    with temporary_folder() as folder:
        return {
            level: read_pretrained(
                download.fetch(
                    location,
                    folder / f"{level}.bin",
                    sha256=sha256,
                    description=f"skip-gram encoder of {level}",
                    max_bytes=4 * 2**30,
                )
            )
            for level, (location, sha256) in places.items()
        }


def _sentences_of_words(table: pa.Table) -> list[list[str]]:
    return [
        collapse(words, index)
        for words, index in zip(table["words"].to_pylist(), table["word_index"].to_pylist(), strict=True)
    ]


def _origin(folder: Path) -> dict[str, Any]:
    """Read the data set and source of a folder of samples."""
    return {key: value for key, value in parquet.metadata(folder).items() if key in ("dataset", "source")}


def extract_folder(samples: Path, encoders: Path, out: Path, *, compute: Compute) -> None:
    """Look up the vectors of every sample's syllables and words.

    Parameters
    ----------
    samples : Path
        Shards with the columns ``id``, ``syllables``, ``words``.
    encoders : Path
        Folder that `make_encoders` wrote.
    out : Path
        Written: a shard of the same name for each, see `extract_shard`. The metadata says how the encoders were made
        and which share of all tokens they do not know (``unknown_syllables``, ``unknown_words``).
    compute : Compute

    Raises
    ------
    DataError
        Samples or encoders are missing or damaged.
    """
    sources = parquet.shards(samples)
    files = [encoders / f"{level}.parquet" for level in LEVELS]
    facts = parquet.metadata(files[0])
    unknown = {
        f"unknown_{level}": _unknown_share(parquet.read(samples, [level])[level], load(file))
        for level, file in zip(LEVELS, files, strict=True)
    }
    dimensions = facts["dimensions"]
    made_with = {
        **_origin(samples),
        "extractor": "skip-gram",
        "variant": f"{dimensions}-D syllables + {dimensions}-D words",
        "weights": facts["weights"],
        **{key: facts[key] for key in ("adapted",) if key in facts},
        **unknown,
    }
    map_shards(
        extract_shard,
        [Shard(path.name, (path, *files)) for path in sources],
        out,
        params={"made_with": made_with},
        # A few seconds in all: less than it takes to start a worker.
        compute=compute.model_copy(update={"executor": "serial"}),
        description="Looking up lyrics",
    )


def _unknown_share(column: pa.ChunkedArray, encoder: Encoder) -> float:
    """Part of all tokens that an encoder does not know."""
    tokens = list(itertools.chain.from_iterable(column.to_pylist()))
    return round(sum(token not in encoder.rows for token in tokens) / max(len(tokens), 1), 6)


def extract_shard(shard: Shard, destination: Path, params: Mapping[str, Any]) -> None:
    """Look up one shard, for `unisono.store.shards.map_shards`.

    Parameters
    ----------
    shard : Shard
        Its inputs are a shard of samples, the encoder of syllables and that of words.
    destination : Path
        Written: ``id``, ``syllables`` and ``words``, (20, dimensions) each; a word counts once per syllable.
    params : mapping
        ``made_with``: metadata.
    """
    source, *files = shard.inputs
    table = parquet.read(source, ["id", *LEVELS])
    columns: dict[str, Any] = {"id": table["id"]}
    types = {"id": pa.string()}
    for level, file in zip(LEVELS, files, strict=True):
        encoder = load(file)
        rows = table[level].to_pylist()
        types[level] = parquet.matrix(table.schema.field(level).type.list_size, encoder.vectors.shape[1])
        columns[level] = [encoder.encode(tokens) for tokens in rows]
    parquet.write(destination, columns, types=types, metadata=params["made_with"])
