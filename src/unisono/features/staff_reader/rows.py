"""From what the staff reader sees to notes, and from notes to one row of features each.

**Conventions.** Lengths and places are in beats, four to the bar. Symbols are the cells in which one is likelier than
none, the likeliest first and none beside another. A tied head lengthens the note before it; an accidental holds to the
bar's end, the signature elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from unisono.features import staff_reader
from unisono.features.staff_reader import staff, symbols
from unisono.features.staff_reader.staff import MIDDLE_CELL
from unisono.media import notation

#: Bumps over the pitches, so that near pitches have near features: every third MIDI number.
CENTRES = np.arange(40, 85, 3)
BUMP_WIDTH = 2.0
#: Names of a row's first numbers; then the bumps, then the network's activations at the head.
FIELDS = (
    "pitch",
    "log2 of the length",
    "length",
    "rest before",
    "a rest before",
    "step from the middle line",
    "place in the bar",
    "place in the beat",
    "on the bar",
    "on a half bar",
    "on a beat",
    "tied heads",
    "a bar line before",
)
DIMENSIONS = len(FIELDS) + len(CENTRES) + staff_reader.HIDDEN
#: Longest length and rest of a row; what is read as longer counts as this.
MAX_BEATS = 16.0
_UNITS = np.array(symbols.LENGTHS) / notation.UNITS_PER_BEAT
_NATURAL = (0, 2, 4, 5, 7, 9, 11)
# Left of this cell, clef and time signature are no rests.
_FIRST_CELL = 12


@dataclass(frozen=True)
class Note:
    """A note as it was read.

    Attributes
    ----------
    pitch, step : int
        MIDI number; steps from the middle line.
    length, rest : float
        In beats; the rest stands before the note.
    tied : int
        Heads tied to the first.
    after_bar : bool
        A bar line stands between it and the note before.
    doubt : float
        How likely it is a head tied to the one before, or none at all.
    hidden : np.ndarray [shape=(32,), dtype=float32]
        The network's activations at the head.
    """

    pitch: int
    step: int
    length: float
    rest: float
    tied: int
    after_bar: bool
    doubt: float
    hidden: np.ndarray


def read(seen: staff_reader.Cells) -> list[Note]:
    """Read the notes of a strip.

    Parameters
    ----------
    seen : Cells

    Returns
    -------
    list of Note
        From left to right; empty where there is none.
    """
    present = 1 / (1 + np.exp(-seen.logits[0].astype(np.float64)))
    rows, likely = present.argmax(axis=0), present.max(axis=0)
    peaks = _peaks(likely)
    at = seen.logits[:, rows[peaks], peaks]
    kinds = at[staff_reader.KIND].argmax(axis=0)
    lengths = _UNITS[at[staff_reader.LENGTH].argmax(axis=0)]
    accidentals = at[staff_reader.ACCIDENTAL].argmax(axis=0)
    tied = 1 / (1 + np.exp(-at[staff_reader.TIED.start].astype(np.float64)))
    middle = notation.CLEFS[int(seen.clef.argmax())].middle
    first = int(np.argmax(kinds == symbols.HEAD)) if (kinds == symbols.HEAD).any() else 0
    counts = [int((kinds[:first] == kind).sum()) for kind in (symbols.SHARP, symbols.FLAT)]
    key = symbols.signature(min(counts[0], 6) if counts[0] >= counts[1] else -min(counts[1], 6))

    notes: list[Note] = []
    heard: dict[int, int] = {}
    rest, after_bar = 0.0, False
    for peak, kind, length, accidental, tie in zip(peaks, kinds, lengths, accidentals, tied, strict=True):
        step = MIDDLE_CELL - int(rows[peak])
        if kind == symbols.BAR:
            heard, after_bar = {}, True
        elif kind == symbols.REST and peak > _FIRST_CELL:
            rest += length
        elif kind == symbols.HEAD and tie > 0.5 and notes and notes[-1].step == step:
            notes[-1] = replace(notes[-1], length=notes[-1].length + length, tied=notes[-1].tied + 1)
        elif kind == symbols.HEAD:
            octave, letter = divmod(step + middle, len(symbols.LETTERS))
            sign = symbols.ACCIDENTALS[accidental]
            if sign is not None:
                heard[step] = sign
            alteration = heard.get(step, key.get(symbols.LETTERS[letter], 0))
            pitch = _NATURAL[letter] + 12 * (octave + 1) + alteration
            same = bool(notes) and notes[-1].step == step
            doubt = 1 - float(likely[peak]) * (1 - float(tie)) * (1 - 0.7 * same)
            hidden = seen.hidden[:, rows[peak], peak]
            notes.append(Note(pitch, step, float(length), rest, 0, after_bar, doubt, hidden))
            rest, after_bar = 0.0, False
    return notes


def _peaks(likely: np.ndarray) -> np.ndarray:
    """Take columns above one half, the likeliest first, none beside one that was taken."""
    taken = np.zeros(len(likely) + 2, dtype=bool)
    for column in np.argsort(-likely, kind="stable"):
        if likely[column] <= 0.5:
            break
        if not taken[column : column + 3].any():
            taken[column + 1] = True
    return np.flatnonzero(taken[1:-1])


def fit(notes: Sequence[Note], n: int) -> list[Note]:
    """Make exactly so many notes of those that were read.

    Of too many, the most doubtful lengthen the one before them, as ties do; of too few, the last stands again; none
    stay none.

    Parameters
    ----------
    notes : sequence of Note
    n : int

    Returns
    -------
    list of Note
    """
    kept = list(notes)
    while len(kept) > n:
        row = max(range(len(kept)), key=lambda number: kept[number].doubt)
        gone = kept.pop(row)
        if row:
            before = kept[row - 1]
            kept[row - 1] = replace(before, length=before.length + gone.rest + gone.length)
    return kept + kept[-1:] * (n - len(kept))


def rows(notes: Sequence[Note]) -> np.ndarray:
    """Write notes as rows of numbers.

    Parameters
    ----------
    notes : sequence of Note

    Returns
    -------
    np.ndarray [shape=(n, 60), dtype=float32]
        `FIELDS`, a bump over the pitches at `CENTRES`, and the activations.
    """
    result = np.zeros((len(notes), DIMENSIONS), np.float32)
    beat = 0.0
    for number, note in enumerate(notes):
        length, rest = min(note.length, MAX_BEATS), min(note.rest, MAX_BEATS)
        beat += rest
        described = (
            note.pitch,
            np.log2(length),
            length,
            rest,
            rest > 0,
            note.step,
            beat % 4,
            beat % 1,
            beat % 4 == 0,
            beat % 2 == 0,
            beat % 1 == 0,
            note.tied,
            note.after_bar,
        )
        bumps = np.exp(-(((note.pitch - CENTRES) / BUMP_WIDTH) ** 2) / 2)
        result[number] = np.concatenate([np.array(described, np.float64), bumps, note.hidden])
        beat += length
    return result


def features(
    compute: Callable[[np.ndarray], staff_reader.Cells], picture: np.ndarray, n: int
) -> tuple[np.ndarray, int]:
    """Read a picture as a fixed number of rows.

    Parameters
    ----------
    compute : callable
        From `staff_reader.apply`.
    picture : np.ndarray [shape=(rows, columns), dtype=uint8]
        One line of music on white.
    n : int

    Returns
    -------
    rows : np.ndarray [shape=(n, 60), dtype=float32]
        Zeros where no note was found.
    n_found : int
        Notes that were read, which `fit` brought to `n`.
    """
    strip, found = staff.strip(picture)
    notes = read(compute(strip)) if found else []
    if not notes:
        return np.zeros((n, DIMENSIONS), np.float32), 0
    return rows(fit(notes, n)), len(notes)
