"""Which files are one song, the split, and exact duplicates.

**Conventions.** Two files are one song when they share an opening text (the first 20 letters, any case,
accents and punctuation left out) or an opening melody (the intervals and durations of the first 10 notes, so that a
transposition counts as the same), or, of sources with whole texts (`Song.text`), much of their words
(`unisono.datasets.words.links`); or when a chain of such files links them. In music21's corpus, whose chorales
set the same hymns many times over, 432 files are then 248 songs.
"""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa

from unisono.config.mtm import Split
from unisono.datasets import words
from unisono.datasets.folds import PARTS
from unisono.datasets.mtm.song import Song

#: Letters of the opening text, and notes of the opening melody, that make two files one song.
N_LETTERS, N_OPENING = 20, 10


def opening_text(song: Song) -> str:
    """Give the first letters of a song; see `first_letters`."""
    return first_letters(note.syllable for note in song.notes)


def first_letters(pieces: Iterable[str]) -> str:
    """Give the first `N_LETTERS` of a text in pieces: lower case, without accents, spaces and punctuation."""
    text = ""
    for piece in pieces:
        text += "".join(filter(str.isalpha, unicodedata.normalize("NFKD", piece.lower())))
        if len(text) >= N_LETTERS:
            break
    return text[:N_LETTERS]


def opening_melody(song: Song) -> tuple[tuple[float, float], ...]:
    """Give the first notes of a song as (interval from the note before, duration of the note before)."""
    return tuple((b.pitch - a.pitch, a.duration) for a, b in pairwise(song.notes[:N_OPENING]))


def group(songs: Sequence[Song]) -> list[int]:
    """Find the files that are one song.

    Parameters
    ----------
    songs : sequence of Song

    Returns
    -------
    list of int [len=n]
        For each, the index of the first song of its group.
    """
    openings = [words.shared([opening(song) for song in songs]) for opening in (opening_text, opening_melody)]
    return words.groups(len(songs), *openings, words.links([song.text for song in songs])).tolist()


def deal(sizes: Mapping[str, int], fractions: Sequence[float], *, seed: int) -> dict[str, str]:
    """Deal groups to the parts of the split.

    Largest first, each to a part drawn with a chance in proportion to the room that it still has, among the parts
    where the group fits and fills at most a quarter: the parts then come as near to their fractions as the groups
    allow, no part is one song, and large groups are not all in one of them. A group that fits nowhere goes where
    most room is left. Three groups are enough for no part to be empty.

    Parameters
    ----------
    sizes : mapping of str to int
        Samples of each group.
    fractions : sequence of float [len=3]
        Of the samples, for train, validation and test.
    seed : int

    Returns
    -------
    dict of str to str
        Part of each group.
    """
    random = np.random.default_rng(seed)
    targets = np.asarray(fractions) * sum(sizes.values())
    room = targets.copy()
    order = sorted(sizes)
    order = sorted((order[i] for i in random.permutation(len(order))), key=lambda key: -sizes[key])
    dealt = {}
    for key in order:
        fitting = np.where((room >= sizes[key]) & (targets >= 4 * sizes[key]), room, 0.0)
        if fitting.any():
            part = int(np.searchsorted(np.cumsum(fitting), random.random() * fitting.sum(), side="right"))
        else:
            part = int(room.argmax())
        room[part] -= sizes[key]
        dealt[key] = PARTS[part]
    for name in PARTS:
        if len(dealt) >= len(PARTS) and name not in dealt.values():
            crowded = Counter(dealt.values()).most_common(1)[0][0]
            dealt[min((key for key in sorted(dealt) if dealt[key] == crowded), key=sizes.__getitem__)] = name
    return dealt


def deal_samples(table: pa.Table, split: Split) -> tuple[np.ndarray, dict[str, Any]]:
    """Deal samples to the parts of the split, song by song or one by one; see `deal`.

    Parameters
    ----------
    table : pa.Table
        id, song, notes and syllables of every sample and, where there is one, ``text`` of its song.
    split : Split
        Section ``mtm.split``.

    Returns
    -------
    parts : np.ndarray [shape=(n,), dtype=str]
        Empty for a training sample whose song's text is near one of the test part, where songs are dealt.
    facts : dict
        Samples that are exactly alike, see `duplicates`; with texts also ``n_near_duplicates``, left out.
    """
    names = table["song" if split.by == "song" else "id"].to_pylist()
    dealt = deal(Counter(names), split.fractions, seed=split.seed)
    parts = np.array([dealt[name] for name in names])
    near = _near_duplicates(table, parts) if split.by == "song" and "text" in table.column_names else {}
    return parts, duplicates(table.select(["notes", "syllables"]).to_pylist(), parts.tolist()) | near


def _near_duplicates(table: pa.Table, parts: np.ndarray) -> dict[str, int]:
    """Take training samples near a text of the test part out of `parts`, and count them."""
    texts, rows = np.unique(np.array(table["text"].to_pylist(), dtype=object).astype(str), return_inverse=True)
    test = np.zeros(len(texts), dtype=bool)
    test[rows[parts == "test"]] = True
    near = np.isin(rows, words.near_duplicates(words.near_pairs(texts.tolist()), test)) & (parts == "train")
    parts[near] = ""
    return {"n_near_duplicates": int(near.sum())}


def duplicates(rows: Sequence[Mapping[str, Any]], splits: Sequence[str] | None = None) -> dict[str, int]:
    """Count samples that are exactly alike: the same notes with the same syllables.

    Parameters
    ----------
    rows : sequence of mapping
        With ``notes`` and ``syllables``, see `unisono.datasets.mtm.samples.TYPES`.
    splits : sequence of str, optional
        Part of each; one part by default.

    Returns
    -------
    dict
        ``n_repeated``: samples that repeat an earlier one; ``n_across_splits``: samples with a twin in
        another part of the split.
    """
    alike: dict[Hashable, list[str]] = defaultdict(list)
    for row, part in zip(rows, splits or [""] * len(rows), strict=True):
        alike[tuple(map(tuple, row["notes"])), tuple(row["syllables"])].append(part)
    return {
        "n_repeated": sum(len(found) - 1 for found in alike.values()),
        "n_across_splits": sum(len(found) for found in alike.values() if len(set(found)) > 1),
    }
