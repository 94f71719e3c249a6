r"""Lyrics from files: decoded, without time stamps and markup, in one line.

**Conventions.** A text is data: tags are taken out as text, nothing in them is followed or run, and entities
(``&amp;``) stay as they are. Encodings: UTF-8, UTF-16 with its mark, else what charset-normalizer is sure of.
"""

from __future__ import annotations

import re

from unisono.datasets.mtm.song import clean
from unisono.errors import DataError

#: Endings of files with lyrics, the first that is there is read.
SUFFIXES = (".txt", ".lrc")
#: That of files with time stamps.
STAMPED = ".lrc"
#: Largest text, in bytes; the longest songs have 20,000.
MAX_BYTES = 2**20

_MARKS = ((b"\xff\xfe\x00\x00", "utf-32"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"), (b"\xef\xbb\xbf", "utf-8"))
#: A tag; text such as "I <3 you" is none.
_TAG = re.compile(r"<(/?)([A-Za-z!?][^\s<>/]*+)[^<>]*+>")
#: Elements whose content is no text, and those that divide words.
_CODE, _BREAKS = ("script", "style"), ("br", "p", "div", "li", "tr", "td", "h1", "h2", "h3")
#: At the start of a line of a .lrc file: stamps, also broken ones, and what stands there instead ([ar:...]).
_STAMPS = re.compile(r"(?:\s*(?:\[[^\[\]]{0,100}\]|\[\s*\d[\dx:.,]*|\d+:[\d:.]+\]))++")
#: Within a line, before a word.
_WORD_STAMP = re.compile(r"<\s*+\d[\d:.,]*+\s*+>")


def decode(data: bytes) -> str:
    """Decode a text of unknown encoding.

    Parameters
    ----------
    data : bytes

    Returns
    -------
    str

    Raises
    ------
    DataError
        It is larger than `MAX_BYTES`, or in no encoding that can be told.
    """
    if len(data) > MAX_BYTES:
        raise DataError(f"lyrics of {len(data):,} bytes, at most {MAX_BYTES:,} are read")
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return _decoded(data, encoding)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        from charset_normalizer import from_bytes

        best = from_bytes(data).best()
    if best is None or "\0" in str(best):
        raise DataError("lyrics in no encoding that can be told; save them in UTF-8")
    return str(best)


def _decoded(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding).lstrip("\ufeff")
    except UnicodeDecodeError as error:
        raise DataError(
            f"lyrics not in {encoding}, as their first bytes say ({error.reason}); save them anew"
        ) from None


def plain(text: str, *, stamped: bool = False) -> str:
    r"""Take markup out of lyrics and put them in one line.

    Parameters
    ----------
    text : str
    stamped : bool
        Whether it is a .lrc file: its time stamps, also broken ones, and its other ``[...]`` at the start of a line are
        taken out.

    Returns
    -------
    str

    Examples
    --------
    >>> plain("I <3 <b>you</b>\n<script>alert(1)</script>&amp; me")
    'I <3 you &amp; me'
    >>> plain("[ar:X]\n[00:12.34][00:50.1] La <00:13.0>la\n[00:1x li\n[00:15.2 lo", stamped=True)
    'La la li lo'
    """
    if stamped:
        text = "\n".join(_WORD_STAMP.sub("", line[_start(line) :]) for line in text.splitlines())
    kept: list[str] = []
    code, at = "", 0
    for tag in _TAG.finditer(text):
        name = tag[2].lower()
        if not code:
            kept += [text[at : tag.start()], " " if name in _BREAKS else ""]
        at = tag.end()
        if code:
            code = "" if tag[1] and name == code else code
        elif not tag[1] and name in _CODE:
            code = name
    if not code:
        kept.append(text[at:])
    return clean("".join(kept))


def _start(line: str) -> int:
    """Find where the stamps of a line end."""
    found = _STAMPS.match(line)
    return found.end() if found else 0
