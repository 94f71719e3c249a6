"""Files from outside as what the extractors take: sounds, pictures of a staff, lyrics, melodies."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from unisono.errors import DataError, pass_machine
from unisono.features.query.place import N_NOTES

#: What divides words of lyrics: blanks, em dash, horizontal bar.
BLANKS = "[\\s\u2014\u2015]+"
#: What divides syllables: hyphens, en dash, hyphenation points, soft hyphen, minus, wide and small forms, extenders.
HYPHENS = "[-\u00ad\u00b7\u058a\u05be\u2010-\u2013\u2027\u2043\u2212\ufe58\ufe63\uff0d_\uff3f]+"
#: Told of a sound whose mean would be next to silence.
CANCELLED = "its channels cancel each other (out of phase): the loudest one is heard"


def read_sound(path: Path, *, longest_s: float, said: list[str] | None = None) -> tuple[np.ndarray, int, float]:
    """Read the beginning of a sound file.

    Parameters
    ----------
    path : Path
        WAV, MP3, FLAC, or what else libsndfile reads.
    longest_s : float
        What is read at most, in seconds.
    said : list of str, optional
        Gets a line where the channels cancel each other.

    Returns
    -------
    samples : np.ndarray [shape=(n,), dtype=float32]
        Mixed by `unisono.media.audio.mono`.
    rate : int
        In Hz.
    length_s : float
        Of the whole file.

    Raises
    ------
    DataError
        Not a sound file, damaged, without samples, or silent.
    """
    import soundfile

    from unisono.media import audio

    try:
        with soundfile.SoundFile(path) as file:
            rate, length_s = int(file.samplerate), file.frames / file.samplerate
            if file.format in ("MP3", "MPEG"):
                samples, length_s = _read_mp3(path, round(longest_s * rate))
            else:
                samples = file.read(round(longest_s * rate), dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, RuntimeError, OSError) as error:
        pass_machine(error)
        raise DataError(f"{path}: not a readable sound file, or damaged ({error})") from None
    if not len(samples):
        raise DataError(f"{path}: a sound file without samples")
    mono, cancelled = audio.mono(samples)
    check_sound(mono, str(path))
    if cancelled and said is not None:
        said.append(CANCELLED)
    return mono, rate, length_s


def _read_mp3(path: Path, n: int) -> tuple[np.ndarray, float]:
    """Read the first `n` samples of an MP3 file, (n, channels), and count its length in seconds, frame by frame.

    libsndfile takes a variable bit rate without a header for a constant one, and ends early.
    """
    import av

    parts: list[np.ndarray] = []
    length_s, read = Fraction(0), 0
    try:
        with path.open("rb") as file, av.open(file, format="mp3", metadata_errors="replace") as container:
            to_float = av.AudioResampler(format="fltp")
            for packet in container.demux(container.streams.audio[0]):
                length_s += (packet.duration or 0) * Fraction(packet.time_base or 1)
                for frame in packet.decode() if read < n else ():
                    parts += [piece.to_ndarray().T for piece in to_float.resample(frame)]
                    read += frame.samples
        samples = np.concatenate(parts)[:n] if parts else np.zeros((0, 1), np.float32)
    except (av.FFmpegError, ValueError, IndexError) as error:
        pass_machine(error)
        raise DataError(f"{path}: not a readable sound file, or damaged ({error})") from None
    return samples, float(length_s)


def check_sound(samples: np.ndarray, name: str) -> None:
    """Raise `DataError` when a sound is silent or holds NaN; `name` is for messages."""
    from unisono.media.timidity import SILENCE

    if not np.isfinite(samples).all():
        raise DataError(f"{name}: its sound holds NaN or infinite values; encode it anew")
    if np.abs(samples).max() * 32768 <= SILENCE:
        raise DataError(
            f"{name}: silent, as far as it is heard ({len(samples)} samples); there is nothing to search by"
        )


def heard(length_s: float, longest_s: float) -> list[str]:
    """Say, in a list, that only the beginning counts, where that is so."""
    if length_s <= longest_s:
        return []
    return [f"only the first {longest_s:g} s of {length_s:.1f} s are heard"]


def check_staff(picture: np.ndarray, name: str) -> None:
    """Check that a picture may be one line of sheet music: thin dark lines through most of its width.

    Parameters
    ----------
    picture : np.ndarray [shape=(rows, columns), dtype=uint8]
        Grey, white 255.
    name : str
        For messages.

    Raises
    ------
    DataError
        It is blank, without a staff, or holds several.
    """
    from unisono.features.asmcmr.input import LIGHTEST_INK, STRIP_ROWS

    ink = picture < LIGHTEST_INK
    if not ink.any():
        raise DataError(f"{name}: blank; there is nothing to search by")
    # A line between two rows is grey in both.
    filled = (ink[1:] | ink[:-1]).mean(axis=1) if len(ink) > 1 else ink.mean(axis=1)
    lines = np.flatnonzero(filled >= 0.9 * filled.max())
    if filled.max() < 0.5 or len(lines) > len(filled) / 2:
        raise DataError(f"{name}: no staff in it (lines through its width); expected one line of sheet music")
    if lines[-1] - lines[0] > STRIP_ROWS:
        raise DataError(
            f"{name}: its staff lines are {lines[-1] - lines[0]} pixels apart, more than {STRIP_ROWS}: several staves, "
            "or far more than 100 dpi; cut out one line of music and scale it to about 100 dpi"
        )


def syllables_of(text: str) -> tuple[list[str], list[str], list[int]]:
    """Divide a line of lyrics.

    Parameters
    ----------
    text : str
        Words divided by blanks and long dashes, syllables by hyphens of any kind; extenders ("_") do not count.

    Returns
    -------
    syllables, words : list of str
        Words without hyphens, once per syllable.
    word_index : list of int

    Examples
    --------
    >>> syllables_of("Mei-ne See\u2010le__")
    (['Mei', 'ne', 'See', 'le'], ['Meine', 'Meine', 'Seele', 'Seele'], [0, 0, 1, 1])
    """
    from unisono.datasets.mtm.song import clean

    parts = [[part for part in re.split(HYPHENS, word) if part] for word in re.split(BLANKS, clean(text))]
    divided = [(part, "".join(word), index) for index, word in enumerate(filter(None, parts)) for part in word]
    return [part for part, _, _ in divided], [word for _, word, _ in divided], [index for _, _, index in divided]


def read_midi(path: Path, *, grid: float) -> np.ndarray:
    """Read the first 20 notes of a MIDI file's melody.

    Parameters
    ----------
    path : Path
    grid : float
        In beats; lengths go to the nearest multiple, as in the data set.

    Returns
    -------
    np.ndarray [shape=(20, 3), dtype=float64]
        Pitch, duration and rest before the note, in beats; of notes that begin together the highest, cut off where
        the next one begins.

    Raises
    ------
    DataError
        Not a MIDI file, damaged, or no instrument with 20 notes.
    """
    import warnings

    import pretty_midi

    from unisono.datasets.mtm.samples import snap

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            score = pretty_midi.PrettyMIDI(str(path))
    except (OSError, EOFError, ValueError, LookupError, TypeError, AttributeError) as error:
        pass_machine(error)
        raise DataError(f"{path}: not a readable MIDI file, or damaged ({error or type(error).__name__})") from None
    longest = 0
    for instrument in score.instruments:
        if instrument.is_drum:
            continue
        highest: dict[float, Any] = {}
        for note in sorted(instrument.notes, key=lambda note: note.pitch):
            highest[score.time_to_tick(note.start)] = note
        melody = sorted(highest.items())
        longest = max(longest, len(melody))
        if len(melody) < N_NOTES:
            continue
        starts = [start / score.resolution for start, _ in melody] + [np.inf]
        rows, end = [], starts[0]
        for index, (_, note) in enumerate(melody[:N_NOTES]):
            stop = min(score.time_to_tick(note.end) / score.resolution, starts[index + 1])
            rows.append(
                [note.pitch, snap(stop - starts[index], grid, least=1), snap(max(starts[index] - end, 0.0), grid)]
            )
            end = stop
        return np.array(rows, dtype=np.float64)
    raise DataError(f"{path}: {longest} notes in its longest part, {N_NOTES} are needed")
