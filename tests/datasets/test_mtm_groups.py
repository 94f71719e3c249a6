"""Which files are one song, dealing them to the split, duplicates."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace

import pyarrow as pa
import pytest

from unisono.config.mtm import Split
from unisono.datasets.folds import PARTS
from unisono.datasets.mtm import groups
from unisono.datasets.mtm.dataset import DATASET
from unisono.datasets.mtm.song import Note, Song
from unisono.errors import DataError

UP = [0, 2, 4, 5, 7, 9, 11, 12, 14, 16]
DOWN = [0, -1, -3, -5, -7, -8, -10, -12, -13, -15]
ZIGZAG = [0, 5, 0, 5, 0, 7, 0, 7, 0, 9]


def song(text: str, steps: list[int], *, key: int = 60, duration: float = 1.0) -> Song:
    """A song with one letter a note, as many as `steps`, twice."""
    pitches = [key + step for step in steps] * 2
    notes = [Note(float(p), duration, 0.0, text[i % len(text)], "", i) for i, p in enumerate(pitches)]
    return Song("f", "t", "", notes)


def test_transposed_melodies_and_equal_texts_are_one_song() -> None:
    songs = [
        song("abcdefghij", UP),
        song("klmnopqrst", UP, key=67),
        song("ÁB C.D'efghij"[:10], DOWN),
        song("qrstuvwxyz", ZIGZAG),
        song("zyxwvutsrq", UP, duration=2.0),
    ]
    assert groups.group(songs) == [0, 0, 2, 3, 4]


def test_openings_link_in_chains() -> None:
    songs = [song("abcdefghij", UP), song("klmnopqrst", DOWN), song("abcdefghij", DOWN)]
    assert groups.group(songs) == [0, 0, 0]


def test_accents_case_and_punctuation_do_not_matter() -> None:
    plain, marked = song("abcdefghij", UP), song("abcdefghij", DOWN)
    notes = [n._replace(syllable=f"{n.syllable.upper()}\u0301,") for n in marked.notes]
    assert groups.opening_text(plain) == groups.opening_text(marked._replace(notes=notes)) == "abcdefghij" * 2


def test_songs_without_letters_are_not_one_song_for_that() -> None:
    assert groups.group([song("1234567890", UP), song("1234567890", DOWN)]) == [0, 1]


@pytest.mark.parametrize("seed", range(5))
def test_groups_are_dealt_near_the_fractions_and_no_part_is_one_song(seed: int) -> None:
    sizes = {f"s{i}": 1 + i % 7 for i in range(200)} | {"giant": 90}
    parts = groups.deal(sizes, (0.7, 0.15, 0.15), seed=seed)
    dealt = Counter()
    for key, part in parts.items():
        dealt[part] += sizes[key]
    total = sum(sizes.values())
    for part, fraction in zip(groups.PARTS, (0.7, 0.15, 0.15), strict=True):
        assert abs(dealt[part] / total - fraction) < 0.01
    assert parts["giant"] == "train"
    assert parts == groups.deal(sizes, (0.7, 0.15, 0.15), seed=seed)


def test_another_seed_deals_differently() -> None:
    sizes = {f"s{i}": 2 for i in range(50)}
    assert groups.deal(sizes, (0.7, 0.15, 0.15), seed=0) != groups.deal(sizes, (0.7, 0.15, 0.15), seed=1)


@pytest.mark.parametrize("n", range(3, 12))
def test_three_groups_are_enough_for_every_part(n: int) -> None:
    parts = groups.deal({f"s{i}": 3 for i in range(n)}, (0.7, 0.15, 0.15), seed=0)
    assert set(parts.values()) == set(PARTS)


def test_duplicates_are_counted_in_all_and_across_splits() -> None:
    rows = [{"notes": [[60.0, 1.0, 0.0]], "syllables": [syllable]} for syllable in "aabbc"]
    splits = ["train", "test", "train", "train", "test"]
    assert groups.duplicates(rows, splits) == {"n_repeated": 2, "n_across_splits": 2}


def test_whole_texts_link_songs_that_open_differently() -> None:
    text = " ".join(f"word{i}" for i in range(40))
    songs = [
        song("abcdefghij", UP)._replace(text=text),
        song("klmnopqrst", DOWN)._replace(text=f"a new start and {text}"),
        song("uvwxyzuvwx", ZIGZAG)._replace(text="word1 word2 word3 word4 word5 and nothing else that is there"),
    ]
    assert groups.group(songs) == [0, 0, 2]
    assert groups.group([each._replace(text="") for each in songs]) == [0, 1, 2]


def test_training_samples_near_a_text_of_the_test_part_are_left_out() -> None:
    names = [f"s{i // 2}" for i in range(60)]
    texts = [f"{name}a {name}b {name}c" for name in names]
    texts[2:4] = [f"{texts[0]} more"] * 2
    rows = [
        {"id": f"{i}", "song": name, "notes": [], "syllables": [str(i)], "text": text}
        for i, (name, text) in enumerate(zip(names, texts, strict=True))
    ]
    left_out = 0
    for seed in range(12):
        split = Split(by="song", fractions=(0.7, 0.15, 0.15), seed=seed)
        parts, facts = groups.deal_samples(pa.Table.from_pylist(rows), split)
        assert {parts[0], parts[2]} != {"train", "test"}
        assert facts["n_near_duplicates"] == (parts == "").sum()
        left_out += facts["n_near_duplicates"]
    assert left_out >= 2
    plain = groups.deal_samples(pa.Table.from_pylist(rows).drop_columns(["text"]), split)
    assert "n_near_duplicates" not in plain[1]


@pytest.mark.parametrize(("n_songs", "windows", "message"), [(2, 4, "0 of 8 samples"), (4, 1, "1 of 4 samples")])
def test_parts_without_two_samples_are_refused(n_songs: int, windows: int, message: str) -> None:
    places = [(song, window) for song in range(n_songs) for window in range(windows)]
    rows = [{"id": f"{a}-{b}", "song": str(a), "notes": [], "syllables": []} for a, b in places]
    split = Split(by="song", fractions=(0.7, 0.15, 0.15), seed=0)
    with pytest.raises(DataError, match=message):
        DATASET.deal(pa.Table.from_pylist(rows), SimpleNamespace(split=split))
