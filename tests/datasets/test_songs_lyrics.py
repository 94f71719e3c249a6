"""Lyrics of any encoding, with time stamps and markup, and those that are made to do harm."""

from __future__ import annotations

import time

import pytest

from unisono.datasets.songs import lyrics
from unisono.errors import DataError

GERMAN = "Schöne Grüße aus München, über alle Berge und Täler hinweg, für immer und ewig, mein süßes Mädchen"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252"])
def test_encodings_are_told(encoding: str) -> None:
    assert lyrics.decode(GERMAN.encode(encoding)) == GERMAN


def test_utf_16_with_a_mark_of_either_order() -> None:
    assert lyrics.decode(b"\xfe\xff" + GERMAN.encode("utf-16-be")) == GERMAN


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (bytes(range(256)) * 20, "in no encoding that can be told; save them in UTF-8"),
        (b"\xff\xfe\x00\xd8", "not in utf-16, as their first bytes say"),
        (b"la " * (7 * 2**20), r"lyrics of 22,020,096 bytes, at most 1,048,576 are read"),
    ],
)
def test_what_is_no_text_is_one_line(data: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        lyrics.decode(data)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[ti:Song]\n[ar:Somebody]\n[00:12.00]One line\n[00:17.20]another", "One line another"),
        ("[00:12.00][01:15.00] Again", "Again"),
        ("[00:12.00] <00:12.04> word <00:12.60>by <00:13.1> word", "word by word"),
        (
            "[00:12.00One\n[0x:12.3]two\n[00:1x three\n00:15.3]four\n[] five\n[::]six\n[00:]seven",
            "One two three four five",
        ),
        ("no stamps [at all] here", "no stamps [at all] here"),
        ("", ""),
    ],
)
def test_time_stamps_are_taken_out_also_broken_ones(text: str, expected: str) -> None:
    found = lyrics.plain(text, stamped=True)
    assert found.startswith(expected)
    assert not any(character.isdigit() for character in found)


def test_stamps_of_plain_texts_stay() -> None:
    assert lyrics.plain("[00:12.00]One") == "[00:12.00]One"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<p>One<br>two</p><i>three</i>s", "One two threes"),
        ("a <script>alert('<b>x</b>')</script> b", "a b"),
        ("a <SCRIPT src=//evil.example/x.js> b", "a"),
        ("a <style>p {}</style>b <!-- c -->d", "a b d"),
        ("I <3 you, 1 < 2 > 0", "I <3 you, 1 < 2 > 0"),
        ("&lt;script&gt; &amp;", "&lt;script&gt; &amp;"),
        ("<img src=x onerror=alert(1)>la", "la"),
        ("la\x00\x1b[2J\u202e li\n\n lo", "la[2J\u202e li lo"),
    ],
)
def test_markup_is_taken_out_as_text(text: str, expected: str) -> None:
    assert lyrics.plain(text) == expected


@pytest.mark.parametrize("piece", ["<a", "<script>", "[", "[0]", "<0", "<0>", "[0:", "< ", "0:", "<!--", "</script"])
def test_what_is_made_to_be_slow_is_not(piece: str) -> None:
    text = piece * (2**20 // len(piece))
    start = time.process_time()
    lyrics.plain(text, stamped=True)
    assert time.process_time() - start < 5
