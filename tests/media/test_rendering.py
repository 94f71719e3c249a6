"""Pieces of songs: what is played when, repeats, and scores and sound files that are none."""

from __future__ import annotations

import errno
import os
import shutil
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tests.datasets.songs import params, tone
from unisono.config.compute import Compute
from unisono.config.songs import Audio
from unisono.errors import DataError, MachineError
from unisono.io import memory, parquet
from unisono.media import audio as sound
from unisono.media import excerpt, midi, mp4, rendering
from unisono.media.midi import Played

needs_timidity = pytest.mark.skipif(shutil.which("timidity") is None, reason="TiMidity++ is missing")


@pytest.fixture
def settings() -> Audio:
    """Section songs.audio with a piece of four seconds."""
    return params({"audio.clip_s": 4}).audio


def level(samples: np.ndarray, begin_s: float, end_s: float, rate: int = 22_050) -> float:
    """Root mean square of a part."""
    part = samples[round(begin_s * rate) : round(end_s * rate)].astype(float)
    return float(np.sqrt((part**2).mean()))


def pitch_hz(samples: np.ndarray, rate: int = 22_050) -> float:
    """Strongest frequency."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), n=4 * len(samples)))
    return float(np.fft.rfftfreq(4 * len(samples), 1 / rate)[np.argmax(spectrum)])


# ---- scores ----


def test_scores_come_back_from_midi() -> None:
    notes = [Played(60, 0.0, 1.0, 90, 52), Played(64, 0.0, 2.5, 80, 0), Played(60, 1.0, 1.5, 70, 52)]
    found = midi.decode_score(midi.encode_score(notes, seconds_per_beat=0.4))
    assert [(n.pitch, n.velocity, n.program) for n in found] == [(64, 80, 0), (60, 90, 52), (60, 70, 52)]
    np.testing.assert_allclose([n[1:3] for n in found], [[0, 2.5], [0, 1], [1, 1.5]], atol=1e-3)
    assert midi.encode_score(notes) == midi.encode_score(list(reversed(notes)))


def test_notes_of_one_pitch_do_not_overlap() -> None:
    rng = np.random.default_rng(0)
    notes = []
    for _ in range(300):
        onset = float(rng.uniform(0, 20))
        notes.append(Played(int(rng.integers(60, 66)), onset, onset + float(rng.uniform(0.1, 3)), 90, 0))
    found = midi.separate(notes)
    for key in range(60, 66):
        own = [n for n in found if n.pitch == key]
        assert all(a.offset_s <= b.onset_s for a, b in pairwise(own))
    # What sounds, sounds still: the union of the intervals is the same.
    grid = np.arange(0, 24, 0.01)
    for key in range(60, 66):
        heard = [
            np.any([(n.onset_s <= grid) & (grid < n.offset_s) for n in some if n.pitch == key], axis=0)
            for some in (notes, found)
        ]
        np.testing.assert_array_equal(*heard)


def test_a_short_score_is_repeated_and_a_long_one_cut() -> None:
    score = [Played(60, 0.0, 1.0, 90, 0), Played(62, 1.0, 1.5, 90, 0)]
    found = midi.clip(score, start_s=0, clip_s=4)
    assert [(n.pitch, n.onset_s, n.offset_s) for n in found] == [
        (60, 0, 1),
        (62, 1, 1.5),
        (60, 1.5, 2.5),
        (62, 2.5, 3),
        (60, 3, 4),
    ]
    assert [(n.pitch, n.onset_s, n.offset_s) for n in midi.clip(score, start_s=0.5, clip_s=0.7)] == [
        (60, 0, 0.5),
        (62, 0.5, 0.7),
    ]
    with pytest.raises(DataError, match=r"it lasts 0\.50 s from 1 s on, at least 1 s are needed"):
        midi.clip(score, start_s=1, clip_s=4)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not a readable MIDI file"),
        (b"garbage", "not a readable MIDI file"),
        (b"MThd\x00\x00\x00\x06\x00\x00\x00\x01\xe7\x28", "timed in SMPTE frames"),
        (b"MThd\x00\x00\x00\x06\x00\x00\x00\x01\x00\x00", "not a readable MIDI file"),
        (b"MThd\x00\x00\x00\x06\x00\x00\x00\x00\x01\xe0", "a score without a note"),
        (midi.encode_score([Played(60, 0.0, 1.0, 90, 0)])[:-6], r"MIDI file|a score without"),
        (bytes(5 * 2**20), "a MIDI file of 5,242,880 bytes"),
    ],
)
def test_what_is_no_score_is_one_line(data: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        midi.decode_score(data)


@pytest.mark.parametrize(
    "note", [Played(128, 0, 1, 90, 0), Played(60, 1, 1, 90, 0), Played(60, 0, np.nan, 90, 0), Played(60, 0, 1e6, 90, 0)]
)
def test_impossible_notes_are_refused(note: Played) -> None:
    with pytest.raises(DataError, match=r"impossible note|longer than"):
        midi.encode_score([note])


@needs_timidity
def test_pieces_have_their_length_and_their_notes(settings: Audio) -> None:
    notes = [Played(69, 0.0, 2.0, 100, 0), Played(57, 2.0, 6.0, 100, 0)]
    whole, later = rendering.play([midi.encode_score(notes)] * 2, settings, [0.0, 2.0])
    assert isinstance(whole, np.ndarray)
    assert isinstance(later, np.ndarray)
    assert whole.dtype == np.int16
    assert whole.shape == later.shape == (88_200,)
    assert pitch_hz(whole[11_025:44_100]) == pytest.approx(440, rel=0.01)
    assert pitch_hz(later[:44_100]) == pytest.approx(220, rel=0.01)
    [alone] = rendering.play([midi.encode_score(notes)], settings, [0.0])
    np.testing.assert_array_equal(alone, whole)


@needs_timidity
def test_a_short_song_sounds_again(settings: Audio) -> None:
    [heard] = rendering.play([midi.encode_score([Played(60, 0.0, 1.5, 100, 0)])], settings, [0.0])
    assert isinstance(heard, np.ndarray)
    for begin in (0.05, 1.55, 3.05):
        assert level(heard, begin, begin + 0.3) > 300
    for begin in (1.55, 3.05):
        assert level(heard, begin, begin + 0.3) > 1.5 * level(heard, begin - 0.2, begin - 0.05)


@needs_timidity
def test_what_cannot_be_played_does_not_hinder_the_rest(settings: Audio) -> None:
    good = midi.encode_score([Played(60, 0.0, 2.0, 100, 0)])
    drums = good.replace(b"\x90", b"\x99").replace(b"\x80", b"\x89")
    short = midi.encode_score([Played(60, 0.0, 0.5, 100, 0)])
    found = rendering.play([b"garbage", good, short, drums, good], settings, [0.0, 0.0, 0.0, 0.0, 5.0])
    assert isinstance(found[1], np.ndarray)
    assert [text for text in found if isinstance(text, str)] == [
        found[0],
        "it lasts 0.50 s, at least 1 s are needed",
        "a score without a note",
        "it lasts 0.00 s from 5 s on, at least 1 s are needed",
    ]


@needs_timidity
def test_a_folder_of_scores(tmp_path: Path, settings: Audio) -> None:
    good = midi.encode_score([Played(60, 0.0, 2.0, 100, 52)])
    columns = {"id": ["a", "b", "c"], "midi": [good, b"no", good], "start_s": [0.0, 0.0, 1.0]}
    types = {"id": pa.string(), "midi": pa.binary(), "start_s": pa.float64()}
    parquet.write(tmp_path / "samples" / parquet.shard_name(0), columns, types=types, metadata={"dataset": "songs"})
    compute = Compute.load(Path(__file__).resolve().parents[2] / "params.yaml")
    compute = compute.model_copy(update={"scratch": tmp_path / "scratch", "executor": "serial"})
    rendering.render_folder(tmp_path / "samples", tmp_path / "out", tmp_path / "s.csv", settings, compute=compute)
    table = parquet.read(tmp_path / "out")
    assert table["id"].to_pylist() == ["a", "c"]
    samples, rate = sound.decode(table["audio"][0]["bytes"].as_py())
    assert (len(samples), rate) == (88_200, 22_050)
    assert 'b,"not a readable MIDI file' in (tmp_path / "s.csv").read_text(encoding="utf-8")
    facts = parquet.metadata(tmp_path / "out")
    assert {"tool", "soundfont", "soundfont_sha256", "dataset", "clip_s", "start_s", "shorter"} <= set(facts)


def test_songs_without_sound_are_one_line(tmp_path: Path, settings: Audio) -> None:
    columns, types = {"id": ["a"], "start_s": [0.0]}, {"id": pa.string(), "start_s": pa.float64()}
    parquet.write(tmp_path / "samples" / parquet.shard_name(0), columns, types=types)
    compute = Compute.load(Path(__file__).resolve().parents[2] / "params.yaml")
    with pytest.raises(DataError, match="songs without scores and sound files"):
        rendering.render_folder(tmp_path / "samples", tmp_path / "out", tmp_path / "s.csv", settings, compute=compute)


# ---- sound files ----


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".mp3"])
def test_a_piece_of_a_sound_file(suffix: str, tmp_path: Path) -> None:
    rate = 16_000
    t = np.arange(6 * rate) / rate
    path = tmp_path / f"a{suffix}"
    samples = 0.3 * np.sin(2 * np.pi * np.where(t < 3, 400, 800) * t)
    import soundfile

    soundfile.write(path, np.stack([samples, samples], axis=1).astype(np.float32), rate)
    piece = excerpt.read(path, start_s=3.5, clip_s=2, rate=22_050)
    assert piece.dtype == np.float32
    assert piece.shape == (44_100,)
    assert pitch_hz(piece) == pytest.approx(800, abs=2)
    assert level(piece, 0.5, 1.5) == pytest.approx(0.3 / np.sqrt(2), rel=0.05)


def test_a_piece_of_a_video(tmp_path: Path) -> None:
    rate = 44_100
    t = np.arange(5 * rate) / rate
    samples = (0.3 * np.sin(2 * np.pi * np.where(t < 2.5, 400, 800) * t)).astype(np.float32)
    path = tmp_path / "a.mp4"
    path.write_bytes(mp4.encode(iter(np.zeros((50, 32, 32, 3), np.uint8)), 10, samples, rate))
    piece = excerpt.read(path, start_s=3, clip_s=1, rate=22_050)
    assert piece.shape == (22_050,)
    assert pitch_hz(piece) == pytest.approx(800, abs=3)
    first = excerpt.read(path, start_s=0.5, clip_s=1, rate=22_050)
    assert pitch_hz(first) == pytest.approx(400, abs=3)


def test_a_short_sound_is_repeated(tmp_path: Path) -> None:
    path = tone(tmp_path / "a.wav", seconds=1.5, rate=22_050)
    piece = excerpt.read(path, start_s=0, clip_s=4, rate=22_050)
    np.testing.assert_array_equal(piece[:33_075], piece[33_075:66_150])
    assert piece.shape == (88_200,)


def test_an_hour_is_not_decoded_whole(tmp_path: Path) -> None:
    import soundfile

    path = tmp_path / "hour.flac"
    minute = (0.1 * np.sin(np.arange(60 * 16_000) * 0.1)).astype(np.float32)
    with soundfile.SoundFile(path, "w", 16_000, 1) as file:
        for _ in range(60):
            file.write(minute)
    start = time.process_time()
    piece = excerpt.read(path, start_s=3_000, clip_s=30, rate=22_050)
    assert time.process_time() - start < 2
    assert piece.shape == (661_500,)


@pytest.mark.parametrize(
    ("seconds", "loud", "start_s", "message"),
    [
        (2.0, 0.0, 0.0, "it is silent"),
        (2.0, 1e-4, 0.0, "it is silent"),
        (0.5, 0.3, 0.0, r"it lasts 0\.50 s, at least 1 s are needed"),
        (2.0, 0.3, 1.5, r"it lasts 0\.50 s from 1\.5 s on"),
        (2.0, 0.3, 60.0, r"it lasts 0\.00 s from 60 s on"),
    ],
)
def test_sound_that_is_none_is_one_line(
    seconds: float, loud: float, start_s: float, message: str, tmp_path: Path
) -> None:
    path = tone(tmp_path / "a.wav", seconds=seconds, loud=loud)
    with pytest.raises(DataError, match=message):
        excerpt.read(path, start_s=start_s, clip_s=4, rate=22_050)


@pytest.mark.parametrize("name", ["a.wav", "a.mp3", "a.m4a", "a.flac"])
@pytest.mark.parametrize("data", [b"", b"text, not sound", os.urandom(5000), b"RIFF\xff\xff\xff\xffWAVEfmt "])
def test_what_is_no_sound_file_is_one_line(name: str, data: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(DataError):
        excerpt.read(tmp_path / name, start_s=0, clip_s=4, rate=22_050)


def test_a_sound_track_without_a_decoder_is_one_line(tmp_path: Path) -> None:
    pictures = [np.zeros((48, 64, 3), np.uint8)] * 8
    data = mp4.encode(pictures, 4, np.sin(np.arange(32_000) / 5).astype(np.float32), 16_000)
    unknown = data.replace(b"mp4a", b"xxxx").replace(b"\x40\x15", b"\x00\x15")
    assert unknown != data
    (tmp_path / "a.m4a").write_bytes(unknown)
    with pytest.raises(DataError, match="no sound track that can be decoded"):
        excerpt.read(tmp_path / "a.m4a", start_s=0, clip_s=1, rate=22_050)


@pytest.mark.parametrize(("spare", "error"), [(2**31, MemoryError), (2**33, DataError)])
def test_a_packet_that_claims_gigabytes(
    spare: int, error: type[Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FFmpeg lacks memory then, which is the machine's fault only where there is little."""
    pictures = [np.zeros((48, 64, 3), np.uint8)] * 8
    data = mp4.encode(pictures, 4, np.sin(np.arange(32_000) / 5).astype(np.float32), 16_000)
    # The sizes of the packets of the sound, which is the second track.
    at = data.rfind(b"stsz") + 12
    n = int.from_bytes(data[at : at + 4], "big")
    (tmp_path / "a.m4a").write_bytes(data[: at + 4] + (7 * 10**8).to_bytes(4, "big") * n + data[at + 4 + 4 * n :])
    monkeypatch.setattr(memory, "spare", lambda: spare)
    with pytest.raises(error):
        excerpt.read(tmp_path / "a.m4a", start_s=0, clip_s=1, rate=22_050)


@pytest.mark.parametrize(("spare", "error"), [(2**27, MachineError), (2**33, DataError)])
def test_ffmpeg_that_asks_to_be_asked_again(
    spare: int, error: type[Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says so of damaged packets, and where there is no memory."""
    import av

    def again(*_: object, **__: object) -> None:
        raise av.error.BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(memory, "spare", lambda: spare)
    monkeypatch.setattr(av, "open", again)
    (tmp_path / "a.m4a").write_bytes(b"anything")
    with pytest.raises(error):
        excerpt.read(tmp_path / "a.m4a", start_s=0, clip_s=1, rate=22_050)


def test_a_playlist_names_no_other_file(tmp_path: Path) -> None:
    tone(tmp_path / "secret.wav")
    (tmp_path / "a.m4a").write_text(f"#EXTM3U\n#EXTINF:2,\nfile://{tmp_path}/secret.wav\n", encoding="utf-8")
    with pytest.raises(DataError, match="not a sound file, or damaged"):
        excerpt.read(tmp_path / "a.m4a", start_s=0, clip_s=1, rate=22_050)
