"""Hyper-parameters that are chosen by training rows: what is tried, how it is judged, that no test row counts."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from tests.evaluation.test_experiments import clips, contents, metrics_of, run_stage, write_experiments
from tests.models.small import SMALL
from unisono import evaluation, metrics, models
from unisono.config.compute import Compute
from unisono.datasets.folds import assign_folds
from unisono.datasets.loading import Dataset, load_folder
from unisono.errors import ConfigError, DataError
from unisono.evaluation import comparison, trying, tuning
from unisono.evaluation.params_file import check_params_file
from unisono.evaluation.writing import write

Build = Callable[..., Path]
GRID = {"ridge": [100.0, 0.01], "n_components": [3, 1]}
SERIAL = Compute(executor="serial", device="cpu")


@pytest.fixture
def params_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the project's params.yaml, in the folder where commands are run."""
    text = (Path(__file__).parents[2] / "params.yaml").read_text(encoding="utf-8")
    (tmp_path / "params.yaml").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "params.yaml"


def judged(data: Dataset, train: np.ndarray, model: str, params: dict[str, Any], n_held_out: int = 4) -> float:
    """Judge a candidate as a plain loop does."""
    folds = trying.inner_folds(data, train)
    found = []
    for fold in range(n_held_out):
        rows, held_out = train[folds != fold], train[folds == fold]
        fitted = models.create(model, **params)
        fitted.device = "cpu"
        labels = None if data.labels is None else data.labels[rows]
        fitted.fit({view: array[rows] for view, array in data.views.items()}, labels)
        embedded = fitted.transform({view: array[held_out] for view, array in data.views.items()})
        for query, target in permutations(sorted(data.views), 2):
            if data.labels is None or data.kinds is not None:
                found.append(float(np.log(metrics.ranks(embedded[query], embedded[target])).mean()))
            else:
                classes = data.labels[held_out]
                found.append(metrics.mean_average_precision(embedded[query], embedded[target], classes, classes))
    return float(np.mean(found))


@pytest.mark.parametrize("what", ["class", "pair", "kind"])
def test_the_choice_is_that_of_a_plain_loop(what: str) -> None:
    data = clips(labels=None) if what == "pair" else clips()
    if what == "kind":
        # Classes are known, and pairs are what counts.
        data = replace(data, kinds=np.arange(len(data)) % 2)
    result = evaluation.run(data, "cca", tune=GRID, n_folds=3, compute=SERIAL)
    tuned = result.metrics["tuned"]
    assert (tuned["criterion"], tuned["inner_folds"], tuned["held_out"]) == (
        "map" if what == "class" else "mean_log_rank", 4, 4,
    )  # fmt: skip
    assert (tuned["candidates"], tuned["grid"]) == (4, GRID)
    candidates = tuning.candidates("cca", GRID)
    assert [each["ridge"] for each in candidates] == [100.0, 100.0, 0.01, 0.01]
    rows = result.tables["tuning"].rows
    for number, (part, chosen) in enumerate(zip(evaluation.divide(data, n_folds=3), tuned["chosen"], strict=True)):
        values = [judged(data, part.train, "cca", each) for each in candidates]
        best = int(np.argmax(values) if what == "class" else np.argmin(values))
        assert chosen["params"] == candidates[best]
        assert chosen["value"] == pytest.approx(values[best])
        own = rows[4 * number : 4 * number + 4]
        assert [float(row[6]) for row in own] == pytest.approx(values, abs=1e-6)
        assert [row[7] for row in own] == [int(at == best) for at in range(4)]
        # What is tested is the method with these values on all training rows.
        alone = evaluation.run(data, "cca", candidates[best], n_folds=3, compute=SERIAL)
        mine, theirs = (
            {k: v[r.embeddings["fold"] == number] for k, v in r.embeddings.items()} for r in (result, alone)
        )
        width = theirs["audio"].shape[1]
        np.testing.assert_array_equal(mine["audio"][:, :width], theirs["audio"])
        assert not mine["audio"][:, width:].any()
    assert set(result.metrics["params"]) == {"standardise", "scale", "solver"}


def test_the_model_of_all_rows_takes_what_is_best_in_the_mean() -> None:
    result = evaluation.run(clips(), "cca", tune=GRID, n_folds=3, compute=SERIAL)
    merits: dict[str, float] = {}
    for row in result.tables["tuning"].rows:
        merits[row[4]] = merits.get(row[4], 0.0) + float(row[6])
    best = max(merits, key=lambda candidate: merits[candidate])
    kept = result.metrics["tuned"]["kept_model"]["model"]
    assert trying.said(kept) == best
    assert {name: result.models[""].params[name] for name in kept} == kept
    assert len(next(iter(result.models[""].transform({"audio": clips().views["audio"]}).values()))) == 60


def test_of_equal_candidates_the_first_is_taken() -> None:
    # It standardises all the same.
    for values in (["none", "columns"], ["columns", "none"]):
        data = clips()
        result = evaluation.run(data, "multi_view", {"n_components": 3}, tune={"standardise": values}, compute=SERIAL)
        assert {each["params"]["standardise"] for each in result.metrics["tuned"]["chosen"]} == {values[0]}


def test_no_test_row_changes_the_choice_or_the_model(tmp_path: Path) -> None:
    splits = np.array(["train"] * 40 + ["validation"] * 4 + ["test"] * 16)
    found = []
    for change in (0.0, 5.0):
        data = clips(splits=splits, groups=np.array([f"g{row // 2}" for row in range(60)]))
        assert data.labels is not None
        for array in data.views.values():
            array[40:] *= 1 + change
        data.labels[40:] = (data.labels[40:] + bool(change)) % 3
        result = evaluation.run(data, "c_cca", {"n_components": 2}, tune=True, compute=SERIAL)
        result.models[""].save(tmp_path / "model")
        found.append((result.metrics["tuned"], result.tables["tuning"].rows, contents(tmp_path / "model")))
        assert result.metrics["tuned"]["candidates"] == 14  # n_components is given
    assert found[0] == found[1]


def test_a_network_trains_once_for_a_candidate_and_all_seeds_share_the_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    trials = []
    work = trying.work
    monkeypatch.setattr(trying, "work", lambda memory, job: [trials.append(job), work(memory, job)][1])
    data = clips(splits=np.array(["train"] * 40 + ["validation"] * 10 + ["test"] * 10))
    grid = {"margin": [0.1, 1.0]}
    result = evaluation.run(data, "tnn", SMALL["tnn"], tune=grid, n_seeds=2, compute=SERIAL)
    assert [(job.params["margin"], job.seed, job.n_held_out) for job in trials] == [(0.1, 0, 1), (1.0, 0, 1)]
    tuned = result.metrics["tuned"]
    assert (tuned["inner_folds"], tuned["held_out"]) == (4, 1)
    one, two = tuned["chosen"]
    assert (one["seed"], two["seed"]) == (0, 1)
    assert one["params"] == two["params"]
    values = [judged(data, np.arange(40), "tnn", {**SMALL["tnn"], "margin": margin}, 1) for margin in (0.1, 1.0)]
    assert one["value"] == pytest.approx(max(values))


def test_pairs_of_a_song_are_held_out_together() -> None:
    groups = np.array([f"song{row // 7}" for row in range(60)])
    data = clips(groups=groups)
    train = np.arange(0, 60)
    folds = trying.inner_folds(data, train)
    assert sorted(np.unique(folds)) == [0, 1, 2, 3]
    assert all(len(np.unique(folds[groups == song])) == 1 for song in np.unique(groups))
    # Classes evenly, where there are no groups.
    folds = trying.inner_folds(clips(), train)
    assert data.labels is not None
    assert np.ptp([np.bincount(data.labels[folds == fold]) for fold in range(4)]) <= 1


@pytest.mark.parametrize(("n_songs", "n_folds"), [(9, 4), (4, 4), (3, 3), (2, 2)])
def test_with_fewer_songs_there_are_fewer_folds(n_songs: int, n_folds: int) -> None:
    data = clips(groups=np.arange(60) % n_songs)
    assert len(np.unique(trying.inner_folds(data, np.arange(60)))) == n_folds


def test_what_cannot_be_held_out_is_an_error_that_says_so() -> None:
    for n, groups in ((60, np.zeros(60, dtype=int)), (3, None)):
        data = clips(groups=groups)
        with pytest.raises(DataError, match=rf"clips: nothing can be tuned on {n} training rows.*or leave tune out"):
            trying.inner_folds(data, np.arange(n))
    # Two songs, of which one is a single row: it alone would rank nothing.
    lonely = clips(groups=np.minimum(np.arange(60), 1), splits=np.array(["train"] * 40 + ["test"] * 20))
    with pytest.raises(DataError, match="of 2 songs or groups: two parts of two rows"):
        evaluation.run(lonely, "cca", tune=GRID, compute=SERIAL)


def test_groups_are_dealt_whole_and_evenly() -> None:
    groups = np.repeat(np.arange(30), np.arange(1, 31))
    labels = groups % 3
    folds = assign_folds(len(groups), labels, n_folds=5, groups=groups)
    assert all(len(np.unique(folds[groups == group])) == 1 for group in range(30))
    sizes = np.array([np.bincount(labels[folds == fold], minlength=3) for fold in range(5)])
    assert not np.ptp(sizes, axis=0).any()
    equal = np.arange(60) // 2
    one, two = (assign_folds(60, n_folds=5, groups=equal, seed=seed) for seed in (0, 1))
    assert not np.array_equal(one, two)
    assert np.bincount(one).tolist() == [12] * 5
    with pytest.raises(ConfigError, match="got 31, expected 2 to 30, the number of groups, which stay together"):
        assign_folds(len(groups), n_folds=31, groups=groups)


def test_trials_are_kept_and_an_edit_makes_one_candidate_again(tmp_path: Path) -> None:
    data = clips(splits=np.array(["train"] * 44 + ["test"] * 16))

    def run(ridges: Sequence[float]) -> tuple[int, int, dict[str, Any]]:
        grid = {"ridge": ridges}
        setting = evaluation.Setting("", data, {"n_components": 2}, candidates=tuning.candidates("cca", grid))
        request = evaluation.Request("k", "cca", [setting])
        (ended,) = evaluation.run_requests([request], compute=SERIAL, folder=tmp_path)
        assert ended.result is not None, ended.error
        return len(ended.fits), ended.n_kept, ended.result.metrics

    first = run([10.0, 1.0, 0.1])
    assert first[:2] == (4, 0)
    assert run([10.0, 1.0, 0.1]) == (4, 4, first[2])
    n_fits, n_kept, _ = run([10.0, 1.0, 0.2])
    # The three candidates and the fit itself, which stays where the choice does.
    assert n_fits - n_kept in (1, 2)
    assert run([0.2, 1.0])[1] >= 2


def test_an_interrupted_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work, done = trying.work, []

    def interrupted(memory: Any, job: Any) -> Any:
        done.append(job)
        if len(done) == 3:
            raise KeyboardInterrupt
        return work(memory, job)

    monkeypatch.setattr(trying, "work", interrupted)
    place = tmp_path / "scratch"
    with pytest.raises(KeyboardInterrupt):
        evaluation.run(clips(), "cca", tune=GRID, n_folds=2, compute=SERIAL, scratch=place)
    monkeypatch.undo()
    tried = []
    monkeypatch.setattr(trying, "work", lambda memory, job: [tried.append(job), work(memory, job)][1])
    result = evaluation.run(clips(), "cca", tune=GRID, n_folds=2, compute=SERIAL, scratch=place)
    assert len(tried) == 6  # of eight, two are kept
    assert result.metrics == evaluation.run(clips(), "cca", tune=GRID, n_folds=2, compute=SERIAL).metrics
    assert not place.exists()


@pytest.mark.parametrize(("model", "grid"), [("cca", GRID), ("tnn", {"margin": [0.1, 1.0]})])
def test_the_same_files_for_any_executor(model: str, grid: dict[str, Any], tmp_path: Path) -> None:
    for name, compute in (("one", SERIAL), ("two", Compute(workers=2, device="cpu"))):
        result = evaluation.run(clips(), model, SMALL[model] if model == "tnn" else {}, tune=grid, compute=compute)
        write(result, tmp_path / name)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert "tuning.csv" in contents(tmp_path / "one")


def test_a_candidate_that_cannot_be_trained_is_skipped_and_said() -> None:
    result = evaluation.run(clips(), "cca", tune={"n_components": [900, 3]}, n_folds=2, compute=SERIAL)
    assert {each["params"]["n_components"] for each in result.metrics["tuned"]["chosen"]} == {3}
    (note,) = (note for note in result.metrics["notes"] if note.startswith("tune:"))
    assert note.startswith("tune: 1 of 2 candidates cannot be trained (as n_components=900): models.cca.n_components:")
    failed = [row for row in result.tables["tuning"].rows if row[4] == "n_components=900"]
    assert all(row[6] == "" and row[7] == 0 and "900 is more" in row[8] for row in failed)
    with pytest.raises(DataError, match=r"tune: none of 2 candidates can be trained: cca, .*n_components=900: .* more"):
        evaluation.run(clips(), "cca", tune={"n_components": [900, 901]}, n_folds=2, compute=SERIAL)


def test_one_candidate_or_none_is_no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trying, "work", lambda *_: pytest.fail("a trial"))
    result = evaluation.run(clips(), "cca", {"n_components": 2}, tune={"ridge": [0.3]}, compute=SERIAL)
    alone = evaluation.run(clips(), "cca", {"n_components": 2, "ridge": 0.3}, compute=SERIAL)
    assert result.metrics.pop("notes") == ["tune: one candidate (ridge=0.3), taken as it is"]
    assert result.metrics == alone.metrics
    assert "tuning" not in result.tables
    monkeypatch.setattr(models.method("cca"), "grid", {})
    result = evaluation.run(clips(), "cca", {"n_components": 2}, tune=True, compute=SERIAL)
    assert result.metrics["notes"] == ["tune: cca has no grid; nothing was chosen"]


@pytest.mark.parametrize("name", models.available())
def test_grids_are_legal_and_small(name: str) -> None:
    cls = models.method(name)
    candidates = tuning.candidates(name, True)
    for each in candidates:
        models.create(name, **each)
    assert len(candidates) == math.prod(map(len, cls.grid.values())) or not cls.grid
    assert len(candidates) <= (6 if cls.trains_networks else 50)
    assert len(candidates) != 1


@pytest.mark.parametrize(
    "entry, message",
    [
        ("model: cca, tune: {ridge: [-1.0]}", r"experiments\.tiny\.tune\.ridge: .*greater than .*got -1\.0"),
        ("model: cca, tune: {ridge: [0.1, often]}", r"experiments\.tiny\.tune\.ridge: .*got 'often'"),
        ("model: cca, tune: {rigde: [1.0]}", r"tiny\.tune\.rigde: unknown parameter; did you mean 'ridge'"),
        ("model: cca, tune: {seed: [1]}", r"tiny\.tune\.seed: unknown parameter"),
        ("model: cca, tune: {ridge: []}", r"tiny\.tune\.ridge: got no values; list those to try"),
        ("model: cca, tune: {ridge: 0.1}", r"tiny\.tune: .*lists of values by hyper-parameter, as"),
        ("model: cca, tune: {}", r"tiny\.tune: no hyper-parameter; give values of some, or true for the grid of cca"),
        ("model: cca, tune: often", r"tiny\.tune: "),
        ("model: cca, params: {ridge: 1.0}, tune: {ridge: [0.1]}", r"tiny\.tune\.ridge: params give 1\.0; leave one"),
        ("model: random, tune: {n_components: [1, 2]}", r"tiny\.tune: random learns nothing"),
        (f"model: cca, tune: {{ridge: {list(range(1, 300))}}}", r"tiny\.tune: 299 candidates, at most 200"),
        (
            "model: cca, variants: [{setting: a, params: {ridge: 1.0}}], tune: {ridge: [0.1]}",
            r"tiny\.tune\.ridge: params give 1\.0",
        ),
        ("model: cca, tun: true", r"tiny\.tun: unknown parameter; did you mean 'tune'"),
    ],
)
def test_wrong_grids_fail_when_read(params_file: Path, entry: str, message: str) -> None:
    text = params_file.read_text(encoding="utf-8")
    head = text[: text.index("\nexperiments:")]
    params_file.write_text(f"{head}\nexperiments:\n  tiny: {{dataset: mtm, {entry}}}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        check_params_file()


def test_a_stage_tunes_its_experiment_by_song_and_says_what_was_chosen(
    make_mtm: Build, params_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny = "tiny: {dataset: mtm, model: cca, params: {n_components: 3, scale: correlation}, tune: true}"
    write_experiments(params_file, f"{tiny}\nplain: {{dataset: mtm, model: gcca, params: {{n_components: 3}}}}")
    data = make_mtm().parent
    run_stage(monkeypatch, data)
    printed = capsys.readouterr().out
    content = metrics_of("tiny")
    tuned = content["tuned"]
    assert tuned["criterion"] == "mean_log_rank"
    assert list(tuned["grid"]) == ["ridge"]  # what the experiment fixes stays
    assert [each["space"] for each in tuned["chosen"]] == ["audio-sheet", "audio-lyrics", "sheet-lyrics"]
    # Three pairs of views with seven candidates each, and their fits.
    assert "tiny, 24 of 24 fits made" in printed
    assert "tuned: experiments.tiny: 7 candidates by mean log rank of the own pair on 4 of 4 inner folds: " in printed
    assert "tuned: experiments.plain" not in printed
    with Path("out/tiny/tuning.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == tuning.COLUMNS
    assert (len(rows), sum(int(row["chosen"]) for row in rows)) == (21, 3)
    assert json.loads(Path("times/tiny.json").read_text())["tune_s"] > 0
    assert "tune_s" not in json.loads(Path("times/plain.json").read_text())
    assert not Path("out/plain/tuning.csv").exists()

    # The same again is kept whole; the data set's songs are what is held out.
    before = contents(Path("out"))
    run_stage(monkeypatch, data)
    assert "tiny, its 24 fits were kept" in capsys.readouterr().out
    assert contents(Path("out")) == before
    loaded = load_folder(data / "mtm", views={"audio": "audio", "sheet": "sheet"})
    assert loaded.groups is not None


def test_a_sweep_is_tuned_at_each_of_its_points(
    make_mtm: Build, params_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep = """
tiny:
  dataset: mtm
  model: gcca
  tune: true
  variants: [{setting: "k=3", params: {n_components: 3}}, {setting: "k=2", params: {n_components: 2}}]
"""
    write_experiments(params_file, sweep)
    run_stage(monkeypatch, make_mtm().parent)
    for variant, n in zip(metrics_of("tiny")["variants"], (3, 2), strict=True):
        assert variant["params"]["n_components"] == n
        assert list(variant["tuned"]["grid"]) == ["ridge"]


def test_default_and_tuned_stand_beside_each_other(tmp_path: Path) -> None:
    params = {"cca": {"n_components": 2, "ridge": 100.0}, "random": {}}
    found = comparison.run(
        clips(), params, n_folds=3, tune=True, fixed={"cca": ["n_components"], "random": []}, out=tmp_path
    )
    assert sorted(found.methods) == ["cca", "cca-tuned", "random"]
    plain, tuned = (json.loads((tmp_path / name / "metrics.json").read_text()) for name in ("cca", "cca-tuned"))
    assert plain["params"]["ridge"] == 100.0
    assert set(tuned["tuned"]["grid"]) == {"ridge", "scale"}
    assert tuned["params"]["n_components"] == 2
    text = comparison.to_text(found)
    assert "\ntuned: cca-tuned: 14 candidates by MAP on 4 of 4 inner folds: ridge=" in text
    assert "- cca-tuned: 14 candidates" in comparison.to_markdown(found)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cca", "cca-tuned", "random"]


def test_what_is_not_labelled_tuned_has_no_tuned_setting(params_file: Path) -> None:
    from unisono.config.experiments import load_experiments
    from unisono.store.results import setting

    write_experiments(params_file, "a: {dataset: mtm, model: cca, tune: true}\nb: {dataset: mtm, model: cca}")
    entries = load_experiments()
    assert (setting(entries["a"]), setting(entries["b"])) == ("tune=grid", "")
    assert yaml.safe_load(params_file.read_text(encoding="utf-8"))["experiments"]["a"]["tune"] is True
