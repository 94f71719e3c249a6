"""Files from outside as what the extractors take: sounds, pictures of a staff, lyrics, melodies."""

from __future__ import annotations

import io
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
#: Unbroken ink through so much of a picture's width is a staff line; a staff has at most so many (tablature has six).
LINE, MAX_LINES = 0.4, 6
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
        Not a sound file, damaged, truncated, without samples, or silent.
    """
    import soundfile

    from unisono.media import audio

    try:
        with soundfile.SoundFile(path) as file:
            rate, length_s = int(file.samplerate), file.frames / file.samplerate
            if file.format in ("MP3", "MPEG"):
                samples, whole_s = _read_mp3(path, round(longest_s * rate))
                # A claim of its own (else libsndfile guesses), but for what encoders add at both ends.
                if _has_length(path) and whole_s < 0.98 * length_s - 0.1:
                    raise DataError(f"truncated, {whole_s:.2f} s of {length_s:.2f} s are left; get the whole file")
                length_s = whole_s
            else:
                audio.check_whole(file)
                samples = file.read(round(longest_s * rate), dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, RuntimeError, OSError) as error:
        pass_machine(error)
        raise DataError(f"{path}: not a readable sound file, or damaged ({error})") from None
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
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

    from unisono.media.streams import pass_shortage

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
        pass_shortage(error)
        raise DataError(f"not a readable sound file, or damaged ({error})") from None
    return samples, float(length_s)


def _has_length(path: Path) -> bool:
    """Say whether the first frame of an MP3 file states how many follow."""
    with path.open("rb") as file:
        tag = file.read(10)
        # The length of an ID3v2 tag has 7 bits a byte.
        tagged = sum((byte & 0x7F) << 7 * place for place, byte in enumerate(reversed(tag[6:]))) + 10
        file.seek(tagged if tag[:3] == b"ID3" else 0)
        return re.search(b"Xing|Info|VBRI", file.read(4096)) is not None


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


def on_white(picture: np.ndarray, name: str) -> np.ndarray:
    """Make paper white and cut the picture down to its ink, as those of the data set are.

    Parameters
    ----------
    picture : np.ndarray [shape=(rows, columns), dtype=uint8]
        Grey, white 255.
    name : str
        For messages.

    Returns
    -------
    np.ndarray [shape=(rows, columns), dtype=uint8]
        As bright as if its median, the paper, were white.

    Raises
    ------
    DataError
        It is blank, or its background is dark.
    """
    from unisono.features.asmcmr.input import LIGHTEST_INK, WHITE

    paper = float(np.median(picture))
    if paper < WHITE / 4 and picture.min() < picture.max():
        raise DataError(
            f"{name}: its background is dark ({paper:.0f} of {WHITE}); expected dark lines on light paper, invert it"
        )
    if 0 < paper < WHITE:
        picture = np.minimum(np.rint(picture * (WHITE / paper)), WHITE).astype(np.uint8)
    ink = picture < LIGHTEST_INK
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    if not len(rows):
        raise DataError(f"{name}: blank; there is nothing to search by")
    return picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def check_staff(picture: np.ndarray, name: str) -> None:
    """Check that a picture may be one line of sheet music: thin dark lines through most of its width.

    Parameters
    ----------
    picture : np.ndarray [shape=(rows, columns), dtype=uint8]
        Grey, white 255; from `on_white`.
    name : str
        For messages.

    Raises
    ------
    DataError
        It is without a staff, or holds several.
    """
    from unisono.features.asmcmr.input import LIGHTEST_INK, STRIP_ROWS

    ink = picture < LIGHTEST_INK
    # A line between two rows is grey in both.
    pairs = ink[1:] | ink[:-1] if len(ink) > 1 else ink
    filled = pairs.mean(axis=1)
    fullest = np.flatnonzero(filled >= 0.9 * filled.max())
    if filled.max() < 0.5 or len(fullest) > len(filled) / 2:
        raise DataError(
            f"{name}: no staff in it (lines through its width); expected one line of sheet music on light, even paper, "
            "with nothing around it: crop it"
        )
    # A staff of a shorter line is not as full, but runs on without a gap.
    rows = sorted({*fullest.tolist(), *(row for row in range(len(pairs)) if _longest_run(pairs[row]) >= LINE)})
    lines = [np.mean(group) for group in np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1)]
    gaps = np.diff(lines)
    if len(lines) > MAX_LINES or (len(gaps) and gaps.max() > 2.5 * np.median(gaps)):
        raise DataError(f"{name}: several staves; cut out one line of music")
    if lines[-1] - lines[0] > STRIP_ROWS:
        raise DataError(
            f"{name}: its staff lines are {lines[-1] - lines[0]:.0f} pixels apart, more than {STRIP_ROWS}: far more "
            "than 100 dpi; scale it to about 100 dpi"
        )


def _longest_run(row: np.ndarray) -> float:
    """Give the longest unbroken run of ink as a share of the row."""
    ends = np.flatnonzero(np.diff(np.concatenate([[False], row, [False]]).astype(np.int8)))
    return float((ends[1::2] - ends[::2]).max(initial=0) / len(row))


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
    # A word is put together once, of however many syllables it is.
    words = [(word, "".join(word)) for word in parts if word]
    divided = [(part, whole, index) for index, (word, whole) in enumerate(words) for part in word]
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
        Not a MIDI file, damaged, timed in SMPTE frames, or no channel of a track with 20 notes.
    """
    import warnings

    import pretty_midi

    from unisono.datasets.mtm.samples import snap

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            score = pretty_midi.PrettyMIDI(_one_programme(path))
    except DataError:
        raise
    except Exception as error:  # damage shows as whatever it leads to
        pass_machine(error)
        reason = str(error) or type(error).__name__
        raise DataError(f"{path}: not a readable MIDI file, or damaged ({reason})") from None
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


def _known_key(found: re.Match[bytes]) -> bytes:
    """Leave a key signature of at most 7 accidentals, major or minor, as it is."""
    accidentals = int.from_bytes(found[1], "big", signed=True)
    return found[0] if abs(accidentals) <= 7 and found[2][0] <= 1 else b"\xff\x59\x02\0\0"


def _one_programme(path: Path) -> io.BytesIO:
    """Give a MIDI file in which no channel changes its programme, which would cut its melody; also out of RMID.

    A key signature that there is not (mido reads none such) becomes C major: melodies need none.
    """
    import mido

    data = path.read_bytes()
    if data[:4] == b"RIFF" and data[8:12] == b"RMID":
        data = data[max(data.find(b"MThd"), 0) :]
    if data[:4] == b"MThd" and len(data) > 12 and data[12] & 0x80:
        raise DataError(
            f"{path}: timed in SMPTE frames, which say nothing of beats; export it with ticks per quarter note"
        )
    data = re.sub(rb"\xff\x59\x02(.)(.)", _known_key, data, flags=re.DOTALL)
    score, file = mido.MidiFile(file=io.BytesIO(data)), io.BytesIO()
    for track in score.tracks:
        for message in track:
            if message.type == "program_change":
                message.program = 0
    score.save(file=file)
    file.seek(0)
    return file
