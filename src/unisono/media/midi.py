"""Notes as a piano track: when each sounds, and the MIDI file that says so.

**Conventions.** A sample's notes are rows (pitch, duration, rest before), played one after the other: pitch
as a MIDI number (60 is middle C), lengths in beats. A rest comes before its note, so the first onset is at
the first rest.
"""

from __future__ import annotations

import io

import numpy as np

from unisono.errors import DataError

TICKS_PER_BEAT = 480


def note_times(notes: np.ndarray, *, seconds_per_beat: float) -> tuple[np.ndarray, np.ndarray]:
    """When each note starts and ends.

    Parameters
    ----------
    notes : np.ndarray [shape=(n, 3), dtype=float]
        Pitch (MIDI number, 0-127), duration (beats, > 0), rest before the note (beats, >= 0).
    seconds_per_beat : float
        Length of a beat, in seconds. D (3.1.3): a rest of 8 is 4 s, hence 0.5.

    Returns
    -------
    onsets, offsets : np.ndarray [shape=(n,), dtype=float64]
        Seconds from the start of the sample.

    Raises
    ------
    DataError
        A note cannot be played: pitch not a whole MIDI number, length not positive, rest negative, NaN.

    Examples
    --------
    >>> import numpy as np
    >>> onsets, offsets = note_times(np.array([[60, 1, 0], [62, 2, 0.5]]), seconds_per_beat=0.5)
    >>> onsets.tolist(), offsets.tolist()
    ([0.0, 0.75], [0.5, 1.75])
    """
    notes = np.asarray(notes, dtype=np.float64)
    if notes.ndim != 2 or notes.shape[1] != 3 or len(notes) == 0:
        raise DataError(f"expected notes of shape (n, 3) with n > 0, got shape {notes.shape}")
    pitch, duration, rest = notes.T
    playable = (
        np.isfinite(notes).all(axis=1)
        & (pitch >= 0)
        & (pitch <= 127)
        & (pitch == np.floor(pitch))
        & (duration > 0)
        & (rest >= 0)
    )
    if not playable.all():
        worst = int(np.argmin(playable))
        raise DataError(
            f"note {worst}: got pitch {pitch[worst]:g}, duration {duration[worst]:g}, rest {rest[worst]:g}; "
            "expected a whole pitch 0-127, a duration > 0, a rest >= 0"
        )
    offsets = np.cumsum(rest + duration) * seconds_per_beat
    return offsets - duration * seconds_per_beat, offsets


def encode(notes: np.ndarray, *, seconds_per_beat: float, program: int, velocity: int, lead_in: float = 0.0) -> bytes:
    """Write notes as a Standard MIDI File of one instrument, by pretty-midi.

    Parameters
    ----------
    notes : np.ndarray [shape=(n, 3), dtype=float]
        As in `note_times`.
    seconds_per_beat : float
        Length of a beat, in seconds; written as the tempo.
    program : int
        General MIDI programme, from 0 (0 is the acoustic grand piano).
    velocity : int
        Of every note, 1-127.
    lead_in : float
        Silence before the sample, in beats.

    Returns
    -------
    bytes
        The file. The same notes give the same bytes.

    Raises
    ------
    DataError
        As `note_times`.
    """
    import pretty_midi

    onsets, offsets = note_times(notes, seconds_per_beat=seconds_per_beat)
    wait_s = lead_in * seconds_per_beat
    score = pretty_midi.PrettyMIDI(resolution=TICKS_PER_BEAT, initial_tempo=60.0 / seconds_per_beat)
    instrument = pretty_midi.Instrument(program)
    instrument.notes = [
        pretty_midi.Note(velocity=velocity, pitch=int(pitch), start=wait_s + start, end=wait_s + end)
        for pitch, start, end in zip(np.asarray(notes)[:, 0], onsets, offsets, strict=True)
    ]
    score.instruments.append(instrument)
    file = io.BytesIO()
    score.write(file)
    return file.getvalue()
