r"""LilyPond: many scores in one run, one page each, and a bad score costs itself alone.

**Conventions.** A *score* is the text of one ``\\score`` block (`unisono.media.notation`); its picture is its page,
rasterised and cropped to the ink, as PNG. The bytes depend on the score, the resolution and the versions of LilyPond,
its fonts and pdfium, not on what else was in the run.

**Trust.** LilyPond runs in a temporary folder of its own with a bare environment, a time limit and a memory limit.
Its exit status alone says little: a run counts only if it ends with 0 *and* there are as many pages as scores. Any
other run is halved until what is left is one score. If that fails twice, while a single note can be engraved, it has a
reason instead of a picture; if it lacks space, memory, processes or time, the machine is to blame and the work stops.
A score with letters that no font prints has a reason, too: LilyPond leaves them out and goes on. It says so where no
font has the letter; where it finds a font that it cannot print, a page of the letters of that script alone is blank.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from unisono.errors import DataError, MachineError, ProgramError
from unisono.io.files import temporary_folder
from unisono.media import fonts, notation, programs, raster

PROGRAM = "lilypond"
PACKAGE = "lilypond"
MEMORY_BYTES = 3 * 2**30
ENVIRONMENT = {"GC_DONT_GC": "1"}
"""LilyPond lives for seconds: without garbage collection it takes two thirds of the time, and 6 MB a score."""
FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">
<fontconfig><selectfont><rejectfont>
<pattern><patelt name="color"><bool>true</bool></patelt></pattern>
</rejectfont></selectfont></fontconfig>
"""
"""What fontconfig reads in the home folder: no fonts of coloured pictures, at which LilyPond fails."""
MIN_TIMEOUT_S = 60.0
"""Small runs get less than the full time limit, down to this: a score that hangs is then found within minutes."""

# As wide as PDF viewers agree on (200 inches), so that any 20 notes fit on one line; both are cropped away.
HEADER = r"""\version "2.24.1"
\paper {
  indent = 0 oddHeaderMarkup = ##f evenHeaderMarkup = ##f oddFooterMarkup = ##f evenFooterMarkup = ##f
  tagline = ##f bookTitleMarkup = ##f scoreTitleMarkup = ##f
  paper-width = 5080\mm paper-height = 100\mm ragged-right = ##t
}
\layout {
  \context { \Score \override NonMusicalPaperColumn.line-break-permission = ##f }
  \context { \Lyrics \override LyricSpace.minimum-distance = #1 \override LyricHyphen.minimum-distance = #1.4 }
}
"""
WARNING_BYTES = 16 * 2**20
"""Of what LilyPond says, which is a line for every letter without a font."""
_NO_GLYPH = re.compile(r"no glyph for character U\+([0-9A-F]+)")
_PRINTED = re.compile(r'\\simple "((?:[^"\\]|\\.)*)"')
CONTROL = r"\score { { c'4 } }"
"""A score that any working LilyPond can engrave."""


class Engraved(NamedTuple):
    """What became of one score."""

    picture: bytes
    """PNG, 8-bit grey; empty where there is none."""
    reason: str
    """Why there is none; empty where there is one."""


def version() -> str:
    """Name and version of the program, for the metadata: ``"LilyPond 2.24.1"``."""
    programs.find(PROGRAM, PACKAGE)
    words = programs.version(PROGRAM).split()
    return f"LilyPond {words[2]}" if len(words) > 2 else " ".join(words)


def document(scores: Sequence[str]) -> str:
    """Put scores into one input file, a page each."""
    return HEADER + "\n".join(f"\\bookpart {{ {score} }}" for score in scores) + "\n"


def engrave(scores: Sequence[str], *, resolution_dpi: float, scores_per_run: int, timeout_s: float) -> list[Engraved]:
    r"""Engrave scores.

    Parameters
    ----------
    scores : sequence of str
        ``\\score`` blocks.
    resolution_dpi : float
        Of the pictures.
    scores_per_run : int
        Scores given to one process: its start costs as much as some fifty scores.
    timeout_s : float
        Longest time of a run of `scores_per_run` scores, in seconds; smaller runs get their share, but at least
        `MIN_TIMEOUT_S`.

    Returns
    -------
    list of Engraved
        One per score, in order.

    Raises
    ------
    ProgramError
        LilyPond is not installed, or cannot engrave even a single note (a broken installation).
    MachineError
        Space, memory, processes or time do not suffice for one score.
    """
    program = programs.find(PROGRAM, PACKAGE)

    def limit(n_scores: int) -> float:
        return max(min(MIN_TIMEOUT_S, timeout_s), timeout_s * n_scores / scores_per_run)

    results: list[Engraved] = []
    trusted = False
    # Runs still to do, as ranges of scores, the next one last.
    runs = [(i, min(i + scores_per_run, len(scores))) for i in range(0, len(scores), scores_per_run)][::-1]
    while runs:
        first, end = runs.pop()
        try:
            results += _run(program, scores[first:end], resolution_dpi=resolution_dpi, timeout_s=limit(end - first))
        except (ProgramError, MachineError) as error:
            single = end - first == 1
            if single and isinstance(error, MachineError):
                raise
            if single or not trusted:
                _check_program(program, timeout_s=limit(1))
                trusted = True
            if single:
                # What was the machine's may be over, without a trace.
                try:
                    results += _run(program, scores[first:end], resolution_dpi=resolution_dpi, timeout_s=limit(1))
                except ProgramError as again:
                    results.append(Engraved(b"", str(again)))
            else:
                middle = (first + end) // 2
                runs += [(middle, end), (first, middle)]
    return results


def typeset(program: str, scores: Sequence[str], folder: Path, *, timeout_s: float) -> tuple[Path, set[str]]:
    """Run LilyPond once.

    Parameters
    ----------
    program : str
        Path of LilyPond.
    scores : sequence of str
    folder : Path
        An empty folder to work in.
    timeout_s : float
        Time limit, in seconds.

    Returns
    -------
    pdf : Path
        In `folder`, with one page per score.
    lost : set of str
        Characters that were left out, since no font has them.

    Raises
    ------
    ProgramError
        LilyPond failed, or made another number of pages.
    MachineError
        It did, and space, memory, processes or time did not suffice.
    """
    source, pdf = folder / "scores.ly", folder / "scores.pdf"
    source.write_text(document(scores), encoding="utf-8")
    fonts = folder / ".config" / "fontconfig" / "fonts.conf"
    fonts.parent.mkdir(parents=True, exist_ok=True)
    fonts.write_text(FONTS, encoding="utf-8")
    done = programs.run(
        [program, "--loglevel=WARN", "-dno-point-and-click", "--output=scores", source.name],
        cwd=folder,
        timeout_s=timeout_s,
        memory_bytes=MEMORY_BYTES,
        env=ENVIRONMENT,
        output_bytes=WARNING_BYTES,
    )
    reason = programs.describe(done) if done.returncode != 0 or done.timed_out else ""
    try:
        n_pages = 0 if reason else raster.count_pages(pdf)
    except DataError as error:
        n_pages, reason = 0, str(error)
    if n_pages != len(scores):
        reason = reason or f"expected {len(scores)} pages, got {n_pages}"
        raise MachineError(f"LilyPond: {reason}: {done.fault}") if done.fault else ProgramError(f"LilyPond: {reason}")
    return pdf, {chr(int(code, 16)) for code in _NO_GLYPH.findall(done.output)}


def _run(program: str, scores: Sequence[str], *, resolution_dpi: float, timeout_s: float) -> list[Engraved]:
    texts = ["".join(_PRINTED.findall(score)) for score in scores]
    letters = list(fonts.scripts("".join(texts)).values())
    with temporary_folder() as folder:
        pages = [*scores, *map(notation.quote, letters)]
        pdf, lost = typeset(program, pages, folder, timeout_s=timeout_s)
        pictures = list(raster.pages(pdf, resolution_dpi=resolution_dpi))
    for text, page in zip(letters, pictures[len(scores) :], strict=True):
        if (page == raster.WHITE).all():
            lost.update(text)
    lost = {character for character in lost if fonts.script(character)}
    return [
        Engraved(b"", fonts.reason(lost & set(text))) if lost & set(text) else _picture(page)
        for text, page in zip(texts, pictures, strict=False)
    ]


def _picture(page: np.ndarray) -> Engraved:
    try:
        return Engraved(raster.png(raster.crop(page)), "")
    except DataError as error:
        return Engraved(b"", f"LilyPond: {error}")


def _check_program(program: str, *, timeout_s: float) -> None:
    """Raise `ProgramError` when it is LilyPond that fails, not a score."""
    try:
        (control,) = _run(program, [CONTROL], resolution_dpi=100, timeout_s=timeout_s)
    except ProgramError as error:
        raise ProgramError(
            f"{program} cannot engrave a single note ({error}); reinstall {PACKAGE}, free disk"
        ) from None
    if control.reason:
        raise ProgramError(f"{program} engraves a single note wrongly ({control.reason}); reinstall {PACKAGE}")
