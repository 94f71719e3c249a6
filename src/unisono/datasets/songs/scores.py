"""Whole scores: all parts as a MIDI file, with the words of the sung line.

**Conventions.** Every part is played, with the notes of its chords, ties joined, at its sounding pitch; a part that is
sung in (its lyrics are words) by the programme of sung parts, the others and the chord symbols by the other one. Grace
notes and cues are left out, repeats are played once, the tempo is ``seconds_per_beat``. The words are those of the
voice with most syllables, in the verse that `unisono.datasets.mtm.verses` follows.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from fractions import Fraction
from pathlib import PurePosixPath

from unisono.config.songs import Audio
from unisono.datasets.mtm import groups, musicxml
from unisono.datasets.mtm.song import Note, Skipped, Song, has_letter
from unisono.datasets.songs import categories, harmony
from unisono.datasets.songs.song import Piece
from unisono.errors import DataError
from unisono.media import midi

#: A note on the time line: MIDI number, onset and offset in beats.
Timed = tuple[int, Fraction, Fraction]


def read(data: bytes, file: str, settings: Audio) -> Piece | Skipped:
    """Read a score.

    Parameters
    ----------
    data : bytes
        MusicXML, compressed or not.
    file : str
        Its name.
    settings : Audio
        Section ``songs.audio``: programmes, tempo, velocity.

    Returns
    -------
    Piece or Skipped

    Raises
    ------
    DataError
        As `unisono.datasets.mtm.musicxml.read`, or the score is too large to be played.
    """
    root = musicxml.parse(data, file)
    score = musicxml.lines(root, file)
    texted = [notes for _, notes in score.lines if 2 * sum(has_letter(note.syllable) for note in notes) >= len(notes)]
    if not score.lines:
        return Skipped(file, "no lyrics", "no note has a syllable")
    if not texted:
        return Skipped(file, "labels", "the lyrics are labels: fewer than half of the syllables contain a letter")
    line = max(texted, key=len)
    played = play(root, file, settings)
    try:
        content = midi.encode_score(played, seconds_per_beat=settings.seconds_per_beat)
    except DataError as error:
        raise DataError(f"{file}: {error}") from None
    title = score.title or PurePosixPath(file).stem
    return Piece(
        file=file,
        title=title,
        text=text_of(line),
        composer=categories.composer(root.findtext("identification/creator[@type='composer']") or ""),
        mode=categories.mode((note.pitch, note.offset_s - note.onset_s) for note in played),
        midi=content,
        melody=groups.opening_melody(Song(file, title, "", line)),
    )


def text_of(notes: Sequence[Note]) -> str:
    """Join the words of a sung line, each of which stands there once per syllable."""
    return " ".join({note.word_index: note.word for note in notes}.values())


def play(root: ET.Element, file: str, settings: Audio) -> list[midi.Played]:
    """Play all parts of a parsed score.

    Parameters
    ----------
    root : ET.Element
    file : str
        For messages.
    settings : Audio

    Returns
    -------
    list of Played
        The first note begins at 0.

    Raises
    ------
    DataError
        It has no note, too many, or impossible values.
    """
    timed: dict[int, list[Timed]] = {settings.programs.sung: [], settings.programs.other: []}
    symbols: list[tuple[Fraction, ET.Element]] = []
    for identity, measures in musicxml.parts(root, file):
        with musicxml.possible(file, identity):
            found, here, sung = _notes(measures)
        timed[settings.programs.sung if sung else settings.programs.other] += found
        symbols += here
        if sum(map(len, timed.values())) + len(symbols) > midi.MAX_NOTES:
            raise DataError(f"{file}: more than the {midi.MAX_NOTES:,} notes that are played; divide it")
    everything = [note for notes in timed.values() for note in notes]
    if not everything:
        raise DataError(f"{file}: no note in it has a pitch")
    end = max(offset for _, _, offset in everything)
    with musicxml.possible(file, "of chord symbols"):
        timed[settings.programs.other] += harmony.chords(symbols, end)
    start = min(onset for notes in timed.values() for _, onset, _ in notes)
    beat_s = settings.seconds_per_beat
    return midi.separate(
        midi.Played(pitch, float(onset - start) * beat_s, float(offset - start) * beat_s, settings.velocity, program)
        for program, notes in timed.items()
        for pitch, onset, offset in notes
    )


def _notes(measures: Sequence[ET.Element]) -> tuple[list[Timed], list[tuple[Fraction, ET.Element]], bool]:
    """Give the notes and chord symbols of a part, and whether it is sung in."""
    notes: list[Timed] = []
    symbols: list[tuple[Fraction, ET.Element]] = []
    tied: dict[int, int] = {}
    n_lyrics = n_words = 0
    for element, onset, duration, transposition, _ in musicxml.moments(measures):
        if element.tag == "harmony":
            symbols.append((onset, element))
            continue
        lyric = element.find("lyric")
        if lyric is not None:
            n_lyrics += 1
            n_words += any(has_letter(text.text or "") for text in lyric.iterfind("text"))
        pitch = element.find("pitch")
        if pitch is None or duration <= 0 or element.find("grace") is not None or element.find("cue") is not None:
            continue
        sounding = musicxml.midi_number(pitch) + transposition
        if not 0 <= sounding <= 127:
            raise ValueError(f"pitch {sounding} is not in MIDI's 0-127")
        ties = {tie.get("type") for tie in element.iterfind("tie")}
        before = tied.pop(sounding, None)
        if before is not None and "stop" in ties and notes[before][2] == onset:
            notes[before] = (sounding, notes[before][1], onset + duration)
        else:
            before = len(notes)
            notes.append((sounding, onset, onset + duration))
        if "start" in ties:
            tied[sounding] = before
    return notes, symbols, n_lyrics > 0 and 2 * n_words >= n_lyrics
