"""Whole scores as notes: all parts, chords, ties, transposition, chord symbols; modes, languages and composers."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from fractions import Fraction

import numpy as np
import pytest

from tests.datasets.songs import note, params, score, sung
from tests.datasets.test_mtm_lmd import array, npy
from unisono.datasets.mtm.song import Skipped
from unisono.datasets.songs import categories, harmony, melodies, scores
from unisono.datasets.songs.song import Piece
from unisono.errors import DataError
from unisono.media import midi

SETTINGS = params({}).audio
CHORD = "<chord/>"
START, STOP = "<tie type='start'/>", "<tie type='stop'/>"


def played(data: bytes) -> list[tuple[int, float, float, int]]:
    """Read a score: pitch, onset and offset in beats, programme."""
    piece = scores.read(data, "f.xml", SETTINGS)
    assert isinstance(piece, Piece)
    return [
        (n.pitch, round(n.onset_s * 2, 3), round(n.offset_s * 2, 3), n.program) for n in midi.decode_score(piece.midi)
    ]


def symbol(root: str, kind: str, more: str = "") -> str:
    """A chord symbol."""
    return f"<harmony><root><root-step>{root}</root-step></root><kind>{kind}</kind>{more}</harmony>"


def test_every_part_sounds_the_sung_ones_as_a_choir() -> None:
    data = score(note("C", text="la") + note("D", text="li"), note("E", octave=3, duration=2))
    assert played(data) == [(52, 0, 2, 0), (60, 0, 1, 52), (62, 1, 2, 52)]


def test_a_part_with_labels_is_not_sung() -> None:
    data = score(note("C", text="la") + note("D", text="li"), note("E", text="6") + note("F", text="5"))
    assert {program for pitch, *_, program in played(data) if pitch in (64, 65)} == {0}


def test_chords_sound_whole() -> None:
    data = score(note("C", text="la", duration=2) + note("E", inside=CHORD, duration=2) + note("G", text="li"))
    assert played(data) == [(60, 0, 2, 52), (64, 0, 2, 52), (67, 2, 3, 52)]


def test_ties_join_and_repeated_notes_do_not() -> None:
    tied = note("C", text="la", inside=START) + note("C", inside=STOP + START) + note("C", inside=STOP)
    assert played(score(tied + note("C", text="li"))) == [(60, 0, 3, 52), (60, 3, 4, 52)]
    # A stop without a start, and one after a rest, begin anew.
    rest = "<note><rest/><duration>1</duration><voice>1</voice></note>"
    loose = note("C", text="la", inside=STOP) + note("D", inside=START) + rest + note("D", inside=STOP)
    assert played(score(loose)) == [(60, 0, 1, 52), (62, 1, 2, 52), (62, 3, 4, 52)]


def test_pitches_are_those_that_sound() -> None:
    down = "<attributes><divisions>2</divisions><transpose><chromatic>-2</chromatic></transpose></attributes>"
    assert played(score(down + note("C", text="la", duration=2))) == [(58, 0, 1, 52)]


def test_graces_and_cues_are_silent_and_the_first_note_begins_at_zero() -> None:
    rest = "<note><rest/><duration>4</duration><voice>1</voice></note>"
    grace = note("B", inside="<grace/>")
    assert played(score(rest + grace + note("C", text="la") + note("D", inside="<cue/>"))) == [(60, 0, 1, 52)]


def test_voices_in_unison_do_not_cut_each_other_off() -> None:
    back = "<backup><duration>4</duration></backup>"
    data = score(note("C", text="la", duration=4) + back + note("C", duration=2) + note("C", duration=2))
    assert played(data) == [(60, 0, 2, 52), (60, 2, 4, 52)]


def test_chord_symbols_are_block_chords_until_the_next() -> None:
    data = score(
        symbol("C", "major") + note("C", text="la", duration=2) + symbol("G", "dominant") + note("D", duration=2)
    )
    piano = [row for row in played(data) if row[3] == 0]
    first = [(pitch, 0, 2, 0) for pitch in (36, 48, 52, 55)]
    assert piano == first + [(pitch, 2, 4, 0) for pitch in (43, 55, 59, 62, 65)]


@pytest.mark.parametrize(
    ("xml", "expected"),
    [
        (symbol("A", "minor"), [45, 57, 60, 64]),
        (symbol("C", "major", "<bass><bass-step>E</bass-step></bass>"), [40, 48, 52, 55]),
        (symbol("B", "minor-no-such"), [47, 59, 62, 66]),
        (symbol("C", ""), [36, 48, 52, 55]),
        (symbol("C", "none"), []),
        ("<harmony><function>V</function></harmony>", []),
    ],
)
def test_kinds_of_chords(xml: str, expected: list[int]) -> None:
    assert harmony.pitches(ET.fromstring(xml)) == expected


def test_of_two_symbols_at_once_the_last_sounds_and_none_after_the_end() -> None:
    symbols = [
        (Fraction(onset), ET.fromstring(symbol(root, "power"))) for onset, root in ((0, "C"), (0, "D"), (9, "E"))
    ]
    assert {onset for _, onset, _ in harmony.chords(symbols, Fraction(4))} == {0}
    assert [pitch for pitch, *_ in harmony.chords(symbols, Fraction(4))] == [38, 50, 57]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (score(symbol("H", "major") + note("C", text="la")), "no such step: 'H'"),
        (score(note("C", text="la", octave=10)), "pitch 132 is not in MIDI's 0-127"),
        (score(note("C", text="la", duration=999_999)), "longer than 14400 s"),
        (score("<note/>" + note("C", text="la")), "part P0: impossible value"),
        (b"<score-partwise", "not XML"),
    ],
)
def test_impossible_scores_are_one_line(data: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        scores.read(data, "f.xml", SETTINGS)


def test_too_many_notes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(midi, "MAX_NOTES", 10)
    with pytest.raises(DataError, match="more than the 10 notes"):
        scores.read(sung("la " * 11), "f.xml", SETTINGS)


@pytest.mark.parametrize(
    ("data", "kind"), [(score(note("C")), "no lyrics"), (score(note("C", text="1") + note("D", text="2")), "labels")]
)
def test_scores_without_words_are_skipped(data: bytes, kind: str) -> None:
    found = scores.read(data, "f.xml", SETTINGS)
    assert isinstance(found, Skipped)
    assert found.kind == kind


def test_words_are_those_of_the_voice_with_most_syllables() -> None:
    piece = scores.read(
        score(note("C", text="one"), note("E", text="two") + note("F", text="words")), "f.xml", SETTINGS
    )
    assert isinstance(piece, Piece)
    assert piece.text == "two words"


# ---- the lyrics-melody data ----


def test_a_melody_sounds_as_it_was_played() -> None:
    value = array([["la", "li"], ["lo"]])
    notes = [n for sentence in value[0, 0] for word in sentence for n in word]
    for number, row in enumerate(([0.25, 0.5, 440.0, 64.0], [0.5, 0.4, 466.16, 200.0], [1.0, 0.3, 261.6, 0.0])):
        notes[number][:] = row
    piece = melodies.read(npy(value), "d/a.npy", SETTINGS)
    assert isinstance(piece, Piece)
    assert piece.text == "lali lo"
    found = midi.decode_score(piece.midi)
    assert [(n.pitch, n.velocity, n.program) for n in found] == [(69, 64, 52), (70, 127, 52), (60, 1, 52)]
    np.testing.assert_allclose([n.onset_s for n in found], [0, 0.5, 1.5], atol=0.002)
    np.testing.assert_allclose([n.offset_s for n in found], [0.5, 0.9, 1.8], atol=0.002)


@pytest.mark.parametrize(
    "row", [[0, 0, 440, 90], [-1e9, 1, 440, 90], [0, 1, np.nan, 90], [0, 1e9, 440, 90], [0, 1, 1, 9]]
)
def test_impossible_melodies_are_one_line(row: list[float]) -> None:
    value = array([["la"]])
    value[0, 0][0][0][0][:] = row
    with pytest.raises(DataError, match="impossible note"):
        melodies.read(npy(value), "a.npy", SETTINGS)


# ---- categories ----


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Wie schön leuchtet der Morgenstern, voll Gnad und Wahrheit von dem Herrn", "de"),
        ("Et in terra pax hominibus bonae voluntatis, laudamus te, benedicimus te", "la"),
        ("La donna è mobile qual piuma al vento, muta d'accento e di pensiero", "it"),
        ("I dream of Jeannie with the light brown hair, borne like a vapor", "en"),
        ("Au clair de la lune mon ami Pierrot, prête-moi ta plume pour écrire un mot", "fr"),
        ("", ""),
        ("...", ""),
    ],
)
def test_languages(text: str, language: str) -> None:
    assert categories.language(text) == language


@pytest.mark.parametrize("key", range(12))
def test_modes_do_not_depend_on_the_key(key: int) -> None:
    major, minor = (0, 2, 4, 5, 7, 9, 11, 12, 7, 4, 0), (0, 2, 3, 5, 7, 8, 11, 12, 7, 3, 0)
    assert categories.mode([(60 + key + step, 1) for step in major]) == "major"
    assert categories.mode([(60 + key + step, 1) for step in minor]) == "minor"


def test_a_mode_that_cannot_be_told_is_empty() -> None:
    assert categories.mode([]) == ""
    assert categories.mode([(60 + step, 1) for step in range(12)]) == ""
