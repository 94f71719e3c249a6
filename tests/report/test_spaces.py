"""Learned spaces in two dimensions (figure 5.6)."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tests.divided import divide
from tests.report.fabricated import Looks
from unisono.config.experiments import Experiment
from unisono.config.report import Report
from unisono.errors import ConfigError, DataError
from unisono.evaluation import embeddings
from unisono.io import parquet
from unisono.report import spaces

TEXT = pa.string()
N = 24


def write_experiment(folder: Path, key: str, *, ids: list[str], seed: int = 0) -> None:
    """Write the embeddings of two folds: the last four items are tested in the second."""
    generator = np.random.default_rng(seed)
    parquet.write(
        folder / key / "embeddings.parquet",
        {"id": ids, "label": ["a", "b"] * (len(ids) // 2), "fold": [0] * (len(ids) - 4) + [1] * 4,
         "audio": generator.normal(size=(len(ids), 3)), "visual": generator.normal(size=(len(ids), 3))},
        types={"id": TEXT, "label": TEXT, "fold": pa.int64(), "audio": parquet.vector(3), "visual": parquet.vector(3)},
        metadata={"source": "made up"},
    )  # fmt: skip


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """A data set of N clips with sequences of different width, and two experiments on it."""
    ids = [f"c{i:02d}" for i in range(N)]
    folder = tmp_path / "vegas"
    parquet.write(
        folder / "samples" / "part-00000.parquet",
        {"id": ids, "label": ["a", "b"] * (N // 2), "fold": [0] * (N - 4) + [1] * 4},
        types={"id": TEXT, "label": TEXT, "fold": pa.int64()},
        metadata={"dataset": "vegas", "source": "made up"},
    )
    generator = np.random.default_rng(1)
    for view, width in (("audio", 4), ("visual", 6)):
        parquet.write(
            folder / "features" / view / "part-00000.parquet",
            {"id": ids, view: generator.normal(size=(N, 2, width)), "n_frames": [2] * N},
            types={"id": TEXT, view: parquet.matrix(2, width), "n_frames": pa.int32()},
        )
    divide(folder)
    write_experiment(tmp_path / "experiments", "first", ids=ids)
    write_experiment(tmp_path / "experiments", "second", ids=ids[::-1], seed=2)
    return tmp_path


ENTRIES = {
    "first": Experiment(dataset="vegas", model="cca"),
    "second": Experiment(dataset="vegas", model="cca"),
    "other": Experiment(dataset="mv10k", model="cca"),
}


def looks(*keys: str) -> Report:
    """Put experiments into figure 5.6."""
    found = Looks()
    for key in keys:
        found.put(key, {"first": "C-CCA", "second": "TNN-C-CCA"}[key], ["fig5.6"])
    return found.report()


def test_groups_stay_apart_and_the_result_is_the_same_again() -> None:
    generator = np.random.default_rng(0)
    centres = np.repeat(np.eye(5)[:2], 20, axis=0)
    rows = centres + 0.05 * generator.normal(size=(40, 5))
    # Only directions count: retrieval is by cosine.
    places = spaces.project(rows * generator.uniform(1, 100, size=(40, 1)))
    within = np.linalg.norm(places[:20] - places[:20].mean(axis=0), axis=1).max()
    assert np.linalg.norm(places[:20].mean(axis=0) - places[20:].mean(axis=0)) > within
    np.testing.assert_array_equal(spaces.project(rows), spaces.project(rows))


def test_items_of_one_fold_in_every_space(built: Path) -> None:
    both = looks("first", "second")
    # `second` tests c00-c03 in its second fold, so the first folds differ.
    with pytest.raises(DataError, match="item 'c00' is in one experiment and not in the other"):
        spaces.write(built / "vegas", ENTRIES, both, built / "experiments", out=built / "figure_5_6")
    write_experiment(built / "experiments", "second", ids=[f"c{i:02d}" for i in range(N)], seed=2)
    spaces.write(built / "vegas", ENTRIES, both, built / "experiments", out=built / "figure_5_6")
    with (built / "figure_5_6.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    counts = {panel: sum(row["panel"] == panel for row in rows) for panel in dict.fromkeys(r["panel"] for r in rows)}
    assert counts == {
        "features, audio": N - 4,
        "features, visual": N - 4,
        "C-CCA": 2 * (N - 4),
        "TNN-C-CCA": 2 * (N - 4),
    }
    assert {row["fold"] for row in rows} == {"0"}
    assert {row["label"] for row in rows if row["id"] == "c01"} == {"b"}
    assert (built / "figure_5_6.png").stat().st_size > 10_000
    first = (built / "figure_5_6.svg").read_bytes()
    spaces.write(built / "vegas", ENTRIES, both, built / "experiments", out=built / "figure_5_6")
    assert (built / "figure_5_6.svg").read_bytes() == first


def test_only_some_of_many_items_are_drawn(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spaces, "MAX_ITEMS", 7)
    spaces.write(built / "vegas", ENTRIES, looks("first"), built / "experiments", out=built / "x")
    with (built / "x.csv").open(encoding="utf-8", newline="") as file:
        ids = [row["id"] for row in csv.DictReader(file) if row["panel"] == "features, audio"]
    assert ids == ["c00", "c03", "c06", "c09", "c12", "c15", "c18"]


def test_a_figure_of_no_experiment_says_what_to_do(built: Path) -> None:
    with pytest.raises(ConfigError, match=r"report\.figures\.5\.6: no experiment stands there; name at least one"):
        spaces.write(built / "vegas", ENTRIES, looks(), built / "experiments", out=built / "x")


@pytest.mark.parametrize(
    ("key", "error", "message"),
    [
        ("frist", ConfigError, r"experiments\.frist: no such experiment; did you mean 'first'\?"),
        ("other", ConfigError, r"experiments\.other: is on mv10k, expected one on vegas"),
        ("second", DataError, r"embeddings\.parquet: no such file"),
    ],
)
def test_what_is_asked_for_must_be_there(built: Path, key: str, error: type[Exception], message: str) -> None:
    (built / "experiments" / "second" / "embeddings.parquet").unlink()
    with pytest.raises(error, match=message):
        embeddings.read(key, ENTRIES, built / "experiments", dataset="vegas")


def test_a_space_without_classes_is_none(built: Path) -> None:
    parquet.write(
        built / "experiments" / "second" / "embeddings.parquet",
        {"id": ["a"], "fold": [0], "audio": np.ones((1, 2))},
        types={"id": TEXT, "fold": pa.int64(), "audio": parquet.vector(2)},
    )
    with pytest.raises(DataError, match="no column label; the figure needs classes"):
        embeddings.read("second", ENTRIES, built / "experiments", dataset="vegas")


def test_a_space_of_one_component_is_drawn() -> None:
    rows = np.random.default_rng(0).standard_normal((12, 1))
    placed = spaces.project(rows)
    assert placed.shape == (12, 2)
    assert np.isfinite(placed).all()
