"""From pictures in shards to feature sets: shapes, names, what is left out, and what is seen of a picture."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.datasets.image2song import encoded
from tests.features.image2song_made import N_THINGS, PER_THING, build, extract, rows, section
from tests.features.pictures_made import PICTURES
from unisono.errors import DataError
from unisono.features import efficientnet_lite0, pictures, pictures_extraction
from unisono.features.efficientnet_lite0 import package
from unisono.io import parquet


@pytest.fixture(autouse=True)
def _untrained(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Weights that need no package."""
    monkeypatch.setattr(package, "read", lambda location="": efficientnet_lite0.untrained(0))
    pictures_extraction._extractor.cache_clear()
    yield
    pictures_extraction._extractor.cache_clear()


def test_the_sets_of_a_data_set(tmp_path: Path) -> None:
    folder, own = build(tmp_path), section(features__efficientnet_lite0__image_size=32)
    assert extract(folder, "efficientnet_lite0", own) == []
    table = parquet.read(folder / "pictures" / "efficientnet_lite0")
    parts, logits = (parquet.to_numpy(table[name]) for name in ("parts", "logits"))
    n = N_THINGS * PER_THING
    assert parts.shape == (n, 6, 1280)
    assert logits.shape == (n, 1000)
    assert table["id"].to_pylist() == [row["id"] for row in rows()[:n]]
    assert len(parquet.shards(folder / "pictures" / "efficientnet_lite0")) == 2, "none for a shard of songs alone"
    whole = parquet.read(folder / "features" / "efficientnet_lite0")
    np.testing.assert_array_equal(parquet.to_numpy(whole["efficientnet_lite0"]), parts[:, 0])
    facts = parquet.metadata(folder / "features" / "efficientnet_lite0")
    assert facts["weights"] == "pretrained"
    assert facts["variant"] == "Lite0 at 32 px, whole and 5 regions"
    assert facts["source"] == "made"

    assert extract(folder, "pixels", own) == []
    pixels = parquet.to_numpy(parquet.read(folder / "features" / "pixels")["pixels"])
    assert pixels.shape == (n, 3 * 8**2)
    assert 0 <= pixels.min() < pixels.max() <= 1


def test_the_network_has_its_weights_in_every_worker(tmp_path: Path) -> None:
    """Weights pass through a file; kernels that lie otherwise in memory come out as they went in."""
    folder, own = build(tmp_path), section(features__efficientnet_lite0__image_size=32)
    extract(folder, "efficientnet_lite0", own)
    parts = parquet.to_numpy(parquet.read(folder / "pictures" / "efficientnet_lite0")["parts"])
    square = pictures.seen(rows()[3]["image"][0], "x", side=32)
    seen = efficientnet_lite0.Extractor(efficientnet_lite0.untrained(0), side=32).embed(square[None])
    np.testing.assert_array_equal(parts[3], seen.parts[0])


def test_the_same_bytes_again(tmp_path: Path) -> None:
    def made() -> list[bytes]:
        return [path.read_bytes() for path in parquet.shards(folder / "features" / "pixels")]

    folder = build(tmp_path)
    extract(folder)
    before = made()
    extract(folder)
    assert made() == before


def harmed(change: Callable[[bytes], bytes]) -> list[dict[str, object]]:
    found = rows()
    found[1]["image"] = (change(found[1]["image"][0]), "1.png")
    return found


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda data: data[: len(data) // 2], "not a readable picture"),
        (lambda data: b"", "not a readable picture"),
        (lambda data: b"<svg xmlns='x'><script>alert(1)</script></svg>", "SVG"),
        (lambda data: encoded(np.full((1, 1, 3), 9, np.uint8)), "1 x 1 pixels"),
        (lambda data: encoded(np.zeros((10, 30_000, 3), np.uint8)), "30000 x 10 pixels"),
        (lambda data: encoded(np.full((32, 32, 3), 200, np.uint8)), "one colour"),
    ],
)
def test_a_picture_that_shows_nothing_is_left_out(
    tmp_path: Path, change: Callable[[bytes], bytes], reason: str
) -> None:
    folder = build(tmp_path, harmed(change))
    ((item, said),) = extract(folder)
    assert item == "p/01"
    assert reason in said
    assert "p/01" not in parquet.read(folder / "features" / "pixels")["id"].to_pylist()


def test_no_picture_can_be_seen(tmp_path: Path) -> None:
    found = rows()
    for row in found:
        row["image"] = (b"damaged", "x.png") if row["part"] == "image" else row["image"]
    with pytest.raises(DataError, match="no picture can be seen; the first, p/00: not a readable picture"):
        extract(build(tmp_path, found))


def animated(first: np.ndarray, second: np.ndarray) -> bytes:
    made = io.BytesIO()
    Image.fromarray(first).save(made, "PNG", save_all=True, append_images=[Image.fromarray(second)])
    return made.getvalue()


def deep(picture: np.ndarray) -> bytes:
    """Grey in 16 bits."""
    grey = picture.mean(axis=2).round().astype(np.uint16) * 257
    return encoded(Image.fromarray(grey))


def test_pictures_of_many_kinds_are_seen_alike() -> None:
    """Animated: the first frame; CMYK, 16 bits and palettes as if they were RGB."""
    picture, other = PICTURES["waves"](64), PICTURES["noise"](64)
    plain = pictures.seen(encoded(picture), "x", side=64).astype(int)
    np.testing.assert_array_equal(plain, picture)
    np.testing.assert_array_equal(pictures.seen(animated(picture, other), "x", side=64), picture)
    cmyk = pictures.seen(encoded(Image.fromarray(picture).convert("CMYK"), "TIFF"), "x", side=64)
    assert np.abs(cmyk - plain).mean() < 4
    grey = picture.mean(axis=2, keepdims=True).round()
    assert np.abs(pictures.seen(deep(picture), "x", side=64) - grey).max() <= 1
    palette = pictures.seen(encoded(Image.fromarray(picture).quantize(255)), "x", side=64)
    assert np.abs(palette - plain).mean() < 8


def test_a_transparent_picture_is_seen_on_white_and_a_photograph_in_its_middle() -> None:
    drawing = np.zeros((40, 40, 4), np.uint8)
    drawing[10:30, 10:30] = (200, 0, 0, 255)
    drawing[15:20, 15:20] = (0, 0, 200, 255)
    seen = pictures.seen(encoded(drawing), "x", side=22)
    assert (seen[0] > 250).all()
    assert (seen[12, 12] == (200, 0, 0)).all(), "cut out, with a margin of 6 %"
    wide = np.zeros((20, 60, 3), np.uint8)
    wide[:, 20:40] = PICTURES["noise"](20)
    np.testing.assert_array_equal(pictures.seen(encoded(wide), "x", side=20), PICTURES["noise"](20))
