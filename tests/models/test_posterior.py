"""Posterior matching and its pieces against closed forms, n refits, and scikit-learn."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from scipy import optimize
from sklearn.datasets import load_digits
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss

from tests.models.small import SMALL, two_views
from unisono import metrics, models
from unisono.errors import ConfigError, DataError
from unisono.models.parts import calibration, held_out, posteriors, scalings
from unisono.models.parts.kernel import Features
from unisono.models.posterior import KINDS

GENERATOR = np.random.default_rng(0)
#: Unequal classes, one of a single item.
CLASSES = np.repeat([0, 1, 2, 3], [14, 1, 9, 16])


def clumps(classes: np.ndarray, width: int, *, noise: float = 1.0, seed: int = 0) -> np.ndarray:
    """Rows around the centres of their classes, columns standardised."""
    generator = np.random.default_rng([seed, width])
    rows = generator.standard_normal((classes.max() + 1, width))[classes]
    rows = rows + noise * generator.standard_normal((len(classes), width))
    return (rows - rows.mean(axis=0)) / rows.std(axis=0)


def fitted(name: str = "posterior", **params: object) -> tuple[models.Aligner, dict[str, np.ndarray], np.ndarray]:
    views, labels = two_views(noise=1.0)
    return models.create(name, **SMALL[name] | params).fit(views, labels), views, labels


def mean_precision(model: models.Aligner, views: dict[str, np.ndarray], labels: np.ndarray) -> float:
    one, other = model.transform(views).values()
    pairs = ((one, other), (other, one))
    return float(np.mean([metrics.mean_average_precision(*pair, labels, labels) for pair in pairs]))


# The embedding


@pytest.mark.parametrize("sharpness", [0.1, 3.0, 300.0])
def test_the_cosine_of_two_views_is_the_inner_product_of_their_posteriors(sharpness: float) -> None:
    p, q, r = (calibration.softmax(sharpness * GENERATOR.standard_normal((50, 7))) for _ in range(3))
    one, two, three = (posteriors.embed(each, place, 3).astype(np.float32) for place, each in enumerate((p, q, r)))
    assert one.shape == (50, 10)
    np.testing.assert_allclose(np.linalg.norm(two, axis=1), 1, rtol=1e-6)
    for pair, expected in (((one, two), p @ q.T), ((three, two), r @ q.T), ((one, three), p @ r.T)):
        np.testing.assert_allclose(metrics.similarities(*pair), expected, atol=1e-6)
        # Of small products as well single precision keeps seven digits.
        np.testing.assert_allclose(metrics.similarities(*pair), expected, rtol=1e-5, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("posterior", {}),
        ("semantic_matching", {"similarity": "inner", "classifier": "lda"}),
        ("scm", {"similarity": "inner"}),
    ],
)
def test_scores_are_inner_products_of_posteriors(name: str, params: dict[str, object]) -> None:
    model, views, _ = fitted(name, **params)
    found = model.score({"audio": views["audio"]}, {"visual": views["visual"]})
    p, q = (model._posteriors(view, views[view]) for view in ("audio", "visual"))  # type: ignore[attr-defined]
    np.testing.assert_allclose(p.sum(axis=1), 1)
    np.testing.assert_allclose(found, p @ q.T, atol=1e-6)


def test_any_number_of_views() -> None:
    labels = np.arange(120) % 4
    views = {name: clumps(labels, width) for name, width in (("audio", 5), ("lyrics", 6), ("sheet", 4))}
    model = models.create("posterior", **SMALL["posterior"]).fit(views, labels)
    assert {array.shape for array in model.transform(views).values()} == {(120, 4 + 3)}
    # What a view learns does not depend on the others, or on which items they stand beside.
    two = {view: views[view] for view in ("sheet", "audio")}
    order = np.lexsort([GENERATOR.random(120), labels])
    shuffled = {"audio": views["audio"], "sheet": np.empty_like(views["sheet"])}
    shuffled["sheet"][np.argsort(labels, kind="stable")] = views["sheet"][order]
    for fewer in (two, shuffled):
        other = models.create("posterior", **SMALL["posterior"]).fit(fewer, labels)
        for key in other.arrays_:
            if key.startswith("audio."):
                np.testing.assert_array_equal(other.arrays_[key], model.arrays_[key])


# Held-out scores


def test_held_out_scores_of_ridge_regression_are_those_of_n_refits() -> None:
    features = clumps(CLASSES, 6) + 2
    Y = np.eye(4)[CLASSES]
    penalties = [0.01, 1.0, 30.0]
    for penalty, found in held_out.one_hot_ridges(features.copy(), CLASSES, 4, penalties):
        peer = Ridge(alpha=penalty).fit(features, Y)
        np.testing.assert_allclose(features @ found.weights + found.bias, peer.predict(features), atol=1e-9)
        for row in range(len(features)):
            rest = np.arange(len(features)) != row
            expected = Ridge(alpha=penalty).fit(features[rest], Y[rest]).predict(features[row : row + 1])[0]
            np.testing.assert_allclose(found.held_out[row], expected, atol=1e-9)


@pytest.mark.parametrize("width", [1, 5, 60])
def test_discriminant_analysis_is_that_of_scikit_learn(width: int) -> None:
    classes = np.delete(CLASSES, 14)
    _, classes = np.unique(classes, return_inverse=True)
    rows = clumps(classes, width)
    found = held_out.discriminant(rows, classes, 3)
    peer = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(rows, classes)
    logits = rows @ found.weights + found.bias
    np.testing.assert_allclose(calibration.softmax(logits), peer.predict_proba(rows), atol=1e-6)


@pytest.mark.parametrize("width", [5, 60])
def test_held_out_scores_of_discriminant_analysis_are_near_those_of_n_refits(width: int) -> None:
    classes = np.arange(120) % 3
    rows = clumps(classes, width, noise=1.5 if width == 5 else 4.0)
    found = held_out.discriminant(rows, classes, 3).held_out
    expected = np.empty_like(found)
    for row in range(len(rows)):
        rest = np.arange(len(rows)) != row
        peer = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(rows[rest], classes[rest])
        expected[row] = peer.decision_function(rows[row : row + 1])[0]
    away = (found - found.mean(axis=1, keepdims=True)) - (expected - expected.mean(axis=1, keepdims=True))
    # Only the amount of shrinking is not chosen anew.
    assert np.abs(away).max() < 0.06 * np.abs(expected - expected.mean(axis=1, keepdims=True)).max()
    resubstituted = rows @ (both := held_out.discriminant(rows, classes, 3)).weights + both.bias
    exact, ours, naive = (calibration.log_losses(each, classes).mean() for each in (expected, found, resubstituted))
    assert ours == pytest.approx(exact, rel=0.06)
    if width == 60:
        assert naive < 0.7 * exact


def test_held_out_scores_of_discriminant_analysis_are_exact_without_shrinkage(monkeypatch: pytest.MonkeyPatch) -> None:
    def plain(rows: np.ndarray) -> tuple[np.ndarray, float]:
        return np.cov(rows.T, bias=True), 0.0

    monkeypatch.setattr(held_out, "_shrunk", plain)
    monkeypatch.setattr(held_out, "JITTER", 0.0)
    classes = np.delete(CLASSES, 14) // 2  # 14 of one, 25 of the other
    rows = clumps(classes, 4)
    found = held_out.discriminant(rows, classes, 2).held_out
    for row in range(len(rows)):
        rest = np.arange(len(rows)) != row
        other = held_out.discriminant(rows[rest], classes[rest], 2)
        expected = rows[row] @ other.weights + other.bias
        np.testing.assert_allclose(found[row] - found[row, 0], expected - expected[0], rtol=1e-7, atol=1e-9)


def test_features_of_landmarks_are_those_of_scikit_learn() -> None:
    rows = clumps(CLASSES, 5)
    ours = Features(2.0, landmarks=rows)(rows)
    theirs = Nystroem(gamma=1 / 8, n_components=len(rows), random_state=0).fit_transform(rows)
    np.testing.assert_allclose(ours @ ours.T, theirs @ theirs.T, atol=1e-6)


# Calibration


def test_the_temperature_is_that_of_least_log_loss() -> None:
    classes = GENERATOR.integers(5, size=300)
    scores = 0.2 * np.eye(5)[classes] + 0.1 * GENERATOR.standard_normal((300, 5)) + 7
    found, loss = calibration.temperature(scores, classes)

    def objective(t: float) -> float:
        return log_loss(classes, calibration.softmax(t * scores))

    best = optimize.minimize_scalar(objective, bounds=(0.1, 100), method="bounded")
    assert found == pytest.approx(best.x, rel=2e-3)
    assert loss == pytest.approx(best.fun, abs=1e-6)
    # Scores that say nothing, and scores that say all.
    assert calibration.temperature(-scores, classes)[0] < 0.01
    assert calibration.temperature(np.eye(5)[classes], classes)[1] < 1e-6
    assert calibration.temperature(np.zeros((300, 5)), classes)[1] == pytest.approx(np.log(5))


def test_a_matrix_is_the_penalised_logistic_regression(monkeypatch: pytest.MonkeyPatch) -> None:
    classes = GENERATOR.integers(3, size=400)
    Z = GENERATOR.standard_normal((400, 3)) + np.eye(3)[classes]
    found = calibration._matrix(Z, classes, 2.0, np.zeros((4, 3)))
    # With a column of ones for the bias and scores that start from the identity: the same problem in scikit-learn only
    # where the penalty draws to zero, so the slope is compared.
    wrong = calibration.softmax(Z + Z @ found[1:] + found[0]) - np.eye(3)[classes]
    slope = np.vstack([wrong.sum(axis=0), Z.T @ wrong]) + 2.0 * found
    assert np.abs(slope).max() < 0.02 * np.abs(np.vstack([wrong.sum(axis=0), Z.T @ wrong])).max()
    plain = LogisticRegression(C=1e6, max_iter=1000).fit(Z, classes)
    free = calibration._matrix(Z, classes, 1e-6, np.zeros((4, 3)))
    np.testing.assert_allclose(calibration.softmax(Z + Z @ free[1:] + free[0]), plain.predict_proba(Z), atol=2e-3)


def test_classes_that_are_taken_for_each_other_get_a_matrix_and_few_rows_a_temperature() -> None:
    n = 2000
    classes = GENERATOR.integers(4, size=n)
    # Class 3 has scores that are too low throughout.
    scores = np.eye(4)[classes] + 0.5 * GENERATOR.standard_normal((n, 4)) - 2.0 * (np.arange(4) == 3)
    found = calibration.calibrate(scores, classes)
    assert found.matrix is not None
    assert found.loss < calibration.temperature(scores, classes)[1] - 0.1
    weights, bias = GENERATOR.standard_normal((6, 4)), GENERATOR.standard_normal(4)
    rows = GENERATOR.standard_normal((5, 6))
    # Calibrated weights give calibrated scores.
    np.testing.assert_allclose(
        rows @ found.linear(weights) + found(bias[None])[0], found(rows @ weights + bias), rtol=1e-12
    )
    assert calibration.calibrate(scores[:7], classes[:7]).matrix is None


def test_above_100_classes_there_is_a_temperature_alone() -> None:
    for n_classes, expected in ((100, 400), (101, 404)):
        classes = np.arange(4 * n_classes) % n_classes
        scores = np.eye(n_classes)[classes] - 2.0 * (np.arange(n_classes) < 50)
        found = calibration.calibrate(scores, classes)
        assert len(classes) == expected
        assert (found.matrix is None) == (n_classes > 100)


# Scalings


@pytest.mark.parametrize("shape", [(40, 6), (12, 30)])
def test_scalings(shape: tuple[int, int]) -> None:
    array = np.abs(GENERATOR.standard_normal(shape)) * np.arange(1, shape[1] + 1)
    array[:, 0] = 1 / 3
    found = {kind: scalings.scale(array, kind) for kind in KINDS}
    made = {kind: scaling(array) for kind, scaling in found.items() if scaling is not None}
    assert made["none"].var(axis=0).mean() == pytest.approx(1)
    np.testing.assert_allclose(made["columns"][:, 1:].std(axis=0), 1)
    np.testing.assert_allclose(made["roots"][:, 1:].std(axis=0), 1)
    for kind in ("none", "columns", "roots"):
        np.testing.assert_array_equal(made[kind][:, 0], 0)
    centred = array - array.mean(axis=0)
    variances, axes = np.linalg.eigh(centred.T @ centred / len(array))
    kept = min(shape)
    variances, axes = variances[-kept:], axes[:, -kept:]
    expected = centred @ axes / np.sqrt(variances + 0.1 * variances.mean())
    np.testing.assert_allclose(made["whitened"] @ made["whitened"].T, expected @ expected.T, atol=1e-8)
    assert scalings.scale(array - 1, "roots") is None


# The method as a whole


@pytest.mark.parametrize("params", [{}, {"lda": False}, {"lda": False, "landmarks": 20, "draws": 2}])
def test_saved_and_loaded(params: dict[str, object], tmp_path: Path) -> None:
    model, views, _ = fitted(**params)
    model.save(tmp_path)
    loaded = models.load(tmp_path)
    for view, array in model.transform(views).items():
        np.testing.assert_array_equal(loaded.transform(views)[view], array)
    assert loaded.chosen_ == model.chosen_  # type: ignore[attr-defined]
    draws = sum(key.startswith("audio.") and key.endswith(".landmarks") for key in model.arrays_)
    assert draws == (params.get("draws", 1) if "lda" in params else draws)


def test_names_of_views_may_begin_alike() -> None:
    views, labels = two_views(noise=1.0)
    plain = fitted(lda=False, landmarks=20, draws=2)[0].transform(views)
    names = {"audio": "a", "visual": "a.0"}
    model = models.create("posterior", **SMALL["posterior"], lda=False, landmarks=20, draws=2)
    found = model.fit({names[view]: array for view, array in views.items()}, labels)
    for view, array in found.transform({names[view]: array for view, array in views.items()}).items():
        np.testing.assert_array_equal(array, plain["audio" if view == "a" else "visual"])


def test_draws_are_averaged() -> None:
    options = {"lda": False, "landmarks": 20}
    model, views, _ = fitted(**options, draws=3)
    first = fitted(**options, draws=1)[0]
    np.testing.assert_array_equal(first.arrays_["audio.0.landmarks"], model.arrays_["audio.0.landmarks"])
    every = []
    for place in range(3):
        for key in [key for key in first.arrays_ if ".0." in key]:
            first.arrays_[key] = model.arrays_[key.replace(".0.", f".{place}.")]
        every.append(first._posteriors("audio", views["audio"]))  # type: ignore[attr-defined]
    np.testing.assert_allclose(model._posteriors("audio", views["audio"]), np.mean(every, axis=0))  # type: ignore[attr-defined]
    assert np.abs(every[0] - every[1]).max() > 1e-4


def test_the_better_classifier_is_chosen() -> None:
    labels = np.arange(240) % 2
    # Two rings, which no plane divides; and two clouds in many directions, where one does and narrow kernels fail.
    radius = np.where(labels == 0, 1.0, 2.0) + 0.1 * GENERATOR.standard_normal(240)
    angle = GENERATOR.uniform(0, 2 * np.pi, 240)
    clouds = GENERATOR.standard_normal((240, 40)) + 0.3 * np.where(labels == 0, 1, -1)[:, None]
    views = {"clouds": clouds, "rings": np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])}
    options = {"widths": [3.0], "scalings": ["columns"]}
    chosen, without = (
        models.create("posterior", lda=lda, **options).fit(views, labels).chosen_ for lda in (True, False)
    )
    assert (chosen["clouds"].width, chosen["rings"].width) == (0, 3)
    assert chosen["rings"].loss < 0.1 < np.log(2) / 2
    assert chosen["rings"] == without["rings"]
    analysis = held_out.discriminant(scalings.standardised(clouds)(clouds), labels, 2)
    expected = calibration.calibrate(analysis.held_out, labels).loss
    assert chosen["clouds"].loss == pytest.approx(expected)
    assert expected < without["clouds"].loss


def test_halves_of_digits_are_found_far_better_than_by_c_cca() -> None:
    digits = load_digits()
    rows = np.random.default_rng(0).permutation(len(digits.target))[:700]
    images, labels = digits.images[rows], digits.target[rows]
    views = {"left": images[:, :, :4].reshape(-1, 32), "right": images[:, :, 4:].reshape(-1, 32)}
    train, test = ({view: array[part] for view, array in views.items()} for part in (slice(500), slice(500, None)))
    found = {
        name: mean_precision(models.create(name, **params).fit(train, labels[:500]), test, labels[500:])
        for name, params in (
            ("posterior", {}),
            ("c_cca", {"n_components": 9, "standardise": "columns"}),
            ("semantic_matching", {}),
        )
    }
    assert found["posterior"] > found["c_cca"] + 0.1
    assert found["posterior"] > found["semantic_matching"]


# Bad and unusual input


@pytest.mark.parametrize(("name", "params"), [("posterior", {}), ("semantic_matching", {"classifier": "lda"})])
def test_a_class_of_one_training_item(name: str, params: dict[str, object]) -> None:
    views, labels = two_views(81)
    labels = np.where(np.arange(81) == 80, 9, labels)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = models.create(name, **SMALL[name] | params).fit(views, labels)
    found = model.transform(views)
    assert found["audio"].shape[1] == 5 + 2 * (name == "posterior")
    assert all(np.isfinite(array).all() for array in found.values())
    kept = labels != 9
    assert mean_precision(model, {v: a[kept] for v, a in views.items()}, labels[kept]) > 0.95


def test_a_training_of_classes_of_one_item_each_is_refused() -> None:
    views, _ = two_views(30)
    with pytest.raises(DataError, match="posterior: every class has one training row; a class is learned from several"):
        models.create("posterior").fit(views, np.arange(30))


def test_200_classes_have_a_temperature_alone() -> None:
    labels = np.arange(1000) % 200
    views = {view: clumps(labels, width, noise=0.4) for view, width in (("audio", 20), ("visual", 25))}
    model = models.create("posterior", scalings=["columns"], widths=[0.3]).fit(views, labels)
    assert model.transform(views)["audio"].shape == (1000, 202)
    assert mean_precision(model, views, labels) > 0.5


def test_a_class_that_training_lacks_is_ranked_all_the_same() -> None:
    views, labels = two_views(noise=0.4)
    known = labels != 3
    train = {view: array[known] for view, array in views.items()}
    model = models.create("posterior", **SMALL["posterior"]).fit(train, labels[known])
    found = model.transform(views)
    assert found["audio"].shape == (100, 3 + 2)
    assert all(np.isfinite(array).all() for array in found.values())
    np.testing.assert_allclose(np.linalg.norm(found["audio"], axis=1), 1, rtol=1e-6)
    assert mean_precision(model, train, labels[known]) > 0.9
    assert metrics.chance_map(labels, labels) < mean_precision(model, views, labels) < 0.95


@pytest.mark.parametrize("name", ["posterior", "semantic_matching", "scm"])
def test_rows_that_do_not_pair_and_relations_are_refused(name: str) -> None:
    views, labels = two_views()
    model = models.create(name, **SMALL[name])
    fewer = dict(views, visual=views["visual"][:60])
    with pytest.raises(DataError, match="rows of the views do not pair: 'audio' 100, 'visual' 60"):
        model.fit(fewer, labels)
    with pytest.raises(DataError, match=f"{name}: learns from labels, and there are none"):
        model.fit(fewer, relevance=labels[:, None] == labels[:60])
    with pytest.raises(DataError, match=f"{name}: got labels and relevance"):
        model.fit(fewer, labels, relevance=labels[:, None] == labels[:60])
    broken = views["audio"].copy()
    broken[7, 1] = np.nan
    with pytest.raises(DataError, match="view 'audio', row 7: NaN or infinite"):
        model.fit(dict(views, audio=broken), labels)


def test_unpaired_views_are_paired_by_repeating_rows_of_a_class() -> None:
    views, labels = two_views(200)
    model = models.create("posterior", **SMALL["posterior"]).fit(views, labels)
    # As many rows of sound, but pictures of 100 items only.
    partner = np.arange(200) % 100
    assert (labels[partner] == labels).all()
    repeated = models.create("posterior", **SMALL["posterior"])
    repeated.fit(dict(views, visual=views["visual"][partner]), labels)
    for key in model.arrays_:
        if key.startswith("audio."):
            np.testing.assert_array_equal(repeated.arrays_[key], model.arrays_[key])
    assert mean_precision(repeated, views, labels) > 0.9


@pytest.mark.parametrize("params", [{}, {"lda": False}, {"standardise": "columns"}])
def test_constant_columns_have_no_effect_and_constant_views_are_refused(params: dict[str, object]) -> None:
    views, labels = two_views(noise=0.8)
    options = SMALL["posterior"] | {"scalings": ["none", "columns"]} | params
    wider = dict(views, audio=np.column_stack([views["audio"], np.full(100, 1e6 / 3)]))
    plain = models.create("posterior", **options).fit(views, labels)
    model = models.create("posterior", **options).fit(wider, labels)
    np.testing.assert_allclose(model.transform(wider)["audio"], plain.transform(views)["audio"], atol=1e-4)
    with pytest.raises(ConfigError, match="posterior, view 'audio': every column is constant; remove the view"):
        models.create("posterior", **options).fit(dict(views, audio=np.ones((100, 3))), labels)


def test_equal_rows_and_columns_of_unequal_scale_do_no_harm() -> None:
    views, labels = two_views(noise=0.4)
    twice = {view: np.repeat(array[:50], 2, axis=0) for view, array in views.items()}
    views["audio"][:, 0] *= 1e6
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = models.create("posterior", **SMALL["posterior"]).fit(twice, np.repeat(labels[:50], 2))
        assert mean_precision(model, twice, np.repeat(labels[:50], 2)) > 0.95
        assert mean_precision(models.create("posterior").fit(views, labels), views, labels) > 0.95


def test_three_rows_are_enough() -> None:
    views = {"audio": GENERATOR.standard_normal((3, 2)), "visual": GENERATOR.standard_normal((3, 1))}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = models.create("posterior").fit(views, np.array([0, 0, 1])).transform(views)
    assert all(np.isfinite(array).all() for array in found.values())


def test_values_below_0_have_no_roots() -> None:
    views, labels = two_views()
    views = {view: array - array.mean(axis=0) for view, array in views.items()}
    with pytest.raises(ConfigError, match=r"models\.posterior\.scalings: view 'audio' has values below 0.*add columns"):
        models.create("posterior", scalings=["roots"]).fit(views, labels)
    for key, value in (("scalings", []), ("scalings", ["log"]), ("widths", [0.0]), ("landmarks", 1), ("draws", 0)):
        with pytest.raises(ConfigError, match=rf"models\.posterior\.{key}"):
            models.create("posterior", **{key: value})


def test_too_many_classes_for_the_memory_are_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unisono.models.posterior.MOST_SCORES", 300)
    views, labels = two_views()
    with pytest.raises(DataError, match="posterior: 100 training rows of 4 classes; at most 300 scores"):
        models.create("posterior").fit(views, labels)
