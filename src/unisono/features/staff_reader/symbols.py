"""What is printed for known notes, symbol by symbol, and where in a strip each symbol stands.

**Conventions.** A *symbol* is a signature's sharp or flat, a note head, a rest or a bar line; a tied note is several
heads. Clef, time signature, stems, flags, dots, ties and accidentals are attributes of heads or left out. Symbols come
in the order of print, as rows of whole numbers: kind (of `KINDS`), step from the middle line, index in `LENGTHS`,
accidental before it (0 none, 1 sharp, 2 flat, 3 natural), and 1 for a head tied to the one before.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from unisono.features.staff_reader import staff
from unisono.media import notation

KINDS = ("head", "bar", "rest", "sharp", "flat")
HEAD, BAR, REST, SHARP, FLAT = range(len(KINDS))
#: Printed lengths of one symbol, in 64ths of a bar of four beats.
LENGTHS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
ACCIDENTALS = (None, 1, -1, 0)
LETTERS = "CDEFGAB"
#: Cells that two symbols are apart, at least.
GAP = 2
# Steps of a signature's signs under the treble clef; in the bass they lie two lower.
_SIGNS = {SHARP: (4, 1, 5, 2, -1, 3, 0), FLAT: (0, 3, -1, 2, -2, 1, -3)}
_ORDER = "FCGDAEB"
# In cells, as LilyPond spaces by default: the signature's first sign and the next, and the first note after n signs.
_FIRST_SIGN, _NEXT_SIGN, _FIRST_NOTE, _SIGN_SPACE = 8.5, 2.1, 18.0, 2.0
_SPACE, _ACCIDENTAL_SPACE, _LONGEST_SHORTEST = 2.4, 2.0, 12
# How surely a symbol's place is known from spacing alone, in cells, and what a black place counts against it.
_SPREAD, _SIGN_SPREAD, _INK = 14.0, 1.5, 8.0


@dataclass(frozen=True)
class Printed:
    """A sample as it is printed.

    Attributes
    ----------
    symbols : np.ndarray [shape=(n, 5), dtype=int64]
        See the module's conventions; without a bar line after the last note.
    fifths : int
        Key signature.
    clef : int
        Index in `notation.CLEFS`.
    ends_bar : bool
        A bar line follows the last note.
    """

    symbols: np.ndarray
    fifths: int
    clef: int
    ends_bar: bool


def signature(fifths: int) -> dict[str, int]:
    """Give the alteration of the letters that a key signature alters.

    Examples
    --------
    >>> signature(-2)
    {'B': -1, 'E': -1}
    """
    letters = _ORDER[:fifths] if fifths >= 0 else _ORDER[: fifths - 1 : -1]
    return dict.fromkeys(letters, 1 if fifths > 0 else -1)


def printed(notes: np.ndarray) -> Printed | None:
    """List the symbols that `unisono.media.notation.score` prints.

    Parameters
    ----------
    notes : np.ndarray [shape=(n, 3)]
        Pitch (MIDI number), duration and rest before, in beats.

    Returns
    -------
    Printed or None
        None where a note lies outside the strip's steps.
    """
    pitches = [round(float(pitch)) for pitch in notes[:, 0]]
    units = np.rint(notes[:, 1:].astype(np.float64) * notation.UNITS_PER_BEAT).astype(int)
    fifths = notation.key_signature(pitches)
    spelled = notation.spell(pitches, fifths)
    clef = notation.choose_clef([name.degree for name in spelled])
    kind, lowered = (SHARP, FLAT)[fifths < 0], 2 * clef.name.startswith("bass")
    symbols = [(kind, step - lowered, 0, 0, 0) for step in _SIGNS[kind][: abs(fifths)]]
    position, key = 0, signature(fifths)
    heard: dict[tuple[str, int], int] = {}

    def advance(length: int) -> None:
        nonlocal position
        position += length
        if position % notation.UNITS_PER_BAR == 0:
            symbols.append((BAR, 0, 0, 0, 0))
            heard.clear()

    for name, (duration, rest) in zip(spelled, units.tolist(), strict=True):
        for length in notation.split_length(position, rest, rest=True):
            symbols.append((REST, 0, LENGTHS.index(length), 0, 0))
            advance(length)
        step = name.degree - 7 * notation.octave_bracket(name.degree, clef) - clef.middle
        before = heard.get((name.letter, name.octave), key.get(name.letter, 0))
        accidental = ACCIDENTALS.index(name.alteration) if before != name.alteration else 0
        heard[name.letter, name.octave] = name.alteration
        for number, length in enumerate(notation.split_length(position, max(duration, 1))):
            symbols.append((HEAD, step, LENGTHS.index(length), 0 if number else accidental, int(number > 0)))
            advance(length)
    ends_bar = symbols[-1][0] == BAR
    rows = np.array(symbols[: len(symbols) - ends_bar], dtype=np.int64)
    highest, lowest = staff.MIDDLE_CELL, staff.MIDDLE_CELL - staff.CELL_ROWS + 1
    if rows[:, 1].max() > highest or rows[:, 1].min() < lowest:
        return None
    return Printed(rows, fifths, notation.CLEFS.index(clef), ends_bar)


def align(scores: np.ndarray, gap: int = GAP) -> np.ndarray:
    """Find the increasing columns of symbols with the largest sum of scores.

    Parameters
    ----------
    scores : np.ndarray [shape=(n, columns)]
        Of each symbol in each column.
    gap : int
        Columns from one to the next, at least.

    Returns
    -------
    np.ndarray [shape=(n,), dtype=int64]
    """
    n, columns = scores.shape
    everywhere = np.arange(columns)
    best = scores[0].astype(np.float64)
    origins = np.zeros((n, columns), dtype=np.int64)
    for row in range(1, n):
        highest = np.maximum.accumulate(best)
        origin = np.maximum.accumulate(np.where(best == highest, everywhere, 0))
        reached = np.full(columns, -np.inf)
        reached[gap:] = highest[:-gap]
        origins[row, gap:] = origin[:-gap]
        best = scores[row] + reached
    path = [int(best.argmax())]
    for row in range(n - 1, 0, -1):
        path.append(int(origins[row, path[-1]]))
    return np.array(path[::-1])


def fits(sample: Printed, cells: int) -> bool:
    """Tell whether a strip of so many cells can hold the symbols at all."""
    return cells > GAP * len(sample.symbols)


def first_guess(ink: np.ndarray, sample: Printed) -> np.ndarray:
    """Score the place of each symbol by what is known before anything is learned: its row is black, and the spacing.

    Parameters
    ----------
    ink : np.ndarray [shape=(128, 4 n), dtype=float32]
        A strip, 0 to 1.
    sample : Printed

    Returns
    -------
    np.ndarray [shape=(symbols, n)]
        For `align`.
    """
    import scipy.ndimage

    cell = staff.CELL_PIXELS
    heads = scipy.ndimage.uniform_filter(ink, (6, 8), mode="constant")[1::cell, 1::cell]
    lines = slice(int(staff.MIDDLE_ROW) - 14, int(staff.MIDDLE_ROW) + 15)
    bars = scipy.ndimage.maximum_filter1d(np.quantile(ink[lines], 0.2, axis=0), cell)[1::cell]
    columns = np.arange(heads.shape[1])
    places = _places(sample, len(columns))
    scores = np.zeros((len(places), len(columns)))
    for row, (kind, step, *_) in enumerate(sample.symbols):
        sign = kind in (SHARP, FLAT)
        if kind == BAR:
            scores[row] = _INK * bars
        elif kind != REST:
            scores[row] = (_INK / 2 if sign else _INK) * heads[staff.MIDDLE_CELL - step]
        if not sign:
            scores[row] -= ((columns - places[row]) / _SPREAD) ** 2 / 2
    return scores + of_signature(sample, len(columns))


def of_signature(sample: Printed, cells: int) -> np.ndarray:
    """Score the place of the signature's signs, which are always the same.

    Parameters
    ----------
    sample : Printed
    cells : int

    Returns
    -------
    np.ndarray [shape=(symbols, cells)]
        Zero for all other symbols.
    """
    scores = np.zeros((len(sample.symbols), cells))
    for row in range(abs(sample.fifths)):
        scores[row] = -(((np.arange(cells) - _FIRST_SIGN - _NEXT_SIGN * row) / _SIGN_SPREAD) ** 2) / 2
    return scores


def _places(sample: Printed, cells: int) -> np.ndarray:
    """Estimate the cell of each symbol, as LilyPond spaces: a length d takes ``2 + log2(d / shortest)``."""
    signs = abs(sample.fifths)
    first = _FIRST_NOTE + _SIGN_SPACE * signs
    music = sample.symbols[signs:]
    lengths = np.array([LENGTHS[length] for length in music[:, 2]])
    shortest = min(lengths[music[:, 0] != BAR].min(), _LONGEST_SHORTEST)
    spaces = _SPACE * np.where(music[:, 0] == BAR, 1, 2 + np.log2(lengths / shortest))
    spaces += _ACCIDENTAL_SPACE * (music[:, 3] > 0)
    before = np.append(0, spaces.cumsum())
    stretched = first + before[:-1] * (cells - 2 - first) / before[-1]
    return np.concatenate([_FIRST_SIGN + _NEXT_SIGN * np.arange(signs), stretched])
