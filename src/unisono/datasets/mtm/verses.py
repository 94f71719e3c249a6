"""Which verse is sung where a score prints several under its notes.

**Conventions.** A section lies between two barlines that divide the music (repeats, endings, double bars). Through a
section the lowest verse is followed. A note that carries other verses only is none of its syllables: the verse has a
melisma there, or is silent. Where at least `PASSAGE` such notes follow one another, and not inside a word of the
verse, they are a passage of their own, in which again the lowest verse is followed; so are those that end a section in
which the verse breaks off inside a word (a slip: "A-" in verse 1, "men" in verse 2).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

#: Notes without the followed verse that make a passage of other verses; fewer are melismas and other verses' upbeats.
PASSAGE = 4
#: Verses of a section, at most.
MAX_VERSES = 100


class Syllable(NamedTuple):
    """Text of a lyric, and whether its word began before it or goes on after it."""

    text: str
    continues: bool
    continued: bool


def follow(lyrics: Sequence[Mapping[str, Syllable]], sections: Sequence[int]) -> list[Syllable | None]:
    """Choose the syllable of every note.

    Parameters
    ----------
    lyrics : sequence of mapping [len=n]
        Syllables of each note, by the name of their verse ("1", "part1verse2"); empty where it has none.
    sections : sequence of int [len=n]
        Section of each note.

    Returns
    -------
    list of Syllable or None [len=n]

    Raises
    ------
    ValueError
        A section has more than `MAX_VERSES` verses.

    Examples
    --------
    >>> glo, ri, other = Syllable("Glo", False, True), Syllable("ri", True, True), Syllable("x", False, False)
    >>> [s and s.text for s in follow([{"2": other, "1": glo}, {"2": other}, {"1": ri}], [0, 0, 0])]
    ['Glo', None, 'ri']
    """
    chosen: list[Syllable | None] = [None] * len(lyrics)
    texted = [index for index, verses in enumerate(lyrics) if verses]
    for _, section in groupby(texted, key=lambda index: sections[index]):
        _follow(list(section), lyrics, chosen)
    return chosen


def _follow(notes: Sequence[int], lyrics: Sequence[Mapping[str, Syllable]], chosen: list[Syllable | None]) -> None:
    """Choose within a section, or a passage of one; every note has a syllable of some verse."""
    verses = {verse for index in notes for verse in lyrics[index]}
    if len(verses) > MAX_VERSES:
        raise ValueError(f"{len(verses)} verses under the same notes, more than {MAX_VERSES}")
    lowest = min(verses, key=_natural)
    runs = [(has, list(run)) for has, run in groupby(notes, key=lambda index: lowest in lyrics[index])]
    for place, (has, run) in enumerate(runs):
        if has:
            for index in run:
                chosen[index] = lyrics[index][lowest]
        else:
            opened = place > 0 and lyrics[runs[place - 1][1][-1]][lowest].continued
            last = place + 1 == len(runs)
            closed = not last and lyrics[runs[place + 1][1][0]][lowest].continues
            if (opened and last) or (len(run) >= PASSAGE and not (opened and closed)):
                _follow(run, lyrics, chosen)


def _natural(verse: str) -> list[str | int]:
    """Order names with numbers in them by the numbers: verse 2 before verse 10."""
    return [int(part) if place % 2 else part for place, part in enumerate(re.split(r"([0-9]{1,9})", verse))]
