"""Notes and syllables as LilyPond text: spelling, keys, clefs, bar lines, quoting."""

from __future__ import annotations

import re

import numpy as np
import pytest

from unisono.errors import DataError
from unisono.media import notation

SCALE = [0, 2, 4, 5, 7, 9, 11]


def names(pitches: list[int], fifths: int) -> list[str]:
    return [str(spelling) for spelling in notation.spell(pitches, fifths)]


def melody(*rows: tuple[float, float, float]) -> np.ndarray:
    """Rows of pitch, duration and rest, shape (n, 3)."""
    return np.array(rows, dtype=np.float32)


@pytest.mark.parametrize("fifths", range(-6, 7))
def test_key_signature_of_every_major_scale(fifths: int) -> None:
    tonic = 60 + 7 * fifths % 12
    assert notation.key_signature([tonic + step for step in SCALE]) == (-6 if fifths == 6 else fifths)


@pytest.mark.parametrize(
    "pitches, fifths",
    [([60, 64, 67], 0), ([62, 66, 69, 73], 2), ([57, 68, 69, 71, 72, 74, 76, 65], 0), ([60], 0), ([61], 2)],
    ids=["few notes: no signs", "D major seventh", "A minor with its leading tone", "C", "one black key: fewest signs"],
)
def test_key_signature_leaves_few_accidentals_and_few_signs(pitches: list[int], fifths: int) -> None:
    assert notation.key_signature(pitches) == fifths


def test_spelling_follows_the_key() -> None:
    assert names([66], 1) == ["fis'"]
    assert names([66], -5) == ["ges'"]
    assert names([59, 60], -6) == ["ces'", "c'"]
    assert names([65], 6) == ["eis'"]
    assert names([70, 63, 68], -3) == ["bes'", "ees'", "aes'"]


def test_spelling_outside_the_key_follows_the_melody() -> None:
    assert names([63, 62], 0) == ["ees'", "d'"]
    assert names([63, 64], 0) == ["dis'", "e'"]
    assert names([68, 67], 0) == ["aes'", "g'"]
    assert names([68, 69], 0) == ["gis'", "a'"]


@pytest.mark.parametrize("fifths", range(-6, 7))
def test_spelling_means_the_pitch(fifths: int) -> None:
    """Read the written names back as pitches, over the whole range and in any order."""
    pitches = np.random.default_rng(fifths + 6).permutation(128).tolist()
    for pitch, name in zip(pitches, names(pitches, fifths), strict=True):
        letter, alteration, octave = re.fullmatch(r"([a-g])(is|es|)('*|,*)", name).groups()
        base = {"c": 48, "d": 50, "e": 52, "f": 53, "g": 55, "a": 57, "b": 59}[letter]
        shift = 12 * (octave.count("'") - octave.count(","))
        assert base + shift + {"is": 1, "es": -1, "": 0}[alteration] == pitch


@pytest.mark.parametrize(
    "low, high, clef",
    [(60, 79, "treble"), (40, 60, "bass"), (88, 100, "treble^8"), (24, 36, "bass_8")],
)
def test_clef_follows_the_register(low: int, high: int, clef: str) -> None:
    degrees = [spelling.degree for spelling in notation.spell(list(range(low, high + 1)), 0)]
    assert notation.choose_clef(degrees).name == clef


def test_no_note_has_more_ledger_lines_than_can_be_read() -> None:
    for spelling in notation.spell(list(range(128)), 0):
        for clef in notation.CLEFS[:2]:
            octaves = notation.octave_bracket(spelling.degree, clef)
            lines = notation.ledger_lines(spelling.degree - 7 * octaves, clef.middle)
            assert lines <= notation.MAX_LEDGER_LINES or abs(octaves) == 3


def test_ledger_lines_of_known_notes() -> None:
    treble = notation.CLEFS[0]
    middle_c, d, g5, a5 = (notation.spell([pitch], 0)[0].degree for pitch in (60, 62, 79, 81))
    assert [notation.ledger_lines(degree, treble.middle) for degree in (middle_c, d, g5, a5)] == [1, 0, 0, 1]


@pytest.mark.parametrize(
    "position, length, pieces",
    [
        (0, 64, [64]),
        (0, 16, [16]),
        (8, 16, [16]),
        (8, 32, [24, 8]),
        (32, 48, [32, 16]),
        (0, 40, [32, 8]),
        (48, 32, [16, 16]),
        (0, 24, [24]),
        (0, 520, [64] * 8 + [8]),
        (0, 0, []),
    ],
    ids=["bar", "beat", "off beat", "long off beat", "over bar", "2.5", "half over bar", "dotted", "32.5", "none"],
)
def test_known_cuts(position: int, length: int, pieces: list[int]) -> None:
    assert notation.split_length(position, length) == pieces


@pytest.mark.parametrize("rest", [False, True])
def test_cuts_add_up_stay_inside_bars_and_have_a_note_value(rest: bool) -> None:
    for position in range(64):
        for length in range(1, 200):
            pieces = notation.split_length(position, length, rest=rest)
            assert sum(pieces) == length
            here = position
            for piece in pieces:
                assert here % 64 + piece <= 64
                assert piece in notation._VALUES
                if rest:
                    assert here % piece == 0
                here += piece


def test_score_ties_over_bar_lines_and_writes_rests() -> None:
    score = notation.score(melody((60, 3, 0), (62, 2.5, 0), (64, 1, 6.5)))
    assert "c'2. d'4~ d'4. r8 r2 R1 e'4" in score
    assert "*" not in score
    assert '\\clef "treble" \\key c \\major \\time 4/4' in score
    assert "addlyrics" not in score


def test_hyphens_join_the_syllables_of_a_word() -> None:
    assert notation.lyrics(["Wie", "der", "se", "hen", "ja"], [3, 3, 3, 3, 4]).count("--") == 3
    assert notation.lyrics(["a", "b"], [0, 0]) == r'\markup \simple "a" -- \markup \simple "b"'
    assert notation.lyrics(["a", "a"], [0, 1]) == r'\markup \simple "a" \markup \simple "a"'


def test_single_note_has_no_signatures() -> None:
    score = notation.score(melody((61, 0.5, 0)), signatures=False)
    assert "\\key" not in score
    assert "\\omit Staff.TimeSignature cis'8" in score


def test_lengths_off_the_grid_go_to_the_nearest_64th() -> None:
    assert "c'8." in notation.score(melody((60, 0.74, 0)))
    assert "c'64 }" in notation.score(melody((60, 1e-6, 0)))
    assert "r" not in notation.score(melody((60, 1, 0.01))).split("4/4")[1]


@pytest.mark.parametrize(
    "row, message",
    [
        ((np.nan, 1, 0), r"note 2: pitch nan, expected a whole number from 0 to 127"),
        ((60.5, 1, 0), r"note 2: pitch 60.5"),
        ((128, 1, 0), r"note 2: pitch 128"),
        ((60, 0, 0), r"note 2: duration 0, expected more than 0"),
        ((60, np.inf, 0), r"note 2: duration inf"),
        ((60, 1e9, 0), r"note 2: duration 1e\+09"),
        ((60, 1, -1), r"note 2: rest -1"),
        ((60, 1, np.nan), r"note 2: rest nan"),
    ],
)
def test_what_cannot_be_written_is_named(row: tuple[float, float, float], message: str) -> None:
    with pytest.raises(DataError, match=message):
        notation.score(melody((60, 1, 0), row))


@pytest.mark.parametrize("notes", [np.zeros((0, 3)), np.zeros((20, 2)), np.zeros(3)])
def test_notes_of_another_shape_are_refused(notes: np.ndarray) -> None:
    with pytest.raises(DataError, match="expected \\(n, 3\\)"):
        notation.score(notes)


@pytest.mark.parametrize(
    "syllable, text",
    [
        ("a\x00b\x07c\x1b", "abc"),
        ("\ud800a\udfff", "a"),
        ("a\ufffe\ufdd0\U0001ffffb\ufeff", "ab"),
        (" a\tb\n\r\u2028 c ", "a b c"),
        ("e\u0301", "é"),
        ("", ""),
        ("x" * 40, "x" * 40),
        ("x" * 41, "x" * 39 + "…"),
    ],
)
def test_printable_text(syllable: str, text: str) -> None:
    assert notation.printable(syllable) == text


@pytest.mark.parametrize("syllable", ['"', "\\", '\\"', '"}', '\\\\"', '" #(exit) "', "\\\\\\"])
def test_a_quoted_syllable_ends_at_its_own_quote(syllable: str) -> None:
    """Read the string as LilyPond's lexer does: up to the first quote that no backslash precedes."""
    body = notation.quote(syllable).removeprefix('\\markup \\simple "')
    match = re.match(r'((?:[^"\\]|\\["\\])*)"', body)
    assert match.end() == len(body)
    assert re.sub(r'\\(["\\])', r"\1", match[1]) == syllable


def test_note_keys_tell_notes_apart() -> None:
    assert notation.note_key(np.float32(60), np.float32(0.125)) == "60:0.125"
    assert notation.note_key(60, 1) == "60:1.0"
