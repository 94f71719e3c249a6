"""Notes to MIDI: times and file, checked with another reader."""

from __future__ import annotations

import io

import mido
import numpy as np
import pytest

from unisono.errors import DataError
from unisono.media import midi

NOTES = np.array([[60, 1.0, 0.5], [60, 0.5, 0.0], [67, 2.0, 8.0], [59, 0.125, 0.0]])


def sounding(data: bytes) -> list[tuple[int, float, float, int]]:
    """(pitch, start, end, velocity) of every note, in seconds, by mido alone."""
    now, started, found = 0.0, {}, []
    for message in mido.MidiFile(file=io.BytesIO(data)):
        now += message.time
        if message.type == "note_on" and message.velocity:
            assert message.note not in started, "a note starts while it still sounds"
            started[message.note] = (now, message.velocity)
        elif message.type in ("note_on", "note_off"):
            start, velocity = started.pop(message.note)
            found.append((message.note, start, now, velocity))
    assert not started
    return found


def test_rest_comes_before_its_note() -> None:
    onsets, offsets = midi.note_times(NOTES, seconds_per_beat=0.5)
    np.testing.assert_allclose(onsets, [0.25, 0.75, 5.0, 6.0])
    np.testing.assert_allclose(offsets, [0.75, 1.0, 6.0, 6.0625])


def test_a_rest_of_eight_beats_is_four_seconds() -> None:
    onsets, offsets = midi.note_times(NOTES, seconds_per_beat=0.5)
    assert onsets[2] - offsets[1] == pytest.approx(4.0)


@pytest.mark.parametrize("seconds_per_beat", [0.5, 0.3, 1.0])
@pytest.mark.parametrize("lead_in", [0.0, 0.25])
def test_file_holds_the_notes(seconds_per_beat: float, lead_in: float) -> None:
    data = midi.encode(NOTES, seconds_per_beat=seconds_per_beat, program=0, velocity=90, lead_in=lead_in)
    onsets, offsets = midi.note_times(NOTES, seconds_per_beat=seconds_per_beat)
    wait_s = lead_in * seconds_per_beat
    read = sounding(data)
    assert [(pitch, velocity) for pitch, _, _, velocity in read] == [(int(p), 90) for p in NOTES[:, 0]]
    np.testing.assert_allclose([start for _, start, _, _ in read], onsets + wait_s, atol=1e-6)
    np.testing.assert_allclose([end for _, _, end, _ in read], offsets + wait_s, atol=1e-6)


def test_program_and_bytes() -> None:
    data = midi.encode(NOTES, seconds_per_beat=0.5, program=52, velocity=100)
    programs = [m.program for m in mido.MidiFile(file=io.BytesIO(data)) if m.type == "program_change"]
    assert programs == [52]
    assert data == midi.encode(NOTES.copy(), seconds_per_beat=0.5, program=52, velocity=100)


@pytest.mark.parametrize(
    "note",
    [
        [128, 1, 0],
        [-1, 1, 0],
        [60.5, 1, 0],
        [60, 0, 0],
        [60, -1, 0],
        [60, 1, -0.5],
        [np.nan, 1, 0],
        [60, np.inf, 0],
    ],
)
def test_unplayable_note_is_named(note: list[float]) -> None:
    notes = np.array([[60, 1, 0], note])
    with pytest.raises(DataError, match="note 1: got pitch"):
        midi.encode(notes, seconds_per_beat=0.5, program=0, velocity=100)


@pytest.mark.parametrize("shape", [(0, 3), (20, 2), (20,)])
def test_wrong_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match="expected notes of shape"):
        midi.note_times(np.ones(shape), seconds_per_beat=0.5)
