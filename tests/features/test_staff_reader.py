"""The staff reader: its file, its training, its rows, its stages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image, ImageFilter

from tests.divided import divide
from tests.features.drawn_staff import N_NOTES, draw, melody, png
from unisono.config.compute import Compute
from unisono.config.mtm import Split, StaffReader
from unisono.errors import DataError, ProgramError
from unisono.features import staff_reader
from unisono.features.query import mtm as query
from unisono.features.query.place import Place
from unisono.features.staff_reader import extraction, making, rows, staff, symbols, training
from unisono.io import parquet

SETTINGS = {"steps": 3, "batch_size": 2, "learning_rate": 0.004, "seed": 0}


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "THREADS", 1)


def _random_reader(seed: int = 0) -> staff_reader.Reader:
    rng = np.random.default_rng(seed)
    arrays = {}
    for name, shape in staff_reader.SHAPES.items():
        bound = np.sqrt(6 / np.prod(shape[1:])) if len(shape) > 1 else 0.1
        arrays[name] = rng.uniform(-bound, bound, shape).astype(np.float32)
    return staff_reader.Reader(arrays, {"seed": seed})


def _samples(n: int) -> training.Samples:
    melodies = [melody(seed) for seed in range(n)]
    printed = [symbols.printed(notes) for notes in melodies]
    return training.Samples([staff.strip(draw(notes))[0] for notes in melodies], [p for p in printed if p is not None])


def test_network_is_its_layers() -> None:
    import torch
    from torch.nn import functional

    reader = _random_reader()
    strip = np.random.default_rng(1).integers(0, 256, (128, 48)).astype(np.uint8)
    x = torch.from_numpy(strip.astype(np.float64) / 255)[None, None]
    arrays = {name: torch.from_numpy(array).double() for name, array in reader.arrays.items()}
    for number, (_, side, stride, dilation) in enumerate(staff_reader.LAYERS):
        padding = tuple(d * (side // 2) for d in dilation)
        x = functional.conv2d(x, arrays[f"{number}.weight"], arrays[f"{number}.bias"], stride, padding, dilation).relu()
    seen = staff_reader.apply(reader)(strip)
    np.testing.assert_allclose(seen.hidden, x[0], rtol=1e-3, atol=1e-4)
    expected = functional.conv2d(x, arrays["cells.weight"], arrays["cells.bias"])[0]
    np.testing.assert_allclose(seen.logits, expected, rtol=1e-3, atol=1e-4)
    begin = x[0, :, :, :10].sum(dim=2) / 10
    np.testing.assert_allclose(
        seen.clef, arrays["clef.weight"] @ begin.flatten() + arrays["clef.bias"], rtol=1e-3, atol=1e-4
    )


def test_file_round_trip(tmp_path: Path) -> None:
    reader = _random_reader()
    reader.save(tmp_path / "a.safetensors")
    staff_reader.Reader.load(tmp_path / "a.safetensors").save(tmp_path / "b.safetensors")
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


def test_wrong_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no such file; run the stage train_staff_reader again"):
        staff_reader.Reader.load(tmp_path / "none.safetensors")
    (tmp_path / "cut.safetensors").write_bytes(b"\x80\x04cos\nsystem\n")
    with pytest.raises(DataError, match="not a staff reader"):
        staff_reader.Reader.load(tmp_path / "cut.safetensors")
    good = _random_reader().arrays
    with pytest.raises(DataError, match=r"'clef\.bias' is missing"):
        staff_reader.Reader({name: good[name] for name in good if name != "clef.bias"}, {})
    with pytest.raises(DataError, match=r"clef\.bias is float32 \(4,\), expected float32 \(5,\)"):
        staff_reader.Reader({**good, "clef.bias": np.zeros(4, np.float32)}, {})


@pytest.fixture(scope="module")
def trained() -> staff_reader.Reader:
    """A reader of drawn notes: 120 steps on 10 melodies."""
    training_threads, training.THREADS = training.THREADS, 1
    arrays, losses = training.train(_samples(10), steps=120, batch_size=2, learning_rate=0.004, seed=0)
    training.THREADS = training_threads
    assert np.mean(losses[-10:]) < np.mean(losses[:10]) / 10
    return staff_reader.Reader(arrays, {})


def test_melodies_never_seen_are_read_at_any_size(trained: staff_reader.Reader) -> None:
    compute = staff_reader.apply(trained)
    right = []
    for seed in range(100, 106):
        notes = melody(seed)
        image = Image.fromarray(draw(notes, space=9))
        for zoom in (0.8, 1.0, 1.5):
            size = (round(image.width * zoom), round(image.height * zoom))
            strip, _ = staff.strip(np.asarray(image.resize(size, Image.Resampling.BICUBIC)))
            read = rows.fit(rows.read(compute(strip)), N_NOTES)
            right += [(note.pitch, note.length) == (n[0], n[1]) for note, n in zip(read, notes, strict=True)]
    assert np.mean(right) > 0.9


def test_rescaled_picture_gives_near_equal_features(trained: staff_reader.Reader) -> None:
    compute = staff_reader.apply(trained)
    notes, other = melody(200), melody(201)
    image = Image.fromarray(draw(notes, space=9))
    usual, n_found = rows.features(compute, np.asarray(image), N_NOTES)
    assert n_found == N_NOTES
    foreign, _ = rows.features(compute, draw(other, space=9), N_NOTES)
    for changed in (
        image.resize((round(image.width * 0.8), round(image.height * 0.8)), Image.Resampling.BICUBIC),
        image.resize((round(image.width * 1.25), round(image.height * 1.25)), Image.Resampling.BICUBIC),
        image.filter(ImageFilter.GaussianBlur(1)),
    ):
        near, _ = rows.features(compute, np.asarray(changed), N_NOTES)
        assert np.linalg.norm(usual - near) < 0.3 * np.linalg.norm(usual - foreign)


def test_training_is_reproducible_and_seeded() -> None:
    samples = _samples(3)
    first, losses = training.train(samples, **SETTINGS)
    again, _ = training.train(samples, **SETTINGS)
    other, _ = training.train(samples, **{**SETTINGS, "seed": 1})
    assert len(losses) == 3
    assert all(np.array_equal(first[name], again[name]) for name in staff_reader.SHAPES)
    assert not np.array_equal(first["0.weight"], other["0.weight"])


def test_divergence_says_what_to_do() -> None:
    with pytest.raises(ProgramError, match=r"lower mtm\.features\.staff_reader\.learning_rate"):
        training.train(_samples(2), **{**SETTINGS, "learning_rate": 1e30, "steps": 20})


@pytest.mark.parametrize(("n", "expected"), [(600, (320, 8)), (4, (50, 4)), (1, (50, 1))])
def test_few_samples_are_trained_on_less(n: int, expected: tuple[int, int]) -> None:
    *found, adapted = training.schedule(n, steps=320, batch_size=8)
    assert tuple(found) == expected
    assert bool(adapted) == (n < 8)


def _note(step: int, *, doubt: float = 0.0, length: float = 1.0, rest: float = 0.0) -> rows.Note:
    return rows.Note(60 + step, step, length, rest, 0, False, doubt, np.zeros(staff_reader.HIDDEN, np.float32))


def test_notes_are_made_twenty() -> None:
    assert rows.fit([], 20) == []
    few = rows.fit([_note(0), _note(1)], 4)
    assert [note.step for note in few] == [0, 1, 1, 1]
    many = rows.fit([_note(0), _note(1, doubt=0.9, length=0.5, rest=0.25), _note(2)], 2)
    assert [(note.step, note.length) for note in many] == [(0, 1.75), (2, 1.0)]


def test_rows_count_beats() -> None:
    values = rows.rows([_note(0, length=1.5), _note(2, length=0.5, rest=2.0), _note(4, length=100.0)])
    assert values.shape == (3, rows.DIMENSIONS)
    place = rows.FIELDS.index("place in the bar")
    assert values[:, place].tolist() == [0.0, 3.5, 0.0]
    assert values[:, rows.FIELDS.index("on the bar")].tolist() == [1, 0, 1]
    assert values[2, rows.FIELDS.index("length")] == rows.MAX_BEATS
    bumps = values[:, len(rows.FIELDS) : len(rows.FIELDS) + len(rows.CENTRES)]
    np.testing.assert_allclose(bumps[0], np.exp(-(((60 - rows.CENTRES) / 2.0) ** 2) / 2), rtol=1e-6)


def test_ties_bars_and_signs_are_understood() -> None:
    """Cells set by hand: one sharp (F), a bar, F, F natural, F tied to it, a rest, G."""
    placed = [
        (18, 4, symbols.SHARP, 0, 0, 0),
        (24, 1, symbols.HEAD, 7, 0, 0),
        (30, -3, symbols.HEAD, 7, 3, 0),
        (34, 0, symbols.BAR, 0, 0, 0),
        (38, -3, symbols.HEAD, 9, 0, 1),
        (44, 0, symbols.REST, 7, 0, 0),
        (50, -3, symbols.HEAD, 5, 0, 0),
    ]
    logits = np.full((staff_reader.TIED.stop, staff.CELL_ROWS, 60), -9, np.float32)
    for column, step, kind, length, sign, tied in placed:
        cell = logits[:, staff.MIDDLE_CELL - step, column]
        cell[0] = cell[1 + kind] = cell[staff_reader.LENGTH.start + length] = 9
        cell[staff_reader.ACCIDENTAL.start + sign] = 9
        cell[staff_reader.TIED.start] = 9 if tied else -9
    hidden = np.zeros((staff_reader.HIDDEN, staff.CELL_ROWS, 60), np.float32)
    notes = rows.read(staff_reader.Cells(logits, hidden, np.array([9.0, 0, 0, 0, 0])))
    assert [(note.pitch, note.length, note.rest, note.tied) for note in notes] == [
        (72, 1.0, 0.0, 0),
        (65, 3.0, 0.0, 1),
        (66, 0.5, 1.0, 0),
    ]


@pytest.mark.parametrize("shape", [(1, 1), (60, 300), (1, 4000), (3000, 1)])
def test_blank_pictures_give_zeros(shape: tuple[int, int]) -> None:
    values, n_found = rows.features(staff_reader.apply(_random_reader()), np.full(shape, 255, np.uint8), N_NOTES)
    assert n_found == 0
    assert values.shape == (N_NOTES, rows.DIMENSIONS)
    assert not values.any()


def _data_set(root: Path, pictures: dict[str, bytes], splits: list[str]) -> Path:
    ids = list(pictures)
    notes = np.stack([melody(seed) for seed in range(len(ids))])
    parquet.write(
        root / "samples" / "part-00000.parquet",
        {
            "id": ids,
            "song": [identity.partition("-")[0] for identity in ids],
            "notes": notes,
            "syllables": [["la"] * N_NOTES] * len(ids),
            "split": splits,
        },
        types={
            "id": pa.string(),
            "song": pa.string(),
            "notes": parquet.matrix(N_NOTES, 3),
            "syllables": parquet.strings(N_NOTES),
            "split": pa.string(),
        },
        metadata={"dataset": "mtm", "source": "music21"},
    )
    divide(root)
    parquet.write(
        root / "pictures" / "part-00000.parquet",
        {"id": ids, "picture": [(data, f"{name}.png") for name, data in pictures.items()]},
        types={"id": pa.string(), "picture": parquet.MEDIA},
        metadata={"dataset": "mtm", "source": "music21"},
        media={"picture": "image"},
    )
    return root


def _make(root: Path, **changes: Any) -> staff_reader.Reader:
    params = StaffReader.model_validate(SETTINGS)
    return making.make(root / "samples", root / "divisions", root / "pictures", params=params, **changes)


def test_no_test_song_reaches_training(tmp_path: Path) -> None:
    """Other pictures of test and validation songs, even damaged ones, leave the reader's bytes as they are."""
    splits = ["train", "test", "train", "validation", "train"]
    pictures = {f"song{i}-w00": png(draw(melody(i))) for i in range(5)}
    _make(_data_set(tmp_path / "a", pictures, splits)).save(tmp_path / "a.safetensors")
    changed = {**pictures, "song1-w00": b"no picture", "song3-w00": png(draw(melody(77)))}
    _make(_data_set(tmp_path / "b", changed, splits)).save(tmp_path / "b.safetensors")
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    changed = {**pictures, "song2-w00": png(draw(melody(2), space=9))}
    _make(_data_set(tmp_path / "c", changed, splits)).save(tmp_path / "c.safetensors")
    assert (tmp_path / "a.safetensors").read_bytes() != (tmp_path / "c.safetensors").read_bytes()


def test_songs_are_dealt_anew_for_other_deals(tmp_path: Path) -> None:
    pictures = {f"song{i}-w00": png(draw(melody(i))) for i in range(9)}
    root = _data_set(tmp_path, pictures, ["train"] * 9)
    split = Split(by="song", fractions=(0.5, 0.25, 0.25), seed=0)
    found = [
        making.training_ids(root / "samples", root / "divisions", split.model_copy(update={"seed": seed}))
        for seed in range(4)
    ]
    assert all(len(ids) < 9 for ids in found)
    assert len({tuple(sorted(ids)) for ids in found}) > 1
    assert making.training_ids(root / "samples", root / "divisions", None) == set(pictures)
    assert _make(root, deal=split).metadata["split_seed"] == 0


def test_pictures_without_staves_cannot_be_trained_on(tmp_path: Path) -> None:
    blank = png(np.full((40, 200), 255, np.uint8))
    root = _data_set(tmp_path, {f"song{i}-w00": blank for i in range(3)}, ["train", "validation", "test"])
    with pytest.raises(DataError, match="no training sample has a picture"):
        _make(root)


def test_extraction_keeps_rows_and_says_what_was_found(tmp_path: Path) -> None:
    pictures = {"a-w00": png(draw(melody(0))), "b-w00": png(np.full((1, 1), 255, np.uint8))}
    root = _data_set(tmp_path, pictures, ["train", "test"])
    reader = tmp_path / "reader.safetensors"
    _random_reader().save(reader)
    compute = Compute(executor="serial", scratch=tmp_path / "scratch")
    extraction.extract(root / "pictures", reader, tmp_path / "out", name="sheet_plain_notes", compute=compute)
    table = parquet.read(tmp_path / "out")
    assert table["id"].to_pylist() == list(pictures)
    values = parquet.to_numpy(table["sheet_plain_notes"])
    assert values.shape == (2, N_NOTES, rows.DIMENSIONS)
    assert not values[1].any()
    assert table["n_found"].to_pylist()[1] == 0
    facts = parquet.metadata(tmp_path / "out")
    assert (facts["extractor"], facts["source"]) == ("staff reader", "music21")


def test_damaged_picture_is_named(tmp_path: Path) -> None:
    root = _data_set(tmp_path, {"a-w00": b"GIF89a"}, ["train"])
    _random_reader().save(tmp_path / "reader.safetensors")
    compute = Compute(executor="serial", scratch=tmp_path / "scratch")
    with pytest.raises(DataError, match="'a-w00': not a readable picture"):
        extraction.extract(
            root / "pictures", tmp_path / "reader.safetensors", tmp_path / "out", name="x", compute=compute
        )


def test_picture_is_a_query(tmp_path: Path, trained: staff_reader.Reader) -> None:
    place = Place(
        folder=tmp_path / "query",
        built=tmp_path,
        sets={"sheet": extraction.NAME},
        downloads=tmp_path,
        compute=Compute(executor="serial", scratch=tmp_path / "scratch"),
    )
    (tmp_path / "models").mkdir()
    trained.save(tmp_path / "models" / "staff_reader.safetensors")
    source = tmp_path / "song.png"
    source.write_bytes(png(draw(melody(300), space=9)))
    assert extraction.NAME in query.feature_sets()
    assert query.READERS["picture"](source, "sheet", place) == []
    values = parquet.to_numpy(parquet.read(tmp_path / "query" / "features" / extraction.NAME)[extraction.NAME])
    assert values[0, :, 0].tolist() == melody(300)[:, 0].tolist()
