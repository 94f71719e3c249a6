"""Texts that are one song by their words, and near duplicates: against plain loops, and at sizes that loops dread."""

from __future__ import annotations

import time
from itertools import combinations

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics.pairwise import cosine_similarity

from unisono.datasets import words


def texts(n: int, *, seed: int = 0, vocabulary: int = 40, length: int = 30) -> list[str]:
    """Random texts, of which some repeat parts of others."""
    rng = np.random.default_rng(seed)
    found: list[str] = []
    for _ in range(n):
        own = [f"w{word}" for word in rng.integers(0, vocabulary, rng.integers(3, length))]
        if found and rng.random() < 0.5:
            other = found[rng.integers(len(found))].split()
            begin = rng.integers(0, len(other))
            own += other[begin : begin + rng.integers(1, 20)]
        found.append(" ".join(own))
    return found


def shingles(text: str) -> set[tuple[str, ...]]:
    """Five words in a row."""
    split = words.split(text)
    return {tuple(split[i : i + 5]) for i in range(len(split) - 4)}


def test_words_of_any_writing() -> None:
    assert words.split("O'er the Straße, naïve; Ärger 99_x") == ["oer", "the", "straße", "naive", "arger", "99", "x"]
    assert words.split("私は love ひ") == ["私", "は", "love", "ひ"]
    assert words.split(" ... \n") == []


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("share", [0.2, 0.5])
def test_links_are_those_of_the_plain_loop(seed: int, share: float) -> None:
    many = texts(60, seed=seed)
    sets = [shingles(text) for text in many]
    expected = [
        (a, b)
        for a, b in combinations(range(len(many)), 2)
        if min(len(sets[a]), len(sets[b])) and len(sets[a] & sets[b]) >= share * min(len(sets[a]), len(sets[b])) - 1e-9
    ]
    found = words.links(many, share=share)
    assert expected
    assert [tuple(pair) for pair in found.tolist()] == expected


def test_one_shared_shingle_links_no_long_texts() -> None:
    first, second = (" ".join(f"{letter}{i}" for i in range(40)) for letter in "ab")
    shared = "oh baby baby baby i"
    assert len(words.links([f"{first} {shared}", f"{second} {shared}"])) == 0
    assert len(words.links([shared, f"{second} {shared}"])) == 1


@pytest.mark.parametrize("many", [[], [""], ["", ""], ["a b", "a b"], ["a b c d", "a b c d"]])
def test_texts_without_a_shingle_are_linked_to_none(many: list[str]) -> None:
    assert words.links(many).shape == (0, 2)
    assert words.groups(len(many), words.links(many)).tolist() == list(range(len(many)))


def test_a_run_does_not_go_from_one_text_into_the_next() -> None:
    assert len(words.links(["a b c", "d e f", "b c d e f"])) == 0


def test_what_all_texts_repeat_takes_no_quadratic_time() -> None:
    rng = np.random.default_rng(0)
    many = [f"{'la ' * 30} {' '.join(f'w{n}' for n in rng.integers(0, 10**6, 30))}" for _ in range(4_000)]
    many += ["la la la la la la"] * 4_000
    start = time.process_time()
    pairs = words.links(many)
    assert time.process_time() - start < 20
    found = words.groups(len(many), pairs)
    # "la" alone is one song, of any number of files.
    assert len(set(found[4_000:].tolist())) == 1


def test_versions_of_one_song_are_found_in_any_number() -> None:
    rng = np.random.default_rng(0)
    whole = [f"w{i}" for i in range(60)]
    many = []
    for _ in range(600):
        version = list(whole)
        version[rng.integers(60)] = f"slip{rng.integers(10**6)}"
        many.append(" ".join(version))
    assert set(words.groups(len(many), words.links(many)).tolist()) == {0}


def test_groups_are_chains() -> None:
    pairs = np.array([[0, 3], [3, 5], [1, 2]])
    assert words.groups(6, pairs).tolist() == [0, 1, 1, 0, 4, 0]
    assert words.groups(3).tolist() == [0, 1, 2]


def test_keys_link_to_the_first() -> None:
    assert words.shared(["a", "", "a", "b", "", "a"]).tolist() == [[0, 2], [0, 5]]


@pytest.mark.parametrize("seed", range(3))
def test_near_pairs_are_scikit_learns_cosines(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "BLOCK", 7)
    many = texts(50, seed=seed, vocabulary=300)
    cosines = cosine_similarity(TfidfVectorizer(analyzer=words.split).fit_transform(many))
    expected = [pair for pair in combinations(range(len(many)), 2) if cosines[pair] > 0.5]
    assert expected
    assert [tuple(pair) for pair in words.near_pairs(many, max_cosine=0.5).tolist()] == expected


def test_texts_without_words_are_near_to_none() -> None:
    assert words.near_pairs(["", "..."]).shape == (0, 2)
    assert words.near_pairs(["", "a b", "a b"]).tolist() == [[1, 2]]


def test_near_duplicates_are_outside_the_test_part_and_build_no_chains() -> None:
    pairs = np.array([[0, 1], [1, 2], [3, 4], [4, 5]])
    test = np.array([True, False, False, True, True, False])
    assert words.near_duplicates(pairs, test).tolist() == [1, 5]
    assert words.near_duplicates(pairs, ~test).tolist() == [0, 4]
    assert words.near_duplicates(pairs[:0], test).tolist() == []


def test_the_beginning_of_a_text_is_no_more_than_so_many_words() -> None:
    assert words.first("a b\tc\n d", 4) == "a b c d"
    assert words.first("a b c d", 3) == "a b c …"
    assert words.first("", 3) == ""
    # Scripts without blanks, and a word without an end, are not shown whole.
    assert words.first("\u6211\u7231\u4f60 \u5317\u4eac\u5929", 4) == "\u6211\u7231\u4f60 \u5317 …"
    assert words.first("x" * 10**6, 6) == "x" * 240 + " …"
