"""Of what kind a song is: language, mode and composer.

**Conventions.** Each is found out, not known: the language from the words (py3langid, among the languages of printed
songs), the mode from the lengths of the pitch classes, compared with the key profiles of Krumhansl and Kessler (1982).
What cannot be told is empty.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from typing import Any

import numpy as np

from unisono.datasets import words
from unisono.datasets.mtm.song import clean

#: Languages that are told apart.
LANGUAGES = (
    *("ca", "cs", "cy", "da", "de", "el", "en", "es", "fi", "fr", "ga", "he", "hu", "it", "ja", "ko", "la", "nl", "no"),
    *("pl", "pt", "ro", "ru", "sv", "tr", "uk", "zh"),
)
#: Words from which a language can be told.
LEAST_WORDS = 3

#: Krumhansl and Kessler's (1982) ratings of the twelve pitch classes, from the tonic.
PROFILES = {
    "major": (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88),
    "minor": (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17),
}


@functools.cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE)
    identifier.set_languages(LANGUAGES)
    return identifier


def language(text: str) -> str:
    """Tell the language of a text by its ISO 639-1 code; empty for fewer than `LEAST_WORDS` words.

    Examples
    --------
    >>> language("Wie schön leuchtet der Morgenstern"), language("36")
    ('de', '')
    """
    if len(words.split(text)) < LEAST_WORDS:
        return ""
    return str(_identifier().classify(text)[0])


def mode(notes: Iterable[tuple[int, float]]) -> str:
    """Tell whether music is in major or minor (Krumhansl and Schmuckler).

    Parameters
    ----------
    notes : iterable of (int, float)
        MIDI number and length of every note.

    Returns
    -------
    {"major", "minor", ""}
        That of the key, of 24, whose profile correlates best with the lengths of the pitch classes; empty where
        nothing correlates.

    Examples
    --------
    >>> mode([(p, 1) for p in (60, 62, 64, 65, 67, 69, 71, 72)]), mode([(p, 1) for p in (57, 60, 64, 68, 69)]), mode([])
    ('major', 'minor', '')
    """
    lengths = np.zeros(12)
    for pitch, length in notes:
        lengths[pitch % 12] += length
    if not lengths.std() > 0:
        return ""
    best = {
        name: max(float(np.corrcoef(np.roll(profile, key), lengths)[0, 1]) for key in range(12))
        for name, profile in PROFILES.items()
    }
    return max(best, key=best.__getitem__)


def composer(name: str) -> str:
    """Clean the name of a composer: its first line, without years and remarks in brackets; nobody is empty.

    Examples
    --------
    >>> composer(" Philippe de Vitry (1291 - 1361)"), composer("Anonymous I-GU"), composer("Traditional")
    ('Philippe de Vitry', '', '')
    """
    lines = name.strip().splitlines()
    found = re.sub(r"[(\[].*", "", clean(lines[0])).strip() if lines else ""
    return "" if re.match(r"anon|trad|unknown", found, re.IGNORECASE) else found[:80]
