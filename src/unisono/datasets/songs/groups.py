"""Which files are one song, and dealing songs to training and test parts.

**Conventions.** Files are one song when they share an opening text or an opening melody, as in
`unisono.datasets.mtm.groups`, or much of their words (`unisono.datasets.words.links`), or when chains of such files
link them. A deal gives a share of the songs to the test part, which keeps one file of each: the others take no part,
and neither do training songs whose text is near one that is tested on (`unisono.datasets.words.near_pairs`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from unisono.config.songs import Split
from unisono.datasets import words
from unisono.datasets.mtm import groups as openings
from unisono.datasets.songs.song import Piece
from unisono.errors import DataError

#: Words in which the opening letters of a text stand.
N_OPENING = 100


def group(pieces: Sequence[Piece], *, share: float = words.SHARE, n_words: int = words.N_WORDS) -> np.ndarray:
    """Find the files that are one song.

    Parameters
    ----------
    pieces : sequence of Piece [len=n]
    share, n_words
        As in `unisono.datasets.words.links`.

    Returns
    -------
    np.ndarray [shape=(n,), dtype=int64]
        For each, the index of the first file of its song.
    """
    texts = [piece.text for piece in pieces]
    linked = [
        words.shared([openings.first_letters(text.split(maxsplit=N_OPENING)[:N_OPENING]) for text in texts]),
        words.shared([piece.melody for piece in pieces]),
        words.shared([piece.song for piece in pieces]),
        words.links(texts, share=share, n_words=n_words),
    ]
    return words.groups(len(pieces), *linked)


def deal(table: pa.Table, split: Split) -> tuple[np.ndarray, dict[str, Any]]:
    """Deal songs into training and test parts, several times.

    Parameters
    ----------
    table : pa.Table
        ``id``, ``song`` and, where there are any, ``text`` of every file.
    split : Split
        Section ``songs.split``.

    Returns
    -------
    parts : np.ndarray [shape=(n, deals), dtype=str]
        ``train``, ``test``, or empty: takes no part in that deal.
    facts : dict
        ``n_songs``; ``largest_song``, in files; by deal ``n_test``, ``n_train`` and what was left out:
        ``n_further_files`` of songs that are tested on and ``n_near_duplicates``.

    Raises
    ------
    DataError
        There are fewer than four songs, or the share of the test part leaves a part with fewer than two.

    Examples
    --------
    >>> table = pa.table({"id": list("abcdef"), "song": list("aabcde")})
    >>> parts, facts = deal(table, Split(test=0.4, deals=1, max_cosine=0.5, shares=[], seed=0))
    >>> parts[:, 0].tolist(), facts["n_further_files"]
    (['train', 'train', 'train', 'test', 'train', 'test'], [0])
    """
    names = table["song"].to_pylist()
    songs = sorted(set(names))
    n_test = round(split.test * len(songs))
    if len(songs) < 4 or not 2 <= n_test <= len(songs) - 2:
        raise DataError(
            f"songs: {len(songs)} songs in {len(names)} files, of which {n_test} would be tested on; two are needed to "
            "train and two to test on: add songs, or change songs.split.test"
        )
    texts = table["text"].to_pylist() if "text" in table.column_names else [""] * len(names)
    pairs = words.near_pairs(texts, max_cosine=split.max_cosine)
    place = {song: number for number, song in enumerate(songs)}
    order = np.array([place[name] for name in names])
    parts = np.full((len(names), split.deals), "train", dtype="<U5")
    facts: dict[str, Any] = {"n_songs": len(songs), "largest_song": max(Counter(names).values())}
    counts: dict[str, list[int]] = {"n_train": [], "n_test": [], "n_further_files": [], "n_near_duplicates": []}
    for number in range(split.deals):
        random = np.random.default_rng([split.seed, number])
        tested = np.isin(order, random.permutation(len(songs))[:n_test])
        kept = np.zeros(len(names), dtype=bool)
        # Of each song that is tested on one file, any: the first ones are alike in some collections.
        shuffled = random.permutation(len(names))
        kept[shuffled[np.unique(order[shuffled], return_index=True)[1]]] = True
        kept &= tested
        near = words.near_duplicates(pairs, kept)
        near = near[~tested[near]]
        parts[tested, number], parts[near, number] = "", ""
        parts[kept, number] = "test"
        for name, rows in (("n_train", parts[:, number] == "train"), ("n_test", kept)):
            counts[name].append(int(rows.sum()))
        counts["n_further_files"].append(int(tested.sum() - kept.sum()))
        counts["n_near_duplicates"].append(len(near))
        if counts["n_train"][-1] < 2:
            raise DataError(
                f"songs: deal {number} leaves {counts['n_train'][-1]} songs to train on, since {len(near)} are near "
                "duplicates of songs that are tested on; add other songs, or raise songs.split.max_cosine"
            )
    return parts, facts | counts


def divisions(table: pa.Table, split: Split) -> tuple[np.ndarray, dict[str, Any]]:
    """Deal songs as `deal`, and in further ways that show what depends on it.

    Parameters
    ----------
    table, split
        As in `deal`.

    Returns
    -------
    parts : np.ndarray [shape=(n, D), dtype=str]
        The deals of all divisions, one after the other.
    facts : dict
        Those of `deal`, and ``divisions``, the columns of each: ``song``, as dealt; ``file``, the same test parts with
        all other files to train on, among them those of the songs that are tested on; ``share=0.5``, with that share of
        the songs to train on, for each of ``split.shares``.
    """
    dealt, facts = deal(table, split)
    songs = np.array(table["song"].to_pylist())
    found = {"song": dealt, "file": np.where(dealt == "test", "test", "train")}
    for share in split.shares:
        found[f"share={share:g}"] = np.column_stack(
            [_share(part, songs, share, [split.seed, number]) for number, part in enumerate(dealt.T)]
        )
    columns = np.arange(len(found) * split.deals).reshape(len(found), split.deals).tolist()
    return np.concatenate(list(found.values()), axis=1), facts | {"divisions": dict(zip(found, columns, strict=True))}


def _share(part: np.ndarray, songs: np.ndarray, share: float, seed: list[int]) -> np.ndarray:
    """Keep a share of the songs to train on, at least two files of two songs; a larger share holds a smaller one."""
    trained = np.unique(songs[part == "train"])
    kept = np.random.default_rng([*seed, 1]).permutation(trained)[: max(2, round(share * len(trained)))]
    return np.where((part == "train") & ~np.isin(songs, kept), "", part)
