"""Cluster-CCA from class sums: what `c_cca` is and `tnn_c_cca` begins with."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from unisono.models.base import check_components
from unisono.models.parts.linear import canonical, cholesky, class_canonical, covariances


def cluster_cca(
    name: str,
    views: Mapping[str, np.ndarray],
    labels: np.ndarray,
    *,
    n_components: int,
    ridge: float,
    pairs: str,
    beta: float,
    seed: int,
    scale: str = "none",
) -> dict[str, np.ndarray]:
    """Solve cluster-CCA in closed form (`unisono.models.c_cca` has the formula).

    Parameters
    ----------
    name : str
        The method, for messages.
    views : mapping of str to np.ndarray [shape=(n, d), dtype=any real]
        Two.
    labels : np.ndarray [shape=(n,), dtype=int or str]
    n_components, ridge, pairs, beta, seed, scale
        As in `unisono.models.c_cca`.

    Returns
    -------
    dict of str to np.ndarray
        ``correlations`` [shape=(n_components,)] and per view ``<view>.mean`` [shape=(d,)] and ``<view>.weights``
        [shape=(d, n_components)], all float64; `project` applies them.
    """
    check_components(name, n_components, views)
    (first, x), (second, y) = views.items()
    _, classes, sizes = np.unique(np.asarray(labels), return_inverse=True, return_counts=True)
    partners = {"one_to_one": np.ones_like(sizes), "half": (sizes + 1) // 2, "all": sizes}[pairs]
    n_pairs = float(sizes @ partners)
    weights = beta / len(x) + (1 - beta) * partners[classes] / n_pairs
    found = covariances((x, y), weights=weights, classes=classes)
    L1, L2 = (
        cholesky(within, ridge, where=f"{name}, view {view!r}")
        for view, within in zip(views, found.within, strict=True)
    )
    if pairs == "all" and beta == 0:
        S, A, B = class_canonical(L1, L2, found, n_pairs, n_components, name=name)
    else:
        if pairs == "all":
            between = found.sums[0].T @ found.sums[1] / n_pairs
        elif pairs == "half":
            between = _half((x, y), found.means, classes, seed) / n_pairs
        else:
            between = found.own
        cross = beta * found.own + (1 - beta) * between
        S, A, B = canonical(L1, L2, cross, n_components)
    factors = S if scale == "correlation" else np.ones_like(S)
    return {
        "correlations": S,
        f"{first}.mean": found.means[0],
        f"{second}.mean": found.means[1],
        f"{first}.weights": A * factors,
        f"{second}.weights": B * factors,
    }


def project(arrays: Mapping[str, np.ndarray], view: str, array: np.ndarray) -> np.ndarray:
    """Put the rows of a view into the space that `cluster_cca` found.

    Parameters
    ----------
    arrays : mapping of str to np.ndarray
        From `cluster_cca`.
    view : str
    array : np.ndarray [shape=(m, d), dtype=any real]

    Returns
    -------
    np.ndarray [shape=(m, n_components), dtype=float64]
    """
    projected: np.ndarray = np.subtract(array, arrays[f"{view}.mean"], dtype=np.float64) @ arrays[f"{view}.weights"]
    return projected


def _half(
    views: tuple[np.ndarray, np.ndarray], means: tuple[np.ndarray, np.ndarray], classes: np.ndarray, seed: int
) -> np.ndarray:
    """Sum x_i y_j^T over half of the pairs of each class, by sums of y over arcs of the circle."""
    generator = np.random.default_rng(seed)
    total = np.zeros((len(means[0]), len(means[1])))
    for c in range(classes.max() + 1):
        circle = generator.permutation(np.flatnonzero(classes == c))
        X, Y = (np.subtract(view[circle], mean, dtype=np.float64) for view, mean in zip(views, means, strict=True))
        # The item at place a has the partners at a, a + 1, ..., a + n_partners - 1: differences of running sums,
        # which go on around the circle.
        n, n_partners = len(circle), (len(circle) + 1) // 2
        running = np.zeros((n + n_partners, Y.shape[1]))
        np.cumsum(Y, axis=0, out=running[1 : n + 1])
        np.add(running[1:n_partners], running[n], out=running[n + 1 :])
        total += X.T @ np.subtract(running[n_partners:], running[:n], out=Y)
    return total
