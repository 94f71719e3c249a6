"""The MusicXML reader on small hand-written scores and on hostile files."""

from __future__ import annotations

import io
import zipfile

import pytest

from unisono.datasets.mtm import musicxml
from unisono.errors import DataError


def note(
    step: str = "C",
    duration: str = "2",
    text: str | None = None,
    syllabic: str = "single",
    extra: str = "",
    voice: str = "1",
) -> str:
    """One ``<note>``; with `text`, one with a syllable."""
    lyric = f"<lyric><syllabic>{syllabic}</syllabic><text>{text}</text></lyric>" if text is not None else ""
    return (
        f"<note>{extra}<pitch><step>{step}</step><octave>4</octave></pitch>"
        f"<duration>{duration}</duration><voice>{voice}</voice>{lyric}</note>"
    )


REST = "<note><rest/><duration>2</duration><voice>1</voice></note>"


def score(*measures: str, head: str = "", attributes: str = "") -> bytes:
    """A score of one part, two divisions a beat."""
    first = f"<attributes><divisions>2</divisions>{attributes}</attributes>"
    body = "".join(f"<measure>{first if not i else ''}{m}</measure>" for i, m in enumerate(measures))
    return (
        f"<?xml version='1.0'?>{head}<score-partwise><work><work-title> A  song </work-title></work>"
        "<part-list><score-part id='P1'><part-name>Voice</part-name></score-part></part-list>"
        f"<part id='P1'>{body}</part></score-partwise>"
    ).encode()


def compressed(**members: bytes) -> bytes:
    """A zip of `members`; ``__`` in a name stands for ``/``, ``_`` for ``.``."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in members.items():
            archive.writestr(name.replace("__", "/").replace("_", "."), data)
    return stream.getvalue()


def read(*measures: str, **options: str) -> list[musicxml.Note]:
    """Notes of the only line."""
    (line,) = musicxml.read(score(*measures, **options), "x.xml").lines
    return list(line.notes)


def test_title_part_pitch_and_lengths() -> None:
    found = musicxml.read(score(note("C", "2", "la") + note("D", "3", "li")), "x.xml")
    assert (found.title, found.lines[0].part) == ("A song", "Voice")
    assert [n[:3] for n in found.lines[0].notes] == [(60.0, 1.0, 0.0), (62.0, 1.5, 0.0)]


def test_rests_count_across_measures_but_not_before_the_first_note() -> None:
    notes = read(REST + note(text="la") + REST, REST + note(text="li"))
    assert [n.rest for n in notes] == [0.0, 2.0]


def test_melisma_prolongs_and_a_note_after_a_rest_is_silence() -> None:
    notes = read(note("C", text="la") + note("E") + note("G") + REST + note("G") + note("C", text="li"))
    assert [(n.pitch, n.duration, n.rest) for n in notes] == [(60.0, 3.0, 0.0), (60.0, 1.0, 2.0)]


def test_words_are_put_together_from_their_syllables() -> None:
    notes = read(
        note(text="Hal", syllabic="begin")
        + note(text="le", syllabic="middle")
        + note(text="lu", syllabic="end")
        + note(text="oh")
        + note(text="ma", syllabic="begin")
        + note(text="no", syllabic="begin")
    )
    assert [n.word for n in notes] == ["Hallelu", "Hallelu", "Hallelu", "oh", "ma", "no"]
    assert [n.word_index for n in notes] == [0, 0, 0, 1, 2, 3]


def test_an_elision_belongs_to_both_words() -> None:
    lyric = (
        "<lyric><syllabic>end</syllabic><text>te</text><elision> </elision>"
        "<syllabic>begin</syllabic><text>a</text></lyric>"
    )
    elided = note().replace("</note>", f"{lyric}</note>")
    notes = read(note(text="no", syllabic="begin") + elided + note(text="mo", syllabic="end"))
    assert [n.syllable for n in notes] == ["no", "te a", "mo"]
    assert [n.word_index for n in notes] == [0, 0, 0]


def test_only_the_first_verse_counts_and_its_number_goes() -> None:
    second = "<lyric number='2'><syllabic>single</syllabic><text>no</text></lyric></note>"
    notes = read(note(text="1. La").replace("</note>", second) + note(text="36"))
    assert [n.syllable for n in notes] == ["La", "36"]


def test_chord_and_grace_notes_are_skipped() -> None:
    grace = "<note><grace/><pitch><step>B</step><octave>4</octave></pitch><voice>1</voice></note>"
    notes = read(note(text="la") + note("E", extra="<chord/>", text="x") + grace + note("G", text="li"))
    assert [(n.pitch, n.duration, n.rest) for n in notes] == [(60.0, 1.0, 0.0), (67.0, 1.0, 0.0)]


def test_voices_are_lines_of_their_own() -> None:
    back = "<backup><duration>4</duration></backup>"
    data = score(note("C", "4", "la") + back + note("E", "2", "li", voice="2") + note("F", "2", "lu", voice="2"))
    found = musicxml.read(data, "x.xml")
    assert [[n.syllable for n in line.notes] for line in found.lines] == [["la"], ["li", "lu"]]


def test_transposition_gives_the_sounding_pitch() -> None:
    transpose = "<transpose><chromatic>-2</chromatic><octave-change>-1</octave-change></transpose>"
    assert read(note("C", text="la"), attributes=transpose)[0].pitch == 46.0


def test_score_timewise_reads_the_same() -> None:
    timewise = (
        "<score-timewise><part-list><score-part id='P1'><part-name>V</part-name></score-part></part-list>"
        f"<measure><part id='P1'>{note(text='la')}</part></measure>"
        f"<measure><part id='P1'>{note('D', text='li')}</part></measure></score-timewise>"
    )
    (line,) = musicxml.read(timewise.encode(), "x.xml").lines
    assert [n.pitch for n in line.notes] == [60.0, 62.0]


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_other_encodings(encoding: str) -> None:
    text = score(note(text="é")).decode().replace("version='1.0'", f"version='1.0' encoding='{encoding}'")
    (line,) = musicxml.read(text.encode(encoding), "x.xml").lines
    assert line.notes[0].syllable == "é"


def test_hostile_unicode_stays_text() -> None:
    notes = read(note(text="e&#x301;") + note(text="#(system &quot;ls&quot;) \\ { -- _") + note(text="&#x202E;a"))
    assert [n.syllable for n in notes] == ["é", '#(system "ls") \\ { -- _', "\u202ea"]


def test_a_doctype_without_entities_is_fine() -> None:
    doctype = '<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD" "http://example.org/partwise.dtd">'
    assert read(note(text="la"), head=doctype)


def test_compressed_scores_with_and_without_a_good_container() -> None:
    container = b"<container><rootfiles><rootfile full-path='b.xml'/></rootfiles></container>"
    good = compressed(a_xml=b"<html/>", b_xml=score(note(text="la")), **{"META-INF__container_xml": container})
    bad = compressed(**{"META-INF__container_xml": b"<rootfile full-path='it's'/>"}, b_xml=score(note(text="la")))
    for data in (good, bad):
        assert musicxml.read(data, "x.mxl").lines[0].notes[0].syllable == "la"


def test_a_score_without_lyrics_has_no_lines() -> None:
    assert musicxml.read(score(note() + note()), "x.xml").lines == []


BOMB = "<!DOCTYPE b [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;'>]>"
OUTSIDE = "<!DOCTYPE b [<!ENTITY a SYSTEM 'file:///etc/passwd'>]>"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty file"),
        (b"hello", "not XML"),
        (score(note(text="la"))[:-40], "not XML, or truncated"),
        (b"<html><body/></html>", "not MusicXML: the root element is <html>"),
        (score(note(text="&b;"), head=BOMB), "declares XML entities"),
        (score(note(text="&a;"), head=OUTSIDE), "declares XML entities"),
        (compressed(x_xml=score(note(text="la")))[:-30], "damaged or truncated compressed MusicXML"),
        (compressed(x_txt=b"hi"), "holds no score"),
        (score(note("H", text="la")), "no such step: 'H'"),
        (score(note(text="la", duration="1e9")), "impossible value"),
        (score(note(text="la", duration="nan")), "impossible value"),
        (score(note(text="la").replace("<octave>4", "<octave>40")), "pitch 492 is not in MIDI's 0-127"),
        (score(note(text="la"), attributes="<divisions>0</divisions>").replace(b">2<", b">0<"), "impossible value"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_not_a_score_says_so(data: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        musicxml.read(data, "x.xml")
    assert str(caught.value).startswith("x.xml: ")


def test_a_zip_bomb_is_refused_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(musicxml, "MAX_BYTES", 100)
    with pytest.raises(DataError, match="more than 100"):
        musicxml.read(compressed(x_xml=b" " * 1000), "x.mxl")
