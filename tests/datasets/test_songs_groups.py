"""Which files are one song, and the deals: no song in two parts, one file of each tested, near duplicates left out."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tests.datasets.songs import TEXTS
from unisono.config.songs import Split
from unisono.datasets import words
from unisono.datasets.songs import groups
from unisono.datasets.songs.song import Piece
from unisono.errors import DataError


def split(**changes: Any) -> Split:
    """The shipped split, with changes."""
    return Split(**({"test": 0.25, "deals": 5, "max_cosine": 0.5, "shares": [], "seed": 0} | changes))


def table(songs: list[str], texts: list[str]) -> pa.Table:
    """Files by song and text."""
    return pa.table({"id": [f"f{i}" for i in range(len(songs))], "song": songs, "text": texts})


def many(n: int, files: int = 3) -> pa.Table:
    """Songs of texts without a word in common, each in several files."""
    songs = [f"s{i // files}" for i in range(n * files)]
    return table(songs, [f"{song}a {song}b {song}c" for song in songs])


def test_files_are_one_song_by_opening_melody_or_words() -> None:
    first = TEXTS[0]
    pieces = [
        Piece("a", "", first, melody=((0, 1),)),
        Piece("b", "", f"other start {first}"),
        Piece("c", "", TEXTS[1], melody=((0, 1),)),
        Piece("d", "", first[:40] + " and then all is new " + TEXTS[2]),
        Piece("e", "", TEXTS[3], song="x"),
        Piece("f", "", TEXTS[4], song="x"),
        Piece("g", "", TEXTS[5]),
    ]
    assert groups.group(pieces).tolist() == [0, 0, 0, 0, 4, 4, 6]


def test_no_song_is_in_two_parts_and_one_file_of_each_is_tested() -> None:
    songs = many(40)
    parts, facts = groups.deal(songs, split())
    assert parts.shape == (120, 5)
    for number in range(5):
        seen = {part: Counter(np.array(songs["song"])[parts[:, number] == part]) for part in ("train", "test", "")}
        assert set(seen["test"].values()) == {1}
        assert len(seen["test"]) == 10
        assert not set(seen["train"]) & set(seen["test"])
        assert set(seen[""]) == set(seen["test"])
    assert facts["n_test"] == [10] * 5
    assert facts["n_train"] == [90] * 5
    assert facts["n_further_files"] == [20] * 5
    assert facts["n_near_duplicates"] == [0] * 5


def test_deals_differ_and_repeat_by_seed() -> None:
    songs = many(40)
    parts = groups.deal(songs, split())[0]
    assert len({tuple(column) for column in parts.T}) == 5
    np.testing.assert_array_equal(parts, groups.deal(songs, split())[0])
    np.testing.assert_array_equal(parts[:, :2], groups.deal(songs, split(deals=2))[0])
    assert (parts != groups.deal(songs, split(seed=1))[0]).any()


def test_training_songs_near_a_text_that_is_tested_on_are_left_out() -> None:
    names = [f"s{i}" for i in range(20)]
    texts = [f"{name}a {name}b {name}c {name}d" for name in names]
    texts[1] = f"{texts[0]} other"
    texts[2] = f"{texts[1]} words here"
    parts, facts = groups.deal(table(names, texts), split(deals=20))
    pairs = words.near_pairs(texts, max_cosine=0.5)
    assert [0, 1] in pairs.tolist()
    for number in range(20):
        column = parts[:, number]
        for a, b in pairs:
            assert {column[a], column[b]} != {"train", "test"}
        assert facts["n_near_duplicates"][number] == (column == "").sum()
    assert max(facts["n_near_duplicates"]) > 0


def test_songs_without_texts_are_dealt_by_song_alone() -> None:
    parts, _ = groups.deal(many(10).drop_columns(["text"]), split())
    assert set(np.unique(parts)) == {"", "test", "train"}


@pytest.mark.parametrize(
    ("songs", "changes", "message"),
    [
        (many(3), {}, "3 songs in 9 files"),
        (table(["one"] * 30, TEXTS * 5), {}, "1 songs in 30 files, of which 0 would be tested on"),
        (many(6), {"test": 0.1}, "6 songs in 18 files, of which 1 would be tested on"),
        (many(6), {"test": 0.9}, "of which 5 would be tested on"),
        (table([f"s{i}" for i in range(8)], [TEXTS[0]] * 8), {}, "deal 0 leaves 0 songs to train on, since 6 are near"),
    ],
    ids=["few songs", "all one song", "nothing to test", "nothing to train", "all near"],
)
def test_too_little_to_deal_is_one_line(songs: pa.Table, changes: dict[str, float], message: str) -> None:
    with pytest.raises(DataError, match=message):
        groups.deal(songs, split(**changes))


# ---- Further ways of dealing ----


def test_divisions_have_the_same_test_parts_and_the_usual_one_first() -> None:
    songs = many(40)
    parts, facts = groups.divisions(songs, split(deals=3, shares=[0.25, 0.5, 0.9]))
    dealt, own = groups.deal(songs, split(deals=3))
    names = ["song", "file", "share=0.25", "share=0.5", "share=0.9"]
    assert facts["divisions"] == {name: [3 * i, 3 * i + 1, 3 * i + 2] for i, name in enumerate(names)}
    assert {key: value for key, value in facts.items() if key != "divisions"} == own
    found = {name: parts[:, columns] for name, columns in facts["divisions"].items()}
    np.testing.assert_array_equal(found["song"], dealt)
    for name in names:
        np.testing.assert_array_equal(found[name] == "test", dealt == "test")
    # A larger share holds the smaller ones, and all that a share trains on is trained on by song.
    shares = [found[name] == "train" for name in ("share=0.25", "share=0.5", "share=0.9", "song")]
    for smaller, larger in pairwise(shares):
        assert (smaller <= larger).all()
        assert (smaller.sum(axis=0) < larger.sum(axis=0)).all()
    trained = 30
    for share, number in (("share=0.25", 8), ("share=0.5", 15), ("share=0.9", 27)):
        for column in found[share].T:
            kept = Counter(np.array(songs["song"])[column == "train"])
            assert len(kept) == number == round(float(share[6:]) * trained)
            # Whole songs: all three files of each.
            assert set(kept.values()) == {3}


def test_by_file_all_others_are_trained_on_and_none_is_left_out() -> None:
    texts = [f"s{i} s{i}a s{i}b {'x y' * (i < 2)}" for i in range(20)]
    songs = table([f"s{i // 2}" for i in range(20)], texts)
    parts, facts = groups.divisions(songs, split(shares=[]))
    by_file = parts[:, facts["divisions"]["file"]]
    assert set(np.unique(by_file)) == {"test", "train"}
    names = np.array(songs["song"])
    for column in by_file.T:
        assert set(names[column == "test"]) <= set(names[column == "train"])


def test_a_share_keeps_two_songs_at_least() -> None:
    parts, facts = groups.divisions(many(8, files=1), split(shares=[0.01]))
    small = parts[:, facts["divisions"]["share=0.01"]]
    assert ((small == "train").sum(axis=0) == 2).all()


def test_shares_that_are_none_are_named() -> None:
    for wrong in ([0.0], [1.0], [-0.5], [0.5] * 21):
        with pytest.raises(ValueError, match="shares"):
            split(shares=wrong)


def test_shares_that_are_the_same_are_one_division() -> None:
    parts, facts = groups.divisions(many(8), split(shares=[0.5, 0.5]))
    assert list(facts["divisions"]) == ["song", "file", "share=0.5"]
    assert parts.shape[1] == 15
