"""Single words spoken by espeak-ng, in any of its voices."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from unisono.errors import DataError, ProgramError, pass_machine
from unisono.io.files import temporary_folder
from unisono.media import audio, programs

PROGRAM = "espeak-ng"
PACKAGES = "espeak-ng"
TIMEOUT_S = 30
#: What espeak-ng speaks at, in Hz.
SAMPLE_RATE = 22_050
#: Voice variants that are no human voice, or a second name of another one (caleb and klatt6 are klatt).
UNUSABLE = re.compile(r"whisper|robo|robot|announcer|demonic|^fast$|^caleb$|^klatt6$", re.IGNORECASE)
#: What is quieter than this part of a word's peak, at its ends, is silence.
SILENCE = 0.02


class Voices(NamedTuple):
    """What the installed espeak-ng offers: any accent can be combined with any variant.

    Attributes
    ----------
    accents : tuple of str
        Kinds of English (``en-us``, ``en-gb-scotland``, ...), sorted.
    variants : tuple of str
        Speakers (``f2``, ``klatt``, ...), sorted, without whispers and robots.
    """

    accents: tuple[str, ...]
    variants: tuple[str, ...]


def voices() -> Voices:
    """List the voices of the installed espeak-ng.

    Raises
    ------
    ProgramError
        It is missing, fails, or lists none.
    """
    accents = {line[1] for line in _listed("en") if line[1].startswith("en") and not line[2].startswith(("mb/", "!v/"))}
    names = {line[2].removeprefix("!v/") for line in _listed("variant") if line[2].startswith("!v/")}
    variants = {name for name in names if not UNUSABLE.search(name)}
    if not accents or not variants:
        raise ProgramError(f"{PROGRAM}: lists {len(accents)} accents and {len(variants)} variants; install it again")
    return Voices(tuple(sorted(accents)), tuple(sorted(variants)))


def version() -> str:
    """Name the installed espeak-ng, without the folder of its data."""
    return programs.version(programs.find(PROGRAM, PACKAGES)).partition("  Data")[0]


def say(word: str, *, accent: str, variant: str, words_per_minute: int, pitch: int) -> np.ndarray:
    """Speak a word.

    Parameters
    ----------
    word : str
    accent, variant : str
        Of `Voices`.
    words_per_minute : int
        80 to 450.
    pitch : int
        0 to 99.

    Returns
    -------
    np.ndarray [shape=(n,), dtype=float32]
        At `SAMPLE_RATE`, without the silence before and after it.

    Raises
    ------
    ProgramError
        espeak-ng is missing, fails, hangs, or says nothing.
    """
    arguments = ["-v", f"{accent}+{variant}", "-s", str(words_per_minute), "-p", str(pitch), "-w", "word.wav", word]
    with temporary_folder() as folder:
        done = programs.run([programs.find(PROGRAM, PACKAGES), *arguments], cwd=folder, timeout_s=TIMEOUT_S)
        try:
            samples, rate = audio.decode((folder / "word.wav").read_bytes())
        except (OSError, DataError) as error:
            pass_machine(error)
            samples, rate = np.empty(0, dtype=np.float32), SAMPLE_RATE
    peak = float(np.abs(samples).max(initial=0))
    if rate != SAMPLE_RATE or peak < 1e-3:
        raise ProgramError(
            f"{PROGRAM} {' '.join(arguments)}: expected sound at {SAMPLE_RATE} Hz, got {len(samples)} samples at "
            f"{rate} Hz with peak {peak:.4f} ({programs.describe(done)}); install it again"
        )
    loud = np.flatnonzero(np.abs(samples) > SILENCE * peak)
    return samples[loud[0] : loud[-1] + 1]


def _listed(kind: str) -> list[Sequence[str]]:
    """Rows of ``espeak-ng --voices=<kind>``: priority, language, file (names hold single spaces)."""
    with temporary_folder() as folder:
        done = programs.run([programs.find(PROGRAM, PACKAGES), f"--voices={kind}"], cwd=folder, timeout_s=TIMEOUT_S)
    rows: list[Sequence[str]] = []
    for line in io.StringIO(done.output):
        # " 5  variant         --/M      Mr_Serious         !v/Mr serious        (en-us 5)"
        match = re.match(r"\s*(\d+)\s+(\S+)\s+\S+\s+\S+\s+(\S+(?: [^\s(]+)*)", line)
        if match:
            rows.append(match.groups())
    return rows
