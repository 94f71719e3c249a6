"""A measure against a setting: figures 5.8 and 5.9, and those of songs."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.report.fabricated import Fabricated
from unisono.config.experiments import Experiment, Variant
from unisono.report import drawing, sweeps, tables


@pytest.fixture
def swept(fabricated: Fabricated) -> Fabricated:
    """One sweep of margins, one of batches, two of components."""

    def add(key: str, title: str, number: str, values: dict[str, float]) -> None:
        entry = Experiment(dataset="vegas", model="cca", variants=[Variant(setting=s) for s in values])
        fabricated.add(
            key,
            entry,
            {s: np.array([[value - 0.01, value, value + 0.01]]) for s, value in values.items()},
            title=title,
            tables=[number],
        )

    add("margins", "TNN-C-CCA", "5.5", {"margin=0.5;batches=500": 0.4, "margin=0.1;batches=500": 0.3})
    add("batches", "TNN-C-CCA", "5.6", {"margin=0.5;batches=300": 0.45, "margin=0.5;batches=900": 0.35})
    add("few", "CCA", "fig5.9", {"components=10": 0.2, "components=9": 0.21})
    add("more", "C-CCA", "fig5.9", {"components=10": 0.36})
    return fabricated


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_numbers_with_the_published_beside(swept: Fabricated, tmp_path: Path) -> None:
    runs = swept.runs()
    sweeps.write(runs, tables_folder=tmp_path / "tables", figures=tmp_path / "figures")
    rows = read(tmp_path / "tables" / "figure_5_9.csv")
    assert tuple(rows[0]) == tables.COLUMNS
    (row,) = (r for r in rows if (r["method"], r["setting"], r["query"]) == ("C-CCA", "components=10", "visual"))
    assert (float(row["value"]), float(row["std"]), float(row["published"])) == (0.36, 0.01, 0.6435)
    assert row["source"] == "digits"
    # Nine components are ours alone.
    assert {r["published"] for r in rows if r["setting"] == "components=9"} == {""}
    rows = read(tmp_path / "tables" / "figure_5_8.csv")
    assert {(r["table"], r["setting"]) for r in rows} == {
        ("5.5", "margin=0.1;batches=500"),
        ("5.5", "margin=0.5;batches=500"),
        ("5.6", "margin=0.5;batches=300"),
        ("5.6", "margin=0.5;batches=900"),
    }
    assert {r["published"] for r in rows if r["setting"] == "margin=0.5;batches=900"} == {"0.6128", "0.5847"}
    for number in ("5_8", "5_9"):
        assert (tmp_path / "figures" / f"figure_{number}.png").stat().st_size > 10_000
        assert (tmp_path / "figures" / f"figure_{number}.svg").stat().st_size > 10_000


def test_lines_are_methods_or_directions_in_order_of_the_axis(swept: Fabricated) -> None:
    runs = swept.runs()
    both = sweeps.curves(sweeps.FIGURES["5.8"][1][0], sweeps.rows("5.8", runs)[:4])
    assert {name: [place for place, _ in curve] for name, curve in both.items()} == {
        "audio → visual": [0.1, 0.5],
        "visual → audio": [0.1, 0.5],
    }
    one = sweeps.curves(sweeps.FIGURES["5.9"][1][1], sweeps.rows("5.9", runs))
    assert {name: [place for place, _ in curve] for name, curve in one.items()} == {"CCA": [9.0, 10.0], "C-CCA": [10.0]}
    assert {row["query"] for curve in one.values() for _, row in curve} == {"visual"}


def test_without_experiments_the_published_curves_remain(tmp_path: Path) -> None:
    sweeps.write([], tables_folder=tmp_path, figures=tmp_path)
    assert read(tmp_path / "figure_5_8.csv") == []
    assert (tmp_path / "figure_5_8.png").stat().st_size > 10_000


# ---- Songs: components, training songs ----

CLASSES = ("collection", "language", "composer", "mode")


@pytest.fixture
def songs(fabricated: Fabricated) -> Fabricated:
    """Two methods by components with long names, one by the songs it is trained on."""

    def add(key: str, title: str, number: str, values: dict[str, float]) -> None:
        entry = Experiment(dataset="songs", model="cca", variants=[Variant(setting=s) for s in values])
        scores = {
            s: {way: np.array([[value - 0.01, value + 0.01]]) for way in ("audio->lyrics", "lyrics->audio")}
            for s, value in values.items()
        }
        fabricated.add(
            key, entry, scores, title=title, measure="mrr", chance=0.08,
            tables=[number, *(["figsongs_categories_components"] if number == "figsongs_components" else [])],
            more={"mrr_within": 0.09, "mrr_within_std": 0.01, "recall_at_1": 0.5, "recall_at_1_std": 0.1,
                  **{f"class_mrr_{name}{end}": 0.8 for name in CLASSES for end in ("", "_std")},
                  "chance": {"mrr": 0.08, "recall_at_1": 0.02} | {f"class_mrr_{name}": 0.7 for name in CLASSES},
                  "oracle": {"mrr": 0.3, "recall_at_1": 0.1}},
        )  # fmt: skip

    add(
        "songs_cca",
        "PretrainCNN-CCA of tf-idf",
        "figsongs_components",
        {f"k={k}": 0.1 + k / 1000 for k in (10, 40, 100)},
    )
    add("songs_dcca", "PretrainCNN-DCCA", "figsongs_components", {"k=40": 0.12, "k=10": 0.11})
    add("songs_training", "PretrainCNN-CCA of tf-idf", "figsongs_training", {"training=1": 0.2, "training=0.25": 0.1})
    return fabricated


def test_songs_by_components_and_by_training_songs(songs: Fabricated, tmp_path: Path) -> None:
    runs = songs.runs()
    sweeps.write(runs, tables_folder=tmp_path, figures=tmp_path)
    panels = sweeps.FIGURES["songs_components"][1]
    for panel, query in zip(panels, ("audio", "lyrics"), strict=True):
        curves = sweeps.curves(panel, sweeps.rows("songs_components", runs))
        places = {"PretrainCNN-CCA of tf-idf": [10, 40, 100], "PretrainCNN-DCCA": [10, 40]}
        places |= {f"{name}{tables.SHUFFLED}": found for name, found in places.items()}
        assert {name: [place for place, _ in curve] for name, curve in curves.items()} == places
        assert {(row["query"], row["metric"]) for curve in curves.values() for _, row in curve} == {(query, "mrr")}
    curve, _ = sweeps.curves(sweeps.FIGURES["songs_training"][1][0], sweeps.rows("songs_training", runs)).values()
    assert [(place, float(row["value"])) for place, row in curve] == [(0.25, 0.1), (1, 0.2)]
    rows = read(tmp_path / "figure_songs_training.csv")
    assert {row["setting"] for row in rows} == {"training=1", "training=0.25"}
    assert {row["published"] for row in rows} == {""}
    assert (tmp_path / "figure_songs_components.png").stat().st_size > 10_000


def test_classes_by_components_are_panels_of_their_own(fabricated: Fabricated, tmp_path: Path) -> None:
    at = {f"class_mrr_{name}": 0.6 + place / 10 for place, name in enumerate(CLASSES)}
    entry = Experiment(dataset="songs", model="cca", variants=[Variant(setting=f"k={k}") for k in (10, 40)])
    ways = {way: np.array([[0.2]]) for way in ("audio->lyrics", "lyrics->audio")}
    more = at | {f"{name}_std": 0.01 for name in at} | {"chance": {"mrr": 0.1, **dict.fromkeys(at, 0.5)}, "oracle": {}}
    fabricated.add(
        "x", entry, {"k=10": ways, "k=40": ways}, measure="mrr", more=more,
        tables=["figsongs_components", "figsongs_categories_components"],
    )  # fmt: skip
    runs = fabricated.runs()
    sweeps.write(runs, tables_folder=tmp_path, figures=tmp_path)
    found = sweeps.rows("songs_categories_components", runs)
    panels = sweeps.FIGURES["songs_categories_components"][1]
    assert len(panels) == len(found) / 2 == 8
    for panel in panels:
        ((_, curve),) = sweeps.curves(panel, found).items()
        assert [place for place, _ in curve] == [10, 40]
        assert [float(row["value"]) for _, row in curve] == pytest.approx([at[panel.metric]] * 2)
        assert panel.title.startswith(f"{panel.metric.removeprefix('class_mrr_')}, ")
    assert sweeps.label_of(panels) == "MRR of the class (%)"
    assert sweeps.label_of(sweeps.FIGURES["songs_components"][1]) == "MRR (%)"
    # The same experiments by pair stand in a figure of their own.
    assert {row["metric"] for row in sweeps.rows("songs_components", runs)} == {"mrr"}
    assert len(read(tmp_path / "figure_songs_categories_components.csv")) == 16


@pytest.mark.parametrize("number", ["songs_components", "songs_categories_components", "songs_training", "5.8", "5.9"])
def test_nothing_of_a_figure_is_cut(
    songs: Fabricated, swept: Fabricated, number: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = []

    def canvas(out: Path, *, width: float, height: float) -> Any:
        @contextmanager
        def kept() -> Iterator[Any]:
            with real(out, width=width, height=height) as figure:
                yield figure
                drawn.append(figure)

        return kept()

    real = drawing.canvas
    monkeypatch.setattr(drawing, "canvas", canvas)
    title, panels = sweeps.FIGURES[number]
    runs = songs.runs()
    sweeps._draw(title, panels, sweeps.rows(number, runs), tmp_path / "figure")
    (figure,) = drawn
    figure.draw_without_rendering()
    whole = figure.bbox
    legend = figure.legends[0]
    for text in [figure._suptitle, *legend.get_texts()]:
        box = text.get_window_extent()
        assert whole.x0 <= box.x0, text.get_text()
        assert box.x1 <= whole.x1, text.get_text()
        assert whole.y0 <= box.y0, text.get_text()
        assert box.y1 <= whole.y1, text.get_text()
    for ax in figure.axes:
        assert not ax.get_tightbbox().overlaps(legend.get_window_extent())
    assert "chance" in [text.get_text() for text in legend.get_texts()]
