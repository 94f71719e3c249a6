"""Semantic matching and semantic correlation matching against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression

from tests.models.small import two_views
from unisono import metrics, models
from unisono.errors import ConfigError


@pytest.mark.parametrize("classifier", ["logistic", "lda"])
@pytest.mark.parametrize("n_classes", [2, 4])
def test_posteriors_are_those_of_scikit_learn(classifier: str, n_classes: int) -> None:
    views, labels = two_views(noise=1.5)
    names = np.array(["dog", "cat", "bee", "ant"])[labels % n_classes]
    model = models.create("semantic_matching", classifier=classifier, penalty=3.0).fit(views, names)
    for view, found in model.transform(views).items():
        rows = (views[view] - views[view].mean(axis=0)) / views[view].std(axis=0)
        if classifier == "lda":
            peer = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(rows, names)
        else:
            peer = LogisticRegression(C=1 / 3, max_iter=1000).fit(rows, names)
        np.testing.assert_allclose(found, peer.predict_proba(rows), atol=1e-5)


@pytest.mark.parametrize("name", ["semantic_matching", "scm"])
def test_both_similarities_compare_the_same_posteriors(name: str) -> None:
    views, labels = two_views(noise=1.5)
    params = {"n_components": 3} if name == "scm" else {}
    cosine = models.create(name, similarity="cosine", **params).fit(views, labels)
    inner = models.create(name, similarity="inner", **params).fit(views, labels)
    p, q = cosine.transform(views).values()
    sides = {"audio": views["audio"]}, {"visual": views["visual"]}
    np.testing.assert_allclose(inner.score(*sides), p.astype(float) @ q.T, atol=1e-6)
    np.testing.assert_allclose(cosine.score(*sides), metrics.similarities(p, q))
    for key, array in cosine.arrays_.items():
        np.testing.assert_array_equal(inner.arrays_[key], array)


def test_scm_is_logistic_regression_of_canonical_variates() -> None:
    views, labels = two_views(noise=1.0)
    params = {"n_components": 3, "ridge": 0.1}
    model = models.create("scm", penalty=0.5, **params).fit(views, labels)
    same = models.create("scm", penalty=0.5, scale="none", **params).fit(views, labels).transform(views)
    variates = models.create("cca", **params).fit(views)
    np.testing.assert_array_equal(model.correlations_, variates.correlations_)  # type: ignore[attr-defined]
    for view, found in model.transform(views).items():
        rows = variates.transform(views)[view].astype(float)
        rows = (rows - rows.mean(axis=0)) / rows.std(axis=0)
        peer = LogisticRegression(C=2.0, max_iter=1000).fit(rows, labels)
        np.testing.assert_allclose(found, peer.predict_proba(rows), atol=1e-3)
        np.testing.assert_allclose(found, same[view], atol=1e-3)


def test_constant_columns_have_no_effect() -> None:
    views, labels = two_views(noise=1.0)
    wider = dict(views, audio=np.column_stack([views["audio"], np.full(100, 1e6 / 3)]))
    plain = models.create("semantic_matching").fit(views, labels).transform(views)["audio"]
    model = models.create("semantic_matching").fit(wider, labels)
    np.testing.assert_allclose(model.transform(wider)["audio"], plain, atol=1e-4)
    scm = models.create("scm", n_components=3, ridge=0.1).fit(wider, labels)
    assert np.isfinite(scm.transform(wider)["audio"]).all()
    lda = models.create("semantic_matching", classifier="lda").fit(wider, labels)
    assert np.isfinite(lda.transform(wider)["audio"]).all()


def test_a_grid_holds_legal_values() -> None:
    for name in ("posterior", "semantic_matching", "scm"):
        for key, values in models.method(name).grid.items():  # type: ignore[attr-defined]
            for value in values:
                models.check_params(name, {key: value})
    with pytest.raises(ConfigError, match=r"models\.semantic_matching\.classifier: .*logistic"):
        models.create("semantic_matching", classifier="svm")


@pytest.mark.parametrize("classifier", ["logistic", "lda"])
def test_a_constant_view_is_refused(classifier: str) -> None:
    views, labels = two_views()
    with pytest.raises(ConfigError, match="semantic_matching, view 'audio': every column is constant; remove the view"):
        models.create("semantic_matching", classifier=classifier).fit(dict(views, audio=np.ones((100, 3))), labels)
