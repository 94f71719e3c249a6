r"""Notes and syllables as the text LilyPond reads: clef, key, spelling, bar lines, ties, lyrics.

**Conventions.** Pitches are MIDI numbers (60 = middle C), lengths are in beats (a beat is a quarter note, four to the
bar). Inside, a *position* counts 64th notes from the first bar line. Lengths off that grid go to the nearest 64th, and
a note has at least one. A *degree* counts diatonic steps (C4 = 28, D4 = 29), *fifths* are steps on the line of fifths
(F = -1, C = 0, G = 1, ..., B flat = -2). Everything here is a pure function from numbers and strings to text.

**Hostile input.** Pitches and lengths are numbers when they come here, so syllables are the only foreign text. They are
written as ``\\markup \\simple "..."``, in which a backslash and a quote are the only characters LilyPond interprets
(a plain string in lyric mode would turn ``~`` into a tie as well).
"""

from __future__ import annotations

import itertools
import math
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from unisono.errors import DataError

UNITS_PER_BEAT = 16
UNITS_PER_BAR = 4 * UNITS_PER_BEAT
MAX_BEATS = 512.0
"""Longest single note or rest that is written at all, in beats."""
MAX_SYLLABLE = 40
"""Characters of a syllable that are printed; of a longer one the beginning, and an ellipsis."""
MAX_LEDGER_LINES = 6
"""A note with more is written under an octave bracket."""


class Spelling(NamedTuple):
    """A pitch as it is written."""

    letter: str
    """``C`` to ``B``."""
    alteration: int
    """-1 flat, 0 natural, 1 sharp."""
    octave: int
    """4 is the octave of middle C."""

    @property
    def degree(self) -> int:
        """Diatonic steps above C0."""
        return 7 * self.octave + "CDEFGAB".index(self.letter)

    def __str__(self) -> str:
        """Name in LilyPond's default (Dutch) language, absolute octave: ``cis'``."""
        marks = "'" * (self.octave - 3) if self.octave >= 3 else "," * (3 - self.octave)
        return self.letter.lower() + {-1: "es", 0: "", 1: "is"}[self.alteration] + marks


class Clef(NamedTuple):
    """A clef and when it is taken."""

    name: str
    """As LilyPond calls it."""
    middle: int
    """Degree of the staff's middle line."""
    reluctance: float
    """Ledger lines per note that are borne before this clef is taken."""


CLEFS = (
    Clef("treble", 34, 0.0),
    Clef("bass", 22, 0.0),
    Clef("treble^8", 41, 3.0),
    Clef("bass_8", 15, 3.0),
    Clef("treble^15", 48, 5.0),
)

_FIFTHS_LETTERS = "FCGDAEB"
_NATURAL_PITCH = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_VALUES = {
    64: "1",
    48: "2.",
    32: "2",
    24: "4.",
    16: "4",
    12: "8.",
    8: "8",
    6: "16.",
    4: "16",
    3: "32.",
    2: "32",
    1: "64",
}


def note_key(pitch: float, duration: float) -> str:
    """Name of a single note in the set of distinct notes.

    Examples
    --------
    >>> note_key(60, 1)
    '60:1.0'
    """
    return f"{round(pitch)}:{round(float(duration), 6)}"


def key_signature(pitches: Sequence[int]) -> int:
    """Key signature that leaves the fewest notes outside its scale.

    Parameters
    ----------
    pitches : sequence of int
        MIDI numbers.

    Returns
    -------
    int
        Sharps (positive) or flats (negative), -6 to 6; of equally good ones the one with the fewest signs, then flats.
    """

    def foreign(fifths: int) -> int:
        scale = {7 * step % 12 for step in range(fifths - 1, fifths + 6)}
        return sum(pitch % 12 not in scale for pitch in pitches)

    return min(range(-6, 7), key=lambda fifths: (foreign(fifths), abs(fifths), fifths))


def spell(pitches: Sequence[int], fifths: int) -> list[Spelling]:
    """Write pitches with the letters of a key.

    Notes of the scale are spelled as in it. The five others are its raised fourth, first and fifth and its lowered
    seventh and third (in C: F sharp, C sharp, G sharp, B flat, E flat), unless the next note is a semitone away: a
    note that leads up is a raised one, a note that leads down a lowered one. No double accidentals.

    Parameters
    ----------
    pitches : sequence of int
        MIDI numbers, in the order of the melody.
    fifths : int
        Key signature, -6 to 6, from `key_signature`.
    """
    spelled = []
    for pitch, following in itertools.zip_longest(pitches, pitches[1:]):
        lowest = fifths - 3
        if following is not None and following - pitch == 1:
            lowest = fifths - 2
        elif following is not None and following - pitch == -1:
            lowest = fifths - 5
        step = lowest + (7 * pitch - lowest) % 12
        if step > 12:
            step -= 12
        elif step < -8:
            step += 12
        letter, alteration = _FIFTHS_LETTERS[(step + 1) % 7], (step + 1) // 7
        octave = (pitch - alteration - _NATURAL_PITCH[letter]) // 12 - 1
        spelled.append(Spelling(letter, alteration, octave))
    return spelled


def ledger_lines(degree: int, middle: int) -> int:
    """Ledger lines of a note on a staff whose middle line has the degree `middle`."""
    return max(0, (abs(degree - middle) - 4) // 2)


def choose_clef(degrees: Sequence[int]) -> Clef:
    """Clef with the fewest ledger lines, unusual ones only where they spare many."""
    return min(
        CLEFS,
        key=lambda clef: sum(ledger_lines(degree, clef.middle) for degree in degrees) / len(degrees) + clef.reluctance,
    )


def octave_bracket(degree: int, clef: Clef) -> int:
    """Octaves (positive: 8va, negative: 8vb) that bring a note within `MAX_LEDGER_LINES`; 0 for most."""
    return min(
        range(-3, 4),
        key=lambda octaves: (
            max(ledger_lines(degree - 7 * octaves, clef.middle), MAX_LEDGER_LINES),
            abs(octaves),
        ),
    )


def split_length(position: int, length: int, *, rest: bool = False) -> list[int]:
    """Cut a note or rest into lengths that one note value each can write.

    Cuts at every bar line, and inside a bar so that the beat stays visible: a note may hide at most one metric level
    (a quarter note on an off-beat eighth is written as one note, a half note there is two tied ones), a rest none.

    Parameters
    ----------
    position : int
        Where it starts, in 64ths from a bar line.
    length : int
        How long it is, in 64ths; 0 gives no piece.

    Returns
    -------
    list of int
        Lengths in 64ths, each a key of the note values, together `length`.
    """
    if length == 0:
        return []
    start, end = position % UNITS_PER_BAR, position % UNITS_PER_BAR + length
    # The strongest point strictly inside: a bar line if there is one, else the half bar, the beat, ...
    grain = UNITS_PER_BAR
    while (start // grain + 1) * grain >= end and grain > 1:
        grain //= 2
    middle = (start // grain + 1) * grain
    visible = 1 if rest else 2
    plain = length in _VALUES and (not rest or length & (length - 1) == 0)
    if length == 1 or (plain and grain < UNITS_PER_BAR and grain <= visible * max(_level(start), _level(end))):
        return [length]
    return [
        *split_length(start, middle - start, rest=rest),
        *split_length(middle, end - middle, rest=rest),
    ]


def _level(position: int) -> int:
    """Metric weight of a position: the largest power of two, up to a bar, that divides it."""
    return math.gcd(position, UNITS_PER_BAR)


def printable(syllable: str) -> str:
    """Make a syllable one line of printable text.

    Control characters, lone surrogates, non-characters and byte order marks go, white space becomes single spaces,
    and what is longer than `MAX_SYLLABLE` is cut.
    """
    kept = (character for character in " ".join(syllable.split()) if _is_text(character))
    text = unicodedata.normalize("NFC", "".join(kept)).strip()
    return text if len(text) <= MAX_SYLLABLE else text[: MAX_SYLLABLE - 1] + "…"


def _is_text(character: str) -> bool:
    code = ord(character)
    noncharacter = code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF
    return not (noncharacter or code == 0xFEFF or unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp"))


def quote(syllable: str) -> str:
    r"""Write a syllable so that LilyPond prints it, whatever it holds.

    Examples
    --------
    >>> print(quote('#(system "ls") ~'))
    \markup \simple "#(system \"ls\") ~"
    """
    escaped = printable(syllable).replace("\\", "\\\\").replace('"', '\\"')
    return f'\\markup \\simple "{escaped}"'


def lyrics(syllables: Sequence[str], word_index: Sequence[int]) -> str:
    r"""Text of an ``\\addlyrics`` block: quoted syllables, hyphens inside words.

    Parameters
    ----------
    syllables : sequence of str
    word_index : sequence of int
        The word that each syllable belongs to; neighbours with the same one get a hyphen between them.
    """
    hyphens = [here == after for here, after in itertools.pairwise(word_index)] + [False]
    return " ".join(
        quote(syllable) + (" --" if hyphen else "") for syllable, hyphen in zip(syllables, hyphens, strict=True)
    )


def score(
    notes: np.ndarray,
    *,
    syllables: Sequence[str] = (),
    word_index: Sequence[int] = (),
    signatures: bool = True,
) -> str:
    r"""Write a melody as one LilyPond score on one staff.

    Parameters
    ----------
    notes : np.ndarray [shape=(n, 3)]
        Pitch (MIDI number), duration and rest before the note, in beats.
    syllables : sequence of str, n or 0 of them
        Printed under the notes; without them the staff stands alone.
    word_index : sequence of int, one per syllable
        The word that each syllable belongs to.
    signatures : bool
        Whether to print a key and a time signature (single notes have none).

    Returns
    -------
    str
        ``\\score { ... }``

    Raises
    ------
    DataError
        A pitch, duration or rest that cannot be written; the message names the note, from 1.
    """
    pitches, rests, durations = _checked(notes)
    fifths = key_signature(pitches) if signatures else 0
    spelled = spell(pitches, fifths)
    degrees = [name.degree for name in spelled]
    clef = choose_clef(degrees)
    music = [f'\\clef "{clef.name}"']
    if signatures:
        tonic = spell([7 * fifths % 12 + 48], fifths)[0]
        music.append(f"\\key {str(tonic).rstrip(chr(39))} \\major \\time 4/4")
    else:
        music.append("\\omit Staff.TimeSignature")
    position, bracket = 0, 0
    for name, degree, rest, duration in zip(spelled, degrees, rests, durations, strict=True):
        for length in split_length(position, rest, rest=True):
            music.append("R1" if length == UNITS_PER_BAR else f"r{_VALUES[length]}")
        if bracket != octave_bracket(degree, clef):
            bracket = octave_bracket(degree, clef)
            music.append(f"\\ottava #{bracket}")
        music.append("~ ".join(f"{name}{_VALUES[length]}" for length in split_length(position + rest, duration)))
        position += rest + duration
    staff = f"\\new Staff {{ {' '.join(music)} }}"
    words = f" \\addlyrics {{ {lyrics(syllables, word_index)} }}" if len(syllables) else ""
    return f"\\score {{ << {staff}{words} >> }}"


def _checked(notes: np.ndarray) -> tuple[list[int], list[int], list[int]]:
    """Pitches, and rests and durations in 64ths, or `DataError`."""
    notes = np.asarray(notes, dtype=np.float64)
    if notes.ndim != 2 or notes.shape[1] != 3 or not len(notes):
        raise DataError(f"notes: expected (n, 3) of pitch, duration and rest, got shape {notes.shape}")
    pitch, duration, rest = notes.T
    rules = (
        (
            "pitch",
            pitch,
            (pitch >= 0) & (pitch <= 127) & (pitch == np.round(pitch)),
            "a whole number from 0 to 127",
        ),
        (
            "duration",
            duration,
            (duration > 0) & (duration <= MAX_BEATS),
            f"more than 0, at most {MAX_BEATS:g} beats",
        ),
        ("rest", rest, (rest >= 0) & (rest <= MAX_BEATS), f"0 to {MAX_BEATS:g} beats"),
    )
    for name, values, legal, expected in rules:
        if not legal.all():
            wrong = int(np.flatnonzero(~legal)[0])
            raise DataError(f"note {wrong + 1}: {name} {values[wrong]:g}, expected {expected}")
    units = np.rint(np.stack([rest, duration]) * UNITS_PER_BEAT).astype(int)
    return [int(p) for p in pitch], units[0].tolist(), np.maximum(units[1], 1).tolist()
