"""The dissertation's own source: the lyrics-melody data of Yu and Canales.

**Conventions.** A file is a pickled ``(1, 4)`` object array [continuous, discrete, words, syllables], each
nested sentence -> word -> note. A discrete note is [pitch, duration, rest before], in beats; a continuous one
[onset difference (s), length (s), frequency (Hz), velocity]. Words repeat once per syllable. The files are
pickles, so only those that name nothing but numpy arrays and plain lists are opened.

**Which windows count** (the dissertation's numbers, 14,454 and "70/15/15" of 19,135, follow from no literal
reading):

- ``dissertation``: one window of 20 notes from 20 *words* on, two from 40 words on; a window with a note
  longer than 4 is dropped, in beats (14,454 samples) or in seconds (19,135). The best explanation, not proven.
- ``literal``: one window from 20 *notes* on, two from 40 on; a window with a rest longer than 8 beats is
  dropped (16,032 samples).
"""

from __future__ import annotations

from itertools import islice
from pathlib import PurePosixPath
from typing import Any, Literal

import numpy as np

from unisono.datasets.mtm.song import N_NOTES, Note, Skipped, Song, clean
from unisono.errors import DataError
from unisono.io import unpickle

#: Longest note of the ``dissertation`` rule (beats or seconds), longest rest of the ``literal`` one (beats).
MAX_DURATION, MAX_REST = 4.0, 8.0

SUFFIXES = (".npy",)

LICENCE = "Yu and Canales' lyrics-melody data: no licence stated, copyrighted lyrics; never redistribute"


def read(
    data: bytes, file: str, *, rule: Literal["dissertation", "literal"], limit: Literal["beats", "seconds"]
) -> Song | Skipped:
    """Read a ``.npy`` file and choose its song's windows; see `song`.

    Raises
    ------
    DataError
        As `song`, or the file is damaged, or names anything but arrays and plain containers.
    """
    return song(unpickle.load_npy(data, name=file), file, rule=rule, limit=limit)


def song(
    array: np.ndarray,
    file: str,
    *,
    rule: Literal["dissertation", "literal"],
    limit: Literal["beats", "seconds"],
) -> Song | Skipped:
    """Lay a song out and choose its windows.

    Parameters
    ----------
    array : np.ndarray [shape=(1, 4), dtype=object]
        Content of a file, as above.
    file : str
        Its name.
    rule, limit : str
        As above; `limit` matters to the ``dissertation`` rule alone.

    Returns
    -------
    Song or Skipped
        A song with its first 40 notes at most, its `Song.windows` and its whole text.

    Raises
    ------
    DataError
        The array does not have the layout above.
    """
    continuous, discrete, words, syllables = columns(array, file)
    try:
        n_words = sum(len(sentence) for sentence in words)
        n_notes = sum(len(word) for sentence in discrete for word in sentence)
        notes = list(islice(_notes(discrete, words, syllables), 2 * N_NOTES))
        lengths = [float(c[1]) for c in islice(flat(continuous), 2 * N_NOTES)]
    except (TypeError, ValueError, IndexError, AttributeError, OverflowError) as error:
        raise DataError(f"{file}: not sentences of words of notes: {error}") from None
    if len(lengths) != len(notes):
        raise DataError(f"{file}: {len(lengths)} continuous and {len(notes)} discrete notes")
    if not notes:
        return Skipped(file, "no lyrics", "no note has a syllable")
    count, unit = (n_words, "words") if rule == "dissertation" else (n_notes, "notes")
    if count < N_NOTES:
        return Skipped(file, "too short", f"{count} {unit}, {N_NOTES} are needed")
    windows = []
    for window in range(min(count // N_NOTES, len(notes) // N_NOTES, 2)):
        span = slice(N_NOTES * window, N_NOTES * (window + 1))
        if rule == "literal":
            kept = all(note.rest <= MAX_REST for note in notes[span])
        elif limit == "beats":
            kept = all(note.duration <= MAX_DURATION for note in notes[span])
        else:
            kept = all(length <= MAX_DURATION for length in lengths[span])
        if kept:
            windows.append(window)
    return Song(file, clean(PurePosixPath(file).stem), "", notes, windows, text_of(words))


def columns(array: np.ndarray, file: str) -> tuple[Any, Any, Any, Any]:
    """Give continuous notes, discrete notes, words and syllables of a file; `DataError` for another layout."""
    if array.shape != (1, 4):
        raise DataError(f"{file}: expected an object array of shape (1, 4), got {array.dtype} {array.shape}")
    continuous, discrete, words, syllables = array[0]
    return continuous, discrete, words, syllables


def text_of(words: Any) -> str:
    """Join the words of all sentences, each of which stands there once per syllable."""
    return " ".join(clean(str(word[0])) for sentence in words for word in sentence if len(word))


def flat(sentences: Any) -> Any:
    """Iterate over the notes of all words of all sentences."""
    return (note for sentence in sentences for word in sentence for note in word)


def _notes(discrete: Any, words: Any, syllables: Any) -> Any:
    """Put notes, words and syllables together."""
    index = 0
    for sentence in zip(discrete, words, syllables, strict=True):
        for word in zip(*sentence, strict=True):
            for (pitch, duration, rest), whole, syllable in zip(*word, strict=True):
                if not (0 <= pitch <= 127 and 0 < duration < 1000 and 0 <= rest < 1000):
                    raise ValueError(f"impossible note {[pitch, duration, rest]}")
                text = clean(syllable)
                if not text:
                    raise ValueError("a note without a syllable")
                yield Note(float(round(pitch)), float(duration), float(rest), text, clean(whole), index)
            index += 1
