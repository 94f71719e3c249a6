"""Chord symbols of MusicXML as block chords."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterable
from fractions import Fraction

from unisono.datasets.mtm.musicxml import SEMITONES, number

#: Semitones above the root of each ``<kind>``.
KINDS: dict[str, tuple[int, ...]] = {
    "major": (0, 4, 7),
    "minor": (0, 3, 7),
    "augmented": (0, 4, 8),
    "diminished": (0, 3, 6),
    "dominant": (0, 4, 7, 10),
    "major-seventh": (0, 4, 7, 11),
    "minor-seventh": (0, 3, 7, 10),
    "diminished-seventh": (0, 3, 6, 9),
    "augmented-seventh": (0, 4, 8, 10),
    "half-diminished": (0, 3, 6, 10),
    "major-minor": (0, 3, 7, 11),
    "major-sixth": (0, 4, 7, 9),
    "minor-sixth": (0, 3, 7, 9),
    "dominant-ninth": (0, 4, 7, 10, 14),
    "major-ninth": (0, 4, 7, 11, 14),
    "minor-ninth": (0, 3, 7, 10, 14),
    "dominant-11th": (0, 7, 10, 14, 17),
    "major-11th": (0, 7, 11, 14, 17),
    "minor-11th": (0, 3, 7, 10, 14, 17),
    "dominant-13th": (0, 4, 7, 10, 14, 21),
    "major-13th": (0, 4, 7, 11, 14, 21),
    "minor-13th": (0, 3, 7, 10, 14, 21),
    "suspended-second": (0, 2, 7),
    "suspended-fourth": (0, 5, 7),
    "power": (0, 7),
}
#: MIDI numbers above which roots and basses lie.
ROOT, BASS = 48, 36


def pitches(symbol: ET.Element) -> list[int]:
    """Give the notes of a ``<harmony>``.

    Parameters
    ----------
    symbol : ET.Element
        An unknown kind is a triad: minor where it begins so, else major.

    Returns
    -------
    list of int
        MIDI numbers: the bass in the octave above 36, the chord above 48; empty for "no chord".

    Raises
    ------
    ValueError
        The root is none.
    """
    kind = (symbol.findtext("kind") or "major").strip()
    root = _pitch_class(symbol, "root")
    if root is None or kind == "none":
        return []
    steps = KINDS.get(kind, KINDS["minor" if kind.startswith("min") else "major"])
    bass = _pitch_class(symbol, "bass")
    return [BASS + (root if bass is None else bass), *(ROOT + root + step for step in steps)]


def _pitch_class(symbol: ET.Element, name: str) -> int | None:
    """Read ``<root>`` or ``<bass>``."""
    step = symbol.findtext(f"{name}/{name}-step")
    if step is None:
        return None
    if step.strip() not in SEMITONES:
        raise ValueError(f"no such step: {step!r}")
    return (SEMITONES[step.strip()] + round(number(symbol.findtext(f"{name}/{name}-alter", "0")))) % 12


def chords(symbols: Iterable[tuple[Fraction, ET.Element]], end: Fraction) -> list[tuple[int, Fraction, Fraction]]:
    """Let each chord sound until the next one.

    Parameters
    ----------
    symbols : iterable of (Fraction, ET.Element)
        Onset in beats and ``<harmony>``; of several at once the last.
    end : Fraction
        Of the music, in beats.

    Returns
    -------
    list of (int, Fraction, Fraction)
        MIDI number, onset, offset.
    """
    by_onset = dict(sorted(symbols, key=lambda symbol: symbol[0]))
    onsets = [*by_onset, end]
    return [
        (pitch, onset, until)
        for (onset, symbol), until in zip(by_onset.items(), onsets[1:], strict=True)
        if until > onset
        for pitch in pitches(symbol)
    ]
