"""Searching a built data set: a tiny one, with stubs in place of the slow extractors."""

from __future__ import annotations

import io
import itertools
import random
import re
import shutil
import subprocess
import sys
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import soundfile
import yaml
from PIL import Image

from tests.divided import divide
from unisono import load_dataset, models
from unisono.cli import main
from unisono.config.compute import Compute
from unisono.config.experiments import load_experiments
from unisono.errors import ConfigError, DataError
from unisono.evaluation import search
from unisono.evaluation.answers import rank
from unisono.features import query, skipgram, syllables
from unisono.features.asmcmr import extraction as asmcmr_extraction
from unisono.features.query import mtm, reading, vegas
from unisono.features.vggish import extraction as vggish_extraction
from unisono.io import parquet
from unisono.media import audio, midi, mp4, video
from unisono.report.html import items

ROOT = Path(__file__).parents[2]
SHOW = partial(items.read, sound_s=20.0)
TEXT = pa.string()
N = 12
IDS = [f"bach-bwv{i}-w00" for i in range(N)]
TOKENS = ["Mei", "ne", "See", "le", "lobt", "den", "Herrn"]
WORDS = ["Meine", "Seele", "lobt", "den", "Herrn"]


def shard(folder: Path, columns: dict[str, Any], types: dict[str, pa.DataType]) -> None:
    parquet.write(
        folder / parquet.shard_name(0), columns, types=types, metadata={"dataset": "mtm", "source": "made up"}
    )


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project's folder with a data set of 12 items, its encoders of lyrics and a trained experiment."""
    generator = np.random.default_rng(0)
    shutil.copy(ROOT / "params.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    data = tmp_path / "data" / "mtm"
    for level, tokens in (("syllables", TOKENS), ("words", WORDS)):
        names = [*tokens, skipgram.UNKNOWN]
        vectors = generator.standard_normal((len(names), 20)).astype(np.float32)
        encoder = skipgram.Encoder({token: row for row, token in enumerate(names)}, vectors)
        skipgram.save(
            data / "models" / "skipgram" / f"{level}.parquet", encoder, {"dimensions": 20, "weights": "trained"}
        )
    syllables = [[TOKENS[k] for k in generator.integers(len(TOKENS), size=20)] for _ in IDS]
    titles = [f"<b>Lied</b> {i}" for i in range(N)]
    shard(
        data / "samples",
        {"id": IDS, "song": IDS, "title": titles, "split": ["train"] * 9 + ["test"] * 3, "syllables": syllables,
         "words": syllables, "word_index": [list(range(20))] * N},
        {"id": TEXT, "song": TEXT, "title": TEXT, "split": TEXT, "syllables": parquet.strings(20),
         "words": parquet.strings(20), "word_index": pa.list_(pa.int32(), 20)},
    )  # fmt: skip
    divide(data)
    for view, shape in (("audio", (20, 128)), ("sheet", (25, 32))):
        values = generator.standard_normal((N, *shape)).astype(np.float32)
        shard(data / "features" / view, {"id": IDS, view: values}, {"id": TEXT, view: parquet.matrix(*shape)})
    skipgram.extract_folder(
        data / "samples",
        data / "models" / "skipgram",
        data / "features" / "lyrics",
        compute=Compute.load().model_copy(update={"executor": "serial"}),
    )
    views = load_dataset("mtm", views={"audio": "audio", "sheet": "sheet", "lyrics": "lyrics"}).views
    # A method of two views: a model for every pair.
    for first, second in itertools.combinations(views, 2):
        model = models.create("cca", n_components=4, ridge=0.1).fit({view: views[view] for view in (first, second)})
        model.save(tmp_path / "results" / "experiments" / "mtm_cca" / "model" / f"{first}-{second}")
    return tmp_path


def failing(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """Run a command that must end with status 2 and one line on standard error; return the line."""
    with pytest.raises(SystemExit) as ended:
        main(["search", *map(str, arguments)])
    captured = capsys.readouterr()
    assert ended.value.code == 2
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    return captured.err


def wav(path: Path, seconds: float = 2.0, rate: int = 8000, level: float = 0.3) -> Path:
    time_s = np.arange(int(seconds * rate)) / rate
    soundfile.write(path, level * np.sin(2 * np.pi * 60 * time_s), rate, subtype="PCM_16")
    return path


def staff(path: Path, *, staves: int = 1) -> Path:
    """White paper with five lines a staff."""
    picture = np.full((60 + 300 * (staves - 1), 400), 255, np.uint8)
    for number in range(staves):
        picture[300 * number + 10 : 300 * number + 50 : 8] = 0
    Image.fromarray(picture).save(path)
    return path


def test_an_item_is_searched_in_all_other_views_and_its_pair_marked(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["search", IDS[3], "--dataset", "mtm", "--method", "cca", "--top", "3"])
    printed = capsys.readouterr().out
    assert f"{IDS[3]} (<b>Lied</b> 3), audio; cca on mtm (experiment mtm_cca), 12 items, 9 of them seen" in printed
    assert "audio -> sheet: the own pair has rank " in printed
    assert "audio -> lyrics: the own pair has rank " in printed
    found = search.search(IDS[3], "mtm", "mtm_cca", view="lyrics", target="audio", top=N)
    [ranking] = found.rankings
    assert [hit.rank for hit in ranking.hits] == list(range(1, N + 1))
    assert {hit.id for hit in ranking.hits} == set(IDS)
    [own] = [hit for hit in ranking.hits if hit.own]
    assert (own.id, own.rank) == (IDS[3], ranking.own_rank)
    assert [hit.similarity for hit in ranking.hits] == sorted((hit.similarity for hit in ranking.hits), reverse=True)


def test_ranking_is_by_score_with_ties_shared() -> None:
    scores, ids = np.array([0.0, 1.0, 1.0, 0.0]), np.array(list("abcd"))
    found = rank(scores, ids, {}, target="x", top=3, right=ids == "c")
    assert [(hit.id, hit.similarity) for hit in found.hits] == [("b", 1.0), ("c", 1.0), ("a", 0.0)]
    assert found.own_rank == 1.5


def test_the_lyrics_of_an_item_find_what_the_item_finds(project: Path) -> None:
    syllables = parquet.read(project / "data/mtm/samples").column("syllables")[5].as_py()
    by_id = search.search(IDS[5], "mtm", "cca", view="lyrics", target="sheet")
    # Words are looked up by the same tokens here, so blanks divide syllables.
    by_text = search.search(" ".join(syllables), "mtm", "cca", target="sheet")
    assert by_text.view == "lyrics"
    assert [hit.id for hit in by_text.rankings[0].hits] == [hit.id for hit in by_id.rankings[0].hits]
    assert by_text.rankings[0].own_rank is None


def test_lyrics_are_a_query_by_their_syllables_too(project: Path) -> None:
    compute = Compute.load().model_copy(update={"executor": "serial"})
    syllables.extract_folder(
        project / "data/mtm/samples", project / "data/mtm/features/lyrics_syllables", compute=compute
    )
    params = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
    views = {"lyrics": "lyrics_syllables"}
    params["experiments"]["notes"] = {"dataset": "mtm", "model": "local_cca", "views": views}
    Path("params.yaml").write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")
    loaded = load_dataset("mtm", views={"audio": "audio", "lyrics": "lyrics_syllables"}).views
    model = models.create("local_cca", ridge=0.1).fit(loaded)
    model.save(project / "results/experiments/notes/model/audio-lyrics")
    text = parquet.read(project / "data/mtm/samples").column("syllables")[5].as_py()
    by_id = search.search(IDS[5], "mtm", "notes", view="lyrics", target="audio")
    by_text = search.search(" ".join(text), "mtm", "notes", target="audio")
    assert [hit.id for hit in by_text.rankings[0].hits] == [hit.id for hit in by_id.rankings[0].hits]
    assert "compared by where its words and sentences begin and end, not by what they say" in by_text.notes
    # A shorter text is a beginning, words that no song has are no reason to refuse it.
    found = search.search("xyz, Zy-x.", "mtm", "notes", target="audio")
    assert len(found.rankings[0].hits) == 10


def test_the_page_needs_nothing_else_and_escapes_what_it_shows(project: Path) -> None:
    out = project / "page.html"
    main(["search", IDS[1], "--dataset", "mtm", "--method", "cca", "--top", "2", "--html", str(out)])
    page = out.read_text(encoding="utf-8")
    assert "default-src" in page
    assert "&lt;b&gt;Lied&lt;/b&gt;" in page
    assert "<b>Lied" not in page
    assert not any(scheme in page for scheme in ("http:", "https:", "<script", "<link"))


def test_a_sound_is_cut_into_twenty_equal_parts(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = {}

    def extract_folder(source: Path, out: Path, **_: Any) -> None:
        seen.update(parquet.read(source).to_pylist()[0])
        values = np.ones((1, 20, 128), np.float32)
        shard(out, {"id": [query.ID], "audio": values}, {"id": TEXT, "audio": parquet.matrix(20, 128)})

    monkeypatch.setattr(vggish_extraction, "extract_folder", extract_folder)
    found = search.search(str(wav(project / "q.wav", 4.0)), "mtm", "cca", target="lyrics", show=SHOW)
    np.testing.assert_allclose(seen["onsets"], np.arange(20) * 0.2, atol=1e-6)
    np.testing.assert_allclose(seen["offsets"], np.arange(1, 21) * 0.2, atol=1e-6)
    assert len(audio.decode(seen["audio"]["bytes"])[0]) == 32_000
    assert found.view == "audio"
    assert "20 equal parts of 0.20 s" in found.notes[0]
    assert found.query_shown is not None
    assert found.query_shown.parts["audio"][0]["src"].startswith("data:audio/mpeg")


def test_a_picture_goes_through_the_encoder_of_sheets(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def extract(pictures: Path, encoder: Path, out: Path, *, name: str, snippets: int, **_: Any) -> None:
        assert encoder == Path("data/mtm/models/asmcmr.safetensors")
        shard(
            out,
            {"id": [query.ID], name: np.ones((1, snippets, 32), np.float32)},
            {"id": TEXT, name: parquet.matrix(snippets, 32)},
        )

    monkeypatch.setattr(asmcmr_extraction, "extract", extract)
    found = search.search(str(staff(project / "q.png")), "mtm", "cca", target="audio", show=SHOW)
    assert (found.view, len(found.rankings[0].hits)) == ("sheet", 10)
    assert found.query_shown is not None
    assert found.query_shown.parts["sheet"][0]["src"].startswith("data:image/webp")


def test_the_melody_of_a_midi_file_comes_back(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    notes = np.column_stack(
        [generator.integers(50, 80, 20), generator.integers(1, 9, 20) / 4, generator.integers(0, 3, 20) / 2]
    ).astype(float)
    notes[0, 2] = 0
    path = tmp_path / "q.mid"
    path.write_bytes(midi.encode(notes, seconds_per_beat=0.5, program=0, velocity=100))
    np.testing.assert_allclose(reading.read_midi(path, grid=0.125), notes)
    path.write_bytes(midi.encode(notes[:7], seconds_per_beat=0.5, program=0, velocity=100))
    with pytest.raises(DataError, match="7 notes in its longest part, 20 are needed"):
        reading.read_midi(path, grid=0.125)
    path.write_bytes(b"MThd not really")
    with pytest.raises(DataError, match=r"q\.mid: not a readable MIDI file"):
        reading.read_midi(path, grid=0.125)


def drawn(*tops: int, widths: float = 1, paper: int = 255, margin: int = 0) -> np.ndarray:
    """Five lines from each of these rows on, 7 apart, with a note each, the last one `widths` as wide; in a margin."""
    picture = np.full((max(tops) + 60, 872), paper, np.uint8)
    for top in tops:
        picture[top : top + 29 : 7, : round(872 * (widths if top == tops[-1] else 1))] = paper // 6
        picture[top + 10 : top + 18, 100:110] = 0
    return np.pad(picture, margin, constant_values=paper)


@pytest.mark.parametrize("gap", [12, 20, 60, 200])
@pytest.mark.parametrize("widths", [1, 0.6])
def test_several_staves_are_told_from_one(gap: int, widths: float) -> None:
    with pytest.raises(DataError, match="several staves; cut out one line of music"):
        reading.check_staff(reading.on_white(drawn(10, 38 + gap, widths=widths), "q.png"), "q.png")
    reading.check_staff(reading.on_white(drawn(10), "q.png"), "q.png")


@pytest.mark.parametrize(("paper", "margin"), [(255, 300), (190, 0), (220, 50), (140, 300)])
def test_grey_paper_and_margins_are_taken_away(paper: int, margin: int) -> None:
    found = reading.on_white(drawn(10, paper=paper, margin=margin), "q.png")
    assert found.shape == (29, 872)
    reading.check_staff(found, "q.png")
    assert (found.max(), found.min()) == (255, 0)


def test_a_dark_background_is_named() -> None:
    with pytest.raises(DataError, match="its background is dark"):
        reading.on_white(255 - drawn(10), "q.png")


@pytest.mark.parametrize(("orientation", "turns"), [(1, 0), (3, 2), (6, 1), (8, 3)])
def test_pictures_are_turned_as_their_exif_says(orientation: int, turns: int) -> None:
    from unisono.features.asmcmr.input import read_picture

    exif = Image.Exif()
    exif[274] = orientation
    stored, file = np.rot90(drawn(10), turns), io.BytesIO()
    Image.fromarray(np.ascontiguousarray(stored)).save(file, "JPEG", exif=exif, quality=95)
    found = read_picture(file.getvalue(), "q.jpg")
    assert found.shape == drawn(10).shape
    reading.check_staff(reading.on_white(found, "q.jpg"), "q.jpg")


def test_an_mp3_of_variable_rate_without_a_header_is_heard_whole(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    if "libmp3lame" not in av.codecs_available:
        pytest.skip("PyAV was built without libmp3lame")
    path, rate = tmp_path / "q.mp3", 16_000
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 12 * rate).astype(np.float32)
    noise[rate:] *= 0.001
    with av.open(str(path), "w", format="mp3", options={"write_xing": "0", "id3v2_version": "0"}) as container:
        stream = container.add_stream("libmp3lame", rate=rate, layout="mono", options={"compression_level": "9"})
        stream.codec_context.flags |= 2  # constant quality
        stream.codec_context.global_quality = 9 * 118
        for start in range(0, len(noise), 1152):
            block = noise[None, start : start + 1152]
            frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="mono")
            frame.sample_rate, frame.pts = rate, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    samples, found, length_s = reading.read_sound(path, longest_s=mtm.SOUND_S)
    assert (len(samples) / found, length_s) == pytest.approx((12, 12), abs=0.1)
    assert len(reading.read_sound(path, longest_s=3)[0]) == 3 * rate


def test_a_sound_out_of_phase_is_heard_and_said(tmp_path: Path) -> None:
    import soundfile

    tone = np.sin(np.arange(16_000) / 7).astype(np.float32) / 2
    soundfile.write(tmp_path / "q.wav", np.stack([tone, -tone], axis=1), 16_000)
    said: list[str] = []
    samples, _, _ = reading.read_sound(tmp_path / "q.wav", longest_s=10, said=said)
    np.testing.assert_allclose(samples, tone, atol=1e-3)
    assert said == [reading.CANCELLED]


@pytest.mark.parametrize(
    ("text", "syllables"),
    [
        ("Mei\u2010nen Je\u2011sum", ["Mei", "nen", "Je", "sum"]),
        ("Mei\u00adnen Je-sum__", ["Mei", "nen", "Je", "sum"]),
        ("Mei\u2013nen _ Je\u2027sum \u2013 lass'", ["Mei", "nen", "Je", "sum", "lass'"]),
        ("Mei -- nen Je\uff0dsum\u2014lass'", ["Mei", "nen", "Je", "sum", "lass'"]),
    ],
)
def test_lyrics_are_divided_by_hyphens_of_any_kind(text: str, syllables: list[str]) -> None:
    assert reading.syllables_of(text)[0] == syllables
    assert reading.syllables_of("Herr\u2014mein Gott")[2] == [0, 1, 2]


@pytest.mark.parametrize("kind", ["wav", "aiff", "au", "w64", "rf64", "ogg", "mp3", "flac", "voc"])
def test_a_sound_that_was_cut_off_is_refused(tmp_path: Path, kind: str) -> None:
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 441_000).astype(np.float32)
    path = tmp_path / f"q.{kind}"
    with soundfile.SoundFile(path, "w", 44_100, 1, format=kind.upper()) as file:
        # In pieces: libsndfile's encoder of Vorbis keeps each on the stack.
        for start in range(0, len(noise), 4096):
            file.write(noise[start : start + 4096])
    assert reading.read_sound(path, longest_s=20)[2] == pytest.approx(10, abs=0.1)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 5])
    with pytest.raises(DataError, match=rf"q\.{kind}: (truncated.* s are left|not a readable sound file, or damaged)"):
        reading.read_sound(path, longest_s=20)


@pytest.mark.parametrize("length", [b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f"])
def test_a_wave_from_a_pipe_that_knew_no_length_is_read(tmp_path: Path, length: bytes) -> None:
    path = wav(tmp_path / "q.wav", 2.0)
    data = bytearray(path.read_bytes())
    at = data.index(b"data") + 4
    data[4:8] = data[at : at + 4] = length
    path.write_bytes(data)
    assert reading.read_sound(path, longest_s=20)[2] == pytest.approx(2, abs=0.01)


def test_midi_of_every_container_and_programme(tmp_path: Path) -> None:
    import mido

    score, track = mido.MidiFile(ticks_per_beat=480), mido.MidiTrack()
    score.tracks.append(track)
    for pitch in range(60, 84):
        if pitch == 72:
            track.append(mido.Message("program_change", program=40))
        track += [mido.Message("note_on", note=pitch, time=0), mido.Message("note_off", note=pitch, time=480)]
    path, file = tmp_path / "q.mid", io.BytesIO()
    score.save(file=file)
    data = file.getvalue()
    riff = b"RMIDdata" + len(data).to_bytes(4, "little") + data
    for content in (data, b"RIFF" + len(riff).to_bytes(4, "little") + riff):
        path.write_bytes(content)
        assert reading.read_midi(path, grid=0.125)[:, 0].tolist() == list(range(60, 80))
    path.write_bytes(data[:12] + bytes([0xE7, 40]) + data[14:])
    with pytest.raises(DataError, match=r"q\.mid: timed in SMPTE frames"):
        reading.read_midi(path, grid=0.125)


@pytest.mark.parametrize("key", [b"\x0b\0", b"\xf4\x01", b"\0\x09", b"\x80\xff"])
def test_a_midi_file_in_a_key_that_there_is_not_is_read(tmp_path: Path, key: bytes) -> None:
    notes = b"".join(bytes([0, 0x90, pitch, 64, 96, 0x80, pitch, 0]) for pitch in range(60, 84))
    # A delta time of 255 ticks and a running status look like a key signature and are none.
    notes += bytes([0x81, 0x7F, 0x90, 0x59, 2])
    track = b"\0\xff\x59\x02" + key + notes + b"\0\xff\x2f\0"
    header = b"MThd\0\0\0\x06\0\0\0\x01\0\x60"
    path = tmp_path / "q.mid"
    path.write_bytes(header + b"MTrk" + len(track).to_bytes(4, "big") + track)
    assert reading.read_midi(path, grid=0.125)[:, 0].tolist() == list(range(60, 80))


def test_a_damaged_midi_file_is_read_or_one_line(tmp_path: Path) -> None:
    notes = np.column_stack([np.arange(60, 84), np.ones(24), np.zeros(24)])
    good = midi.encode(notes, seconds_per_beat=0.5, program=0, velocity=100)
    draw, path, refused = random.Random(0), tmp_path / "q.mid", 0
    for _ in range(200):
        bad = bytearray(good)
        for _ in range(draw.randint(1, 4)):
            bad[draw.randrange(len(bad))] = draw.choice((0, 1, 0x59, 0x7F, 0x80, 0xC0, 0xF0, 0xFF))
        path.write_bytes(bad)
        try:
            reading.read_midi(path, grid=0.125)
        except DataError:
            refused += 1
    assert refused


def test_a_sound_becomes_a_clip_that_says_the_same() -> None:
    samples = np.random.default_rng(0).uniform(-0.9, 0.9, 20_000).astype(np.float32)
    np.testing.assert_allclose(video.sound(vegas.as_clip(samples, 16_000), 16_000), samples, atol=1e-4)


def test_of_an_hour_the_beginning_is_read(tmp_path: Path) -> None:
    path = wav(tmp_path / "hour.wav", 3600, rate=1000)
    samples, rate, length_s = reading.read_sound(path, longest_s=mtm.SOUND_S)
    assert (len(samples) / rate, length_s) == (mtm.SOUND_S, 3600)
    assert reading.heard(length_s, mtm.SOUND_S) == ["only the first 120 s of 3600.0 s are heard"]


@pytest.mark.parametrize(
    "name, content, message",
    [
        ("q.wav", None, "q.wav: no such file"),
        ("q.wav", b"", "q.wav: an empty file"),
        ("q.wav", b"RIFF not really", "q.wav: not a readable sound file, or damaged"),
        ("q.png", b"\x89PNG not really", "q.png: not a readable picture"),
        ("q.mid", b"nothing", "q.mid: not a readable MIDI file"),
        ("q.mid", b"", "q.mid: an empty file"),
        ("q.musicxml", b"<score-partwise/>", "no note has a syllable; a score without words can be a query as a"),
        ("q.musicxml", b"<score", "not XML, or truncated"),
        ("q.mp4", b"x", "q.mp4: a video cannot be a query on mtm; kinds that can: sound, picture"),
        ("q.doc", b"x", "unknown kind of file '.doc'"),
        ("q.txt", b"\xff\xfe", "not a text in UTF-8"),
        ("q.txt", b"- -", "no syllable in it"),
        ("q.lrc", b"[00:01.00]\n[ti:Mei-ne See-le]\n", "no syllable in it"),
        ("q.txt", b"xyz zyx", "none of its syllables and words stands in the data set's lyrics"),
    ],
)
def test_bad_files_are_one_line(
    project: Path, capsys: pytest.CaptureFixture[str], name: str, content: bytes | None, message: str
) -> None:
    path = project / name
    if content is not None:
        path.write_bytes(content)
    line = failing(capsys, path, "--dataset", "mtm", "--method", "cca")
    assert message in line


def test_silence_blank_paper_and_pictures_of_something_else(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--dataset", "mtm", "--method", "cca")
    assert "silent" in failing(capsys, wav(project / "silent.wav", level=0.0), *options)
    Image.new("L", (300, 100), "white").save(project / "blank.png")
    assert "blank" in failing(capsys, project / "blank.png", *options)
    noise = np.random.default_rng(0).integers(0, 256, (100, 300), dtype=np.uint8)
    Image.fromarray(noise).save(project / "photo.png")
    assert "no staff in it" in failing(capsys, project / "photo.png", *options)
    Image.new("L", (300, 100), "black").save(project / "black.png")
    assert "no staff in it" in failing(capsys, project / "black.png", *options)
    assert "several staves" in failing(capsys, staff(project / "page.png", staves=2), *options)
    # A picture under the name of a sound, and a sound in the view of another.
    shutil.copy(staff(project / "q.png"), project / "liar.wav")
    assert "not a readable sound file" in failing(capsys, project / "liar.wav", *options)
    line = failing(capsys, wav(project / "q.wav"), *options, "--view", "sheet")
    assert "a sound cannot be a query in the view 'sheet'; it can in audio" in line
    assert "a folder; give one file" in failing(capsys, (project / "d.wav").mkdir() or project / "d.wav", *options)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ("bach-bwv3-w0 --dataset mtm --method cca", "neither an item of mtm nor a file; nearest ids: bach-bwv3-w00"),
        ("x --dataset mtm --method ccaa", "params.yaml has no experiment 'ccaa' on mtm; did you mean 'cca'?"),
        ("x --dataset mtm --method vegas_cca", "is on vegas; give --dataset vegas"),
        ("x --dataset mtn --method cca", "--dataset: there is no data set 'mtn'; did you mean 'mtm'?"),
        ("x --dataset mtm --method cca --target visual", "--target: mtm has no view 'visual'"),
        ("x --dataset mtm --method cca --view audio --target audio", "which is the query's own view"),
        ("x --dataset mtm --method cca --top 0", "--top: got 0, expected 1 or more"),
        ("x --dataset mtm --method gcca", "train it with `unisono fit mtm_gcca`"),
        ("x --dataset mtm", "train it with `unisono fit beyond_mtm_local_cca_notes`"),
    ],
)
def test_bad_commands_are_one_line(
    project: Path, capsys: pytest.CaptureFixture[str], arguments: str, message: str
) -> None:
    assert message in failing(capsys, *arguments.split())


def test_a_data_set_that_is_not_built_and_a_model_of_other_features(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--dataset", "mtm", "--method", "cca")
    model = project / "results" / "experiments" / "mtm_cca" / "model" / "audio-sheet"
    (model / "model.safetensors").write_bytes(b"damaged")
    assert "not a saved model, or damaged" in failing(capsys, IDS[0], *options)
    (model / "model.safetensors").unlink()
    assert "unisono fit mtm_cca" in failing(capsys, IDS[0], *options)
    shutil.rmtree(project / "data" / "mtm" / "samples")
    assert "build it with `dvc repro`" in failing(capsys, IDS[0], *options)
    (project / "params.yaml").unlink()
    assert "run from the project's folder" in failing(capsys, IDS[0], *options)


def test_bad_clips_say_what_is_wrong(project: Path) -> None:
    def ask(path: Path, view: str) -> None:
        sets = {"audio": "audio", "visual": "visual"}
        query.extract(path, "vegas", view=view, sets=sets, built=project / "data" / "vegas", folder=project / "tmp")

    path = project / "q.mp4"
    path.write_bytes(b"not really")
    with pytest.raises(DataError, match=r"q\.mp4: not a video file, or damaged"):
        ask(path, "visual")
    frames = [np.full((32, 48, 3), 90, np.uint8)] * 8
    path.write_bytes(mp4.encode(frames, 4, np.zeros(32_000, np.float32), 16_000))
    with pytest.raises(DataError, match=r"q\.mp4: silent"):
        ask(path, "audio")
    # Eight pictures, one every 500 s.
    path.write_bytes(mp4.encode(frames, Fraction(1, 500), np.empty(0, np.float32), 16_000))
    with pytest.raises(DataError, match=r"at most 600 s are read; cut out the 10 s that you mean"):
        ask(path, "visual")
    with pytest.raises(DataError, match="a picture cannot be a query on vegas; kinds that can: video, sound"):
        ask(staff(project / "q.png"), "visual")


def test_music_videos_are_searched_by_id_only() -> None:
    with pytest.raises(DataError, match="no query of mv10k: its features are YouTube-8M's"):
        search.source_of(str(ROOT / "README.md"), "mv10k", ["v12"], None)
    with pytest.raises(DataError, match="no item of mv10k"):
        search.source_of("v1", "mv10k", ["v12"], None)


def test_without_a_method_the_recommended_experiment_is_taken(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    params = Path("params.yaml")
    text = params.read_text(encoding="utf-8")
    for key in ("mtm_cca", "mtm_gcca"):
        params.write_text(re.sub(r"(recommended:\n    mtm: )\w+", rf"\g<1>{key}", text), encoding="utf-8")
        assert search.recommended("mtm") == key
    params.write_text(re.sub(r"(recommended:\n    mtm: )\w+", r"\g<1>mtm_cca", text), encoding="utf-8")
    main(["search", IDS[0], "--dataset", "mtm"])
    assert "experiment mtm_cca" in capsys.readouterr().out
    params.write_text(re.sub(r"(recommended:)\n    mtm: \w+", r"\1", text), encoding="utf-8")
    with pytest.raises(SystemExit):
        main(["search", IDS[0], "--dataset", "mtm"])
    assert "params.yaml recommends none for mtm (report.recommended.mtm)" in capsys.readouterr().err


def test_a_method_means_the_experiment_of_its_name() -> None:
    entries = load_experiments(ROOT / "params.yaml")
    assert search.experiment_of("cca", "mv10k", entries) == "mv10k_cca"
    assert search.experiment_of("multi_view", "mv10k", entries) == "chunks_multi_view"
    with pytest.raises(ConfigError, match="no experiment 'darlearning' on vegas"):
        search.experiment_of("darlearning", "vegas", entries)


def test_importing_search_loads_no_network_library() -> None:
    code = "import sys, unisono.evaluation.search, unisono.features.query, unisono.evaluation.comparison; " \
        "print([m for m in ('torch', 'tensorflow', 'sklearn', 'matplotlib') if m in sys.modules])"  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_word_of_many_syllables_is_put_together_once() -> None:
    syllables, words, index = reading.syllables_of("la-" * 100_000)
    assert (len(syllables), set(index)) == (100_000, {0})
    assert all(word is words[0] for word in words)
