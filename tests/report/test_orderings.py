"""Orderings of methods, and chunks against the whole."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from tests.report.fabricated import Fabricated
from unisono.config.experiments import Experiment
from unisono.report import above_chance, chunks, orderings
from unisono.store.results import Run

FOLDS = np.array([0.30, 0.34, 0.32, 0.36, 0.33])


def parts(values: Any) -> dict[tuple[int, int], float]:
    """By seed and fold, from an array [shape=(seeds, folds)]."""
    array = np.atleast_2d(values)
    return {(seed, fold): float(array[seed, fold]) for seed, fold in np.ndindex(*array.shape)}


def method(model: str, **changes: Any) -> Experiment:
    """Return an experiment on the digits."""
    return Experiment(**{"dataset": "vegas", "model": model, **changes})


def runs(fabricated: Fabricated) -> list[Run]:
    """Read what has been made up."""
    return fabricated.runs()


def judged(fabricated: Fabricated) -> dict[str, dict[str, Any]]:
    """Rows on the digits by what they say."""
    return {row["ordering"]: row for row in orderings.judge(runs(fabricated)) if row["dataset"] == "vegas"}


def test_interval_is_that_of_a_paired_t_test_over_folds() -> None:
    generator = np.random.default_rng(0)
    lower = FOLDS + 0.01 * generator.standard_normal((3, 5))
    higher = lower + 0.02 + 0.015 * generator.standard_normal((3, 5))
    found = orderings.compare(parts(higher), parts(lower))
    # Seeds first: a seed is no new sample of clips.
    expected = stats.ttest_rel(higher.mean(axis=0), lower.mean(axis=0)).confidence_interval(0.95)
    assert (found["low"], found["high"]) == pytest.approx((expected.low, expected.high), abs=1e-12)
    every = stats.ttest_rel(higher.ravel(), lower.ravel()).confidence_interval(0.95)
    assert (found["low_all"], found["high_all"]) == pytest.approx((every.low, every.high), abs=1e-12)
    assert found["difference"] == pytest.approx((higher - lower).mean(), abs=1e-12)
    assert (found["n_folds"], found["n_seeds"]) == (5, 3)


@pytest.mark.parametrize(
    ("shift", "noise", "verdict"), [(0.05, 0.01, "holds"), (-0.05, 0.01, "contradicted"), (0.001, 0.05, "undecided")]
)
def test_verdict_is_on_which_side_of_zero_the_interval_lies(shift: float, noise: float, verdict: str) -> None:
    wobble = noise * np.array([1.0, -1.0, 0.5, -0.5, 0.2])
    assert orderings.compare(parts(FOLDS + shift + wobble), parts(FOLDS))["verdict"] == verdict


def test_many_seeds_do_not_make_a_difference_certain() -> None:
    wobble = np.array([0.05, -0.04, 0.03, -0.02, 0.02])
    found = orderings.compare(parts(np.tile(FOLDS + 0.015 + wobble, (50, 1))), parts(np.tile(FOLDS, (50, 1))))
    assert float(found["low_all"]) > 0
    assert found["verdict"] == "undecided"


def test_one_seed_is_compared_with_every_seed_of_the_other() -> None:
    many = FOLDS + np.array([[0.02], [0.03], [0.04]])
    found = orderings.compare(parts(many), parts(FOLDS))
    assert found["difference"] == pytest.approx(0.03)
    assert found["n_seeds"] == 3
    assert orderings.compare(parts(FOLDS), parts(many))["difference"] == pytest.approx(-0.03)


def test_one_fold_decides_nothing() -> None:
    found = orderings.compare(parts([[0.9]]), parts([[0.1]]))
    assert found["verdict"] == "undecided"
    assert found["low"] == -math.inf


def test_methods_are_found_by_model_and_setting(fabricated: Fabricated) -> None:
    fabricated.add("a", method("cca"), {"": FOLDS})
    # Another reading of the same method comes first, and is not the usual one.
    fabricated.add("b", method("c_cca", params={"pairs": "half"}), {"": FOLDS - 0.2})
    fabricated.add("c", method("c_cca"), {"": FOLDS + 0.1 + np.array([0, 0.01, 0, 0, 0])})
    usual = {"triplets": "batch-all", "distance": "cosine"}
    fabricated.add("d", method("tnn_c_cca"), {"": FOLDS + 0.2}, params=usual)
    fabricated.add("e", method("tnn"), {"": FOLDS}, params=usual)
    variants = [{"setting": f"triplets={name}"} for name in ("batch-semi-hard", "batch-hard", "random")]
    fabricated.add(
        "f",
        method("tnn_c_cca", variants=variants),
        {variant["setting"]: FOLDS + 0.3 for variant in variants},
        params=usual,
    )
    euclidean = [{"setting": "distance=euclidean", "params": {"distance": "euclidean"}}]
    fabricated.add("g", method("tnn_c_cca", variants=euclidean), {"distance=euclidean": FOLDS + 0.1}, params=usual)
    found = judged(fabricated)
    assert found["C-CCA > CCA"]["difference"] == pytest.approx(0.102)
    assert found["TNN-C-CCA > C-CCA"]["difference"] == pytest.approx(0.098)
    assert found["TNN-C-CCA > TNN (batch-all)"]["difference"] == pytest.approx(0.2)
    assert found["TNN-C-CCA cosine > euclidean"]["difference"] == pytest.approx(0.1)
    assert found["TNN-C-CCA batch-all > batch-semi-hard"]["verdict"] == "contradicted"
    assert found["TNN-C-CCA random > batch-hard"]["verdict"] == "undecided"
    assert found["C-KCCA > KCCA"]["verdict"] == "not run"
    assert found["C-KCCA > KCCA"]["difference"] == ""


def test_published_numbers_come_from_one_table(fabricated: Fabricated) -> None:
    fabricated.add("a", method("cca"), {"": FOLDS})
    fabricated.add("b", method("cca", dataset="mv10k"), {"": FOLDS})
    found = {(row["dataset"], row["ordering"]): row for row in orderings.judge(runs(fabricated))}
    row = found["vegas", "C-CCA > CCA"]
    assert row["published_difference"] == pytest.approx((0.6516 + 0.6435) / 2 - (0.3243 + 0.3211) / 2)
    # S-DCCA stands in Table 4.1 only, on MV-10K.
    assert found["vegas", "S-DCCA > C-CCA"]["published_difference"] == ""
    assert found["mv10k", "S-DCCA > C-CCA"]["published_difference"] == pytest.approx(0.2176 - 0.1972)
    assert found["vegas", "TNN-C-CCA cosine > euclidean"]["published_lower"] == pytest.approx((0.53 + 0.4206) / 2)
    # Required on the digits alone.
    assert (row["required"], found["mv10k", "C-CCA > CCA"]["required"]) == ("yes", "no")
    # As published: these hold but for the worst with labels against the best without.
    differences = [row["published_difference"] for row in found.values() if row["published_difference"] != ""]
    assert sum(difference < 0 for difference in differences) == 3


def test_chapter_four_s_runs_stand_in_where_there_are_no_others(fabricated: Fabricated) -> None:
    for key, model, shift in (("a", "c_cca", 0.0), ("b", "s_dcca", 0.1)):
        settings = [{"setting": name} for name in ("k/chunks=1/3", "mean")]
        fabricated.add(
            key,
            method(model, dataset="mv10k", variants=settings),
            {"k/chunks=1/3": FOLDS - shift, "mean": FOLDS + shift},
        )
    found = {row["ordering"]: row for row in orderings.judge(runs(fabricated))}
    assert found["S-DCCA > C-CCA"]["difference"] == pytest.approx(0.1)


def test_worst_with_labels_is_compared_to_the_best_without(fabricated: Fabricated) -> None:
    shifts = {"cca": 0.0, "kcca": 0.05, "dcca": -0.05, "c_cca": 0.2, "c_kcca": 0.1, "c_dcca": 0.3}
    wobble = np.array([0.01, 0, 0, 0, 0])
    for model, shift in shifts.items():
        fabricated.add(model, method(model), {"": FOLDS + shift + wobble * (model == "c_kcca")})
    (row,) = (row for name, row in judged(fabricated).items() if name.startswith("worst of"))
    assert row["ordering"].endswith("(here C-KCCA and KCCA)")
    assert row["difference"] == pytest.approx(0.052)
    assert row["published_difference"] == pytest.approx((0.3241 + 0.3274) / 2 - (0.4143 + 0.4215) / 2)


def test_pairs_are_judged_on_recall_by_seeds_and_between_two_views(fabricated: Fabricated) -> None:
    """Each seed deals the held-out songs anew, so that seeds are samples; directions count where they are meant."""
    musical = {"dataset": "mtm", "seeds": 5}
    column = FOLDS[:, None]
    near, far = column + 0.3, column + np.array([[0.0], [0.01], [0], [0], [0]])
    directions = {"audio->sheet": near, "sheet->audio": near + 0.02, "audio->lyrics": far, "lyrics->audio": far}
    fabricated.add("a", method("cca", **musical), {"": directions}, measure="recall_at_1")
    fabricated.add("b", method("random", **musical), {"": dict.fromkeys(directions, column)}, measure="recall_at_1")
    first, second, *others = orderings.judge(runs(fabricated))
    assert (first["ordering"], first["verdict"], first["required"]) == ("CCA > Random", "holds", "yes")
    assert (first["n_folds"], first["n_seeds"]) == (5, 1)
    assert first["difference"] == pytest.approx((0.3 + 0.32 + 0.002 + 0.002) / 4)
    assert second["ordering"] == "CCA audio-sheet > audio-lyrics"
    expected = stats.ttest_rel((near + 0.01).ravel(), far.ravel()).confidence_interval(0.95)
    assert (second["low"], second["high"]) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert {row["verdict"] for row in others} == {"not run"}


def test_what_is_marked_is_compared_with_chance(fabricated: Fabricated) -> None:
    values = {"audio->visual": [FOLDS], "visual->audio": [FOLDS]}
    sweep = [{"setting": "k=1.5"}, {"setting": "k=2"}]
    fabricated.add("a", method("cca"), {"": values}, chance=0.3)
    fabricated.add("b", method("cca", variants=sweep), {"k=1.5": values, "k=2": values}, chance=0.31)
    marks = {"all": ["a", "b/k=1_5"], "visual->audio": ["b", "c"], "audio->sheet": ["a"]}
    found = above_chance.judge(runs(fabricated), marks)
    assert [(row["run"], row["direction"], row["verdict"]) for row in found] == [
        ("a", "audio->visual", "holds"),
        ("a", "visual->audio", "holds"),
        ("b/k=1_5", "audio->visual", "not above chance"),
        ("b/k=1_5", "visual->audio", "not above chance"),
        ("b/k=2", "visual->audio", "not above chance"),
        ("c", "visual->audio", "not run"),
        ("a", "audio->sheet", "not run"),
    ]
    # On the scale on which fractions vary alike.
    expected = np.sin(stats.ttest_1samp(np.arcsin(np.sqrt(FOLDS)), 0).confidence_interval(0.95)) ** 2
    assert (found[0]["low"], found[0]["high"]) == pytest.approx(tuple(expected))
    assert 0.3 < expected[0] < 0.31
    assert {row["required"] for row in found} == {"yes"}


def test_both_files_are_written(fabricated: Fabricated, tmp_path: Path) -> None:
    fabricated.add("a", method("cca"), {"": FOLDS})
    fabricated.add("b", method("c_cca"), {"": np.vstack([FOLDS + 0.1, FOLDS + 0.12])})
    fabricated.add("m", method("cca", dataset="mtm"), {"": FOLDS[:, None]}, measure="recall_at_1")
    orderings.write(runs(fabricated), tmp_path)
    with (tmp_path / "orderings.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == orderings.COLUMNS
    assert {row["dataset"] for row in rows} == {"vegas", "mtm"}
    assert (rows[0]["ordering"], rows[0]["verdict"], rows[0]["difference"]) == ("C-CCA > CCA", "holds", "0.11")
    text = (tmp_path / "orderings.md").read_text(encoding="utf-8")
    assert "## VEGAS (source: digits)" in text
    line = next(line for line in text.splitlines() if "C-CCA > CCA" in line)
    assert "| 44.00 / 33.00 | +11.00 | +11.00\u00a0…\u00a0+11.00 |" in line
    assert "**holds** (required)" in line
    assert "nan" not in text
    assert "inf" not in text


def test_chunks_stand_beside_random_ones_and_the_whole(fabricated: Fabricated, tmp_path: Path) -> None:
    settings = ["k/chunks=1/3", "k/chunks=2/6", "random k/chunks=1/3", "mean"]
    scores = {"k/chunks=1/3": FOLDS + 0.01, "k/chunks=2/6": FOLDS - 0.06, "random k/chunks=1/3": FOLDS, "mean": FOLDS}
    fabricated.add(
        "a",
        method("c_cca", dataset="mv10k", variants=[{"setting": name} for name in settings]),
        {name: {"audio->visual": values, "visual->audio": values * 0} for name, values in scores.items()},
        title="C-CCA",
        tables=["4.1"],
    )
    first, second = chunks.rows(runs(fabricated))
    assert (first["selected"], first["random"], first["whole"]) == pytest.approx((0.34, 0.33, 0.33))
    assert (first["selected_minus_whole"], first["selected_minus_random"]) == pytest.approx((0.01, 0.01))
    assert (first["within"], second["within"]) == ("yes", "no")
    assert second["random"] == second["selected_minus_random"] == ""
    chunks.write(runs(fabricated), tmp_path)
    text = (tmp_path / "chunks.md").read_text(encoding="utf-8")
    assert "| C-CCA | 2/6 | 27.00 |  | 33.00 | 14.50 | -6.00 (-6.00\u00a0…\u00a0-6.00) | no |  |" in text
    assert "source **simulated**, pool 80." in text
