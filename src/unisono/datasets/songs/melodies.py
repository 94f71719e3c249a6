"""Songs of the lyrics-melody data: the melody as it was played, and its words.

**Conventions.** `unisono.datasets.mtm.lmd` says how a file is laid out. Of the continuous notes [onset difference (s),
length (s), frequency (Hz), velocity] the first number is the time since the note before, so that onsets are its sums;
some are negative, by milliseconds.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import PurePosixPath

import numpy as np

from unisono.config.songs import Audio
from unisono.datasets.mtm import groups, lmd
from unisono.datasets.mtm.song import Skipped, clean
from unisono.datasets.songs import categories
from unisono.datasets.songs.song import Piece
from unisono.errors import DataError
from unisono.io import unpickle
from unisono.media import midi

#: Longest note and longest time between two onsets, in seconds.
LONGEST_S = 3600.0
#: Half a semitone beyond MIDI's notes 0 and 127.
LOWEST_HZ, HIGHEST_HZ = 7.95, 12_910.0


def read(data: bytes, file: str, settings: Audio) -> Piece | Skipped:
    """Read a ``.npy`` file of the lyrics-melody data.

    Parameters
    ----------
    data : bytes
    file : str
        Its name.
    settings : Audio
        Section ``songs.audio``: the programme of sung parts.

    Returns
    -------
    Piece or Skipped

    Raises
    ------
    DataError
        It is damaged, of another layout, or names anything but arrays and plain containers.
    """
    continuous, discrete, words, _ = lmd.columns(unpickle.load_npy(data, name=file), file)
    try:
        text = lmd.text_of(words)
        rows = np.array(list(lmd.flat(continuous)), dtype=np.float64).reshape(-1, 4)
        opening = [(float(pitch), float(length)) for pitch, length, _ in list(lmd.flat(discrete))[: groups.N_OPENING]]
    except (TypeError, ValueError, IndexError, AttributeError, OverflowError) as error:
        raise DataError(f"{file}: not sentences of words of notes: {error}") from None
    if not len(rows):
        return Skipped(file, "no lyrics", "no note has a syllable")
    since, lengths, frequencies, velocities = rows.T
    possible = (np.abs(since) < LONGEST_S) & (lengths > 0) & (lengths < LONGEST_S) & np.isfinite(velocities)
    possible &= (frequencies > LOWEST_HZ) & (frequencies < HIGHEST_HZ)
    if not possible.all():
        raise DataError(f"{file}: impossible note {rows[int(np.argmin(possible))].tolist()}")
    onsets = np.cumsum(since)
    onsets -= onsets.min()
    pitches = np.rint(69 + 12 * np.log2(frequencies / 440)).astype(int)
    notes = [
        midi.Played(int(pitch), float(onset), float(onset + length), int(velocity), settings.programs.sung)
        for pitch, onset, length, velocity in zip(pitches, onsets, lengths, np.clip(velocities, 1, 127), strict=True)
    ]
    try:
        content = midi.encode_score(notes, seconds_per_beat=settings.seconds_per_beat)
    except DataError as error:
        raise DataError(f"{file}: {error}") from None
    return Piece(
        file=file,
        title=clean(PurePosixPath(file).stem),
        text=text,
        collection="lmd",
        mode=categories.mode(zip(pitches.tolist(), lengths.tolist(), strict=True)),
        midi=content,
        melody=tuple((b[0] - a[0], a[1]) for a, b in pairwise(opening)),
    )
