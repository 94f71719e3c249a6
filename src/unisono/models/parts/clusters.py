"""Cluster-CCA from class sums: what `c_cca` is and `tnn_c_cca` begins with."""

from __future__ import annotations

from typing import Literal

import numpy as np

from unisono.models.base import Labels, Share, Views
from unisono.models.parts.closed import ClosedAligner, Solver
from unisono.models.parts.linear import Covariances, Map, canonical, class_canonical, covariances


class ClusterAligner(ClosedAligner):
    r"""A method that solves cluster-CCA (`unisono.models.c_cca` has the formula).

    Parameters
    ----------
    pairs : str
        Pairs that stand for a class. all: every item with every item (Eq. 5.5). half: the items of a class
        are shuffled and put on a circle, and each first-view item is paired with its own partner and those
        that follow, half of the class (rounded up) in all. one_to_one: own pairs only, which is `cca`.
    beta : float
        Weight of own pairs beside those of the class, from 0 (Eq. 5.5) to 1 (`cca`):
        :math:`\Sigma_{12} = \beta\,\Sigma_{own} + (1-\beta)\,\Sigma_{class}`, all covariances alike. The
        author's code has .2.
    seed : int
        Of the order on the circle (`pairs`: half).
    """

    supervised = True
    needs_pairs = False

    pairs: Literal["one_to_one", "half", "all"] = "all"
    beta: Share = 0.0

    def _problem(self, views: Views, labels: Labels, maps: tuple[Map, Map]) -> tuple[Covariances, Solver]:
        x, y = views.values()
        _, classes, sizes = np.unique(np.asarray(labels), return_inverse=True, return_counts=True)
        partners = {"one_to_one": np.ones_like(sizes), "half": (sizes + 1) // 2, "all": sizes}[self.pairs]
        n_pairs = float(sizes @ partners)
        weights = self.beta / len(x) + (1 - self.beta) * partners[classes] / n_pairs
        found = covariances((x, y), maps=maps, weights=weights, classes=classes)
        if self.pairs == "all" and self.beta == 0:
            own_pairs = self.scale == "none"
            return found, lambda L1, L2, k: class_canonical(L1, L2, found, n_pairs, k, own_pairs=own_pairs)
        if self.pairs == "all":
            between = found.sums[0].T @ found.sums[1] / n_pairs
        elif self.pairs == "half":
            between = _half((x, y), found.means, classes, self.seed) / n_pairs
        else:
            between = found.own
        cross = self.beta * found.own + (1 - self.beta) * between
        return found, lambda L1, L2, k: canonical(L1, L2, cross, k)


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
