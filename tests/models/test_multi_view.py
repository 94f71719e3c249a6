"""The stand-in for multi-view learning: partial least squares."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.cross_decomposition import PLSSVD

from tests.models.test_cca import two_views
from unisono import models
from unisono.errors import ConfigError


def test_equals_scikit_learns_pls_svd() -> None:
    train, test = two_views(), two_views(30, seed=1)
    model = models.create("multi_view", n_components=4).fit(train)
    peer = PLSSVD(n_components=4).fit(train["audio"], train["visual"])
    expected = peer.transform(test["audio"], test["visual"])
    # scikit-learn divides by deviations of n-1 items, ours by those of n.
    factor = np.sqrt(400 / 399)
    for array, wanted in zip(model.transform(test).values(), expected, strict=True):
        signs = np.sign(np.sum(array * wanted, axis=0))
        np.testing.assert_allclose(array, wanted * signs * factor, rtol=1e-4, atol=1e-5)


def test_constant_columns_and_views() -> None:
    views = two_views()
    plain = models.create("multi_view", n_components=3).fit(views).transform(views)
    wider = dict(views, audio=np.column_stack([views["audio"], np.full(400, 1e6 / 3)]))
    found = models.create("multi_view", n_components=3).fit(wider).transform(wider)
    np.testing.assert_allclose(found["audio"], plain["audio"], rtol=1e-5, atol=1e-6)
    with pytest.raises(ConfigError, match="multi_view, view 'visual': every column is constant"):
        models.create("multi_view", n_components=2).fit(dict(views, visual=np.ones((400, 3))))
    with pytest.raises(ConfigError, match=r"models\.multi_view\.n_components: 7 is more .* at most 6"):
        models.create("multi_view", n_components=7).fit(views)
