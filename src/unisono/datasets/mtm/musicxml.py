"""Sung lines of MusicXML scores, with the standard library's parser.

**Conventions.** Time is in beats (quarter notes), as exact fractions until the note is made. A line is one
voice of one part. Its notes are those with a pitch and a syllable of the verse that is followed (see `verses`,
whatever the order of the ``<lyric>`` elements). A chord is its first note, with the lyrics of all; a grace note only
hands its lyrics on to the note that it adorns. Notes without a syllable that follow without a gap (ties, slurs,
melismas) prolong the syllable's first note, whose pitch stays; after a rest they are silence, so that the next
syllable still comes in at its time. The silence before a line's first note is not counted. Pitches
are sounding ones (``<transpose>`` is applied), microtones go to the nearest semitone.

Scores are not trusted: entity declarations are refused, sizes are bounded, every failure is a `DataError`.
"""

from __future__ import annotations

import io
import re
import struct
import xml.etree.ElementTree as ET
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from typing import NamedTuple
from xml.parsers import expat

from unisono.datasets.mtm.song import Note, clean, without_verse_number
from unisono.datasets.mtm.verses import Syllable, follow
from unisono.errors import DataError, pass_machine

#: File names that may hold a score.
SUFFIXES = (".mxl", ".musicxml", ".xml")

#: Largest score read, in bytes after decompression; the largest of music21's corpus has 20 MB.
MAX_BYTES = 64 * 2**20
#: Most tags and attributes together, each of which becomes hundreds of bytes; the largest of music21's has a million.
MAX_PARTS = 3_000_000
#: Largest list of the files in a compressed score that is read.
MAX_CONTAINER_BYTES = 2**20

#: Files declare the smaller encoding and use its extensions.
EXTENDED = {"gb2312": "gb18030", "gbk": "gb18030", "shift_jis": "cp932"}
#: Encodings that the parser reads by itself.
PARSED = (b"utf-8", b"utf-16", b"utf8", b"us-ascii", b"ascii", b"iso-8859-1", b"latin-1", b"windows-1252")

#: Of the steps above C.
SEMITONES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}


class Line(NamedTuple):
    """One voice of one part: its name and its notes that have a syllable."""

    part: str
    notes: Sequence[Note]


class Score(NamedTuple):
    """Title and sung lines of a score, in the score's order."""

    title: str
    lines: Sequence[Line]


class Moment(NamedTuple):
    """A ``<note>`` or ``<harmony>`` of a part on its time line.

    Attributes
    ----------
    element : ET.Element
    onset, duration : Fraction
        In beats. A grace note and a chord symbol take no time; a note of a chord has the first one's.
    transposition : int
        Semitones from the written to the sounding pitch.
    section : int
        Counts the barlines that divide the music.
    """

    element: ET.Element
    onset: Fraction
    duration: Fraction
    transposition: int
    section: int


class _Event(NamedTuple):
    """A note of a voice, its lyrics by verse, and the section it lies in; a rest is the gap between events."""

    onset: Fraction
    duration: Fraction
    pitch: int
    lyrics: dict[str, Syllable]
    section: int


def read(data: bytes, name: str) -> Score:
    """Read a score.

    Parameters
    ----------
    data : bytes
        A MusicXML document in any encoding (``.xml``, ``.musicxml``), or a compressed one (``.mxl``).
    name : str
        The file, for messages.

    Returns
    -------
    Score
        `Score.lines` holds the voices with at least one syllable; it is empty for a score without lyrics.

    Raises
    ------
    DataError
        Empty, truncated or too large file; not MusicXML; entity declarations; impossible values.
    """
    return lines(parse(data, name), name)


def parse(data: bytes, name: str) -> ET.Element:
    """Parse a score, whatever its encoding or compression; raises as `read`."""
    if not data:
        raise DataError(f"{name}: empty file")
    if data.startswith(b"PK"):
        data = _decompress(data, name)
    data = _in_utf8(data, name)
    _refuse_entities(data, name)
    n_parts = data.count(b"<") + data.count(b"=")
    if n_parts > MAX_PARTS:
        raise DataError(f"{name}: has {n_parts:,} tags and attributes, more than the {MAX_PARTS:,} read; divide it")
    try:
        return ET.fromstring(data)
    except (ET.ParseError, ValueError, LookupError) as error:
        raise DataError(f"{name}: not XML, or truncated: {error}") from None


def lines(root: ET.Element, name: str) -> Score:
    """Find title and sung lines of a parsed score; raises as `read`."""
    names = {part.get("id"): part.findtext("part-name") or "" for part in root.iterfind("part-list/score-part")}
    found = []
    for identity, measures in parts(root, name):
        if not any(measure.find("note/lyric") is not None for measure in measures):
            continue
        with possible(name, identity):
            sung = [notes for notes in map(_sing, _voices(measures)) if notes]
        part = clean(names.get(identity, "")) or identity
        found += [Line(part, notes) for notes in sung]
    title = root.findtext("work/work-title") or root.findtext("movement-title") or ""
    return Score(clean(title), found)


@contextmanager
def possible(name: str, part: str) -> Iterator[None]:
    """Turn what an impossible value in a part leads to into a `DataError`."""
    try:
        yield
    except (ValueError, ZeroDivisionError, OverflowError) as error:
        raise DataError(f"{name}: part {part}: impossible value: {error}") from None


def _in_utf8(data: bytes, name: str) -> bytes:
    """Recode a document whose declared encoding the parser does not know: those with letters of several bytes."""
    declared = re.match(rb"\s*<\?xml[^>]*?encoding\s*=\s*[\"']([A-Za-z0-9._:-]{1,40})[\"']", data[:200])
    if declared is None or declared[1].lower() in PARSED:
        return data
    encoding = declared[1].decode("ascii")
    try:
        # The largest of each family: files declare GB2312 or Shift_JIS and use their extensions.
        text = data.decode(EXTENDED.get(encoding.lower(), encoding))
    except LookupError:
        raise DataError(f"{name}: encoding {encoding!r} is unknown; save the score in UTF-8") from None
    except UnicodeError as error:
        raise DataError(f"{name}: not in {encoding}, as it says ({error}); save the score in UTF-8") from None
    return re.sub(r"^\s*<\?xml[^>]*\?>", "<?xml version='1.0'?>", text, count=1).encode()


def _decompress(data: bytes, name: str) -> bytes:
    """Read the score out of a compressed file."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            member = _root_file(archive)
            if member is None:
                raise DataError(f"{name}: not compressed MusicXML: the zip holds no score")
            if member.file_size > MAX_BYTES:
                raise DataError(f"{name}: the score has {member.file_size:,} bytes, more than {MAX_BYTES:,}")
            return archive.read(member)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError, OSError, struct.error) as error:
        pass_machine(error)
        raise DataError(f"{name}: damaged or truncated compressed MusicXML: {error}") from None


def _root_file(archive: zipfile.ZipFile) -> zipfile.ZipInfo | None:
    """Find the score: as META-INF/container.xml says, else the first file that may be one.

    Containers are often malformed: MuseScore wrote names with apostrophes unescaped.
    """
    try:
        info = archive.getinfo("META-INF/container.xml")
        if info.file_size > MAX_CONTAINER_BYTES:
            raise DataError("META-INF/container.xml: far larger than a list of files")
        container = archive.read(info)
        _refuse_entities(container, "META-INF/container.xml")
        named = next(e.get("full-path") for e in ET.fromstring(container).iter() if e.tag.endswith("rootfile"))
        return archive.getinfo(str(named))
    except (LookupError, ValueError, ET.ParseError, StopIteration, DataError):
        scores = (m for m in archive.infolist() if m.filename.lower().endswith((".xml", ".musicxml")))
        return next((m for m in scores if not m.filename.startswith("META-INF/")), None)


class _PrologueEndError(Exception):
    """Stops the parser at the root element."""


def _refuse_entities(data: bytes, name: str) -> None:
    """Refuse a document that declares entities ("billion laughs", external files), before it is parsed."""

    def entity(*_: object) -> None:
        raise DataError(f"{name}: declares XML entities, which no score needs; refused")

    def root(*_: object) -> None:
        raise _PrologueEndError

    parser = expat.ParserCreate()
    parser.EntityDeclHandler = entity
    parser.StartElementHandler = root
    try:
        parser.Parse(data, True)
    except _PrologueEndError:
        return
    except (expat.ExpatError, ValueError, LookupError):
        return  # The parser proper says what is wrong.


def parts(root: ET.Element, name: str) -> Iterator[tuple[str, list[ET.Element]]]:
    """Give the measures of every part."""
    if root.tag == "score-partwise":
        for part in root.iterfind("part"):
            yield part.get("id", ""), part.findall("measure")
    elif root.tag == "score-timewise":
        found: dict[str, list[ET.Element]] = {}
        for part in root.iterfind("measure/part"):
            found.setdefault(part.get("id", ""), []).append(part)
        yield from found.items()
    else:
        raise DataError(f"{name}: not MusicXML: the root element is <{root.tag}>, not <score-partwise>")


def moments(measures: Sequence[ET.Element]) -> Iterator[Moment]:
    """Put the notes, rests and chord symbols of a part on its time line.

    Parameters
    ----------
    measures : sequence of ET.Element

    Yields
    ------
    Moment
        In the file's order, voice after voice within a measure.

    Raises
    ------
    ValueError, ZeroDivisionError, OverflowError
        A number is none, or impossible; see `possible`.
    """
    start, divisions, transposition, section = Fraction(0), Fraction(1), 0, 0
    for measure in measures:
        position = end = start
        chord = (start, Fraction(0))
        for element in measure:
            tag = element.tag
            if tag == "note":
                if element.find("grace") is not None:
                    yield Moment(element, position, Fraction(0), transposition, section)
                elif element.find("chord") is not None:
                    yield Moment(element, *chord, transposition, section)
                else:
                    duration = _length(element, divisions, sounds=element.find("pitch") is not None)
                    chord = (position, duration)
                    yield Moment(element, position, duration, transposition, section)
                    position += duration
            elif tag == "harmony":
                offset = number(element.findtext("offset", "0")) / divisions
                yield Moment(element, max(position + offset, Fraction(0)), Fraction(0), transposition, section)
            elif tag == "backup":
                position -= _length(element, divisions)
            elif tag == "forward":
                position += _length(element, divisions)
            elif tag == "barline":
                style = element.findtext("bar-style", "")
                section += any(mark in style for mark in ("light-", "heavy")) or any(
                    element.find(mark) is not None for mark in ("repeat", "ending")
                )
            elif tag == "attributes":
                if (text := element.findtext("divisions")) is not None:
                    divisions = number(text)
                if (transpose := element.find("transpose")) is not None:
                    octaves = number(transpose.findtext("octave-change", "0"))
                    transposition = round(number(transpose.findtext("chromatic", "0")) + 12 * octaves)
            end = max(end, position)
        start = end


def _voices(measures: Sequence[ET.Element]) -> list[list[_Event]]:
    """Sort the pitched notes of a part by voice; of a chord its first one, with the lyrics of all."""
    voices: dict[str, list[_Event]] = {}
    graces: dict[str, dict[str, Syllable]] = {}
    for element, onset, duration, transposition, section in moments(measures):
        if element.tag != "note":
            continue
        voice = element.findtext("voice", "")
        if element.find("grace") is not None:
            graces[voice] = _lyrics(element) | graces.get(voice, {})
        elif element.find("chord") is not None:
            if voices.get(voice):
                lyrics = voices[voice][-1].lyrics
                lyrics.update(_lyrics(element) | lyrics)
        elif (pitch := element.find("pitch")) is not None:
            lyrics = graces.pop(voice, {}) | _lyrics(element)
            event = _Event(onset, duration, midi_number(pitch) + transposition, lyrics, section)
            voices.setdefault(voice, []).append(event)
    return list(voices.values())


def _length(element: ET.Element, divisions: Fraction, *, sounds: bool = False) -> Fraction:
    """Read a ``<duration>`` in beats: positive where a note sounds, not negative elsewhere."""
    text = element.findtext("duration", "")
    length = number(text)
    if length < 0 or (sounds and length == 0):
        raise ValueError(f"duration {text} of a <{element.tag}>; expected a positive number")
    return length / divisions


def number(text: str) -> Fraction:
    """Read a decimal number of bounded size."""
    try:
        read = Fraction(int(text))
    except ValueError:
        read = Fraction(float(text)).limit_denominator(1_000_000)
    if abs(read) > 1_000_000:
        raise ValueError(f"{text} is out of range")
    return read


def midi_number(pitch: ET.Element) -> int:
    """Give the MIDI number of a ``<pitch>``, to the nearest semitone."""
    step = pitch.findtext("step", "").strip()
    if step not in SEMITONES:
        raise ValueError(f"no such step: {step!r}")
    octave = int(pitch.findtext("octave", "")) + 1
    found = SEMITONES[step] + 12 * octave + round(number(pitch.findtext("alter", "0")))
    if not 0 <= found <= 127:
        raise ValueError(f"pitch {found} is not in MIDI's 0-127")
    return found


def _lyrics(note: ET.Element) -> dict[str, Syllable]:
    """Read the lyrics of a note by verse; one without a number has that of its place."""
    lyrics: dict[str, Syllable] = {}
    for place, lyric in enumerate(note.iterfind("lyric"), start=1):
        if (syllable := _syllable(lyric)) is not None:
            lyrics.setdefault(lyric.get("number") or str(place), syllable)
    return lyrics


def _syllable(lyric: ET.Element) -> Syllable | None:
    """Read a ``<lyric>``; several syllables on one note (an elision) are one, with both their words."""
    text = clean("".join(e.text or " " for e in lyric if e.tag in ("text", "elision")))
    if not text:
        return None
    places = [(e.text or "").strip() for e in lyric.iterfind("syllabic")] or ["single"]
    return Syllable(without_verse_number(text), places[0] in ("middle", "end"), places[-1] in ("begin", "middle"))


def _sing(events: Sequence[_Event]) -> list[Note]:
    """Keep the notes with a syllable, prolong them over melismas, and put the words together."""
    sung: list[_Event] = []
    syllables: list[Syllable] = []
    chosen = follow([event.lyrics for event in events], [event.section for event in events])
    for event, syllable in zip(events, chosen, strict=True):
        if syllable is not None:
            sung.append(event)
            syllables.append(syllable)
        elif sung and event.onset == sung[-1].onset + sung[-1].duration:
            sung[-1] = sung[-1]._replace(duration=sung[-1].duration + event.duration)
    words: list[list[str]] = []
    indices = []
    for i, syllable in enumerate(syllables):
        if i and syllable.continues and syllables[i - 1].continued:
            words[-1].append(syllable.text)
        else:
            words.append([syllable.text])
        indices.append(len(words) - 1)
    notes = []
    end = sung[0].onset if sung else Fraction(0)
    for event, syllable, index in zip(sung, syllables, indices, strict=True):
        rest = max(event.onset - end, Fraction(0))
        word = "".join(words[index])
        notes.append(Note(float(event.pitch), float(event.duration), float(rest), syllable.text, word, index))
        end = event.onset + event.duration
    return notes
