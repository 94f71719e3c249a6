"""Texts made anew or edited at their numbers and names: JSON, YAML, CSV, lyrics, MusicXML, PDF."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from typing import Any

from fuzzing import inputs
from fuzzing.fields import Mutator

_NUMBER = re.compile(rb"-?\d+(\.\d+)?")
_ODD = (
    b"0",
    b"-1",
    b"1",
    b"1e999",
    b"-1e999",
    b"nan",
    b"inf",
    b"9" * 5000,
    b"4294967296",
    b"9223372036854775808",
    b"18446744073709551616",
    b"1e308",
    b"0.0000001",
    b"",
    b"0x7fffffff",
    b"1_0",
    b"true",
    b"null",
    "٣".encode(),
    b"1000000000",
    b"-2147483649",
    b"1e-400",
    b"010",
    b"1:30",
)
_WORDS = (
    b"",
    b"x" * 200_000,
    b"\0",
    b"\xff\xfe",
    "\u202e\u200b".encode(),
    b"\x1b[2J",
    b"../../etc/passwd",
    b"\r",
    b'"',
    b"=1+1",
    "𝄞".encode() * 300,
    b"$(touch x)",
    b"%s%n",
    b"a\nb",
)


def text_numbers(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    found = list(_NUMBER.finditer(data))
    if not found:
        return text_words(draw, data)
    said = []
    for match in sorted(draw.sample(found, min(len(found), draw.choice((1, 1, 2, 5)))), key=lambda m: -m.start()):
        new = draw.choice(_ODD)
        said.append(f"{match[0].decode()} at {match.start()} -> {new[:20]!r} ({len(new)} bytes)")
        data = data[: match.start()] + new + data[match.end() :]
    return data, "; ".join(said)


def text_words(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    found = list(re.finditer(rb"[A-Za-z_]{2,}", data)) or [re.match(b"", data)]
    match, new = draw.choice(found), draw.choice(_WORDS)
    assert match is not None
    said = f"{match[0].decode()} at {match.start()} -> {new[:20]!r} ({len(new)} bytes)"
    return data[: match.start()] + new + data[match.end() :], said


def text_lines(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    lines = data.splitlines(keepends=True)
    place, kind = draw.randrange(len(lines)), draw.choice(("twice", "gone", "swapped", "20,000 times", "joined"))
    if kind == "swapped":
        other = draw.randrange(len(lines))
        lines[place], lines[other] = lines[other], lines[place]
    else:
        new = {"twice": lines[place] * 2, "gone": b"", "20,000 times": lines[place] * 20_000}
        lines[place] = new.get(kind, lines[place].rstrip())
    return b"".join(lines), f"line {place} {kind}"


def text_coding(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    name = draw.choice(("utf-16", "utf-32", "utf-8-sig", "cp037", "utf-7"))
    return data.decode("utf-8", "replace").encode(name, "replace"), f"in {name}"


TEXT: list[Mutator] = [text_numbers, text_numbers, text_words, text_lines, text_coding]


def json_values(draw: random.Random, content: Any) -> tuple[Any, str]:
    """Change one value of JSON, wherever it stands."""
    places: list[tuple[Any, Any]] = []

    def walk(value: Any) -> None:
        for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
            places.append((value, key))
            walk(value[key])

    walk(content)
    deep: Any = []
    for _ in range(500):
        deep = [deep]
    odd = (None, True, -1, 0, 1, 2**31, 2**63, 10**400, 1e308, -0.5, "", "x" * 10_000, "\0", [], {}, [[]], {"a": {}})
    if not places:
        return draw.choice(odd), "something else"
    holder, key = draw.choice(places)
    what = draw.choice(("value", "value", "value", "deep", "gone", "more"))
    if what == "gone":
        del holder[key]
    elif what == "deep":
        holder[key] = deep
    elif what == "more" and isinstance(holder, dict):
        holder[draw.choice(("", "../x", "é\0", "__class__", "x" * 300))] = holder[key]
    else:
        holder[key] = draw.choice(odd)
    return content, f"{what} of {str(key)[:40]!r}: {str(holder.get(key) if isinstance(holder, dict) else '')[:40]}"


def json_document(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    content, said = json_values(draw, json.loads(data))
    return json.dumps(content).encode(), said


def json_deep(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    n, (opening, closing) = draw.choice((900, 100_000)), draw.choice(((b"[", b"]"), (b'{"a":', b"}")))
    return b'{"files": ' + opening * n + b"1" + closing * n + b"}", f"{n} levels of {opening!r}"


def yaml_made(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    made = {
        "deep flow": b"a: " + b"[" * 20_000 + b"]" * 20_000,
        "deep blocks": b"".join(b" " * i + b"a:\n" for i in range(1500)),
        "aliases": b"a: &a [x,x,x,x,x,x,x,x,x]\n"
        + b"".join(b"%c: &%c [%s]\n" % (98 + i, 98 + i, b",".join([b"*%c" % (97 + i)] * 9)) for i in range(9)),
        "aliases for a key": b"a: &a [x,x,x,x,x,x,x,x,x]\n"
        + b"".join(b"%c: &%c [%s]\n" % (98 + i, 98 + i, b",".join([b"*%c" % (97 + i)] * 9)) for i in range(9))
        + b"? *j\n: 1\n",
        "merged aliases": b"a: &a {x: 1}\n"
        + b"".join(b"%c: &%c {<<: [%s]}\n" % (98 + i, 98 + i, b",".join([b"*%c" % (97 + i)] * 9)) for i in range(9)),
        "a cycle": b"compute: &a [*a]\nmtm: *a\nmodels: &b {cca: *b}\n",
        "merges": b"a: &a {x: 1}\n" + b"b: {<<: [" + b",".join([b"*a"] * 50_000) + b"]}\n",
        "a long number": b"seed: " + b"1" * 5000,
        "a long octal": b"seed: 0" + b"7" * 50_000,
        "python": b"a: !!python/object/apply:os.system ['touch x']",
        "tags": b"a: !!binary '=' \nb: !!timestamp 9999-99-99\nc: !!set {a}\nd: !!omap [1]",
        "a date": b"a: 2001-02-30\n",
        "odd keys": b"? [a, b]\n: 1\n? {c: d}\n: 2\n",
        "odd sections": b"1: 2\n.nan: 3\n~: 4\ntrue: 5\n",
        "many documents": b"---\na: 1\n" * 1000,
        "anchors without end": b"a: " + b"&a " * 10_000,
        "a big file": b"".join(b"k%d: {a: [1, 2, 3]}\n" % i for i in range(50_000)),
        "quotes": b'a: "' + b"\\x41" * 200_000 + b'"',
    }
    name = draw.choice(sorted(made))
    return made[name] if draw.random() < 0.5 else data + b"\n" + made[name], name


def yaml_sections(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    import yaml

    content, said = json_values(draw, yaml.safe_load(data))
    return yaml.safe_dump(content, allow_unicode=True).encode(), said


def argument_made(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    made, said = yaml_made(draw, b"")
    return b"hidden=" + made, said


def csv_made(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    first = data.splitlines()[0]
    width = first.count(b",") + 1
    made = {
        "a field of 200,000": first + b"\n" + b",".join([b"9" * 200_000] * width) + b"\n",
        "an open quote": first + b'\n"' + b"a,b\n" * 50_000,
        "NUL": first + b"\n" + b",".join([b"a\0b"] * width),
        "100,000 columns": first + b"," + b"x," * 100_000 + b"\n" + b"a," * 100_000,
        "short rows": first + b"\n" + b"14\n" * 1000,
        "long rows": first + b"\n" + b"14" + b",a" * 50_000,
        "only a header": first,
        "quotes": first + b"\n" + b",".join([b'"a""b\r\n"'] * width),
        "carriage returns": first.replace(b",", b"\r,"),
        "other digits": first + b"\n" + ",".join(["²"] * width).encode(),
        "a long number": first + b"\n" + b",".join([b"1" * 5000] * width),
        "200,000 rows": first + b"\n" + b"".join(b",".join([b"%d" % i] * width) + b"\n" for i in range(200_000)),
    }
    name = draw.choice(sorted(made))
    return made[name], name


def lyrics_made(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    made = {
        "hyphens": b"-" * 300_000,
        "one word": b"a" * 3_000_000,
        "syllables": b"la-" * 500_000,
        "letters of many marks": ("a" + "\u0301" * 100_000).encode(),
        "ligatures": "\ufdfa".encode() * 100_000,
        "other blanks": "\u2003\u00a0\u3000".encode() * 10_000 + b"a",
        "surrogates": b"\xed\xa0\x80",
        "controls": bytes(range(1, 32)) * 100,
        "Scheme": b'#(system "touch x") \\include "/etc/passwd"',
        "dashes": "—".encode() * 200_000 + b"a",
    }
    name = draw.choice(sorted(made))
    return made[name], name


_NOTE = (
    "<note><pitch><step>C</step><octave>4</octave></pitch><duration>{}</duration>"
    "<lyric{}><text>{}</text></lyric></note>"
)


def _score(body: str) -> bytes:
    head = "<score-partwise><part id='P1'><measure number='1'>"
    return f"{head}{body}</measure></part></score-partwise>".encode()


def score_made(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    notes = _NOTE.format(1, "", "la") * 24
    entities = b"<!DOCTYPE a [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;'>]>"
    made: dict[str, Callable[[], bytes]] = {
        "entities": lambda: entities + _score(notes),
        "an external entity": lambda: b"<!DOCTYPE a [<!ENTITY a SYSTEM 'file:///etc/passwd'>]>" + _score("&a;"),
        "an external DTD": lambda: b"<!DOCTYPE a SYSTEM 'http://127.0.0.1:9/x.dtd'>" + _score(notes),
        "200,000 levels": lambda: b"<a>" * 200_000 + b"</a>" * 200_000,
        "deep in a note": lambda: _score("<note><pitch>" + "<a>" * 50_000 + "</a>" * 50_000 + "</pitch></note>"),
        "many elements": lambda: _score("<a b=''/>" * draw.choice((200_000, 6_000_000))),
        "many attributes": lambda: _score("<a " + " ".join(f"a{i}=''" for i in range(200_000)) + "/>"),
        "a long name": lambda: _score("<" + "a" * 1_000_000 + "/>"),
        "100,000 notes": lambda: _score(_NOTE.format(1, "", "la") * 100_000),
        "a note of 20,000 lyrics": lambda: _score(
            notes
            + "<note><pitch><step>C</step><octave>4</octave></pitch><duration>1</duration>"
            + "".join(f"<lyric number='{i}'><text>a</text></lyric>" for i in range(20_000))
            + "</note>"
        ),
        "2,000 verses of notes": lambda: _score(
            "".join(_NOTE.format(1, f" number='{i}'", "a") for i in range(2000)) + notes
        ),
        "sections": lambda: _score(
            "".join(_NOTE.format(1, f" number='{i % 40}'", "a") + "<barline><repeat/></barline>" for i in range(6000))
        ),
        "chords": lambda: _score(notes + ("<note><chord/>" + _NOTE.format(1, "", "a")[6:]) * 50_000),
        "graces": lambda: _score(("<note><grace/>" + _NOTE.format(1, "", "a")[6:]) * 50_000 + notes),
        "melismas": lambda: _score(
            notes + "<note><pitch><step>C</step><octave>4</octave></pitch><duration>1</duration></note>" * 50_000
        ),
        "odd divisions": lambda: _score(
            f"<attributes><divisions>{draw.choice(('0', '-1', '1e-7', '1e400', '1/0', '9' * 5000))}</divisions>"
            f"</attributes>{notes}"
        ),
        "odd lengths": lambda: _score("".join(_NOTE.format(f"0.{i:07d}", "", "a") for i in range(1, 3000))),
        "transposed": lambda: _score(
            f"<attributes><transpose><chromatic>1e6</chromatic></transpose></attributes>{notes}"
        ),
        "backups": lambda: _score(notes + "<backup><duration>999999</duration></backup>" * 1000 + notes),
        "microtones": lambda: _score(notes.replace("<octave>", "<alter>nan</alter><octave>")),
        "a big octave": lambda: _score(notes.replace("<octave>4", f"<octave>{'4' * 4500}")),
        "a coding": lambda: (
            b"<?xml version='1.0' encoding='%s'?>"
            % draw.choice(
                (
                    b"rot13",
                    b"zlib",
                    b"hex",
                    b"idna",
                    b"punycode",
                    b"utf-7",
                    b"unicode_escape",
                    b"base64",
                    b"undefined",
                    b"mbcs",
                    b"raw_unicode_escape",
                    b"utf-32",
                    b"cp037",
                    b"hz",
                    b"big5",
                )
            )
            + _score(notes)
        ),
        "timewise": lambda: b"<score-timewise>" + b"<measure><part id='a'/></measure>" * 100_000 + b"</score-timewise>",
        "words of marks": lambda: _score(_NOTE.format(1, "", "&#x301;" * 20_000) * 24),
        "no parts": lambda: b"<score-partwise/>",
        "lyrics without end": lambda: _score(
            "".join(
                _NOTE.format(1, "", "a").replace("<text>", "<syllabic>middle</syllabic><text>") for _ in range(20_000)
            )
        ),
    }
    name = draw.choice(sorted(made))
    return made[name](), name


def mxl_made(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    container = b"<container><rootfiles><rootfile full-path='%s'/></rootfiles></container>"
    what = draw.choice(("a score", "a score", "a score", "container", "path", "bomb"))
    if what == "a score":
        content, said = score_made(draw, data)
        return inputs.zipped({"META-INF/container.xml": container % b"a.xml", "a.xml": content}), said
    inner, said = {
        "container": (b"<a>" * draw.choice((10, 100_000, 20_000_000)), "a container that goes on"),
        "path": (
            container % draw.choice((b"../../x", b"", b"META-INF/container.xml", b"/etc/passwd", b"a.xml/")),
            what,
        ),
        "bomb": (b" " * draw.choice((2**20, 2**26, 2**28)), what),
    }[what]
    name = "META-INF/container.xml" if what != "bomb" else "a.xml"
    return inputs.zipped({name: inner, "b.xml": inputs.score()}), said


def pdf_made(draw: random.Random, data: bytes) -> tuple[bytes, str]:
    edits = {
        "a page of 10^7 points": (b"200 100]", b"10000000 10000000]"),
        "a thin page": (b"200 100]", b"14400 1]"),
        "a page without size": (b"/MediaBox [0 0 200 100]", b""),
        "a page upside down": (b"0 0 200 100", b"200 100 0 -100"),
        "NaN": (b"200 100]", b"nan 1e999]"),
        "a page that is its own parent": (b"/Kids [3 0 R]", b"/Kids [2 0 R]"),
        "a million pages": (b"/Count 1", b"/Count 1000000"),
        "many pages": (b"/Kids [3 0 R] /Count 1", b"/Kids [" + b"3 0 R " * 5000 + b"] /Count 5000"),
        "a user unit": (b"/Contents", b"/UserUnit 75000 /Contents"),
        "a turn": (b"/Contents", b"/Rotate 45 /Contents"),
        "a script": (b"/Pages 2 0 R", b"/Pages 2 0 R /OpenAction << /S /JavaScript /JS (app.alert(1)) >>"),
        "a launch": (b"/Pages 2 0 R", b"/Pages 2 0 R /OpenAction << /S /Launch /F (touch) >>"),
        "lines": (b"20 40 m", b"20 40 m 1 1 l S " * 50_000 + b"20 40 m"),
        "dashes": (b"2 w", b"2 w [0.0001 0.0001] 0 d"),
        "a huge line": (b"2 w", b"1e30 w"),
        "an endless form": (b"/Contents 4 0 R", b"/Resources << /XObject << /a 4 0 R >> >> /Contents 4 0 R"),
    }
    name = draw.choice(sorted(edits))
    return data.replace(*edits[name]), name
