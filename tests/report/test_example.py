"""One query and its first results (figure 5.7)."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image, ImageColor
from sklearn.metrics import average_precision_score

from tests.report.fabricated import Looks
from unisono.config.experiments import Experiment
from unisono.config.report import Report
from unisono.errors import ConfigError, DataError
from unisono.evaluation import embeddings
from unisono.io import parquet
from unisono.media import mp4
from unisono.report import drawing, example

TEXT = pa.string()
IDS = [f"c{i}" for i in range(8)]
LABELS = ["dog", "drum"] * 4
ENTRIES = {
    "good": Experiment(dataset="vegas", model="cca"),
    "bad": Experiment(dataset="vegas", model="cca"),
}


def looks(*keys: str) -> Report:
    """Put experiments into figure 5.7."""
    found = Looks()
    for key in keys:
        found.put(key, {"good": "TNN-C-CCA", "bad": "CCA"}[key], ["fig5.7"])
    return found.report()


def space(seed: int, *, noise: float) -> embeddings.Space:
    """Embeddings that know the class, but for noise."""
    generator = np.random.default_rng(seed)
    codes = np.array([[1.0, 0.0] if label == "dog" else [0.0, 1.0] for label in LABELS])
    views = {
        view: (codes + noise * generator.normal(size=codes.shape)).astype(np.float32) for view in ("audio", "visual")
    }
    return embeddings.Space("made up", 0, np.array(IDS), np.array(LABELS), views)


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """Clips, each of another grey, and two experiments."""
    clips = []
    generator = np.random.default_rng(0)
    for i in range(8):
        frames = [np.full((32, 48, 3), 30 * i, np.uint8)] * 10
        clips.append(mp4.encode(frames, 10, generator.normal(0, 0.1, 16000).astype(np.float32), 16000))
    parquet.write(
        tmp_path / "vegas" / "samples" / "part-00000.parquet",
        {"id": IDS, "label": LABELS, "fold": [0] * 8, "video": [(clip, "x.mp4") for clip in clips]},
        types={"id": TEXT, "label": TEXT, "fold": pa.int64(), "video": parquet.MEDIA},
        metadata={"dataset": "vegas", "source": "made up"},
    )
    for key, noise in (("good", 0.01), ("bad", 2.0)):
        found = space(3, noise=noise)
        parquet.write(
            tmp_path / "experiments" / key / "embeddings.parquet",
            {"id": IDS, "label": LABELS, "fold": [0] * 8, **found.views},
            types={"id": TEXT, "label": TEXT, "fold": pa.int64(), "audio": parquet.vector(2),
                   "visual": parquet.vector(2)},
            metadata={"source": "made up"},
        )  # fmt: skip
    return tmp_path


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def share(path: Path, colour: str) -> float:
    """How much of a picture has a colour exactly."""
    with Image.open(path) as picture:
        pixels = np.asarray(picture.convert("RGB"))
    return float(np.mean((pixels == ImageColor.getrgb(colour)).all(axis=-1)))


def test_average_precision_of_every_query_is_scikit_learns() -> None:
    found = space(0, noise=1.0)
    unit = {view: rows / np.linalg.norm(rows, axis=1, keepdims=True) for view, rows in found.views.items()}
    scores = unit["visual"] @ unit["audio"].T
    relevant = found.labels[:, None] == found.labels
    expected = [average_precision_score(relevant[row], scores[row]) for row in range(8)]
    np.testing.assert_allclose(example.average_precisions(found, "visual->audio"), expected, rtol=1e-6)


def test_the_query_is_the_median_and_the_order_of_rows_does_not_matter() -> None:
    precisions, ids = np.array([0.9, 0.1, 0.5, 0.5]), np.array(["d", "a", "c", "b"])
    assert ids[example.median_query(precisions, ids)] == "b"
    assert ids[::-1][example.median_query(precisions[::-1], ids[::-1])] == "b"


def test_the_nearest_come_first() -> None:
    found = space(0, noise=1.0)
    one = example.answer("CCA", found, "audio->visual", "c2")
    query, gallery = found.views["audio"][2], found.views["visual"]
    cosines = [float(query @ row / np.linalg.norm(query) / np.linalg.norm(row)) for row in gallery]
    order = sorted(range(8), key=lambda row: -cosines[row])[: example.TOP]
    assert list(one.ids) == [IDS[row] for row in order]
    np.testing.assert_allclose(one.scores, [cosines[row] for row in order], rtol=1e-6)
    assert one.ap == pytest.approx(example.average_precisions(found, "audio->visual")[2])


def test_results_are_written_and_marked(built: Path) -> None:
    out = built / "figure_5_7"
    example.write(built / "vegas", ENTRIES, looks("bad", "good"), built / "experiments", out=out)
    rows = read(out.with_name("figure_5_7.csv"))
    assert [(row["method"], row["rank"]) for row in rows] == [
        (title, str(rank)) for title in ("CCA", "TNN-C-CCA") for rank in range(1, 6)
    ]
    assert {row["query"] for row in rows} == {rows[0]["query"]}
    good = [row for row in rows if row["method"] == "TNN-C-CCA"]
    # Four clips have the class, so the fifth result must be wrong.
    assert [row["right"] for row in good] == ["1", "1", "1", "1", "0"]
    assert {row["ap"] for row in good} == {"1.000000"}
    assert {row["published_ap"] for row in good} == {"0.8012"}
    assert all((row["label"] == row["query_label"]) == (row["right"] == "1") for row in rows)
    picture = out.with_name("figure_5_7.png")
    n_right = sum(row["right"] == "1" for row in rows)
    assert share(picture, example.RIGHT) > 0.0015 * n_right
    assert 0 < share(picture, example.WRONG) < share(picture, example.RIGHT) * (10 - n_right) / n_right
    before = picture.read_bytes()
    example.write(built / "vegas", ENTRIES, looks("bad", "good"), built / "experiments", out=out)
    assert picture.read_bytes() == before


def test_a_source_without_clips_shows_names(built: Path) -> None:
    parquet.write(
        built / "vegas" / "samples" / "part-00000.parquet",
        {"id": IDS, "label": LABELS},
        types={"id": TEXT, "label": TEXT},
        metadata={"dataset": "vegas", "source": "made up"},
    )
    out = built / "plain"
    example.write(built / "vegas", ENTRIES, looks("good"), built / "experiments", direction="visual->audio", out=out)
    assert len(read(built / "plain.csv")) == example.TOP
    assert share(built / "plain.png", "#e6e6e6") > 0.05


def test_what_is_asked_for_must_be_there(built: Path) -> None:
    with pytest.raises(ConfigError, match="direction 'audio->lyrics': the space has views audio, visual"):
        example.write(
            built / "vegas", ENTRIES, looks("good"), built / "experiments", direction="audio->lyrics", out=built / "x"
        )
    with pytest.raises(DataError, match="CCA: no item 'c99' in fold 0"):
        example.answer("CCA", space(0, noise=1.0), "audio->visual", "c99")


def test_right_and_wrong_are_colours_of_the_palette() -> None:
    assert {example.RIGHT, example.WRONG} <= set(drawing.COLOURS)
