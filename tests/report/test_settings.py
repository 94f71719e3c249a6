"""Tables 5.1 and 6.1: inputs and settings of networks."""

from __future__ import annotations

import csv
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from unisono import models
from unisono.errors import DataError
from unisono.features import inception, logmel
from unisono.io import parquet
from unisono.report import settings

TNN = {"n_components": 9, "layers": {"audio": [20, 10], "other": [30, 10]}}


@pytest.fixture
def clips(tmp_path: Path) -> tuple[Path, Path]:
    """Folders of clips with features of 7 and 5 numbers a second, and of simulated videos."""
    vegas, mv10k = tmp_path / "vegas", tmp_path / "mv10k"
    for view, extractor, width in (("audio", "vggish", 7), ("visual", "inception", 5), ("motion", "i3d", 3)):
        parquet.write(
            vegas / "features" / view / "part-00000.parquet",
            {"id": ["a"], view: np.ones((1, 10, width)), "n_frames": [3]},
            types={"id": pa.string(), view: parquet.matrix(10, width), "n_frames": pa.int32()},
            metadata={"source": "digits", "extractor": extractor, "weights": "untrained"},
        )
    parquet.write(
        mv10k / "videos" / "part-00000.parquet",
        {"id": ["a"], "audio": [np.ones((2, 128))], "rgb": [np.ones((2, 1024))]},
        types={"id": pa.string(), "audio": pa.list_(parquet.vector(128)), "rgb": pa.list_(parquet.vector(1024))},
        metadata={"source": "simulated"},
    )
    return vegas, mv10k


def read(path: Path) -> list[dict[str, str]]:
    """Rows of a CSV file."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_inputs_are_those_of_the_extractors() -> None:
    assert settings.INPUTS["vggish"].startswith(f"{logmel.FRAMES} x {logmel.BANDS} ")
    assert settings.INPUTS["inception"].startswith(f"{inception.SIZE} x {inception.SIZE} x 3 ")


def test_both_tables_are_written(clips: tuple[Path, Path], make_mtm: Callable[..., Path], tmp_path: Path) -> None:
    darlearning: dict[str, Any] = {"layers": {"other": [8, 4]}, "epochs": 2, "adversarial": True}
    settings.write(*clips, make_mtm(), {"tnn_c_cca": TNN, "darlearning": darlearning}, tmp_path / "tables")

    rows = read(tmp_path / "tables" / "table_5_1.csv")
    assert tuple(rows[0]) == settings.NETWORK_COLUMNS
    assert [(row["dataset"], row["view"], row["pooled"], row["layers"]) for row in rows] == [
        ("vegas", "audio", "7", "20, 10"),
        ("vegas", "visual", "5", "30, 10"),
        ("mv10k", "audio", "128", "20, 10"),
        ("mv10k", "visual", "1024", "30, 10"),
    ]
    assert (rows[0]["input"], rows[0]["published_input"], rows[0]["c_cca"]) == ("96 x 64 log-mel", "96 x 64", "9")
    # No network has seen what a random model wrote.
    assert rows[2]["input"] == ""
    text = (tmp_path / "tables" / "table_5_1.md").read_text(encoding="utf-8")
    assert "| vegas | visual | inception (untrained) | 299 x 299 x 3 pixels | (L, 5) | 5 | 9 | 30, 10 |  |" in text
    assert "- Source: vegas: digits, mv10k: simulated." in text

    found = {row["setting"]: (row["value"], row["published"]) for row in read(tmp_path / "tables" / "table_6_1.csv")}
    assert (found["input, audio"], found["input, lyrics"]) == (("16", "128"), ("8", "40"))
    assert found["layers"] == ("8, 4", "1024, 1024, 128")
    assert found["adversarial"] == ("yes", "")
    assert found["margin"] == ("", "1")
    text = (tmp_path / "tables" / "table_6_1.md").read_text(encoding="utf-8")
    assert "| epochs | 2 | 30 (each 2 of the generator and 2 of the discriminator) |" in text


def test_methods_that_are_not_there_leave_cells_empty(
    clips: tuple[Path, Path], make_mtm: Callable[..., Path], tmp_path: Path
) -> None:
    settings.write(*clips, make_mtm(), {}, tmp_path / "tables")
    assert {row["layers"] for row in read(tmp_path / "tables" / "table_5_1.csv")} == {""}
    values = [row["value"] for row in read(tmp_path / "tables" / "table_6_1.csv")]
    assert values == ["16", "12", "8"] + [""] * len(settings.PUBLISHED_SETTINGS)


def test_missing_features_raise(clips: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(DataError, match="features/audio: no such file"):
        settings.setting_rows(tmp_path, {})


@pytest.mark.skipif("darlearning" not in models.available(), reason="the method is not there")
def test_published_settings_are_hyper_parameters_of_the_method() -> None:
    assert set(settings.PUBLISHED_SETTINGS) <= set(inspect.signature(models.method("darlearning")).parameters)
