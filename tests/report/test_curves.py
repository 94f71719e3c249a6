"""Recall curves, and precision against recall, as tables and pictures."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.report.fabricated import Looks
from unisono import evaluation
from unisono.config.compute import Compute
from unisono.config.experiments import Experiment, Variant
from unisono.datasets.loading import Dataset
from unisono.errors import DataError
from unisono.report import curves, tables
from unisono.store.results import Run, read_results

Add = Callable[..., None]


class Results:
    """Experiments whose curves are made up."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.entries: dict[str, Experiment] = {}
        self.looks = Looks()

    def add(
        self,
        key: str,
        experiment: Experiment,
        *,
        title: str = "CCA",
        tables: Iterable[str] = (),
        precision: float = 0.5,
        recall: float = 0.25,
    ) -> None:
        """Write curves of two cut-offs, `precision` and `recall` at the first, in both directions."""
        self.entries[key] = experiment
        self.looks.put(key, title, tables)
        folder = self.folder / key
        folder.mkdir(parents=True)
        facts = {"dataset": experiment.dataset, "source": "made up", "n_items": 8, "params": {}}
        labels = [variant.setting for variant in experiment.variants]
        content = {"variants": [facts | {"setting": label} for label in labels]} if labels else facts
        (folder / "metrics.json").write_text(json.dumps(content))
        views = {"mtm": ("audio", "sheet"), "image2song": ("image", "lyrics")}.get(
            experiment.dataset, ("audio", "visual")
        )
        directions = [f"{a}->{b}" for a, b in (views, views[::-1])]
        recalls, precisions = ["setting,direction,k,recall"], ["setting,direction,k,precision,recall"]
        for label in labels or [""]:
            for direction in directions:
                recalls += [f"{label},{direction},1,{recall}", f"{label},{direction},2,1.0"]
                precisions += [f"{label},{direction},1,{precision},{recall}", f"{label},{direction},2,0.25,1.0"]
        (folder / "recall.csv").write_text("\n".join(recalls) + "\n")
        (folder / "precision_recall.csv").write_text("\n".join(precisions) + "\n")

    def runs(self) -> list[Run]:
        return read_results(self.entries, self.looks.report(), self.folder)


@pytest.fixture
def results(tmp_path: Path) -> Results:
    """An empty folder of experiments, to add to."""
    return Results(tmp_path / "experiments")


@pytest.fixture
def songs(results: Results) -> Results:
    """Two experiments on songs, and one on another data set."""
    results.add("mtm_a", Experiment(dataset="mtm", model="cca"), recall=0.5)
    results.add("mtm_b", Experiment(dataset="mtm", model="cca", views={"sheet": "sheet_plain"}))
    results.add("other", Experiment(dataset="vegas", model="cca"))
    return results


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def n_colours(path: Path) -> int:
    with Image.open(path) as picture:
        return len(picture.convert("RGB").getcolors(1 << 22) or [])


def test_recall_of_one_data_set_by_method_and_setting(songs: Results) -> None:
    rows = curves.read_recall(songs.runs(), dataset="mtm")
    assert [(row["method"], row["k"], row["recall"]) for row in rows if row["direction"] == "audio->sheet"] == [
        ("CCA", 1, 0.5),
        ("CCA", 2, 1.0),
        ("CCA sheet=sheet_plain", 1, 0.25),
        ("CCA sheet=sheet_plain", 2, 1.0),
    ]


def test_recall_is_written_and_drawn(songs: Results, tmp_path: Path) -> None:
    curves.write_recall(songs.runs(), table=tmp_path / "r.csv", picture=tmp_path / "r")
    assert len(read(tmp_path / "r.csv")) == 8
    assert n_colours(tmp_path / "r.png") > 10
    assert "<svg" in (tmp_path / "r.svg").read_text(encoding="utf-8")


def test_recall_of_a_relation_has_no_line_of_chance(results: Results, tmp_path: Path) -> None:
    """Chance to find one of those that belong to an item is no straight line."""
    entry = Experiment(dataset="image2song", model="overlap", views={"image": "tags"})
    results.add("pictures", entry, title="BoW", tables=["image2song"])
    told = Experiment(dataset="image2song", model="overlap", views={"image": "true_tags"})
    results.add("told", told, title="BoW; true tags", tables=["image2song"])
    results.add("masked", entry, title="BoW, masked", tables=["image2song_masked"])
    for key in ("pictures", "told", "masked"):
        path = results.folder / key / "metrics.json"
        facts = json.loads(path.read_text()) | {name: {"relevant": 9.0} for name in ("image->lyrics", "lyrics->image")}
        path.write_text(json.dumps(facts))
    curves.write_recall(results.runs(), table=tmp_path / "r.csv", picture=tmp_path / "r", dataset="image2song")
    rows = read(tmp_path / "r.csv")
    assert {row["direction"] for row in rows} == {"image->lyrics", "lyrics->image"}
    assert {row["method"] for row in rows} == {"BoW"}
    drawn = (tmp_path / "r.svg").read_text(encoding="utf-8")
    assert "chance" not in drawn
    assert "Finding one of the items that belong to an item (Image2song, source made up)" in drawn
    assert n_colours(tmp_path / "r.png") > 10
    curves.write_recall([], table=tmp_path / "r.csv", picture=tmp_path / "none", dataset="image2song")
    assert "no experiment on image2song" in (tmp_path / "none.svg").read_text(encoding="utf-8")


def test_a_missing_curve_is_named(songs: Results) -> None:
    (songs.folder / "mtm_b" / "recall.csv").unlink()
    with pytest.raises(DataError, match=r"mtm_b/recall\.csv: no such file; run `unisono fit mtm_b`"):
        curves.read_recall(songs.runs(), dataset="mtm")


def test_a_curve_of_another_setting_is_none(results: Results) -> None:
    variants = [Variant(setting="mean"), Variant(setting="k/chunks=1/3")]
    results.add("a", Experiment(dataset="mv10k", model="cca", variants=variants), tables=["4.1"])
    path = results.folder / "a" / "precision_recall.csv"
    path.write_text("\n".join(line for line in path.read_text().splitlines() if "chunks" not in line))
    with pytest.raises(DataError, match="no row of setting 'k/chunks=1/3'; run experiment 'a' again"):
        curves.precision_rows("4.5", results.runs())


def test_figures_without_experiments_say_so(tmp_path: Path) -> None:
    curves.write_recall([], table=tmp_path / "r.csv", picture=tmp_path / "r")
    curves.write_precision([], plots=tmp_path, figures=tmp_path)
    assert (tmp_path / "r.csv").read_text() == "method,direction,k,recall\n"
    assert {path.name for path in tmp_path.glob("figure_*.png")} == {
        *(f"figure_4_{number}.png" for number in (5, 6, 7, 8, 9)),
        *(f"figure_5_{number}.png" for number in (3, 4)),
    }
    assert read(tmp_path / "figure_5_3.csv") == []


def test_precision_figures_of_a_table_are_one_per_data_set(results: Results) -> None:
    for dataset in ("vegas", "mv10k"):
        for model, title in (("cca", "CCA"), ("gcca", "GCCA")):
            entry = Experiment(dataset=dataset, model=model)
            results.add(f"{dataset}_{model}", entry, title=title, tables=["5.2", "5.1"])
    results.add("elsewhere", Experiment(dataset="vegas", model="cca"), title="Other", tables=["5.3"])
    for number, dataset in (("5.3", "vegas"), ("5.4", "mv10k")):
        rows = curves.precision_rows(number, results.runs())
        assert {(row["method"], row["dataset"]) for row in rows} == {("CCA", dataset), ("GCCA", dataset)}
        assert {row["direction"] for row in rows} == {"audio->visual", "visual->audio"}
    assert {name: rows[0][name] for name in ("k", "precision", "recall", "source", "n_items")} == {
        "k": 1, "precision": 0.5, "recall": 0.25, "source": "made up", "n_items": 8,
    }  # fmt: skip


def test_figures_of_chapter_4_show_one_setting_and_query_by_audio(results: Results) -> None:
    variants = [Variant(setting=f"k/chunks={chunks}") for chunks in ("1/3", "2/6", "3/9")] + [Variant(setting="mean")]
    random = Variant(setting=f"{tables.RANDOM_CHUNKS}1/3")
    for title in ("CCA", "S-DCCA", "S-DCCA-extend2"):
        entry = Experiment(dataset="mv10k", model="cca", variants=[*variants, random])
        results.add(title.replace("-", ""), entry, title=title, tables=["4.1"])
    settings = {"4.5": "k/chunks=1/3", "4.6": "k/chunks=2/6", "4.7": "k/chunks=3/9", "4.8": "mean"}
    for number, setting in settings.items():
        rows = curves.precision_rows(number, results.runs())
        assert {(row["setting"], row["direction"]) for row in rows} == {(setting, "audio->visual")}
        assert {row["method"] for row in rows} == {"CCA", "S-DCCA", "S-DCCA-extend2"}
    rows = curves.precision_rows("4.9", results.runs())
    assert {(row["method"], row["setting"]) for row in rows} == {
        ("S-DCCA", "k/chunks=3/9"),
        ("S-DCCA-extend2", "k/chunks=3/9"),
    }


def test_a_setting_is_named_only_where_a_method_stands_twice() -> None:
    rows = [{"method": "a", "setting": "x=1"}, {"method": "b", "setting": "x=1"}, {"method": "b", "setting": ""}]
    assert list(curves.names(rows).values()) == ["a", "b (x=1)", "b"]


def test_precision_of_a_real_experiment_ends_at_chance(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    labels = np.repeat(np.arange(4), 10)
    centres = generator.normal(size=(4, 6))
    views = {
        name: (centres[labels] + generator.normal(size=(40, 6))).astype(np.float32) for name in ("audio", "visual")
    }
    dataset = Dataset(
        name="vegas", source="made up", ids=np.array([f"c{i}" for i in range(40)]), views=views, labels=labels,
        folds=np.tile(np.arange(5), 8),
    )  # fmt: skip
    result = evaluation.run(dataset, "cca", {"n_components": 3}, compute=Compute(executor="serial"))
    evaluation.write(result, tmp_path / "experiments" / "vegas_cca")
    entries, looks = {"vegas_cca": Experiment(dataset="vegas", model="cca")}, Looks()
    looks.put("vegas_cca", "CCA", ["5.2"])
    runs = read_results(entries, looks.report(), tmp_path / "experiments")
    curves.write_precision(runs, plots=tmp_path / "plots", figures=tmp_path / "figures")
    rows = read(tmp_path / "plots" / "figure_5_3.csv")
    for direction in ("audio->visual", "visual->audio"):
        curve = [row for row in rows if row["direction"] == direction]
        # Eight test clips, two of each class.
        assert (int(curve[-1]["k"]), float(curve[-1]["recall"]), float(curve[-1]["precision"])) == (8, 1.0, 0.25)
        assert np.all(np.diff([float(row["recall"]) for row in curve]) >= 0)
        assert float(curve[0]["precision"]) > 0.25
    assert n_colours(tmp_path / "figures" / "figure_5_3.png") > 10
