"""A method on a data set: divisions, spaces, measures and files."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stages import run_experiment
from unisono import config, experiments, metrics, models
from unisono.datasets.loading import Dataset, load_folder
from unisono.errors import ConfigError, DataError
from unisono.io import parquet

Build = Callable[..., Path]
SETS = {"audio": "audio", "sheet": "sheet", "lyrics": "lyrics"}
DIRECTIONS = ["audio->sheet", "audio->lyrics", "sheet->audio", "sheet->lyrics", "lyrics->audio", "lyrics->sheet"]


def clips(n: int = 60, **columns: Any) -> Dataset:
    """Two related views of n items in three classes."""
    generator = np.random.default_rng(0)
    latent = generator.standard_normal((n, 4))
    views = {
        name: (latent @ generator.standard_normal((4, d)) + 0.3 * generator.standard_normal((n, d))).astype("f4")
        for name, d in (("audio", 6), ("visual", 8))
    }
    ids = np.array([f"c{i}" for i in range(n)])
    return Dataset("clips", "fabricated", ids, views, **{"labels": np.arange(n) % 3, **columns})


def test_splits_of_the_data_set_over_seeds(make_mtm: Build) -> None:
    data = load_folder(make_mtm(), views=SETS)
    result = experiments.run(data, "gcca", {"n_components": 6}, n_seeds=3)
    content = result.metrics
    assert {key: content[key] for key in ("dataset", "source", "model", "seed", "n_seeds")} == {
        "dataset": "mtm",
        "source": "fabricated",
        "model": "gcca",
        "seed": 0,
        "n_seeds": 3,
    }
    assert (content["n_items"], content["n_train"], content["n_folds"]) == (120, 84, 1)
    assert content["params"] == {"n_components": 6, "ridge": 0.1}
    assert content["weights"] == {"audio": "untrained", "sheet": "trained", "lyrics": "trained"}
    assert [key for key in content if "->" in key] == DIRECTIONS
    scores = content["audio->sheet"]
    assert scores["pool"] == 18
    assert scores["chance"] == {
        "recall_at_1": 1 / 18,
        "recall_at_5": 5 / 18,
        "recall_at_10": 10 / 18,
        "median_rank": 9.5,
        "mean_rank": 9.5,
    }
    assert "map" not in scores
    assert scores["recall_at_1"] > 0.5
    assert scores["recall_at_1_std"] > 0
    assert json.loads(json.dumps(content, allow_nan=False)) == content


def test_measures_are_those_of_the_metrics_module(make_mtm: Build) -> None:
    data = load_folder(make_mtm(), views=SETS)
    result = experiments.run(data, "gcca", {"n_components": 6})
    assert data.splits is not None
    train, test = (np.flatnonzero(data.splits == part) for part in ("train", "test"))
    model = models.create("gcca", n_components=6).fit({view: array[train] for view, array in data.views.items()})
    embedded = model.transform({view: array[test] for view, array in data.views.items()})
    pair = embedded["sheet"], embedded["lyrics"]
    scores = result.metrics["sheet->lyrics"]
    assert scores["recall_at_5"] == pytest.approx(metrics.recall_at_k(*pair, 5))
    assert scores["median_rank"] == metrics.median_rank(*pair)
    assert scores["mean_rank"] == metrics.mean_rank(*pair)
    assert scores["mean_rank_std"] == 0
    np.testing.assert_allclose(result.recall["sheet->lyrics"], metrics.recall_curve(*pair))
    assert result.embeddings["id"].tolist() == data.ids[test].tolist()
    np.testing.assert_array_equal(result.embeddings["sheet"], embedded["sheet"])


def test_a_two_view_method_is_fitted_per_pair(make_mtm: Build, tmp_path: Path) -> None:
    data = load_folder(make_mtm(), views=SETS)
    result = experiments.run(data, "cca", {"n_components": 6})
    assert list(result.models) == ["audio-sheet", "audio-lyrics", "sheet-lyrics"]
    assert [key for key in result.metrics if "->" in key] == DIRECTIONS
    alone = Dataset("two", "x", data.ids, {v: data.views[v] for v in ("sheet", "lyrics")}, splits=data.splits)
    expected = experiments.run(alone, "cca", {"n_components": 6}).metrics["sheet->lyrics"]
    assert result.metrics["sheet->lyrics"] == expected
    experiments.write(result, tmp_path / "out")
    names = parquet.read(tmp_path / "out" / "embeddings.parquet").column_names
    assert names[:4] == ["id", "fold", "audio@audio-sheet", "sheet@audio-sheet"]
    loaded = models.load(tmp_path / "out" / "model" / "sheet-lyrics")
    assert set(loaded.widths_) == {"sheet", "lyrics"}


def test_no_test_row_reaches_the_fit(make_mtm: Build) -> None:
    data = load_folder(make_mtm(), views=SETS)
    assert data.splits is not None
    spoiled = {view: array.copy() for view, array in data.views.items()}
    for array in spoiled.values():
        array[data.splits != "train"] = 1e6
    other = Dataset(data.name, data.source, data.ids, spoiled, splits=data.splits, groups=data.groups)
    for dataset in (data, other):
        experiments.run(dataset, "gcca", {"n_components": 6})
    one, two = (experiments.run(d, "gcca", {"n_components": 6}).models[""].arrays_ for d in (data, other))
    for name, array in one.items():
        np.testing.assert_array_equal(array, two[name])


def test_folds_test_every_item_once_and_the_kept_model_knows_all() -> None:
    data = clips()
    result = experiments.run(data, "cca", {"n_components": 3}, n_folds=4)
    content = result.metrics
    assert (content["n_folds"], content["n_train"], content["audio->visual"]["pool"]) == (4, 45, 15)
    assert sorted(result.embeddings["id"]) == sorted(data.ids)
    assert np.bincount(result.embeddings["fold"]).tolist() == [15] * 4
    assert content["audio->visual"]["map_std"] > 0
    labels = np.arange(15) % 3
    assert content["audio->visual"]["chance"]["map"] == pytest.approx(metrics.chance_map(labels, labels))
    expected = models.create("cca", n_components=3).fit(data.views).transform(data.views)
    np.testing.assert_array_equal(result.models[""].transform(data.views)["audio"], expected["audio"])


def test_folds_of_the_data_set_are_used() -> None:
    data = clips(folds=np.repeat([2, 7, 9], 20))
    result = experiments.run(data, "cca", {"n_components": 3})
    assert np.unique(result.embeddings["fold"]).tolist() == [2, 7, 9]
    with pytest.raises(ConfigError, match="folds: 4 asked for, but clips has folds of its own"):
        experiments.run(data, "cca", {"n_components": 3}, n_folds=4)


def test_a_method_that_learns_nothing_scores_all_rows_as_one_pool() -> None:
    content = experiments.run(clips(), "random").metrics
    assert (content["n_train"], content["n_folds"], content["audio->visual"]["pool"]) == (0, 1, 60)


def test_lengths_reach_the_method() -> None:
    data = clips()
    padded = {
        view: np.concatenate([array[:, None], np.full((60, 1, array.shape[1]), 9, "f4")], axis=1)
        for view, array in data.views.items()
    }
    lengths = {view: np.ones(60, dtype=np.int64) for view in padded}
    other = Dataset("clips", "fabricated", data.ids, padded, lengths=lengths, labels=data.labels)
    one, two = (experiments.run(d, "cca", {"n_components": 3}).metrics for d in (data, other))
    assert one == two


def test_impossible_divisions_raise() -> None:
    with pytest.raises(DataError, match="clips: 1 test rows in fold 0"):
        experiments.run(clips(splits=np.array(["train"] * 59 + ["test"])), "cca")
    with pytest.raises(DataError, match="clips: 1 training rows in fold 0"):
        experiments.run(clips(splits=np.array(["train"] + ["test"] * 59)), "cca")


def test_files_are_complete_and_byte_identical(tmp_path: Path) -> None:
    for run in ("one", "two"):
        experiments.write(experiments.run(clips(), "cca", {"n_components": 3}), tmp_path / run)
    for name in ("metrics.json", "embeddings.parquet", "recall.csv", "model/model.safetensors"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    with (tmp_path / "one" / "recall.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert rows[0].keys() == {"direction", "k", "recall"}
    assert [row["k"] for row in rows if row["direction"] == "audio->visual"] == [str(k) for k in range(1, 13)]
    assert float(rows[11]["recall"]) == 1
    embedded = parquet.read(tmp_path / "one" / "embeddings.parquet")
    assert embedded.column_names == ["id", "label", "fold", "audio", "visual"]
    assert parquet.metadata(tmp_path / "one" / "embeddings.parquet")["source"] == "fabricated"


def test_a_failed_write_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = experiments.run(clips(), "cca", {"n_components": 3})
    (tmp_path / "mine.txt").write_text("mine")
    experiments.write(result, tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    def full(self: models.Aligner, path: Path) -> None:
        raise OSError(28, "No space left on device")

    result.metrics["seed"] = 99
    with monkeypatch.context() as patched:
        patched.setattr(models.Aligner, "save", full)
        with pytest.raises(DataError, match=r"cannot be written .No space left on device"):
            experiments.write(result, tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    experiments.write(result, tmp_path)
    assert json.loads((tmp_path / "metrics.json").read_text())["seed"] == 99
    assert {path.name for path in tmp_path.iterdir()} == {
        "embeddings.parquet",
        "metrics.json",
        "mine.txt",
        "model",
        "recall.csv",
    }


def test_feature_sets_of_a_data_set() -> None:
    plain = {"audio": "audio", "sheet": "sheet_plain", "lyrics": "lyrics"}
    assert experiments.feature_sets("mtm", {"sheet": "sheet_plain"}) == plain
    assert experiments.feature_sets("vegas", {}) is None
    with pytest.raises(ConfigError, match="'shet' is no view of mtm; did you mean 'sheet'"):
        experiments.feature_sets("mtm", {"shet": "sheet_plain"})


@pytest.fixture
def params_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the project's params.yaml, in the folder where commands are run."""
    text = (Path(__file__).parents[1] / "params.yaml").read_text(encoding="utf-8")
    (tmp_path / "params.yaml").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    config.load_all.cache_clear()
    return tmp_path / "params.yaml"


def test_stage_runs_an_experiment_of_params_yaml(
    make_mtm: Build, params_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = params_file.read_text(encoding="utf-8")
    head = text[: text.index("\nexperiments:")]
    entry = "{dataset: mtm, model: gcca, title: GCCA, views: {sheet: sheet_plain}, seeds: 2, params: {n_components: 4}}"
    params_file.write_text(f"{head}\nexperiments:\n  tiny: {entry}\n", encoding="utf-8")
    folder = make_mtm()
    command = ["run", "--data", str(folder), "--out", "out", "--times", "times.json", "--key"]
    monkeypatch.setattr(sys, "argv", [*command, "tiny"])
    run_experiment.main()
    content = json.loads(Path("out/metrics.json").read_text())
    ridge = config.load("models")["gcca"]["ridge"]
    assert content["params"] == {"n_components": 4, "ridge": ridge}
    assert content["n_seeds"] == 2
    assert set(json.loads(Path("times.json").read_text())) == {"fit_s", "transform_s", "measure_s"}
    monkeypatch.setattr(sys, "argv", [*command, "tny"])
    with pytest.raises(ConfigError, match=r"experiments\.tny: no such experiment; did you mean 'tiny'"):
        run_experiment.main()


@pytest.mark.parametrize(
    "entry, message",
    [
        ("model: ccca", r"experiments\.tiny\.model: unknown method 'ccca'; did you mean 'cca'"),
        ("model: cca, params: {rigde: 1}", r"experiments\.tiny\.params\.rigde: .*did you mean 'ridge'"),
        ("model: cca, sedes: 3", r"experiments\.tiny\.sedes: unknown parameter; did you mean 'seeds'"),
    ],
)
def test_wrong_experiments_fail_when_read(params_file: Path, entry: str, message: str) -> None:
    text = params_file.read_text(encoding="utf-8")
    head = text[: text.index("\nexperiments:")]
    params_file.write_text(f"{head}\nexperiments:\n  tiny: {{dataset: mtm, title: T, {entry}}}\n", encoding="utf-8")
    config.load_all.cache_clear()
    with pytest.raises(ConfigError, match=message):
        config.load("compute")
