"""Lyrics features: where words and sentences begin and end, and how long each syllable is; nothing is trained.

**Conventions.** A syllable's row has seven numbers: whether a word starts with it and ends with it, whether it ends in
a mark inside a sentence (comma, semicolon, colon) and in one that ends it (full stop, question mark, exclamation
mark), how many letters it has, whether its first letter is a capital, how many vowels it has. Letters are characters of
the Unicode categories L*. Vowels are letters that are, without their accents and in lower case, one of `VOWELS`: those
of the Latin, the Greek and the Cyrillic alphabet; of other scripts none are counted. A mark counts where quotation
marks or closing brackets stand behind it, too.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from unisono.config.compute import Compute
from unisono.errors import DataError
from unisono.io import parquet
from unisono.store.shards import Shard, map_shards

#: The feature set and its column.
NAME = "lyrics_syllables"
#: Columns of a row, in this order.
FEATURES = ("word_starts", "word_ends", "comma", "full_stop", "letters", "capital", "vowels")
#: Letters that are vowels, without accents and in lower case.
VOWELS = frozenset("aeiouyæœøıə" + "αεηιουω" + "аеёиоуыэюяіїє")
#: Marks inside a sentence, and those that end one, also of Arabic, Greek, Chinese and Japanese texts.
COMMAS, FULL_STOPS = frozenset(",;:،؛，；：、·"), frozenset(".!?…。！？؟")
SAMPLE_COLUMNS = ("syllables", "words", "word_index")


def describe(syllables: Sequence[str], words: Sequence[str], word_index: Sequence[int]) -> np.ndarray:
    """Describe the syllables of a stretch of lyrics.

    Parameters
    ----------
    syllables : sequence of str
        With their punctuation.
    words : sequence of str
        The word of each syllable. They say whether the first syllable begins its word and the last one ends it, where
        the stretch is cut out of a song.
    word_index : sequence of int
        Which word each syllable belongs to.

    Returns
    -------
    np.ndarray [shape=(len(syllables), 7), dtype=float32]
        Columns `FEATURES`; yes is 1, no 0.

    Examples
    --------
    >>> describe(["Mei", "ne", "See", "le,"], ["Meine", "Meine", "Seele,", "Seele,"], [0, 0, 1, 1]).astype(int).tolist()
    [[1, 0, 0, 0, 3, 1, 2], [0, 1, 0, 0, 2, 0, 1], [1, 0, 0, 0, 3, 1, 2], [0, 1, 1, 0, 2, 0, 1]]
    """
    made = np.zeros((len(syllables), len(FEATURES)), dtype=np.float32)
    for row, (syllable, word) in enumerate(zip(syllables, words, strict=True)):
        starts = word_index[row] != word_index[row - 1] if row else word.startswith(syllable)
        ends = word_index[row] != word_index[row + 1] if row + 1 < len(syllables) else word.endswith(syllable)
        letters = [character for character in unicodedata.normalize("NFC", syllable) if character.isalpha()]
        last = _last_mark(syllable)
        made[row] = (
            starts,
            ends,
            last in COMMAS,
            last in FULL_STOPS,
            len(letters),
            bool(letters) and letters[0] != letters[0].lower(),
            sum(map(_is_vowel, letters)),
        )
    return made


def _last_mark(syllable: str) -> str:
    """Take the last character that is no quotation mark and no closing bracket."""
    for character in reversed(syllable):
        if character not in "\"'" and unicodedata.category(character) not in ("Pe", "Pf", "Pi", "Zs"):
            return character
    return ""


def _is_vowel(letter: str) -> bool:
    return unicodedata.normalize("NFD", letter.lower())[0] in VOWELS or letter.lower() in VOWELS


def extract_folder(samples: Path, out: Path, *, compute: Compute) -> None:
    """Describe the syllables of every sample.

    Parameters
    ----------
    samples : Path
        Shards with the columns ``id``, ``syllables``, ``words``, ``word_index``.
    out : Path
        Written: a shard of the same name for each, see `extract_shard`.
    compute : Compute

    Raises
    ------
    DataError
        Samples are missing or damaged.
    """
    made_with = {
        **{key: value for key, value in parquet.metadata(samples).items() if key in ("dataset", "source")},
        "extractor": "syllables",
        "variant": ", ".join(FEATURES),
        "weights": "none",
    }
    map_shards(
        extract_shard,
        [Shard(path.name, (path,)) for path in parquet.shards(samples)],
        out,
        params={"made_with": made_with},
        # A second in all: less than it takes to start a worker.
        compute=compute.model_copy(update={"executor": "serial"}),
        description="Describing syllables",
    )


def extract_shard(shard: Shard, destination: Path, params: Mapping[str, Any]) -> None:
    """Describe one shard, for `unisono.store.shards.map_shards`.

    Parameters
    ----------
    shard : Shard
        Its input is a shard of samples.
    destination : Path
        Written: ``id`` and ``lyrics_syllables``, (20, 7) each.
    params : mapping
        ``made_with``: metadata.
    """
    (source,) = shard.inputs
    table = parquet.read(source, ["id", *SAMPLE_COLUMNS])
    texts = [parquet.to_list(table[column], f"{source}: {column}") for column in SAMPLE_COLUMNS]
    n_notes = table.schema.field("syllables").type.list_size
    for row, own in enumerate(zip(*texts, strict=True)):
        if {len(each) for each in own} != {n_notes}:
            raise DataError(f"{source}, row {row}: syllables, words and word_index differ in length; build it again")
    parquet.write(
        destination,
        {"id": table["id"], NAME: [describe(*own) for own in zip(*texts, strict=True)]},
        types={"id": pa.string(), NAME: parquet.matrix(n_notes, len(FEATURES))},
        metadata=params["made_with"],
    )
