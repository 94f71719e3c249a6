"""Which words make a picture and a song fit, and dealing both to training and test parts.

**Conventions.** *Keyword rule*: a tag is a word that is a keyword of at least ``min_pictures`` pictures and a lemma in
at least ``min_songs`` and at most ``max_song_fraction`` of the songs, of the training part of the deal alone; keywords
hold no stop words. Items fit where they share a tag. *Pair rule*: the tag is the song. A deal tests on a share of the
groups of pictures and on a share of the groups of songs, so that both are new; a picture without a tag takes no part
in it (""). Where items pair, pictures go where their songs go.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from unisono.config.image2song import Image2song, Relevance
from unisono.datasets.image2song.item import IMAGE
from unisono.errors import DataError

KEYWORD, PAIR = "keyword", "pair"
#: What is known of items before they are dealt.
COLUMNS = ("part", "group", "words", "pair")


def vocabulary(keywords: Iterable[Collection[str]], lyrics: Sequence[Collection[str]], limits: Relevance) -> list[str]:
    """Find the tags of some pictures and songs.

    Parameters
    ----------
    keywords : iterable of collection of str
        Of every picture.
    lyrics : sequence of collection of str
        Lemmas of every song.
    limits : Relevance
        Section ``image2song.relevance``.

    Returns
    -------
    list of str
        Sorted.

    Examples
    --------
    >>> limits = Relevance(min_pictures=2, min_songs=1, max_song_fraction=0.5)
    >>> vocabulary([{"cat"}, {"cat", "dog"}, {"dog"}], [["cat", "of"], ["dog"], ["dog"]], limits)
    ['cat']
    """
    pictures = Counter(word for words in keywords for word in set(words))
    songs = Counter(word for words in lyrics for word in set(words))
    most = limits.max_song_fraction * len(lyrics)
    return sorted(
        word
        for word, count in pictures.items()
        if count >= limits.min_pictures and limits.min_songs <= songs[word] <= most
    )


class Items:
    """Pictures and songs as columns.

    Parameters
    ----------
    table : pa.Table
        `COLUMNS`, of every item.

    Attributes
    ----------
    pictures : np.ndarray [shape=(n,), dtype=bool]
    groups, pairs : np.ndarray [shape=(n,), dtype=str]
    words : list of frozenset of str
    paired : bool
        Whether the pair rule holds.
    """

    def __init__(self, table: pa.Table) -> None:
        self.pictures = np.array(table["part"].to_pylist()) == IMAGE
        self.groups = np.array(table["group"].to_pylist(), dtype=str)
        self.pairs = np.array(table["pair"].to_pylist(), dtype=str)
        self.words = [frozenset(words) for words in table["words"].to_pylist()]
        self.paired = bool(len(self.pairs)) and bool((self.pairs != "").all())

    def tags(self, trained: np.ndarray, limits: Relevance) -> tuple[list[str], list[list[int]]]:
        """Find the tags of a deal, and those that each item has.

        Parameters
        ----------
        trained : np.ndarray [shape=(n,), dtype=bool]
        limits : Relevance

        Returns
        -------
        names : list of str
            Words; songs where items pair.
        tags : list of list of int [len=n]
            Numbers, sorted.
        """
        if not self.paired:
            return self.keywords(trained, limits)
        names = sorted(set(self.pairs.tolist()))
        place = {name: number for number, name in enumerate(names)}
        return names, [[place[pair]] for pair in self.pairs.tolist()]

    def keywords(self, trained: np.ndarray, limits: Relevance) -> tuple[list[str], list[list[int]]]:
        """Find the words that are tags by the keyword rule, also where items pair; as `tags`."""
        pictures, songs = (np.flatnonzero(trained & part).tolist() for part in (self.pictures, ~self.pictures))
        names = vocabulary([self.words[row] for row in pictures], [self.words[row] for row in songs], limits)
        place = {name: number for number, name in enumerate(names)}
        return names, [sorted(place[word] for word in words if word in place) for words in self.words]


def deal(table: pa.Table, section: Image2song) -> tuple[np.ndarray, dict[str, Any]]:
    """Deal pictures and songs into training and test parts, several times.

    Parameters
    ----------
    table : pa.Table
        `COLUMNS`, of every item.
    section : Image2song

    Returns
    -------
    parts : np.ndarray [shape=(n, deals), dtype=str]
        ``train``, ``test``, or empty: a picture without a tag of that deal.
    facts : dict
        ``n_groups``; by deal ``n_tags`` and ``n_without_tag``; ``divisions``, of which there is one (``group``), and
        what each deal is ``without``.

    Raises
    ------
    DataError
        All pictures or songs are one group, the share of a test part leaves a part empty, no word is a tag, or nothing
        that is tested on fits.
    """
    items, split = Items(table), section.split
    parts = np.full((len(items.groups), split.deals), "train", dtype="<U5")
    facts: dict[str, Any] = {
        "n_groups": {
            part: len(np.unique(items.groups[rows]))
            for part, rows in (("image", items.pictures), ("lyrics", ~items.pictures))
        },
        "n_tags": [],
        "n_without_tag": [],
        "divisions": {"group": list(range(split.deals))},
        "without": "the pictures without a tag of its training part",
    }
    for number in range(split.deals):
        tested = _tested(items, section, number)
        names, tags = items.tags(~tested, section.relevance)
        if not names:
            limits = section.relevance
            n_pictures, n_songs = (int((~tested & part).sum()) for part in (items.pictures, ~items.pictures))
            raise DataError(
                f"image2song: deal {number}: no word is a keyword of {limits.min_pictures} of {n_pictures} training "
                f"pictures and a lemma of {limits.min_songs} to {limits.max_song_fraction:.0%} of {n_songs} training "
                "songs; lower image2song.relevance.min_pictures or min_songs, raise max_song_fraction, or choose "
                "other songs"
            )
        untagged = items.pictures & ~np.array([bool(own) for own in tags])
        parts[tested, number], parts[untagged, number] = "test", ""
        for part in ("train", "test"):
            if not _fits(tags, items.pictures, parts[:, number] == part):
                raise DataError(
                    f"image2song: deal {number}: no picture fits a song in the part {part}; add pictures or songs, "
                    "lower image2song.relevance.min_pictures, or change image2song.split"
                )
        facts["n_tags"].append(len(names))
        facts["n_without_tag"].append(int(untagged.sum()))
    return parts, facts


def _tested(items: Items, section: Image2song, number: int) -> np.ndarray:
    """Draw the groups that a deal tests on."""
    split = section.split
    tested = np.zeros(len(items.groups), dtype=bool)
    ways = ((0, items.pictures, "test_pictures", "pictures"), (1, ~items.pictures, "test_songs", "songs"))
    for kind, rows, share, name in ways:
        names = np.unique(items.groups[rows])
        n_tested = round(getattr(split, share) * len(names))
        if items.paired and kind == 0:
            continue
        if len(names) < 2:
            raise DataError(
                f"image2song: all {int(rows.sum())} {name} are one group, which lies in one part; two groups or more "
                "are needed to train and test on: add others"
            )
        if not 1 <= n_tested < len(names):
            raise DataError(
                f"image2song: {n_tested} of {len(names)} groups of {name} would be tested on, one or more are needed "
                f"in each part; change image2song.split.{share}, or add {name}"
            )
        drawn = np.random.default_rng([split.seed, number, kind]).permutation(names)[:n_tested]
        tested |= np.isin(items.groups, drawn) & (rows | items.paired)
    return tested


def _fits(tags: Sequence[Sequence[int]], pictures: np.ndarray, inside: np.ndarray) -> bool:
    """Say whether a picture fits a song of the same part."""
    shown = {tag for row in np.flatnonzero(inside & pictures) for tag in tags[int(row)]}
    return any(not shown.isdisjoint(tags[int(row)]) for row in np.flatnonzero(inside & ~pictures))


def matrix(tags: Sequence[Sequence[int]], n_tags: int) -> Any:
    """Lay tags out as a sparse matrix.

    Parameters
    ----------
    tags : sequence of sequence of int [len=n]
    n_tags : int

    Returns
    -------
    scipy.sparse.csr_matrix [shape=(n, n_tags), dtype=int32]
        Products of it count shared tags.
    """
    from scipy.sparse import csr_matrix

    columns = np.fromiter((tag for own in tags for tag in own), np.int32)
    ends = np.concatenate([[0], np.cumsum([len(own) for own in tags])])
    return csr_matrix((np.ones(len(columns), np.int32), columns, ends), shape=(len(tags), n_tags))
