"""espeak-ng: voices that differ, words that sound, a program that is missing."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from unisono.errors import ProgramError
from unisono.media import speech

needs_espeak = pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")


@needs_espeak
def test_no_two_variants_are_one_voice() -> None:
    offered = speech.voices()
    assert len(offered.accents) >= 6
    assert len(offered.variants) >= 60
    assert not [name for name in offered.variants if "whisper" in name.lower() or "robo" in name.lower()]
    sounds = {
        name: speech.say("one", accent="en-us", variant=name, words_per_minute=200, pitch=50).tobytes()
        for name in offered.variants
    }
    assert len(set(sounds.values())) == len(sounds)


@needs_espeak
def test_a_word_is_spoken_the_same_way_twice_without_silence_around_it() -> None:
    first, again = (speech.say("seven", accent="en-gb", variant="f2", words_per_minute=150, pitch=40) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert 0.3 < len(first) / speech.SAMPLE_RATE < 1.2
    assert np.abs(first[[0, -1]]).min() > speech.SILENCE * np.abs(first).max()
    slow = speech.say("seven", accent="en-gb", variant="f2", words_per_minute=110, pitch=40)
    assert len(slow) > len(first)


def test_a_missing_program_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ProgramError, match=r"espeak-ng: program not found .* `apt-get install .* espeak-ng`"):
        speech.voices()


@pytest.mark.parametrize("script", ["exit 0", "echo bad >&2; exit 1", "printf 'RIFF' > word.wav"])
def test_a_program_that_says_nothing_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str) -> None:
    program = tmp_path / "espeak-ng"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(ProgramError, match="expected sound at 22050 Hz, got 0 samples"):
        speech.say("one", accent="en", variant="f1", words_per_minute=150, pitch=50)
    with pytest.raises(ProgramError, match="lists 0 accents"):
        speech.voices()
