"""LilyPond: hostile lyrics come out as text, a bad score costs itself alone, the same bytes in any company."""

from __future__ import annotations

import io
import shutil
import sys
from pathlib import Path

import numpy as np
import pypdfium2
import pytest
from PIL import Image

from unisono.errors import MachineError, ProgramError
from unisono.media import fonts, lilypond, notation, programs

REAL = shutil.which("lilypond")
needs_lilypond = pytest.mark.skipif(REAL is None, reason="LilyPond is missing (`make test` installs it)")

CODE = [
    '#(system "touch pwned1")',
    '#(system* "touch" "pwned2")',
    '$(system "touch pwned3")',
    '"#(system "touch pwned4")',
    '" } #(system "touch pwned5") { "',
    '\\" #(system "touch pwned6")',
    '\\\\" #(system "touch pwned7")',
    "$(touch pwned8)",
    "`touch pwned9`",
    "; touch pwned10 ;",
    '\\include "/etc/passwd"',
    '" } } \\book { } { { "',
    '#(open-file "pwned11" "w")',
    "\\score { c }",
    '\\markup \\with-url #"x" y',
    '\\postscript "showpage"',
    '\\verbatim-file "/etc/passwd"',
    "#{ c'1 #}",
    "#(exit 1)",
    "#'x",
]
"""Lyrics that are LilyPond, Scheme or shell code."""
SIGNS = [
    *"\"\\{}<>()[]#$%&'*+,-./:;=?@^_`|~!",
    *(
        "--",
        "__",
        "_",
        "~",
        "a~b",
        "a_b",
        "a--b",
        "%{",
        "%}",
        "<<",
        ">>",
        "}{",
        "} {",
        "\\\\",
        '\\"',
        '"\\',
        "''",
        "|:",
    ),
    *("1. Ich", "don't", "C#", "100%", "$5", "\\lyrics", "\\bookpart", "\\", "\\\\\\", '"' * 9),
]
"""Characters that mean something to LilyPond."""
UNICODE = [
    *(
        "",
        " ",
        "\x00",
        "a\x00b",
        "\x01\x02",
        "\n",
        "a\nb",
        "\r\n\t",
        "\x1b[31m",
        "\x7f",
        "\ud800",
        "a\udfffb",
        "\ufeff",
    ),
    *("\ufffe", "\ufdd0x", "\U0010ffff", "é", "e\u0301", "ß", "Ǆ", "שלום", "مرحبا", "\u202eabc\u202c", "中文", "かな"),
    *(
        "한국",
        "ไทย",
        "🎵",
        "👩\u200d👩\u200d👧",
        "\u200b",
        "\u2028",
        "\u00ad",
        "ﬁ",
        "𝄞",
        "\ue000",
        "z\u0301\u0302",
    ),
    "Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichen",
    "x" * 10_000,
    "漢" * 60,
]
"""Everything that is, or is not, a character."""
HOSTILE = [*CODE, *SIGNS, *UNICODE]


@pytest.fixture
def notes() -> np.ndarray:
    """Four notes on one staff line, shape (4, 3)."""
    return np.array([[67, 1, 0]] * 4, dtype=np.float32)


@pytest.fixture
def samples() -> list[str]:
    """Six random melodies of 20 notes with syllables, as scores."""
    rng = np.random.default_rng(0)
    scores = []
    for _ in range(6):
        melody = np.stack(
            [rng.integers(45, 80, 20), rng.choice([0.25, 0.5, 1, 2, 3.5], 20), rng.choice([0, 0, 0.5, 4], 20)], axis=1
        )
        syllables = rng.choice(["Wie", "der", "se", "hen", "ein", "Burg"], 20).tolist()
        scores.append(notation.score(melody, syllables=syllables, word_index=rng.integers(0, 2, 20).tolist()))
    return scores


def engrave(scores: list[str], **options: float) -> list[lilypond.Engraved]:
    settings = {"resolution_dpi": 100, "scores_per_run": 64, "timeout_s": 120}
    return lilypond.engrave(scores, **{**settings, **options})


def text_on(page: pypdfium2.PdfPage) -> str:
    return "".join(page.get_textpage().get_text_bounded().split())


@needs_lilypond
def test_hostile_lyrics_come_out_as_text(tmp_path: Path, notes: np.ndarray) -> None:
    scores = [
        notation.score(notes, syllables=["Anfang", syllable, "Mitte", "Ende"], word_index=[0, 0, 0, 1])
        for syllable in HOSTILE
    ]
    pdf, _ = lilypond.typeset(REAL, scores, tmp_path, timeout_s=120)
    document = pypdfium2.PdfDocument(pdf)
    assert len(HOSTILE) > 80
    assert len(document) == len(HOSTILE)
    assert not [path for path in tmp_path.rglob("*") if "pwned" in path.name]
    assert not list(Path.cwd().glob("pwned*"))
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == {"scores.ly", "scores.pdf"}
    for syllable, page in zip(HOSTILE, document, strict=True):
        text = text_on(page)
        printed = "".join(notation.printable(syllable).split())
        assert all(word in text for word in ("Anfang", "Mitte", "Ende")), syllable
        if printed.isascii():
            assert printed in text, syllable


@needs_lilypond
def test_every_hostile_page_has_a_picture(notes: np.ndarray) -> None:
    chosen = ["", "~", "🎵", "שלום", "中文", "x" * 10_000]
    results = engrave([notation.score(notes, syllables=[text] * 4, word_index=[0, 1, 2, 3]) for text in chosen])
    for text, result in zip(chosen, results, strict=True):
        assert result.picture or (fonts.scripts(text) and "no font prints" in result.reason)
    first, last = (Image.open(io.BytesIO(results[place].picture)).width for place in (0, -1))
    assert last > 3 * first


SCRIPTS = {
    "Han": "中文",
    "Hiragana": "かな",
    "Katakana": "カナ",
    "Hangul": "한국",
    "Thai": "ไทย",
    "Devanagari": "हिन्दी",
}


@needs_lilypond
@pytest.mark.parametrize("installed", [True, False], ids=["installed fonts", "no fonts"])
def test_lyrics_are_ink_or_their_script_and_package_are_named(
    notes: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, installed: bool
) -> None:
    if not installed:
        empty = tmp_path / "fonts.conf"
        empty.write_text(f"<fontconfig><cachedir>{tmp_path}</cachedir></fontconfig>")
        monkeypatch.setattr(lilypond, "ENVIRONMENT", {**lilypond.ENVIRONMENT, "FONTCONFIG_FILE": str(empty)})
    texts = {**SCRIPTS, "Tamil": "தமிழ்", "Cyrillic": "дом", "Latin": "Größe", "": "1!"}
    words = [notation.score(notes, syllables=["la", text, "la", "la"], word_index=range(4)) for text in texts.values()]
    bare, latin, *results = engrave([notation.score(notes), words[-2], *words])
    staff = Image.open(io.BytesIO(bare.picture)).height
    assert latin.reason == "" if installed else "letters of Latin (U+0047" in latin.reason
    pages = engrave(
        [notation.score(notes, syllables=["", text, "", ""], word_index=range(4)) for text in texts.values()]
    )
    for script, result, page in zip(texts, results, pages, strict=True):
        if result.reason:
            named = page.reason or result.reason
            assert f"no font prints its letters of {script or 'Latin'} (U+" in named
            assert fonts.PACKAGES.get(script, "an OpenType font" if script else "") in named
        else:
            assert Image.open(io.BytesIO(page.picture)).height > staff + 5, script
    listed = {script for script, result in zip(texts, results, strict=True) if result.reason}
    assert installed or listed == set(texts)
    assert not installed or not listed & {"Latin", ""}


def test_letters_without_a_font_or_ink_cost_their_scores_alone(runs: Path) -> None:
    chosen = [GOOD[0], *(f"\\score {{ {notation.quote(text)} }}" for text in "中กб"), GOOD[1]]
    results = engrave(chosen)
    assert [bool(result.picture) for result in results] == [True, False, False, True, True]
    assert results[1].reason == (
        "no font prints its letters of Han (U+4E2D); install fonts-wqy-microhei, then engrave again with "
        "`dvc repro -f engrave_sheet`"
    )
    assert "letters of Thai (U+0E01); install fonts-tlwg-loma-otf" in results[2].reason
    # Five scores and a page for each of three scripts, in one run.
    assert sizes(runs) == [8]


@needs_lilypond
def test_same_bytes_in_any_company(samples: list[str]) -> None:
    together = engrave(samples)
    reversed_in_two_runs = engrave(samples[::-1], scores_per_run=4)[::-1]
    assert [result.reason for result in together] == [""] * 6
    assert together == reversed_in_two_runs


@needs_lilypond
def test_picture_is_a_staff_in_grey(samples: list[str]) -> None:
    (result,) = engrave(samples[:1])
    picture = Image.open(io.BytesIO(result.picture))
    assert picture.mode == "L"
    assert 300 < picture.width < 4000
    assert 40 < picture.height < 160
    # The five lines of the staff run over the whole width, 7 pixels apart (a staff of 20 pt at 100 dpi).
    dark = np.flatnonzero((np.asarray(picture) < 200).mean(axis=1) > 0.7)
    assert 5 <= len(dark) <= 10
    assert dark[-1] - dark[0] == pytest.approx(4 * 5 / 72.27 * 100, abs=2)


@needs_lilypond
def test_twenty_longest_notes_and_rests_fit_on_one_line() -> None:
    notes = np.array([[60, 31.875, 31.875]] * 20)
    scores = [notation.score(notes, syllables=["la"] * 20, word_index=range(20))]
    (result,) = engrave(scores)
    assert result.reason == ""
    assert Image.open(io.BytesIO(result.picture)).height < 100


@needs_lilypond
@pytest.mark.slow
def test_real_lilypond_loses_the_bad_score_alone(samples: list[str]) -> None:
    bad = "\\score { { c'4 \\nosuchcommand } }"
    results = engrave([samples[0], bad])
    assert results[0] == engrave(samples[:1])[0]
    assert results[1].picture == b""
    assert "LilyPond: exit status 1" in results[1].reason


FAKE = """#!{python}
import io, os, re, signal, sys, time
from pathlib import Path
if "--version" in sys.argv:
    print("GNU LilyPond 2.24.1 (fake)"); sys.exit(0)
from PIL import Image, ImageDraw
text = Path("scores.ly").read_text()
scores = re.findall(r"\\\\bookpart \\{{ (.*) \\}}", text)
with open({log!r}, "a") as log:
    log.write(f"{{len(scores)}}\\n")
if "BAD" in text: sys.exit(1)
if "OOM" in text: os.kill(os.getpid(), signal.SIGKILL)
if "ONCE" in text and len(Path({log!r}).read_text().split()) == 1: sys.exit(1)
if "CRASH" in text: os.kill(os.getpid(), signal.SIGSEGV)
if "HANG" in text: time.sleep(600)
if "NOTHING" in text: sys.exit(0)
while "SPIN" in text: pass
if "GREEDY" in text: bytearray(64 * 2**30)
if "SHORT" in text: scores.pop()
if "BROKEN" in text: Path("scores.pdf").write_bytes(b"%PDF-"); sys.exit(0)
pages = []
for score in scores:
    page = Image.new("L", (300, 60), 255)
    if "中" in score: print("scores.ly:7:1: warning: no glyph for character U+4E2D in font `c059.otf'")
    if "BLANK" not in score and score != r'\\markup \\simple "ก"':
        ImageDraw.Draw(page).rectangle((10, 10, 10 + len(score), 50), fill=0)
    if "WIDE" in score:
        ImageDraw.Draw(page).rectangle((10, 10, 299, 50), fill=0)
    pages.append(page)
if pages: pages[0].save("scores.pdf", save_all=True, append_images=pages[1:])
"""


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a stand-in for LilyPond on PATH; returns the file to which it writes the size of each run."""
    log = tmp_path / "runs.txt"
    program = tmp_path / "bin" / "lilypond"
    program.parent.mkdir()
    program.write_text(FAKE.format(python=sys.executable, log=str(log)))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    return log


def sizes(log: Path) -> list[int]:
    return [int(line) for line in log.read_text().split()]


GOOD = [f"\\score {{ {'c' * i} }}" for i in range(1, 9)]
"""Scores for the stand-in, each with its own picture."""


def test_runs_are_as_large_as_asked(runs: Path) -> None:
    results = engrave(GOOD, scores_per_run=3)
    assert sizes(runs) == [3, 3, 2]
    assert len({result.picture for result in results}) == 8
    assert not any(result.reason for result in results)


@pytest.mark.parametrize(
    "trouble, reason",
    [
        ("BAD", "exit status 1"),
        ("CRASH", "killed by signal 11"),
        ("NOTHING", "scores.pdf: not a readable PDF file"),
        ("BROKEN", "scores.pdf: not a readable PDF file"),
        ("SPIN", "killed by signal 24"),
    ],
)
def test_a_bad_score_costs_itself_alone(runs: Path, trouble: str, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "PATIENCE", 60)
    results = engrave([*GOOD[:2], f"\\score {{ {trouble} }}", GOOD[2]], timeout_s=2)
    assert results[:2] == engrave(GOOD[:2])
    assert results[3] == engrave([GOOD[2]])[0]
    assert results[2].picture == b""
    assert reason in results[2].reason
    # All four, the control note, the first half, the second half and its two scores.
    assert sizes(runs)[:6] == [4, 1, 2, 2, 1, 1]


@pytest.mark.parametrize("trouble, reason", [("HANG", "still running"), ("GREEDY", "lacks memory"), ("OOM", "killed")])
def test_what_may_be_the_machines_is_no_reason(runs: Path, trouble: str, reason: str) -> None:
    with pytest.raises(MachineError, match=reason):
        engrave([GOOD[0], f"\\score {{ {trouble} }}"], timeout_s=1)


def test_a_full_disk_is_no_reason(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(100, 100, 0))
    with pytest.raises(MachineError, match="no space is left"):
        engrave(["\\score { BAD }", *GOOD])


def test_a_failure_that_passes_leaves_no_trace(runs: Path) -> None:
    score = "\\score { ONCE }"
    assert not any(result.reason for result in engrave([score]))
    assert sizes(runs) == [1, 1, 1]  # the failure, the control note, once more


def test_a_page_too_few_does_not_count(runs: Path) -> None:
    results = engrave([GOOD[0], "\\score { SHORT }", GOOD[1]])
    assert [bool(result.picture) for result in results] == [True, False, True]
    assert results[0] == engrave(GOOD[:1])[0]


@pytest.mark.parametrize("trouble, reason", [("BLANK", "the page is blank"), ("WIDE", "does not fit on one line")])
def test_a_bad_page_is_no_picture_and_needs_no_second_run(runs: Path, trouble: str, reason: str) -> None:
    results = engrave([GOOD[0], f"\\score {{ {trouble} }}", GOOD[1]])
    assert [bool(result.picture) for result in results] == [True, False, True]
    assert reason in results[1].reason
    assert sizes(runs) == [3]


def test_a_lilypond_that_always_fails_stops_at_once(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lilypond, "CONTROL", "\\score { BAD }")
    with pytest.raises(ProgramError, match=r"cannot engrave a single note .*exit status 1.*reinstall lilypond"):
        engrave(["\\score { BAD }"] * 8)
    assert sizes(runs) == [8, 1]


def test_a_lilypond_that_prints_nothing_is_named(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lilypond, "CONTROL", "\\score { BLANK }")
    with pytest.raises(ProgramError, match=r"engraves a single note wrongly .*blank"):
        engrave(["\\score { BAD }", *GOOD])


def test_missing_lilypond_names_the_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ProgramError, match=r"lilypond: program not found.*apt-get install.* lilypond"):
        engrave(GOOD)
    with pytest.raises(ProgramError, match="apt-get install"):
        lilypond.version()


def test_version_for_the_metadata(runs: Path) -> None:
    assert lilypond.version() == "LilyPond 2.24.1"


def test_no_scores_need_no_run(runs: Path) -> None:
    assert engrave([]) == []
    assert not runs.exists()
