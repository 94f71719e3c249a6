"""Small songs: parameters, scores, sound files, and sources made of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import yaml

from unisono.config.songs import Songs

PARAMS = Path(__file__).resolve().parents[2] / "params.yaml"
#: Six texts of 24 words, no two of which share five in a row.
WORDS = ["some", "words", "that", "nobody", "sings", "twice"]
TEXTS = [" ".join(f"{word}{turn}{letter}" for turn in "1234" for word in WORDS) for letter in "abcdef"]


def params(changes: dict[str, Any]) -> Songs:
    """The shipped parameters with some changed, by dotted key below ``songs``."""
    raw = yaml.safe_load(PARAMS.read_text(encoding="utf-8"))["songs"]
    for key, value in changes.items():
        section = raw
        *path, last = key.split(".")
        for part in path:
            section = section[part]
        section[last] = value
    return Songs.model_validate(raw)


def note(step: str = "C", *, octave: int = 4, duration: int = 1, text: str = "", inside: str = "") -> str:
    """A note of MusicXML."""
    lyric = f"<lyric><syllabic>single</syllabic><text>{text}</text></lyric>" if text else ""
    pitch = f"<pitch><step>{step}</step><octave>{octave}</octave></pitch>"
    return f"<note>{inside}{pitch}<duration>{duration}</duration><voice>1</voice>{lyric}</note>"


def score(*parts: str, composer: str = "") -> bytes:
    """A score of one measure in each part."""
    whole = "".join(f"<part id='P{i}'><measure>{body}</measure></part>" for i, body in enumerate(parts))
    creator = f"<identification><creator type='composer'>{composer}</creator></identification>" if composer else ""
    return f"<score-partwise>{creator}{whole}</score-partwise>".encode()


def sung(text: str, *, leap: int = 1) -> bytes:
    """A score that sings a text, each note `leap` steps of the scale above the one before."""
    return score("".join(note("CDEFGAB"[leap * i % 7], text=word) for i, word in enumerate(text.split())))


def tone(path: Path, *, seconds: float = 2.0, rate: int = 16_000, hz: float = 440.0, loud: float = 0.3) -> Path:
    """A sound file with a tone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = loud * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)
    soundfile.write(path, samples.astype(np.float32), rate)
    return path
