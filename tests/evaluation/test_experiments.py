"""A method on a data set: divisions, spaces, measures and files."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from stages import run_experiments
from tests.models.small import SMALL
from unisono import cli, evaluation, metrics, models
from unisono.config.compute import Compute
from unisono.config.models import load_models
from unisono.datasets.loading import Dataset, load_folder
from unisono.errors import ConfigError, DataError, MachineError
from unisono.evaluation import fitting, planning, running
from unisono.evaluation.fitting import arrays_of
from unisono.evaluation.measuring import cutoffs
from unisono.evaluation.params_file import check_params_file
from unisono.io import parquet
from unisono.models.base import average
from unisono.store import fits, jobs

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
    result = evaluation.run(data, "gcca", {"n_components": 6}, n_seeds=3)
    content = result.metrics
    assert {key: content[key] for key in ("dataset", "source", "model", "seed", "n_seeds")} == {
        "dataset": "mtm",
        "source": "fabricated",
        "model": "gcca",
        "seed": 0,
        "n_seeds": 3,
    }
    assert (content["n_items"], content["n_train"], content["n_folds"]) == (120, 84, 1)
    assert content["params"] == {"standardise": "none", "n_components": 6, "ridge": "auto"}
    assert content["weights"] == {"audio": "untrained", "sheet": "trained", "lyrics": "trained"}
    assert [key for key in content if "->" in key] == DIRECTIONS
    scores = content["audio->sheet"]
    assert scores["pool"] == 18
    assert scores["chance"] == {
        "mrr": pytest.approx(sum(1 / rank for rank in range(1, 19)) / 18),
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
    result = evaluation.run(data, "gcca", {"n_components": 6})
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
    rows = [row for row in result.tables["recall"].rows if row[1] == "sheet->lyrics"]
    assert [row[2] for row in rows] == list(range(1, 19))
    np.testing.assert_allclose([float(row[3]) for row in rows], metrics.recall_curve(*pair), atol=1e-6)
    assert result.embeddings["id"].tolist() == data.ids[test].tolist()
    np.testing.assert_array_equal(result.embeddings["sheet"], embedded["sheet"])


def test_a_two_view_method_is_fitted_per_pair(make_mtm: Build, tmp_path: Path) -> None:
    data = load_folder(make_mtm(), views=SETS)
    result = evaluation.run(data, "cca", {"n_components": 6})
    assert list(result.models) == ["audio-sheet", "audio-lyrics", "sheet-lyrics"]
    assert [key for key in result.metrics if "->" in key] == DIRECTIONS
    alone = Dataset("two", "x", data.ids, {v: data.views[v] for v in ("sheet", "lyrics")}, splits=data.splits)
    expected = evaluation.run(alone, "cca", {"n_components": 6}).metrics["sheet->lyrics"]
    assert result.metrics["sheet->lyrics"] == expected
    evaluation.write(result, tmp_path / "out")
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
        evaluation.run(dataset, "gcca", {"n_components": 6})
    one, two = (evaluation.run(d, "gcca", {"n_components": 6}).models[""].arrays_ for d in (data, other))
    for name, array in one.items():
        np.testing.assert_array_equal(array, two[name])


def test_folds_test_every_item_once_and_the_kept_model_knows_all() -> None:
    data = clips()
    result = evaluation.run(data, "cca", {"n_components": 3}, n_folds=4)
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
    result = evaluation.run(data, "cca", {"n_components": 3})
    assert np.unique(result.embeddings["fold"]).tolist() == [2, 7, 9]
    with pytest.raises(ConfigError, match="folds: 4 asked for, but clips has folds of its own"):
        evaluation.run(data, "cca", {"n_components": 3}, n_folds=4)


def test_a_method_that_learns_nothing_scores_all_rows_as_one_pool() -> None:
    content = evaluation.run(clips(), "random").metrics
    assert (content["n_train"], content["n_folds"], content["audio->visual"]["pool"]) == (0, 1, 60)


def test_lengths_reach_the_method() -> None:
    data = clips()
    padded = {
        view: np.concatenate([array[:, None], np.full((60, 1, array.shape[1]), 9, "f4")], axis=1)
        for view, array in data.views.items()
    }
    lengths = {view: np.ones(60, dtype=np.int64) for view in padded}
    other = Dataset("clips", "fabricated", data.ids, padded, lengths=lengths, labels=data.labels)
    one, two = (evaluation.run(d, "cca", {"n_components": 3}).metrics for d in (data, other))
    assert one == two


def test_impossible_divisions_raise() -> None:
    with pytest.raises(DataError, match="clips: 1 test rows in fold 0"):
        evaluation.run(clips(splits=np.array(["train"] * 59 + ["test"])), "cca")
    with pytest.raises(DataError, match="clips: 1 training rows in fold 0"):
        evaluation.run(clips(splits=np.array(["train"] + ["test"] * 59)), "cca")


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def contents(folder: Path) -> dict[str, bytes]:
    """All files below a folder."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_files_are_complete_and_byte_identical(tmp_path: Path) -> None:
    for run in ("one", "two"):
        evaluation.write(evaluation.run(clips(), "cca", {"n_components": 3}), tmp_path / run)
    files = contents(tmp_path / "one")
    assert files == contents(tmp_path / "two")
    assert sorted(files) == [
        "embeddings.parquet",
        "metrics.json",
        "model/model.safetensors",
        "parts.csv",
        "precision_recall.csv",
        "recall.csv",
    ]
    rows = read_csv(tmp_path / "one" / "recall.csv")
    assert rows[0].keys() == {"setting", "direction", "k", "recall"}
    assert [row["k"] for row in rows if row["direction"] == "audio->visual"] == [str(k) for k in range(1, 13)]
    assert float(rows[11]["recall"]) == 1
    embedded = parquet.read(tmp_path / "one" / "embeddings.parquet")
    assert embedded.column_names == ["id", "label", "fold", "audio", "visual"]
    assert parquet.metadata(tmp_path / "one" / "embeddings.parquet")["source"] == "fabricated"


def test_parts_give_the_means_and_curves_those_of_the_metrics_module(tmp_path: Path) -> None:
    data = clips()
    result = evaluation.run(data, "cca", {"n_components": 3}, n_seeds=2, n_folds=3)
    evaluation.write(result, tmp_path)
    rows = read_csv(tmp_path / "parts.csv")
    assert rows[0].keys() == {"setting", "seed", "fold", "direction", "measure", "value"}
    chosen = [row for row in rows if (row["direction"], row["measure"]) == ("visual->audio", "map")]
    assert [(row["seed"], row["fold"]) for row in chosen] == [(s, f) for s in "01" for f in "012"]
    assert np.mean([float(row["value"]) for row in chosen]) == result.metrics["visual->audio"]["map"]
    assert np.std([float(row["value"]) for row in chosen], ddof=1) == result.metrics["visual->audio"]["map_std"]
    first = result.embeddings["fold"] == 0
    vectors = [result.embeddings[view][first] for view in ("visual", "audio")]
    labels = result.embeddings["label"][first]
    expected = metrics.mean_average_precision(*vectors, labels, labels)
    assert float(chosen[0]["value"]) == expected
    curves = []
    for part in evaluation.divide(data, n_folds=3) + evaluation.divide(data, n_folds=3, seed=1):
        model = models.create("cca", n_components=3).fit({v: a[part.train] for v, a in data.views.items()})
        embedded = model.transform({view: array[part.test] for view, array in data.views.items()})
        of_test = np.asarray(data.labels)[part.test]
        curves.append(metrics.precision_recall_curve(embedded["visual"], embedded["audio"], of_test, of_test))
    found = [row for row in read_csv(tmp_path / "precision_recall.csv") if row["direction"] == "visual->audio"]
    assert [int(row["k"]) for row in found] == list(range(1, 21))
    for column, means in zip(("precision", "recall"), np.mean(curves, axis=0), strict=True):
        np.testing.assert_allclose([float(row[column]) for row in found], means, atol=1e-6)


def test_cut_offs_of_a_large_pool_are_thinned() -> None:
    assert cutoffs(200).tolist() == list(range(1, 201))
    for pool in (201, 5621, 28103):
        chosen = cutoffs(pool)
        assert chosen[:10].tolist() == list(range(1, 11))
        assert chosen[-1] == pool
        assert 100 < len(chosen) <= 200
        assert (np.diff(chosen) > 0).all()


def test_tables_of_an_earlier_experiment_go(tmp_path: Path) -> None:
    evaluation.write(evaluation.run(clips(), "cca", {"n_components": 3}), tmp_path)
    (tmp_path / "history.csv").write_text("of an earlier run")
    evaluation.write(evaluation.run(clips(labels=None), "cca", {"n_components": 3}), tmp_path)
    assert not {"history.csv", "precision_recall.csv"} & {path.name for path in tmp_path.iterdir()}


def test_variants_equal_separate_runs(tmp_path: Path) -> None:
    data, other = clips(), clips()
    other.views["audio"] = other.views["audio"][:, :5]
    settings = [
        evaluation.Setting("k=3", data, {"n_components": 3}),
        evaluation.Setting("k=2", data, {"n_components": 2}),
        evaluation.Setting("audio=other", other, {"n_components": 3}),
    ]
    result = evaluation.run_settings(settings, "cca", n_seeds=2, n_folds=3)
    alone = [evaluation.run(s.dataset, "cca", s.params, n_seeds=2, n_folds=3) for s in settings]
    assert result.metrics == {
        "variants": [{"setting": s.label, **a.metrics} for s, a in zip(settings, alone, strict=True)]
    }
    for name, table in result.tables.items():
        expected = [(s.label, *row[1:]) for s, a in zip(settings, alone, strict=True) for row in a.tables[name].rows]
        assert table.rows == expected
    evaluation.write(result, tmp_path / "sweep")
    evaluation.write(alone[0], tmp_path / "alone")
    for name in ("embeddings.parquet", "model/model.safetensors"):
        assert (tmp_path / "sweep" / name).read_bytes() == (tmp_path / "alone" / name).read_bytes()


def is_deep(name: str) -> bool:
    """Whether a method trains networks."""
    return models.method(name).trains_networks


#: Two closed forms, and the first method that trains networks.
PARITY = ["cca", "gcca", *[name for name in models.available() if is_deep(name)][:1]]


@pytest.mark.parametrize("name", PARITY)
def test_the_same_files_for_any_executor(
    name: str, make_mtm: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Closed forms go to a pool as well.
    monkeypatch.setattr(jobs, "POOL_PAYS_S", -1)
    data = load_folder(make_mtm(), views=SETS)
    if models.method(name).supervised:
        data = clips()
    ways = ({"executor": "serial"}, {"workers": 1}, {"workers": 2})
    for number, way in enumerate(ways):
        compute = Compute(scratch=tmp_path / "scratch", **way)
        settings = [evaluation.Setting(f"seed={seed}", data, SMALL.get(name, {})) for seed in (0, 1)]
        result = evaluation.run_settings(
            settings, name, n_seeds=2, compute=compute, scratch=compute.scratch / f"{number}"
        )
        evaluation.write(result, tmp_path / str(number))
    assert contents(tmp_path / "0") == contents(tmp_path / "1") == contents(tmp_path / "2")
    assert ("history.csv" in contents(tmp_path / "0")) == is_deep(name)
    assert not any(path for path in (tmp_path / "scratch").rglob("*") if path.is_file())


def test_sequences_are_averaged_once_as_the_method_does() -> None:
    generator = np.random.default_rng(0)
    array = generator.standard_normal((2500, 4, 3)).astype("f4")
    lengths = generator.integers(1, 5, 2500)
    data = Dataset("d", "s", np.arange(2500).astype(str), {"audio": array}, lengths={"audio": lengths})
    found = arrays_of(data, sequential=False)
    assert list(found) == ["views/audio"]
    np.testing.assert_array_equal(found["views/audio"], average(array, lengths))
    kept = arrays_of(data, sequential=True)
    assert kept["views/audio"] is array
    assert kept["lengths/audio"] is lengths


def test_notes_and_warnings_are_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    cls = models.method("cca")
    fit = cls._fit

    def warning(self: models.Aligner, views: dict[str, np.ndarray], *rest: Any) -> None:
        warnings.warn("few  rows", stacklevel=2)  # as a method does
        warnings.warn("of another package", stacklevel=1)
        fit(self, views, *rest)

    monkeypatch.setattr(cls, "_fit", warning)
    monkeypatch.setattr(cls, "note_", "approximated", raising=False)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = evaluation.run(clips(), "cca", {"n_components": 3}, n_seeds=2)
    assert [str(each.message) for each in caught] == ["few rows", "of another package"]
    assert result.metrics["notes"] == ["approximated", "few rows"]
    assert "notes" not in evaluation.run(clips(), "gcca", {"n_components": 3}).metrics


PATIENT = '''
"""A method whose epochs are counted in its checkpoint."""

import os
import signal
from pathlib import Path

import numpy as np

from unisono.models.base import Aligner


class Patient(Aligner):
    def _fit(self, views, labels, lengths, checkpoint):
        first = next(iter(views.values()))
        done = int(checkpoint.read_text()) if checkpoint.exists() else 0
        rows = f"{len(first)}-from-{first[0, 0]:.0f}"
        for epoch in range(done, 3):
            with open(os.environ["PATIENT_LOG"], "a") as stream:
                stream.write(f"{rows}:{epoch} ")
            if epoch == 2 and rows == os.environ["PATIENT_KILL"]:
                os.kill(os.getpid(), signal.SIGKILL)
            checkpoint.parent.mkdir(parents=True, exist_ok=True)
            unfinished = checkpoint.with_suffix(".new")  # This process may be ended here, too.
            unfinished.write_text(str(epoch + 1))
            unfinished.replace(checkpoint)
        checkpoint.unlink()
        self.arrays_ = {"mean": np.concatenate([array.mean(axis=0) for array in views.values()])}

    def _transform(self, view, array, lengths):
        return array[:, :3] - self.arrays_["mean"][:3]


MODEL = Patient
'''

MAIN = """
import sys
from pathlib import Path

import numpy as np

from unisono import errors, models
from unisono import evaluation
from unisono.store import fits, jobs
from unisono.config.compute import Compute
from unisono.datasets.loading import Dataset
from unisono.evaluation import fitting

# Seen by workers too, which import this file.
models.__path__.append(str(Path(__file__).parent / "methods"))
evaluation.planning.code_version = lambda module: "1"
jobs.POOL_PAYS_S = -1


def main():
    generator = np.random.default_rng(0)
    views = {name: generator.standard_normal((20, 4)) for name in ("a", "b")}
    views["a"][:, 0] = np.arange(20)
    data = Dataset("d", "s", np.arange(20).astype(str), views, folds=np.arange(20) % 4)
    compute = Compute(workers=2, executor=sys.argv[2])
    result = evaluation.run(data, "patient", compute=compute, scratch=Path("scratch") / "key")
    evaluation.write(result, Path(sys.argv[1]))


if __name__ == "__main__":
    errors.run(main)
"""


def test_a_killed_run_goes_on_and_ends_with_the_same_files(tmp_path: Path) -> None:
    (tmp_path / "methods").mkdir()
    (tmp_path / "methods" / "patient.py").write_text(PATIENT)
    (tmp_path / "main.py").write_text(MAIN)
    log = tmp_path / "log"

    def run(out: str, executor: str, kill: str = "") -> subprocess.CompletedProcess[str]:
        log.unlink(missing_ok=True)
        return subprocess.run(
            [sys.executable, "main.py", out, executor],
            cwd=tmp_path,
            env={**os.environ, "PATIENT_LOG": str(log), "PATIENT_KILL": kill, "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            timeout=120,
        )

    # The fit on all rows comes first and is killed, here with the whole process, at its third epoch.
    assert run("one", "serial", kill="20-from-0").returncode == -signal.SIGKILL
    assert log.read_text().split() == ["20-from-0:0", "20-from-0:1", "20-from-0:2"]
    assert run("one", "serial").returncode == 0
    assert log.read_text().split()[0] == "20-from-0:2"
    assert len(log.read_text().split()) == 1 + 4 * 3
    assert not (tmp_path / "scratch" / "key").exists()

    ended = run("two", "process", kill="15-from-1")  # fold 0, in a worker
    assert ended.returncode == 2
    last = ended.stderr.splitlines()[-1]
    assert last.startswith("error: patient, seed 0, part 0: its worker process was killed each time (out of memory?)")
    assert not (tmp_path / "two").exists()
    folder = tmp_path / "scratch" / "key"
    assert not (folder / "arrays").exists()
    assert list(folder.glob("*/checkpoint.safetensors"))
    n_finished = len(list(folder.glob("*/fit.json")))
    assert run("two", "process").returncode == 0
    assert len({entry.partition(":")[0] for entry in log.read_text().split()}) <= 5 - n_finished
    assert contents(tmp_path / "two") == contents(tmp_path / "one")
    assert not folder.exists()


def test_a_failed_write_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = evaluation.run(clips(), "cca", {"n_components": 3})
    (tmp_path / "mine.txt").write_text("mine")
    evaluation.write(result, tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    def full(self: models.Aligner, path: Path) -> None:
        raise OSError(28, "No space left on device")

    result.metrics["seed"] = 99
    with monkeypatch.context() as patched:
        patched.setattr(models.Aligner, "save", full)
        with pytest.raises(MachineError, match=r"cannot be written: No space left on device"):
            evaluation.write(result, tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    evaluation.write(result, tmp_path)
    assert json.loads((tmp_path / "metrics.json").read_text())["seed"] == 99
    assert {path.name for path in tmp_path.iterdir()} == {
        "embeddings.parquet",
        "metrics.json",
        "mine.txt",
        "model",
        "parts.csv",
        "precision_recall.csv",
        "recall.csv",
    }


def test_feature_sets_of_a_data_set() -> None:
    plain = {"audio": "audio", "sheet": "sheet_plain", "lyrics": "lyrics"}
    assert evaluation.feature_sets("mtm", {"sheet": "sheet_plain"}) == plain
    assert evaluation.feature_sets("mv10k", {"audio": "audio_1_3"}) == {"audio": "audio_1_3", "visual": "visual"}
    with pytest.raises(ConfigError, match="'shet' is no view of mtm; did you mean 'sheet'"):
        evaluation.feature_sets("mtm", {"shet": "sheet_plain"})


@pytest.fixture
def params_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the project's params.yaml, in the folder where commands are run."""
    text = (Path(__file__).parents[2] / "params.yaml").read_text(encoding="utf-8")
    (tmp_path / "params.yaml").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "params.yaml"


def write_experiments(params_file: Path, experiments: str) -> None:
    """Replace the section, and the report's lists of experiments."""
    params = yaml.safe_load(params_file.read_text(encoding="utf-8"))
    params["experiments"] = yaml.safe_load(experiments)
    params["report"].update({name: {} for name in ("titles", "tables", "figures") if name in params["report"]})
    params_file.write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")


def run_stage(monkeypatch: pytest.MonkeyPatch, data: Path) -> None:
    monkeypatch.setattr(sys, "argv", ["run", "--data", str(data), "--out", "out", "--times", "times"])
    run_experiments.main()


def metrics_of(key: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(Path("out", key, "metrics.json").read_text())
    return content


def test_stage_runs_the_experiments_of_params_yaml_and_takes_kept_fits_again(
    make_mtm: Build, params_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny = "tiny: {dataset: mtm, model: gcca, views: {sheet: sheet_plain}, seeds: 2, params: {n_components: %d}}"
    other = "other: {dataset: mtm, model: cca, params: {n_components: 3}}"
    write_experiments(params_file, f"{tiny % 4}\n{other}")
    data = make_mtm().parent
    run_stage(monkeypatch, data)
    assert "experiment 2 of 2: " in capsys.readouterr().out
    content = metrics_of("tiny")
    assert content["params"] == {"standardise": "none", "n_components": 4, "ridge": load_models()["gcca"]["ridge"]}
    assert content["n_seeds"] == 2
    assert set(json.loads(Path("times/tiny.json").read_text())) == {"fit_s", "transform_s", "measure_s", "wall_s"}
    before = contents(Path("out"))

    # The same again: nothing is fitted, and the files are the same.
    monkeypatch.setattr(fitting, "work", lambda *_: pytest.fail("fitted again"))
    monkeypatch.setattr(running, "work", lambda *_: pytest.fail("fitted again"))
    shutil.rmtree("out")
    run_stage(monkeypatch, data)
    assert "tiny, its 2 fits were kept" in capsys.readouterr().out
    assert contents(Path("out")) == before
    monkeypatch.undo()
    monkeypatch.chdir(params_file.parent)

    # One experiment changes, the other is kept; then it goes, and its results with it.
    write_experiments(params_file, f"{tiny % 3}\n{other}")
    run_stage(monkeypatch, data)
    printed = capsys.readouterr().out
    assert "tiny, 2 of 2 fits made" in printed
    assert "other, its 3 fits were kept" in printed
    assert metrics_of("tiny")["params"]["n_components"] == 3
    write_experiments(params_file, other)
    run_stage(monkeypatch, data)
    assert [path.name for path in Path("out").iterdir()] == ["other"]


def test_csls_is_a_ranking_of_its_own_beside_the_cosine(
    make_mtm: Build, params_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    entry = "dataset: mtm, model: cca, params: {n_components: 2}"
    variants = "[{setting: plain, ranking: cosine}, {setting: corrected}]"
    write_experiments(params_file, f"tiny: {{{entry}, ranking: csls, variants: {variants}}}\nalone: {{{entry}}}")
    folder = make_mtm(snippets=10)
    run_stage(monkeypatch, folder.parent)
    plain, corrected = metrics_of("tiny")["variants"]
    assert "ranking" not in plain
    assert corrected["ranking"] == "csls"
    assert any(note.startswith("ranked by CSLS") for note in corrected["notes"])
    alone = metrics_of("alone")
    assert all(plain[direction] == alone[direction] for direction in alone if "->" in direction)
    # The figures are those of corrected cosines, over all queries of the test part.
    dataset = load_folder(folder, views={view: view for view in ("audio", "sheet", "lyrics")})
    [part] = evaluation.divide(dataset)
    params = load_models()["cca"] | {"n_components": 2}
    model = models.create("cca", **params).fit({v: dataset.views[v][part.train] for v in ("audio", "lyrics")})
    embedded = model.transform({view: dataset.views[view][part.test] for view in ("audio", "lyrics")})
    scores = metrics.csls(metrics.similarities(embedded["audio"], embedded["lyrics"]))
    expected = [metrics.rank_among(row, own) for own, row in enumerate(scores)]
    assert corrected["audio->lyrics"]["mean_rank"] == pytest.approx(np.mean(expected))
    assert corrected["audio->lyrics"]["median_rank"] == np.median(expected)
    assert corrected["audio->lyrics"]["mean_rank"] != plain["audio->lyrics"]["mean_rank"]
    capsys.readouterr()
    write_experiments(params_file, f"tiny: {{{entry}, ranking: cslss}}")
    with pytest.raises(ConfigError, match=r"experiments\.tiny\.ranking"):
        run_stage(monkeypatch, folder.parent)


def test_an_edit_of_a_method_makes_its_fits_again_and_no_others(
    make_mtm: Build, params_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "one: {dataset: mtm, model: gcca, params: {n_components: 3}}\ntwo: {dataset: mtm, model: random}"
    write_experiments(params_file, text)
    data = make_mtm().parent
    run_stage(monkeypatch, data)
    capsys.readouterr()
    version = planning.code_version
    monkeypatch.setattr(
        planning, "code_version", lambda module: version(module) + ("x" if "gcca" in str(module) else "")
    )
    run_stage(monkeypatch, data)
    printed = capsys.readouterr().out
    assert "one, 1 of 1 fits made" in printed
    assert "two, its 1 fits were kept" in printed


@pytest.mark.parametrize("fact", ["versions", "threads", "device", "data", "seed"])
def test_a_fit_is_made_again_where_anything_it_depends_on_is_another(
    fact: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compute, data = Compute(executor="serial", device="cpu"), clips()

    def n_kept(compute: Compute = compute, data: Dataset = data, seed: int = 0) -> int:
        request = evaluation.Request("k", "cca", [evaluation.Setting("", data, {"n_components": 2})], seed=seed)
        (ended,) = evaluation.run_requests([request], compute=compute, folder=tmp_path)
        assert ended.error is None
        return ended.n_kept

    assert (n_kept(), n_kept()) == (0, 6)
    if fact == "versions":
        monkeypatch.setattr(fits, "versions", lambda: ("1", "2", "3", "4"))
        assert n_kept() == 0
    elif fact == "threads":
        assert n_kept(compute.model_copy(update={"threads_per_worker": 2})) == 0
    elif fact == "device":
        assert n_kept(compute.model_copy(update={"device": "auto"})) == 0
    elif fact == "data":
        other = clips()
        other.views["audio"][3, 2] += 1e-6
        assert n_kept(data=other) == 0
    else:
        assert n_kept(seed=1) == 0


def test_an_experiment_that_fails_leaves_the_others(
    make_mtm: Build, params_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wide = "wide: {dataset: mtm, model: cca, params: {n_components: 900}}"
    wrong = f"{wide}\nset: {{dataset: mtm, model: gcca, views: {{sheet: nothing}}}}"
    write_experiments(params_file, f"{wrong}\nright: {{dataset: mtm, model: cca, params: {{n_components: 3}}}}")
    with pytest.raises(SystemExit) as ended:
        run_stage(monkeypatch, make_mtm().parent)
    assert ended.value.code == 2
    assert [path.name for path in Path("out").iterdir()] == ["right"]
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error")]
    assert len(errors) == 2
    assert any(
        "error: experiments.wide: models.cca.n_components: 900 is more than these data have" in e for e in errors
    )
    assert any(e.startswith("error: experiments.set: ") and "no such features, for view 'sheet'" in e for e in errors)


def test_one_experiment_is_run_by_its_key(
    make_mtm: Build, params_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "one: {dataset: mtm, model: gcca, params: {n_components: 3}}\ntwo: {dataset: mtm, model: random}"
    write_experiments(params_file, text)
    make_mtm()  # in data/
    cli.main(["fit", "one"])
    assert [path.name for path in Path("results/experiments").iterdir()] == ["one"]
    with pytest.raises(SystemExit):
        cli.main(["fit", "oen"])
    assert "experiments.oen: no such experiment; did you mean 'one'" in capsys.readouterr().err


@pytest.mark.parametrize(
    "entry, message",
    [
        ("model: gccaa", r"experiments\.tiny\.model: unknown method 'gccaa'; did you mean 'gcca'"),
        ("model: cca, params: {rigde: 1}", r"experiments\.tiny\.params\.rigde: .*did you mean 'ridge'"),
        ("model: cca, views: {sheat: s}", r"tiny\.views: the data set has no view 'sheat'; did you mean 'sheet'"),
        ("model: cca, variants: [{params: {}}]", r"tiny\.variants\.0\.setting: missing parameter"),
        ('model: cca, variants: [{setting: ""}]', r"tiny\.variants\.0\.setting: got ''; every variant needs a label"),
        ("model: cca, variants: [{setting: a}, {setting: a}]", r"tiny\.variants\.1\.setting: got 'a'; every variant"),
        (
            "model: cca, variants: [{setting: a, params: {rigde: 1}}]",
            r"tiny\.variants\.0\.params\.rigde: unknown .*did you mean 'ridge'",
        ),
        (
            "model: cca, variants: [{setting: a, views: {sheat: s}}]",
            r"tiny\.variants\.0\.views: the data set has no view 'sheat'",
        ),
        ("model: cca, variants: [{setting: a, seeds: 2}]", r"variants\.0\.seeds: unknown parameter; .*setting"),
        ('model: cca, table: "6.2"', r"tiny\.table: unknown parameter; did you mean"),
        ("model: cca, sedes: 3", r"experiments\.tiny\.sedes: unknown parameter; did you mean 'seeds'"),
    ],
)
def test_wrong_experiments_fail_when_read(params_file: Path, entry: str, message: str) -> None:
    text = params_file.read_text(encoding="utf-8")
    head = text[: text.index("\nexperiments:")]
    params_file.write_text(f"{head}\nexperiments:\n  tiny: {{dataset: mtm, {entry}}}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        check_params_file()


def test_stage_runs_the_variants_of_an_experiment(
    make_mtm: Build, params_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep = """
  sweep:
    dataset: mtm
    model: gcca
    params: {n_components: 4}
    variants:
      - {setting: usual}
      - {setting: k=2, params: {n_components: 2}}
      - {setting: plain, views: {sheet: sheet_plain}}
"""
    write_experiments(params_file, sweep)
    run_stage(monkeypatch, make_mtm().parent)
    found = metrics_of("sweep")["variants"]
    assert [each["setting"] for each in found] == ["usual", "k=2", "plain"]
    assert [each["params"]["n_components"] for each in found] == [4, 2, 4]
    assert found[0]["audio->lyrics"] != found[1]["audio->lyrics"]
    assert found[0]["audio->sheet"] != found[2]["audio->sheet"]
    assert {row["setting"] for row in read_csv(Path("out/sweep/parts.csv"))} == {"usual", "k=2", "plain"}
    assert not any(Compute.load().scratch.rglob("*.npy"))
