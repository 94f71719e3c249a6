"""Pairs on which ASMCMR is trained: what is printed and what sounds at the same place of a sample.

**Conventions.** Everything is in memory: for every sample one strip per engraving and one spectrogram, with the
column and the frame of each note. A pair is a window of the strip and the excerpt of the spectrogram around what
stands in the window's middle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from unisono.datasets import dealing
from unisono.errors import DataError
from unisono.features.asmcmr import input as asmcmr_input
from unisono.io import parquet
from unisono.media import notation

# Samples held in memory at once, drawn at random from more: 0.6 MB each.
MAX_SAMPLES = 2000
# In columns at 100 dpi: the first note's place after clef, key and time; the space of a doubling of length, of a bar
# line, and around and in a syllable (LilyPond's defaults).
FIRST_NOTE_COLUMN = 70
SPACE_COLUMNS = 8.3
BAR_LINE_COLUMNS = 8.0
SYLLABLE_COLUMNS = 6.0
LETTER_COLUMNS = 7.0
# LilyPond counts from the shortest length of a line, but at most from 3/16, in 64ths.
LONGEST_SHORTEST = 12


@dataclass(frozen=True)
class Pairs:
    """Samples to draw pairs from.

    Attributes
    ----------
    strips : sequence over samples of sequences over engravings of np.ndarray [shape=(160, columns), dtype=uint8]
    columns : likewise of np.ndarray [shape=(notes,), dtype=float64]
        Column of each note in its strip.
    spectrograms : sequence over samples of np.ndarray [shape=(92, frames), dtype=float32]
    frames : sequence over samples of np.ndarray [shape=(notes,), dtype=float64]
        Frame of each note's onset.
    """

    strips: Sequence[Sequence[np.ndarray]]
    columns: Sequence[Sequence[np.ndarray]]
    spectrograms: Sequence[np.ndarray]
    frames: Sequence[np.ndarray]

    def draw(self, rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Draw pairs from `n` different samples (as far as there are that many).

        Returns
        -------
        snippets : np.ndarray [shape=(n, 80, 100), dtype=float32]
        excerpts : np.ndarray [shape=(n, 92, 42), dtype=float32]
        """
        order = np.concatenate([rng.permutation(len(self.strips)) for _ in range(-(-n // len(self.strips)))])
        drawn = [self._pair(rng, sample) for sample in order[:n]]
        return np.stack([snippet for snippet, _ in drawn]), np.stack([excerpt for _, excerpt in drawn])

    def _pair(self, rng: np.random.Generator, sample: int) -> tuple[np.ndarray, np.ndarray]:
        """Draw an engraving and a window of `sample`; the excerpt is what sounds at the window's middle."""
        engraving = int(rng.integers(len(self.strips[sample])))
        strip = self.strips[sample][engraving]
        first = rng.integers(strip.shape[1] - asmcmr_input.WINDOW_COLUMNS + 1)
        middle = first + asmcmr_input.WINDOW_COLUMNS / 2
        frame = np.interp(middle, self.columns[sample][engraving], self.frames[sample])
        snippet = asmcmr_input.snippets_at(strip, np.array([first]))[0]
        start = round(frame - asmcmr_input.EXCERPT_FRAMES / 2)
        return snippet, asmcmr_input.excerpt(self.spectrograms[sample], start)


def note_columns(notes: np.ndarray, syllables: Sequence[str] | None, end: int) -> np.ndarray:
    """Estimate where each note stands in an engraved line.

    LilyPond gives a printed length d the space ``2 + log2(d / shortest)``, more where a syllable needs it; a bar line
    has its own. Accidentals are left out, the sum is stretched to the line. Typically within half a note's space.

    Parameters
    ----------
    notes : np.ndarray [shape=(n, 3)]
        Pitch, duration and rest before, in beats.
    syllables : sequence of str or None
        What is printed under the notes, if anything is.
    end : int
        Width of the line, in columns.

    Returns
    -------
    np.ndarray [shape=(n,), dtype=float64]
        Increasing columns.
    """
    pieces: list[tuple[list[int], list[int]]] = []
    position = 0
    for _, duration, rest in notes.astype(np.float64):
        silent, sounding = round(rest * notation.UNITS_PER_BEAT), round(duration * notation.UNITS_PER_BEAT)
        pieces.append(
            (
                notation.split_length(position, silent, rest=True),
                notation.split_length(position + silent, sounding),
            )
        )
        position += silent + sounding
    shortest = min(LONGEST_SHORTEST, *(length for both in pieces for part in both for length in part))

    def advance(length: int) -> float:
        """Space of a printed length, and of the bar line that it reaches."""
        nonlocal position
        position += length
        bar_line = BAR_LINE_COLUMNS * (position % notation.UNITS_PER_BAR == 0)
        return SPACE_COLUMNS * (2 + float(np.log2(length / shortest))) + bar_line

    columns = []
    column, position = 0.0, 0
    for number, (rests, values) in enumerate(pieces):
        column += sum(advance(length) for length in rests)
        columns.append(column)
        space = sum(advance(length) for length in values)
        if syllables is not None:
            space = max(space, SYLLABLE_COLUMNS + LETTER_COLUMNS * len(syllables[number]))
        column += space
    return FIRST_NOTE_COLUMN + np.array(columns) * (end - FIRST_NOTE_COLUMN) / column


def read_pairs(samples: Path, divisions: Path, audio: Path, engraved: Path, *, seed: int) -> Pairs:
    """Read the training part of a data set.

    Parameters
    ----------
    samples, audio : Path
        Folders of shards with notes and syllables, and with sounds and onsets.
    divisions : Path
        Folder of the part of each sample (`unisono.datasets.dealing`).
    engraved : Path
        Folder with one folder of shards per engraving; all of them are used.
    seed : int
        Of the draw when there are more than `MAX_SAMPLES`.

    Returns
    -------
    Pairs

    Raises
    ------
    DataError
        A folder is missing or damaged, or fewer than two training samples have both sound and picture.
    """
    table = parquet.read(samples, ["id", "notes", "syllables"])
    ids = np.array(table["id"].to_pylist())
    part = dealing.read(divisions)
    training = np.flatnonzero([part.get(each) == "train" for each in ids])
    if len(training) > MAX_SAMPLES:
        training = np.sort(np.random.default_rng(seed).choice(training, MAX_SAMPLES, replace=False))
    notes = parquet.to_numpy(table["notes"])
    syllables = table["syllables"].to_pylist()
    rows = {ids[row]: row for row in training}

    sounds = {}
    for batch in parquet.iterate(audio, ["id", "audio", "onsets"]):
        onsets = parquet.to_numpy(batch["onsets"])
        for position, (identity, sound) in enumerate(zip(batch["id"].to_pylist(), batch["audio"], strict=True)):
            if identity in rows:
                signal = asmcmr_input.read_audio(sound["bytes"].as_py(), f"{audio}: {identity}")
                frames = onsets[position].astype(np.float64) * asmcmr_input.FRAMES_PER_S
                sounds[identity] = (asmcmr_input.spectrogram(signal), frames)

    folders = sorted(path for path in engraved.glob("*") if path.is_dir()) if engraved.is_dir() else []
    if not folders:
        raise DataError(f"{engraved}: holds no folder of engraved pictures; run the stage engrave_sheet")
    strips: dict[str, list[np.ndarray]] = {}
    columns: dict[str, list[np.ndarray]] = {}
    for folder in folders:
        with_lyrics = parquet.metadata(folder).get("engrave_lyrics", True)
        for batch in parquet.iterate(folder, ["id", "picture"]):
            for identity, picture in zip(batch["id"].to_pylist(), batch["picture"], strict=True):
                if identity in sounds:
                    strip = asmcmr_input.strip(
                        asmcmr_input.read_picture(picture["bytes"].as_py(), f"{folder}: {identity}")
                    )
                    row = rows[identity]
                    strips.setdefault(identity, []).append(strip)
                    columns.setdefault(identity, []).append(
                        note_columns(notes[row], syllables[row] if with_lyrics else None, strip.shape[1])
                    )
    complete = [identity for identity in rows if identity in strips]
    if len(complete) < 2:
        raise DataError(
            f"{samples}: {len(complete)} training samples have both sound ({audio}) and pictures ({engraved}); "
            "at least 2 are needed to train the encoder"
        )
    return Pairs(
        [strips[i] for i in complete],
        [columns[i] for i in complete],
        [sounds[i][0] for i in complete],
        [sounds[i][1] for i in complete],
    )
