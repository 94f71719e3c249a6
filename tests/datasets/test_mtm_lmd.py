"""The lyrics-melody layout, its rules, and files that only pretend to be it."""

from __future__ import annotations

import io
import pickle
from typing import Any

import numpy as np
import pytest

from unisono.datasets.mtm import lmd
from unisono.datasets.mtm.song import Skipped, Song
from unisono.errors import DataError


def array(words: list[list[str]], *, changes: dict[int, tuple[float, float, float]] | None = None) -> np.ndarray:
    """One sentence of `words`, each a list of syllables; `changes` sets (beats, rest, seconds) of single notes."""
    n = sum(map(len, words))
    notes = [(changes or {}).get(i, (1.0, 0.0, 0.5)) for i in range(n)]
    discrete, continuous, at = [], [], 0
    for word in words:
        discrete.append([[60.0, beats, rest] for beats, rest, _ in notes[at : at + len(word)]])
        continuous.append([[0.0, seconds, 261.6, 90.0] for *_, seconds in notes[at : at + len(word)]])
        at += len(word)
    whole = [["".join(word)] * len(word) for word in words]
    result = np.empty((1, 4), dtype=object)
    for i, part in enumerate(([continuous], [discrete], [whole], [words])):
        result[0, i] = part
    return result


def npy(value: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, value, allow_pickle=True)
    return stream.getvalue()


def windows(value: np.ndarray, *, rule: Any = "dissertation", limit: Any = "beats") -> list[int] | str:
    found = lmd.song(value, "f.npy", rule=rule, limit=limit)
    return found.kind if isinstance(found, Skipped) else list(found.windows or [])


WORDS = [["la"]] * 40
PAIRS = [["la", "li"]] * 20


def test_notes_words_and_title() -> None:
    found = lmd.read(npy(array(PAIRS)), "d/A. Song K.npy", rule="dissertation", limit="beats")
    assert isinstance(found, Song)
    assert (found.title, len(found.notes)) == ("A. Song K", 40)
    assert found.notes[3] == (60.0, 1.0, 0.0, "li", "lali", 1)


def test_the_dissertations_rule_counts_words_and_the_literal_one_notes() -> None:
    assert windows(array(WORDS)) == [0, 1]
    assert windows(array(PAIRS)) == [0]
    assert windows(array(PAIRS), rule="literal") == [0, 1]
    assert windows(array(PAIRS[:19])) == "too short"
    assert windows(array([])) == "no lyrics"


def test_limits_in_beats_in_seconds_and_of_rests() -> None:
    value = array(WORDS, changes={0: (4.5, 0.0, 0.5), 25: (1.0, 16.0, 4.5)})
    assert windows(value) == [1]
    assert windows(value, limit="seconds") == [0]
    assert windows(value, rule="literal") == [0]
    assert windows(array(WORDS, changes={0: (4.0, 8.0, 4.0)})) == [0, 1]


class Runs:
    """Pickles into a call of ``os.system``."""

    def __reduce__(self) -> tuple[Any, ...]:
        import os

        return os.system, ("true",)


def foreign() -> bytes:
    header = npy(array(WORDS))
    start = header.index(b"\n") + 1
    return header[:start] + pickle.dumps(Runs())


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "f.npy"),
        (npy(array(WORDS))[:-50], "f.npy"),
        (foreign(), "system"),
        (npy(np.zeros(3)), r"expected an object array of shape \(1, 4\), got float64 \(3,\)"),
        (npy(array(WORDS, changes={3: (float("nan"), 0.0, 0.5)})), "impossible note"),
        (npy(array(WORDS, changes={3: (1.0, -1.0, 0.5)})), "impossible note"),
        (npy(array([["la"]] * 30 + [[" \x00"]])), "a note without a syllable"),
    ],
    ids=["empty", "truncated", "foreign", "shape", "nan", "rest", "syllable"],
)
def test_a_bad_file_says_so(data: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        lmd.read(data, "f.npy", rule="dissertation", limit="beats")


def test_parts_of_different_lengths_are_refused() -> None:
    value = array(WORDS)
    value[0, 3] = [WORDS[:-1]]
    with pytest.raises(DataError, match="not sentences of words of notes"):
        windows(value)
    value = array(WORDS)
    value[0, 0] = [[]]
    with pytest.raises(DataError, match="0 continuous and 40 discrete notes"):
        windows(value)
    value = array(WORDS)
    value[0, 3] = [[[7]] * 40]
    with pytest.raises(DataError, match="not sentences of words of notes"):
        windows(value)
