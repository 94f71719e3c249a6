"""From shards of pictures to shards of vectors."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from unisono.config.compute import Compute
from unisono.errors import DataError
from unisono.features import asmcmr
from unisono.features.asmcmr import extraction as asmcmr_extraction
from unisono.features.asmcmr import input as asmcmr_input
from unisono.io import parquet


def _picture(columns: int, seed: int) -> bytes:
    """Five lines with some blots, as PNG."""
    picture = np.full((60, columns), 255, np.uint8)
    picture[16:45:7] = 0
    rng = np.random.default_rng(seed)
    for column in rng.integers(0, columns - 8, columns // 30):
        row = rng.integers(5, 50)
        picture[row : row + 6, column : column + 8] = 0
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    return file.getvalue()


def _write(folder: Path, key: str, pictures: dict[str, bytes], index: int = 0) -> None:
    parquet.write(
        folder / parquet.shard_name(index),
        {key: list(pictures), "picture": [(data, f"{name}.png") for name, data in pictures.items()]},
        types={key: pa.string(), "picture": parquet.MEDIA},
        metadata={"dataset": "mtm", "source": "music21"},
        media={"picture": "image"},
    )


@pytest.fixture
def encoder(tmp_path: Path) -> Path:
    """An untrained encoder in a file."""
    path = tmp_path / "asmcmr.safetensors"
    asmcmr.untrained(0).save(path)
    return path


@pytest.fixture
def compute(tmp_path: Path) -> Compute:
    """Work in this process."""
    return Compute(executor="serial", scratch=tmp_path / "scratch")


def test_vectors_keep_rows_shards_and_source(tmp_path: Path, encoder: Path, compute: Compute) -> None:
    pictures = {"a-w01": _picture(420, 0), "a-w02": _picture(500, 1), "b-w01": _picture(350, 2)}
    _write(tmp_path / "sheet", "id", {name: pictures[name] for name in ("a-w01", "a-w02")})
    _write(tmp_path / "sheet", "id", {"b-w01": pictures["b-w01"]}, index=1)
    out = tmp_path / "features"
    rows = asmcmr_extraction.extract(tmp_path / "sheet", encoder, out, name="sheet", snippets=4, compute=compute)
    assert rows == [2, 1]
    table = parquet.read(out)
    assert table.column_names == ["id", "sheet"]
    assert table["id"].to_pylist() == list(pictures)
    vectors = parquet.to_numpy(table["sheet"])
    assert vectors.shape == (3, 4, 32)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=2), 1, rtol=1e-5)
    embed = asmcmr.embedder(asmcmr.untrained(0), "sheet")
    strip = asmcmr_input.strip(asmcmr_input.read_picture(pictures["a-w02"], "x"))
    assert np.array_equal(vectors[1], embed(asmcmr_input.snippets_at(strip, np.array([0, 100, 200, 300]))))
    facts = parquet.metadata(out)
    assert facts == {
        "dataset": "mtm",
        "source": "music21",
        "extractor": "ASMCMR",
        "variant": asmcmr_extraction.VARIANT,
        "weights": "untrained",
        "snippets": 4,
    }
    first = (out / "part-00000.parquet").read_bytes()
    asmcmr_extraction.extract(tmp_path / "sheet", encoder, out, name="sheet", snippets=4, compute=compute)
    assert (out / "part-00000.parquet").read_bytes() == first


def test_distinct_notes_keep_their_key(tmp_path: Path, encoder: Path, compute: Compute) -> None:
    _write(tmp_path / "notes", "key", {"60:1.0": _picture(70, 0), "62:0.5": _picture(80, 1)})
    out = tmp_path / "features"
    asmcmr_extraction.extract(tmp_path / "notes", encoder, out, name="sheet", snippets=3, compute=compute)
    table = parquet.read(out)
    assert table["key"].to_pylist() == ["60:1.0", "62:0.5"]
    vectors = parquet.to_numpy(table["sheet"])
    assert (vectors == vectors[:, :1]).all(), "narrower than a window: every snippet is the same"
    assert not np.array_equal(vectors[0, 0], vectors[1, 0])


def test_what_was_adapted_goes_with_the_features(tmp_path: Path, compute: Compute) -> None:
    _write(tmp_path / "sheet", "id", {"a": _picture(300, 0)})
    encoder = asmcmr.untrained(0)
    asmcmr.Encoder(encoder.arrays, {**encoder.metadata, "adapted": "fewer steps"}).save(tmp_path / "few.safetensors")
    asmcmr_extraction.extract(
        tmp_path / "sheet", tmp_path / "few.safetensors", tmp_path / "out", name="sheet", snippets=2, compute=compute
    )
    assert parquet.metadata(tmp_path / "out")["adapted"] == "fewer steps"


def test_equal_windows_are_computed_once() -> None:
    calls: list[int] = []

    def embed(snippets: np.ndarray) -> np.ndarray:
        calls.append(len(snippets))
        return snippets[:, 0, :32]

    picture = np.full((60, 203), 255, np.uint8)
    picture[16:45:7] = 0
    vectors = asmcmr_extraction.snippet_vectors(embed, picture, 25)
    assert calls == [4]
    assert vectors.shape == (25, 32)


def test_a_broken_picture_is_named(tmp_path: Path, encoder: Path, compute: Compute) -> None:
    _write(tmp_path / "sheet", "id", {"a-w01": _picture(300, 0), "a-w02": b"broken"})
    with pytest.raises(DataError, match=r"part-00000\.parquet: id 'a-w02': not a readable picture"):
        asmcmr_extraction.extract(
            tmp_path / "sheet", encoder, tmp_path / "features", name="sheet", snippets=2, compute=compute
        )
    assert not (tmp_path / "features").exists()


def test_a_missing_encoder_is_found_first(tmp_path: Path, compute: Compute) -> None:
    with pytest.raises(DataError, match="run the stage train_asmcmr"):
        asmcmr_extraction.extract(
            tmp_path, tmp_path / "no.safetensors", tmp_path / "out", name="sheet", snippets=2, compute=compute
        )
