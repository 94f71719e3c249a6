"""Words of a text: the one way in which all text extractors take lyrics apart.

**Conventions.** A word is a run of letters, digits and their marks in any script, in lower case and composed (NFC).
Apostrophes inside a word belong to it (``don't``, ``l'amour``), others do not. Hyphens join: ``glo-ri-a`` and
``glo- ri- a``, as they stand under notes or at the end of a line, are ``gloria``; repeats of one syllable
(``la-la-la``) are words of their own. Nothing is unescaped, and markup is taken for the words that it is written with.
What is longer than any lyrics is cut: `MAX_LETTERS` of a text are read, `MAX_WORDS` of its words count.
"""

from __future__ import annotations

import functools
import re
import sys
import unicodedata
from itertools import pairwise

#: Letters of a text that are read.
MAX_LETTERS = 1_000_000
#: Words of a text that count: gensim trains on no more.
MAX_WORDS = 10_000
#: Longer runs of letters are no words.
LONGEST = 50

#: Curly and typewriter apostrophes, and hyphens, become one of each; a soft hyphen is none.
_SAME = str.maketrans({"’": "'", "ʼ": "'", "‐": "-", "‑": "-", "\u00ad": None})


def words(text: str) -> list[str]:
    r"""Take the words of a text.

    Parameters
    ----------
    text : str
        Whatever it holds.

    Returns
    -------
    list of str
        At most `MAX_WORDS`.

    Examples
    --------
    >>> words("Glo-ri-a, don’t  say:\n«La-la-la» l'AMOUR 'cause __ hal- le- lu- jah!")
    ['gloria', "don't", 'say', 'la', 'la', 'la', "l'amour", 'cause', 'hallelujah']
    """
    word, marks, repeated, joined = _patterns()
    text = text[:MAX_LETTERS].lower()
    if not text.isascii():
        # Sorting a long run of marks would take forever.
        text = unicodedata.normalize("NFC", marks.sub(r"\1", text.translate(_SAME)))
    if "-" in text:
        text = joined.sub("", repeated.sub(_apart, text))
    return [found for found in word.findall(text) if len(found) <= LONGEST][:MAX_WORDS]


def _apart(found: re.Match[str]) -> str:
    """Take repeats of a syllable apart, unless a hyphen follows; asked here, so that no run is read twice."""
    return found[0] if found.string.startswith("-", found.end()) else found[0].replace("-", " ")


@functools.cache
def _patterns() -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    """Compile the patterns: of a word, of too many marks, of repeated syllables, of a hyphen that joins."""
    # Python's \w knows no marks, without which most scripts of India fall apart.
    is_mark = [unicodedata.category(chr(code))[0] == "M" for code in range(sys.maxunicode + 1)]
    edges = [code for code, (before, here) in enumerate(pairwise(is_mark), 1) if before != here]
    mark = "".join(f"{chr(first)}-{chr(after - 1)}" for first, after in zip(edges[::2], edges[1::2], strict=True))
    letters = f"[^\\W_]+(?:[{mark}]+[^\\W_]*)*"
    return (
        re.compile(f"{letters}(?:'{letters})*"),
        re.compile(f"([{mark}]{{4}})[{mark}]+"),
        re.compile(r"(?<![\w-])([^\W_]{1,12})(?:-\s{0,3}\1(?!\w))++"),
        re.compile(r"(?<=[^\W_])-\s{0,3}(?=[^\W_])"),
    )
