"""Notes as MIDI files: a sample's as a piano track, a whole score's with a channel for each instrument.

**Conventions.** A sample's notes are rows (pitch, duration, rest before), played one after the other: pitch
as a MIDI number (60 is middle C), lengths in beats. A rest comes before its note, so the first onset is at
the first rest.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from unisono.errors import DataError, pass_machine

TICKS_PER_BEAT = 480
#: Channels of programmes; that of drums is none of them.
DRUMS = 9
CHANNELS = tuple(channel for channel in range(16) if channel != DRUMS)
#: What is played of a score at most, and read of a file.
MAX_NOTES = 100_000
MAX_SCORE_S = 4 * 3600.0
MAX_MIDI_BYTES = 4 * 2**20
#: Shorter notes are not played; notes nearer than that begin together.
MIN_NOTE_S = 0.005
#: Shorter pieces of sound are no songs.
MIN_PIECE_S = 1.0


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


class Played(NamedTuple):
    """A note of a whole score.

    Attributes
    ----------
    pitch : int
        MIDI number.
    onset_s, offset_s : float
        Seconds from the start of the score.
    velocity : int
        1-127.
    program : int
        General MIDI programme, from 0.
    """

    pitch: int
    onset_s: float
    offset_s: float
    velocity: int
    program: int


def separate(notes: Iterable[Played]) -> list[Played]:
    """Let no two notes of one pitch and programme sound at once, since a channel cannot end one of them alone.

    Parameters
    ----------
    notes : iterable of Played

    Returns
    -------
    list of Played
        By onset. Of notes that begin together the longest; one that begins while another sounds ends that one, and
        lasts as long as the longer of both.
    """
    sounding: dict[tuple[int, int], int] = {}
    found: list[Played] = []
    for note in sorted(notes, key=lambda note: (note.onset_s, note.program, note.pitch, -note.offset_s)):
        before = sounding.get((note.program, note.pitch))
        if before is not None and found[before].offset_s > note.onset_s:
            other = found[before]
            note = note._replace(offset_s=max(note.offset_s, other.offset_s))
            if note.onset_s - other.onset_s < MIN_NOTE_S:
                found[before] = other._replace(offset_s=note.offset_s)
                continue
            found[before] = other._replace(offset_s=note.onset_s)
        sounding[note.program, note.pitch] = len(found)
        found.append(note)
    return found


def encode_score(notes: Iterable[Played], *, seconds_per_beat: float = 0.5) -> bytes:
    """Write a score as a Standard MIDI File with a channel for each programme.

    Parameters
    ----------
    notes : iterable of Played
        At most 15 programmes.
    seconds_per_beat : float
        Written as the tempo.

    Returns
    -------
    bytes
        The file. The same notes give the same bytes.

    Raises
    ------
    DataError
        There is no note, or more than `MAX_NOTES`; the score is longer than `MAX_SCORE_S`; a note is none; more
        programmes than there are channels.
    """
    import mido

    score = separate(notes)
    _check_score(score)
    programs = sorted({note.program for note in score})
    if len(programs) > len(CHANNELS):
        raise DataError(f"{len(programs)} programmes, a MIDI file has channels for {len(CHANNELS)}")
    tempo = round(seconds_per_beat * 1_000_000)
    file = mido.MidiFile(ticks_per_beat=TICKS_PER_BEAT)
    track = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=tempo)])
    channels = dict(zip(programs, CHANNELS, strict=False))
    track += [mido.Message("program_change", channel=channels[p], program=p) for p in programs]
    per_second = TICKS_PER_BEAT * 1_000_000 / tempo
    events = []
    for note in score:
        begin, end = round(note.onset_s * per_second), round(note.offset_s * per_second)
        # At one moment notes end before others begin.
        events.append((begin, 1, channels[note.program], note.pitch, note.velocity))
        events.append((max(end, begin + 1), 0, channels[note.program], note.pitch, 0))
    now = 0
    for tick, on, channel, pitch, velocity in sorted(events):
        kind = "note_on" if on else "note_off"
        track.append(mido.Message(kind, channel=channel, note=pitch, velocity=velocity, time=tick - now))
        now = tick
    file.tracks.append(track)
    content = io.BytesIO()
    file.save(file=content)
    return content.getvalue()


def decode_score(data: bytes) -> list[Played]:
    """Read the notes of a Standard MIDI File; drums are left out.

    Parameters
    ----------
    data : bytes
        From anywhere.

    Returns
    -------
    list of Played
        By onset.

    Raises
    ------
    DataError
        Not a MIDI file, damaged, timed in SMPTE frames, too large, or without notes.
    """
    import mido

    if len(data) > MAX_MIDI_BYTES:
        raise DataError(f"a MIDI file of {len(data):,} bytes, at most {MAX_MIDI_BYTES:,} are read")
    if data[:4] == b"MThd" and len(data) > 12 and data[12] & 0x80:
        raise DataError("a MIDI file timed in SMPTE frames; export it with ticks per quarter note")
    try:
        notes = list(_notes_of(mido.MidiFile(file=io.BytesIO(data), clip=True)))
    except DataError:
        raise
    except Exception as error:  # damage shows as whatever it leads to
        pass_machine(error)
        raise DataError(f"not a readable MIDI file, or damaged ({str(error) or type(error).__name__})") from None
    score = separate(notes)
    _check_score(score)
    return score


def _notes_of(file: Any) -> Iterator[Played]:
    """Follow the messages of all tracks in time; a note that is never ended lasts to the end."""
    import mido

    now, tempo, per_tick = 0.0, 500_000, 1 / file.ticks_per_beat
    programs = [0] * 16
    sounding: dict[tuple[int, int], list[tuple[float, int, int]]] = {}
    for message in mido.merge_tracks(file.tracks):
        now += message.time * per_tick * tempo / 1_000_000
        if message.type == "set_tempo":
            tempo = message.tempo
        elif message.type == "program_change":
            programs[message.channel] = message.program
        elif message.type in ("note_on", "note_off") and message.channel != DRUMS:
            key = (message.channel, message.note)
            if message.type == "note_on" and message.velocity > 0:
                sounding.setdefault(key, []).append((now, message.velocity, programs[message.channel]))
            elif sounding.get(key):
                onset_s, velocity, program = sounding[key].pop(0)
                if now > onset_s:
                    yield Played(message.note, onset_s, now, velocity, program)
    for (_, pitch), open_ in sounding.items():
        yield from (Played(pitch, onset_s, now, velocity, p) for onset_s, velocity, p in open_ if now > onset_s)


def _check_score(score: Sequence[Played]) -> None:
    """Raise `DataError` where a score has no notes, too many, impossible ones, or no end."""
    if not score:
        raise DataError("a score without a note")
    if len(score) > MAX_NOTES:
        raise DataError(f"a score of {len(score):,} notes, at most {MAX_NOTES:,} are played")
    for note in score:
        if not (0 <= note.pitch <= 127 and 0 <= note.onset_s < note.offset_s and 1 <= note.velocity <= 127):
            raise DataError(f"impossible note {tuple(note)}")
        if not note.offset_s <= MAX_SCORE_S:
            raise DataError(f"a score longer than {MAX_SCORE_S:g} s, which is all that is played")


def clip(score: Sequence[Played], *, start_s: float, clip_s: float) -> list[Played]:
    """Cut a piece out of a score; where it ends before the piece does, it is repeated.

    Parameters
    ----------
    score : sequence of Played
    start_s, clip_s : float
        Where the piece begins and how long it is, in seconds.

    Returns
    -------
    list of Played
        From 0 to `clip_s`; notes that go beyond are cut off, those that sound at `start_s` begin there.

    Raises
    ------
    DataError
        Less than `MIN_PIECE_S` of the score is left at `start_s`.

    Examples
    --------
    >>> clip([Played(60, 0.0, 2.0, 90, 0)], start_s=0.5, clip_s=2.0)
    [Played(pitch=60, onset_s=0.0, offset_s=1.5, velocity=90, program=0), Played(pitch=60, onset_s=1.5, offset_s=2.0, \
velocity=90, program=0)]
    """
    length_s = max(note.offset_s for note in score) - start_s
    check_length(length_s, start_s)
    moved = [
        note._replace(onset_s=max(note.onset_s - start_s, 0.0), offset_s=note.offset_s - start_s) for note in score
    ]
    moved = [note for note in moved if note.offset_s > 0 and note.onset_s < clip_s]
    found = []
    for turn in range(int(np.ceil(clip_s / length_s - 1e-9))):
        for note in moved:
            onset_s, offset_s = note.onset_s + turn * length_s, min(note.offset_s + turn * length_s, clip_s)
            if offset_s - onset_s > MIN_NOTE_S:
                found.append(note._replace(onset_s=onset_s, offset_s=offset_s))
    return found


def check_length(length_s: float, start_s: float) -> None:
    """Raise `DataError` where less than `MIN_PIECE_S` are left of a sound or score from `start_s` on."""
    if length_s < MIN_PIECE_S:
        where = f" from {start_s:g} s on" if start_s else ""
        raise DataError(f"it lasts {max(length_s, 0):.2f} s{where}, at least {MIN_PIECE_S:g} s are needed")
