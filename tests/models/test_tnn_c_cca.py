"""TNN-C-CCA is a triplet network on the projections of cluster-CCA, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from tests.models.small import two_views
from tests.models.test_tnn import SMALL
from unisono import models
from unisono.errors import ConfigError


@pytest.mark.parametrize("pairs", ["all", "half", "one_to_one"])
def test_equals_a_triplet_network_on_cluster_cca(pairs: str) -> None:
    views, labels = two_views()
    c_cca = {"n_components": 3, "ridge": 0.2, "pairs": pairs, "beta": 0.1, "scale": "none"}
    found = models.create("tnn_c_cca", seed=2, **SMALL, **c_cca).fit(views, labels)
    projected = models.create("c_cca", seed=2, **c_cca).fit(views, labels).transform(views)
    expected = models.create("tnn", seed=2, **SMALL).fit(projected, labels)
    assert found.history_ == expected.history_
    for view, array in expected.transform(projected).items():
        np.testing.assert_array_equal(found.transform(views)[view], array)


def test_shares_the_hyper_parameters_of_both() -> None:
    both = models.check_params("tnn_c_cca", {})
    network, c_cca = models.check_params("tnn", {}), models.check_params("c_cca", {})
    assert set(both) == set(network) | set(c_cca)
    assert {name: both[name] for name in network} == network
    assert {name: both[name] for name in c_cca} == c_cca


def test_components_without_class_covariance_make_no_difference() -> None:
    views, labels = two_views()
    few, more = (
        models.create("tnn_c_cca", **SMALL, n_components=k, ridge=0.2).fit(views, labels).transform(views)
        for k in (3, 6)
    )
    for view in views:
        np.testing.assert_array_equal(few[view], more[view])


def test_more_components_than_the_views_have_raise() -> None:
    views, labels = two_views()
    with pytest.raises(ConfigError, match=r"n_components: 7 is more"):
        models.create("tnn_c_cca", **SMALL, n_components=7).fit(views, labels)
