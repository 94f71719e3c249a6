"""Sound by TiMidity++: right notes at the right times, the same bytes in any company, no failure unseen."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from unisono.config.compute import Compute
from unisono.config.mtm import Audio
from unisono.errors import ConfigError, DataError, MachineError, ProgramError
from unisono.io import parquet
from unisono.media import audio as sound
from unisono.media import midi, timidity

REAL = shutil.which("timidity")
needs_timidity = pytest.mark.skipif(REAL is None, reason="TiMidity++ is missing (`make test` installs it)")

CULPRIT = 99
"""Pitch by which the programs that stand in for TiMidity++ know the sample they fail on."""


@pytest.fixture
def settings() -> Audio:
    """Section mtm.audio with its defaults, and a short time limit."""
    return Audio(
        sample_rate=16_000,
        program=0,
        soundfont="FluidR3_GM.sf2",
        seconds_per_beat=0.5,
        velocity=100,
        files_per_process=64,
        timeout_s=20,
    )


@pytest.fixture
def samples() -> np.ndarray:
    """Six random melodies of 20 notes, shape (6, 20, 3); lengths and rests from 1/4 to 2 beats."""
    rng = np.random.default_rng(0)
    pitches = rng.integers(55, 80, (6, 20))
    durations = rng.choice([0.25, 0.5, 1.0, 2.0], (6, 20))
    rests = rng.choice([0.0, 0.0, 0.5, 2.0], (6, 20))
    return np.stack([pitches, durations, rests], axis=-1)


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Put a Python program named timidity first on PATH: `mids` are its MIDI files, `real` plays some."""

    def install(text: str) -> None:
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        program = folder / "timidity"
        program.write_text(
            f"#!{sys.executable}\n"
            "import os, signal, subprocess, sys, time\n"
            "options = [a for a in sys.argv[1:] if not a.endswith('.mid')]\n"
            "mids = [a for a in sys.argv[1:] if a.endswith('.mid')]\n"
            f"def real(files): subprocess.run([{REAL!r}, *options, *files])\n"
            f"def bad(mid): return bytes([{CULPRIT}, 100]) in open(mid, 'rb').read()\n"
            "def wav(mid): return mid[:-4] + '.wav'\n"
            "if '--version' in options: print('TiMidity++ stand-in'); sys.exit()\n"
            f"{text}\n"
        )
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")

    return install


def with_font(settings: Audio, font: Path | str) -> Audio:
    """The settings with another sound font."""
    return settings.model_copy(update={"soundfont": str(font)})


def with_culprit(samples: np.ndarray) -> np.ndarray:
    """The samples, the third with the culprit's pitch in it."""
    changed = samples.copy()
    changed[2, 5, 0] = CULPRIT
    return changed


def frequency_hz(samples: np.ndarray, rate: int) -> float:
    """Strongest frequency."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), n=8 * len(samples)))
    return float(np.fft.rfftfreq(8 * len(samples), 1 / rate)[np.argmax(spectrum)])


# ---- The sound itself ----


@needs_timidity
def test_every_note_starts_within_20_ms_and_has_its_pitch(settings: Audio) -> None:
    pitches = np.array([60, 60, 72, 64, 64, 69, 79, 67])
    notes = np.stack([pitches, np.full(8, 0.5), np.full(8, 1.5)], axis=-1)
    [rendered] = timidity.render([notes], settings)
    onsets, offsets = midi.note_times(notes, seconds_per_beat=0.5)
    level = np.abs(rendered.astype(float))
    for pitch, onset, offset in zip(pitches, onsets, offsets, strict=True):
        start, rate = round(onset * 16_000), 16_000
        before = level[start - rate // 50 : start].max()
        loud = start - rate // 50 + np.argmax(level[start - rate // 50 :] > max(4 * before, 300))
        assert abs(loud / rate - onset) < 0.02
        heard = frequency_hz(rendered[start : round(offset * rate)].astype(float), rate)
        assert 12 * np.log2(heard / 440) + 69 == pytest.approx(pitch, abs=0.35)


@needs_timidity
@pytest.mark.parametrize("rest", [0.0, 0.5])
def test_first_note_sounds_also_when_it_is_repeated(settings: Audio, rest: float) -> None:
    """TiMidity++ 2.14 swallows a note at time zero before another one of its pitch."""
    [rendered] = timidity.render([np.array([[60, 1, rest], [60, 1, 0], [62, 1, 0]])], settings)
    start = round(rest * 0.5 * 16_000)
    assert np.abs(rendered[start : start + 1600].astype(int)).max() > 1000
    assert np.abs(rendered[:start].astype(int)).max(initial=0) <= timidity.SILENCE


@needs_timidity
def test_length_follows_from_the_notes(settings: Audio, samples: np.ndarray) -> None:
    for notes, rendered in zip(samples, timidity.render(samples, settings), strict=True):
        _, offsets = midi.note_times(notes, seconds_per_beat=0.5)
        assert rendered.dtype == np.int16
        assert len(rendered) == round((offsets[-1] + timidity.TAIL_S) * 16_000)


@needs_timidity
@pytest.mark.parametrize("pitch", [0, 127])
def test_extreme_pitches_are_heard(settings: Audio, pitch: int) -> None:
    [rendered] = timidity.render([np.array([[pitch, 0.25, 8.0]])], settings)
    assert isinstance(rendered, np.ndarray)


@needs_timidity
@pytest.mark.parametrize("changes", [{"sample_rate": 22_050}, {"seconds_per_beat": 0.3}, {"program": 52}])
def test_parameters_are_obeyed(settings: Audio, samples: np.ndarray, changes: dict[str, float]) -> None:
    changed = settings.model_copy(update=changes)
    [default], [rendered] = timidity.render(samples[:1], settings), timidity.render(samples[:1], changed)
    _, offsets = midi.note_times(samples[0], seconds_per_beat=changed.seconds_per_beat)
    assert len(rendered) == round((offsets[-1] + timidity.TAIL_S) * changed.sample_rate)
    assert not np.array_equal(default, rendered)


@needs_timidity
def test_same_sound_in_any_company(settings: Audio, samples: np.ndarray) -> None:
    together = timidity.render(samples, settings)
    backwards = timidity.render(samples[::-1], settings)[::-1]
    alone = timidity.render(samples, settings.model_copy(update={"files_per_process": 1}))
    for a, b, c in zip(together, backwards, alone, strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(a, c)


@needs_timidity
def test_users_own_configuration_does_not_matter(
    settings: Audio, samples: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [expected] = timidity.render(samples[:1], settings)
    (tmp_path / ".timidity.cfg").write_text("opt A5\nopt EFreverb=d\nbank 0\n0 nothing\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    np.testing.assert_array_equal(timidity.render(samples[:1], settings)[0], expected)


# ---- What fails ----


def test_missing_program_names_the_package(
    settings: Audio, samples: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ProgramError, match=r"timidity: program not found.*apt-get install.*timidity"):
        timidity.render(samples, settings)


def test_missing_soundfont_names_the_package(settings: Audio) -> None:
    with pytest.raises(ConfigError, match=r"mtm\.audio\.soundfont: 'nosuch\.sf2'.*fluid-soundfont-gm"):
        timidity.find_soundfont(with_font(settings, "nosuch.sf2"))


def test_soundfont_by_path_must_be_one(settings: Audio, tmp_path: Path) -> None:
    good, bad = tmp_path / "a.sf2", tmp_path / "b.sf2"
    good.write_bytes(b"RIFF\0\0\0\0sfbkLIST")
    bad.write_bytes(b"garbage, not a font")
    assert timidity.find_soundfont(with_font(settings, good)) == good
    with pytest.raises(ConfigError, match="not a SoundFont 2 file"):
        timidity.find_soundfont(with_font(settings, bad))


@needs_timidity
def test_damaged_soundfont_is_noticed_before_the_work(settings: Audio, tmp_path: Path) -> None:
    font = tmp_path / "truncated.sf2"
    font.write_bytes(timidity.find_soundfont(settings).read_bytes()[:5000])
    with pytest.raises(ProgramError, match="a test note"):
        timidity.check(with_font(settings, font))


@needs_timidity
@pytest.mark.parametrize(
    "text, reason",
    [
        ("real([m for m in mids if not bad(m)])", "no sound was written.*exit status 0"),
        (
            "real(mids)\nfor m in filter(bad, mids): os.truncate(wav(m), 20_000)",
            "sound ends at 0.* the last note at",
        ),
        ("real(mids)\nfor m in filter(bad, mids): os.truncate(wav(m), 3)", "not a readable WAV file"),
        (
            "real(mids)\nfor m in filter(bad, mids): open(wav(m), 'wb').write(b'garbage')",
            "not a readable WAV file",
        ),
        (
            "real(mids)\nfor m in filter(bad, mids):\n"
            "    size = os.path.getsize(wav(m))\n"
            "    with open(wav(m), 'r+b') as f: f.seek(44); f.write(bytes(size - 44))",
            "note 0 .* is silent",
        ),
        (
            "real(mids)\nfor m in filter(bad, mids):\n"
            "    size = os.path.getsize(wav(m))\n"
            "    with open(wav(m), 'r+b') as f: f.seek(200_044); f.write(bytes(size - 200_044))",
            "is silent",
        ),
        (
            "options[options.index('16000')] = '8000' if any(map(bad, mids)) else '16000'\nreal(mids)",
            "got 1 channels at 8000 Hz",
        ),
    ],
    ids=["nothing", "truncated", "stub", "garbage", "silence", "end silent", "rate"],
)
def test_bad_output_costs_its_own_sample_alone(
    settings: Audio, samples: np.ndarray, stand_in, text: str, reason: str
) -> None:
    expected = timidity.render(samples, settings)
    stand_in(text)
    got = timidity.render(with_culprit(samples), settings.model_copy(update={"timeout_s": 60}))
    assert re.search(reason, str(got[2]))
    for index in (0, 1, 3, 4, 5):
        np.testing.assert_array_equal(got[index], expected[index])


@needs_timidity
def test_batch_that_fails_is_retried_one_by_one(settings: Audio, samples: np.ndarray, stand_in) -> None:
    expected = timidity.render(samples, settings)
    stand_in("real(mids[:1])")
    for a, b in zip(timidity.render(samples, settings), expected, strict=True):
        np.testing.assert_array_equal(a, b)


@needs_timidity
def test_unplayable_notes_are_a_reason(settings: Audio, samples: np.ndarray) -> None:
    samples[1, 3] = [60, -1, 0]
    results = timidity.render(samples[:2], settings)
    assert isinstance(results[0], np.ndarray)
    assert (
        results[1]
        == "note 3: got pitch 60, duration -1, rest 0; expected a whole pitch 0-127, a duration > 0, a rest >= 0"
    )


@needs_timidity
@pytest.mark.parametrize(
    "text, reason",
    [("os.kill(os.getpid(), signal.SIGKILL)", "was killed"), ("time.sleep(600)", "still running")],
    ids=["killed", "hangs"],
)
def test_what_may_be_the_machines_is_no_reason(
    settings: Audio, samples: np.ndarray, stand_in, text: str, reason: str
) -> None:
    stand_in(f"for m in mids:\n    if bad(m): {text}\n    real([m])")
    with pytest.raises(MachineError, match=reason):
        timidity.render(with_culprit(samples), settings.model_copy(update={"timeout_s": 1}))


@needs_timidity
def test_full_disk_stops_the_work(
    settings: Audio, samples: np.ndarray, stand_in, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sample that a full disk cut short must not be listed as one that cannot be played."""
    stand_in("pass")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(100, 100, 0))
    with pytest.raises(MachineError, match="no space is left"):
        timidity.render(samples, settings)


# ---- From shards to shards ----


@pytest.fixture
def folder(tmp_path: Path, samples: np.ndarray) -> Path:
    """Two shards of three samples."""
    for index in range(2):
        part = slice(3 * index, 3 * index + 3)
        parquet.write(
            tmp_path / "samples" / parquet.shard_name(index),
            {"id": [f"song{i}-w00" for i in range(6)[part]], "notes": samples[part]},
            types={"id": pa.string(), "notes": parquet.matrix(20, 3)},
            metadata={"dataset": "mtm", "source": "test", "n_samples": 6},
        )
    return tmp_path


def render(folder: Path, out: str, settings: Audio, executor: str = "serial") -> Path:
    compute = Compute(executor=executor, workers=2, scratch=folder / "scratch" / out)
    timidity.render_folder(folder / "samples", folder / out, folder / f"{out}.csv", settings, compute=compute)
    return folder / out


@needs_timidity
def test_shards_hold_sound_times_and_how_they_were_made(folder: Path, samples: np.ndarray, settings: Audio) -> None:
    out = render(folder, "audio", settings)
    table = parquet.read(out)
    assert [path.name for path in parquet.shards(out)] == ["part-00000.parquet", "part-00001.parquet"]
    assert table["id"].to_pylist() == [f"song{i}-w00" for i in range(6)]
    made_with = parquet.metadata(out)
    assert made_with["dataset"] == "mtm"
    assert made_with["source"] == "test"
    assert made_with["tool"].startswith("TiMidity++ version")
    assert made_with["soundfont"] == "FluidR3_GM.sf2"
    assert len(made_with["soundfont_sha256"]) == 64
    assert made_with["sample_rate"] == 16_000
    onsets, offsets = parquet.to_numpy(table["onsets"]), parquet.to_numpy(table["offsets"])
    expected = timidity.render(samples, settings)
    for index, row in enumerate(table["audio"]):
        decoded, rate = sound.decode(row.as_py()["bytes"])
        assert rate == 16_000
        np.testing.assert_array_equal(decoded * 32768, expected[index])
        times = midi.note_times(samples[index], seconds_per_beat=0.5)
        np.testing.assert_allclose((onsets[index], offsets[index]), times, atol=1e-5)
    assert (folder / "audio.csv").read_text() == "item,reason\n"


@needs_timidity
def test_same_bytes_from_any_number_of_workers(folder: Path, settings: Audio) -> None:
    serial, parallel = render(folder, "one", settings), render(folder, "two", settings, "process")
    for a, b in zip(parquet.shards(serial), parquet.shards(parallel), strict=True):
        assert a.read_bytes() == b.read_bytes()


@needs_timidity
def test_skipped_samples_are_listed(folder: Path, settings: Audio, samples: np.ndarray, stand_in) -> None:
    path = folder / "samples" / parquet.shard_name(0)
    parquet.write(
        path,
        {"id": ["a", "b", "c"], "notes": with_culprit(samples)[:3]},
        types={"id": pa.string(), "notes": parquet.matrix(20, 3)},
        metadata={"dataset": "mtm", "source": "test"},
    )
    stand_in("real([m for m in mids if not bad(m)])")
    out = render(folder, "audio", settings)
    assert parquet.read(out)["id"].to_pylist() == ["a", "b", *(f"song{i}-w00" for i in (3, 4, 5))]
    lines = (folder / "audio.csv").read_text().splitlines()
    assert len(lines) == 2
    assert re.match('c,"?no sound was written', lines[1])


@needs_timidity
@pytest.mark.parametrize(
    "text, message",
    [("pass", r"timidity: a test note .* failed: no sound was written"), ("time.sleep(600)", "still running")],
    ids=["does nothing", "hangs"],
)
def test_broken_program_stops_at_once(folder: Path, settings: Audio, stand_in, text: str, message: str) -> None:
    stand_in(text)
    with pytest.raises((ProgramError, MachineError), match=message):
        render(folder, "audio", settings.model_copy(update={"timeout_s": 1}))
    assert not (folder / "audio").exists()


@needs_timidity
def test_no_playable_sample_is_an_error(folder: Path, settings: Audio) -> None:
    for path in parquet.shards(folder / "samples"):
        parquet.write(
            path,
            {"id": ["a"], "notes": np.full((1, 20, 3), -1.0)},
            types={"id": pa.string(), "notes": parquet.matrix(20, 3)},
        )
    with pytest.raises(DataError, match=r"no sample could be rendered; the reasons are in .*audio\.csv"):
        render(folder, "audio", settings)
