"""What every source of songs ends in: a sung line of notes with their syllables and words."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Literal, NamedTuple

#: Notes, and syllables, of a sample (D 3.1.3).
N_NOTES = 20

#: Why a file gives no sample. Only `broken` files count towards `max_skipped_fraction`.
Kind = Literal["broken", "no lyrics", "labels", "too short", "limits"]

#: One verse number, or several ("1.4.", "1,3.", "1.-4."), before a text with a letter.
_VERSE_NUMBER = re.compile(r"^[(\[]?\d+(?:[\s.,:;/&+\u2010-\u2015-]+\d+)*(?:[.:)\]\uff0e\u3001]+\s*|\s+)(?=.*[^\W\d_])")


class Note(NamedTuple):
    """One sung note.

    Attributes
    ----------
    pitch : float
        MIDI number of the sounding pitch, a whole number.
    duration : float
        Length in beats (quarter notes).
    rest : float
        Silence before the note, in beats.
    syllable : str
    word : str
        The word that the syllable belongs to, written without hyphens.
    word_index : int
        Which word of the song.
    """

    pitch: float
    duration: float
    rest: float
    syllable: str
    word: str
    word_index: int


class Song(NamedTuple):
    """The sung line of one file.

    Attributes
    ----------
    file : str
        Path inside the source, with ``/``.
    title : str
    part : str
        Name of the part that is sung; empty when the source has no parts.
    notes : sequence of Note
    windows : sequence of int or None
        Windows of 20 notes that the source's own rule keeps; None leaves the choice to
        `unisono.datasets.mtm.samples.cut`.
    text : str
        All its words, where files may be one song by them (`unisono.datasets.mtm.groups`); empty where the source
        knows better ways.
    """

    file: str
    title: str
    part: str
    notes: Sequence[Note]
    windows: Sequence[int] | None = None
    text: str = ""


class Skipped(NamedTuple):
    """A file that gives no sample, and why."""

    file: str
    kind: Kind
    reason: str


#: Most accents and other marks in a row that are kept; as many as Unicode's stream-safe texts have (UAX #15).
MAX_MARKS = 30


def clean(text: str) -> str:
    r"""Normalise a piece of lyrics: NFC, single spaces, no control characters, no lone surrogates, few marks in a row.

    Examples
    --------
    >>> clean("  a\x00b \n c ")
    'ab c'
    """
    if text.isascii() and text.isprintable() and " " not in text:
        return text  # nearly every syllable
    kept, n_marks = [], 0
    for character in text:
        category = unicodedata.category(character)
        if category in ("Cc", "Cs") and not character.isspace():
            continue
        n_marks = n_marks + 1 if category[0] == "M" else 0
        # Normalising sorts the marks of a letter, in the square of their number.
        if n_marks <= MAX_MARKS:
            kept.append(character)
    return unicodedata.normalize("NFC", " ".join("".join(kept).split()))


def without_verse_number(syllable: str) -> str:
    """Drop a verse number, or several, printed before the first syllable.

    Examples
    --------
    >>> without_verse_number("1. Was"), without_verse_number("1.4. Come"), without_verse_number("36")
    ('Was', 'Come', '36')
    """
    return _VERSE_NUMBER.sub("", syllable)


def has_letter(text: str) -> bool:
    """Tell whether any character is a letter of any script."""
    return any(map(str.isalpha, text))
