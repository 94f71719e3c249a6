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


def verses(*lyrics: str, step: str = "C") -> str:
    """A note of one beat with lyrics like ``1:Glo-`` ``-`` where a word goes on; ``:la`` has no number."""
    body = ""
    for lyric in lyrics:
        number, _, text = lyric.partition(":")
        syllabic = {(0, 0): "single", (0, 1): "begin", (1, 1): "middle", (1, 0): "end"}[
            text.startswith("-"), text.endswith("-")
        ]
        attribute = f" number='{number}'" if number else ""
        body += f"<lyric{attribute}><syllabic>{syllabic}</syllabic><text>{text.strip('-')}</text></lyric>"
    return note(step).replace("</note>", f"{body}</note>")


REPEAT = "<barline><repeat direction='backward'/></barline>"
#: Ten notes that carry both verses.
BOTH = [verses(f"1:a{i}", f"2:b{i}") for i in range(10)]


@pytest.mark.parametrize(
    ("notes", "sung"),
    [
        # The melisma of one verse is a syllable of another, whatever comes first; the third is bwv414.
        ([verses("1:Glo-", "2:Sa-"), verses("2:-cred"), verses("1:-ri-", "2:ness"), verses("1:-a")], "Glo=2 ri a"),
        ([verses("2:Sa-", "1:Glo-"), verses("2:-cred"), verses("2:ness", "1:-ri-"), verses("1:-a")], "Glo=2 ri a"),
        ([verses("1:Jung-", "2:Men-"), note(), verses("2:-schen"), verses("1:-frau", "2:nicht")], "Jung=3 frau"),
        # After the end of a word, too, and for several notes.
        ([verses("1:oh", "2:be-"), verses("2:-gin"), verses("2:now"), verses("1:yes", "2:we")], "oh=3 yes"),
        # A melisma inside a word may be long.
        ([verses("1:A-", "2:a"), *[verses("2:x")] * 6, verses("1:-men", "2:b")], "A=7 men"),
        # An upbeat that only the second verse has, at the beginning and after a rest.
        ([verses("2:And"), verses("1:Dash", "2:went"), REST, verses("2:and"), verses("1:O", "2:soon")], "Dash O"),
        # Lyrics without numbers, numbers like words, and verse 10 after verse 2.
        ([verses(":la", ":no"), verses(":li", ":nu")], "la li"),
        ([verses("part1verse2:no", "part1verse1:la"), verses("part1verse1:li")], "la li"),
        ([verses("10:no", "2:la"), verses("2:li")], "la li"),
        # A later passage of another verse stays: after a repeat (bwv17.7), a second ending, or simply where it is long.
        ([*BOTH[:2], REPEAT, verses("2:hat"), note(), verses("2:dir")], "a0 a1 hat=2 dir"),
        ([verses("1:to.", "2:x"), REPEAT, verses("2:joy."), REPEAT, verses("1:so", "2:y")], "to. joy. so"),
        ([*BOTH[:2], *[verses(f"2:c{i}") for i in range(5)]], "a0 a1 c0 c1 c2 c3 c4"),
        ([*[verses(f"2:c{i}") for i in range(5)], *BOTH[:2]], "c0 c1 c2 c3 c4 a0 a1"),
        # A slip of the number at the end.
        ([verses("1:A-"), REST, verses("2:-men")], "A men"),
        # In such a passage one verse is followed again.
        ([BOTH[0], REPEAT, verses("3:x", "2:Ho-"), verses("3:y"), verses("2:-ly", "3:z")], "a0 Ho=2 ly"),
        ([verses("1:a")] * 3 + [REPEAT] + [verses("2:b")] * 2 + [REPEAT] + [verses("1:c")], "a a a b b c"),
    ],
)  # fmt: skip
def test_one_verse_is_followed_through_a_passage(notes: list[str], sung: str) -> None:
    expected = [text.partition("=") for text in sung.split()]
    found = [(n.syllable, n.duration) for n in read("".join(notes))]
    assert found == [(text, float(beats or 1)) for text, _, beats in expected]


def test_hostile_numbers_of_verses_are_refused() -> None:
    with pytest.raises(DataError, match="verses under the same notes, more than 100"):
        read("".join(verses(f"{i}:x") for i in range(101)))


@pytest.mark.parametrize(
    "number", ["1. ", "1.", "1.4. ", "1,3. ", "1.\u20134. ", "1. 2. ", "1-3. ", "(2) ", "[1.] ", "1 & 2: "]
)
def test_verse_numbers_go(number: str) -> None:
    notes = read(note(text=f"{number}La".replace("&", "&amp;")) + note(text="36") + note(text="4ever"))
    assert [n.syllable for n in notes] == ["La", "36", "4ever"]


def test_a_chord_has_the_lyrics_of_all_its_notes_and_the_pitch_of_its_first() -> None:
    chords = [("A", None), (None, "B"), ("C", "x")]
    notes = read("".join(note("C", text=low) + note("E", text=high, extra="<chord/>") for low, high in chords))
    assert [n[:2] for n in notes] == [(60.0, 1.0)] * 3
    assert [n.syllable for n in notes] == ["A", "B", "C"]


def test_a_grace_note_only_hands_its_lyrics_on() -> None:
    grace = note("B", text="li").replace("<duration>2</duration>", "").replace("<note>", "<note><grace/>")
    notes = read(note(text="la") + grace + note("G") + grace + note("A", text="lu"))
    assert [(n.syllable, n.pitch, n.duration) for n in notes] == [
        ("la", 60.0, 1.0),
        ("li", 67.0, 1.0),
        ("lu", 69.0, 1.0),
    ]


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


@pytest.mark.parametrize(
    ("encoding", "word"),
    [
        ("Shift_JIS", "さくら"),
        ("EUC-JP", "桜"),
        ("ISO-2022-JP", "桜"),
        ("GB2312", "茉莉花"),
        ("GBK", "茉莉花"),
        ("gb18030", "好"),
        ("Big5", "茉莉花"),
        ("EUC-KR", "아리랑"),
        ("windows-1251", "дом"),
        ("KOI8-R", "дом"),
        ("ISO-8859-8", "שלום"),
    ],
)
def test_encodings_of_several_bytes(encoding: str, word: str) -> None:
    text = score(note(text=word)).decode().replace("version='1.0'", f"version='1.0' encoding='{encoding}'")
    for data in (text.encode(encoding), compressed(x_xml=text.encode(encoding))):
        assert musicxml.read(data, "x.xml").lines[0].notes[0].syllable == word


def test_an_encoding_that_is_not_the_declared_one_says_so() -> None:
    text = score(note(text="é")).decode().replace("version='1.0'", "version='1.0' encoding='Shift_JIS'")
    with pytest.raises(DataError, match=r"x\.xml: not in Shift_JIS, as it says .*save the score in UTF-8"):
        musicxml.read(text.encode("latin-1"), "x.xml")
    with pytest.raises(DataError, match=r"x\.xml: encoding 'nonsense-9' is unknown; save the score in UTF-8"):
        musicxml.read(text.replace("Shift_JIS", "nonsense-9").encode("utf-8"), "x.xml")


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
        (score(note(text="la", duration="0")), "duration 0 of a <note>; expected a positive number"),
        (score(note(text="la") + note(duration="-1")), "duration -1 of a <note>; expected a positive number"),
        (score(note(text="la") + REST.replace("2", "-2")), "duration -2 of a <note>"),
        (score(note(text="la") + "<backup><duration>-4</duration></backup>"), "duration -4 of a <backup>"),
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


def zipped(**members: bytes) -> bytes:
    """A compressed score; ``__`` in a name stands for a slash."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/") + ".xml", content)
    return file.getvalue()


def test_a_bomb_in_the_list_of_files_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(musicxml, "MAX_CONTAINER_BYTES", 1000)
    content = zipped(**{"META-INF__container": b" " * 1001, "score": b"<score-partwise/>"})
    assert musicxml.read(content, "a.mxl").lines == []


@pytest.mark.parametrize("at", ["offset", "size"])
def test_a_damaged_directory_of_a_zip_is_one_line(at: str) -> None:
    content = bytearray(zipped(score=b"<score-partwise/>"))
    end = content.rindex(b"PK\x05\x06")
    place = slice(end + 16, end + 20) if at == "offset" else slice(end + 12, end + 16)
    content[place] = b"\xff\xff\xff\x7f"
    with pytest.raises(DataError, match=r"^a\.mxl: damaged"):
        musicxml.read(bytes(content), "a.mxl")


def test_a_score_of_far_too_many_tags_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(musicxml, "MAX_PARTS", 1000)
    with pytest.raises(DataError, match="tags and attributes, more than the 1,000 read"):
        musicxml.read(b"<score-partwise>" + b"<a b=''/>" * 1000 + b"</score-partwise>", "x.xml")
