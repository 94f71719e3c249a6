"""What is printed for known notes, and where it is found."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from tests.features.drawn_staff import draw, melody
from unisono.features.staff_reader import staff, symbols
from unisono.media import notation


def test_lengths_are_those_that_notation_writes() -> None:
    lengths = {
        length
        for position, units in itertools.product(range(64), range(1, 129))
        for rest in (False, True)
        for length in notation.split_length(position, units, rest=rest)
    }
    assert lengths == set(symbols.LENGTHS)


def test_known_song() -> None:
    """In G: F sharp of the signature, F natural, F sharp again, a tie over the bar line, a rest."""
    notes = np.array([[67, 1, 0], [66, 1, 0], [65, 1, 0], [66, 2, 0], [71, 1, 1], [67, 1, 0], [74, 1, 0], [78, 0.5, 0]])
    found = symbols.printed(notes.astype(np.float32))
    assert found is not None
    assert found.fifths == 1
    names = [
        (symbols.KINDS[kind], step, symbols.LENGTHS[length], sign, tied)
        for kind, step, length, sign, tied in found.symbols
    ]
    assert names == [
        ("sharp", 4, 1, 0, 0),
        ("head", -2, 16, 0, 0),
        ("head", -3, 16, 0, 0),
        ("head", -3, 16, 3, 0),
        ("head", -3, 16, 1, 0),
        ("bar", 0, 1, 0, 0),
        ("head", -3, 16, 0, 1),
        ("rest", 0, 16, 0, 0),
        ("head", 0, 16, 0, 0),
        ("head", -2, 16, 0, 0),
        ("bar", 0, 1, 0, 0),
        ("head", 2, 16, 0, 0),
        ("head", 4, 8, 0, 0),
    ]
    assert not found.ends_bar


def test_bar_line_after_the_last_note_is_no_symbol() -> None:
    found = symbols.printed(np.array([[60.0, 4, 0]]))
    assert found is not None
    assert found.ends_bar
    assert found.symbols.tolist() == [[symbols.HEAD, -6, symbols.LENGTHS.index(64), 0, 0]]


@pytest.mark.parametrize(("fifths", "letters"), [(0, ""), (3, "FCG"), (-2, "BE"), (6, "FCGDAE"), (-6, "BEADGC")])
def test_signature(fifths: int, letters: str) -> None:
    assert symbols.signature(fifths) == dict.fromkeys(letters, 1 if fifths > 0 else -1)


@pytest.mark.parametrize("pitch", [0, 5, 60, 108, 127])
def test_every_pitch_is_on_the_strip(pitch: int) -> None:
    found = symbols.printed(np.array([[pitch, 1, 0]] * 3, dtype=np.float32))
    assert found is None or abs(found.symbols[:, 1]).max() <= 16


def test_alignment_is_the_best_of_all() -> None:
    scores = np.random.default_rng(0).normal(size=(4, 11))
    paths = [path for path in itertools.combinations(range(11), 4) if min(np.diff(path)) >= 2]
    best = max(paths, key=lambda path: scores[np.arange(4), list(path)].sum())
    assert symbols.align(scores, gap=2).tolist() == list(best)


@pytest.mark.parametrize("seed", range(3))
def test_first_guess_finds_drawn_notes(seed: int) -> None:
    notes = melody(seed)
    sample = symbols.printed(notes)
    assert sample is not None
    strip, _ = staff.strip(draw(notes, head=18))
    columns = symbols.align(symbols.first_guess(strip / np.float32(255), sample))
    signs = abs(sample.fifths)
    drawn = (18 + 4 * np.arange(len(sample.symbols))) * 1.0
    near = np.abs(columns - drawn)[signs:] <= 1.5
    assert near.mean() > 0.9
