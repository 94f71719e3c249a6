"""Triplet losses in separate pieces: batches, distances, selections, the loss.

**Conventions.** A batch has b items, each in two views. Row a of a distance matrix is an anchor of the one view,
column j an item of the other; ``positive`` and ``negative`` say which columns an anchor may take as either. A
selection returns pairs of anchor and positive, and which negatives each is taken with: a batch has b^2/C such pairs
with C classes, so that all its triplets fit a (b^2/C, b) matrix. torch is imported inside functions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from unisono.errors import ConfigError

if TYPE_CHECKING:
    import torch

    Taken = tuple[torch.Tensor, torch.Tensor, torch.Tensor]

#: Triplets per anchor of the random selection (D 5.3.4).
N_RANDOM = 150
#: Two items of one class and one of another.
SMALLEST = 3


def batch_shape(name: str, n_items: int, batch_size: int, batches: int | None) -> tuple[int, int]:
    """Say how many batches an epoch has, and how large they are.

    Parameters
    ----------
    name : str
        The method, for messages.
    n_items : int
        Training rows.
    batch_size : int
        Used when `batches` is None; no more than all rows.
    batches : int or None
        Number of batches B; they then have floor(n / B) items.

    Returns
    -------
    n_batches, size : int

    Raises
    ------
    ConfigError
        B batches would have fewer than three items.
    """
    if batches is None:
        size = min(batch_size, n_items)
        return n_items // size, size
    size = n_items // batches
    if size < SMALLEST:
        raise ConfigError(
            f"models.{name}.batches: {batches} batches of {n_items} training rows have {size} items, a triplet needs "
            f"{SMALLEST}; lower it, or set it to null and give batch_size"
        )
    return batches, size


def balanced_batches(codes: np.ndarray, n_batches: int, size: int) -> torch.Tensor:
    """Deal rows to batches, so that every batch has each class in its share of the whole.

    The items of a class lie evenly spaced, in random order, along a line that is cut into batches. Classes of equal
    size have equal counts in batches of a multiple of their number, else counts that differ by one or two. In
    batches too small for two items of each class the items of a class go in twos, so that there are positives.

    Parameters
    ----------
    codes : np.ndarray [shape=(n,), dtype=int]
        Classes 0 ... C-1.
    n_batches, size : int
        n_batches * size <= n; the rows left over, others every time, are left out.

    Returns
    -------
    torch.Tensor [shape=(n_batches, size), dtype=int64]
        Rows; drawn from torch's global CPU generator.
    """
    import torch

    counts = np.bincount(codes)
    shuffled = torch.randperm(len(codes)).numpy()
    by_class = shuffled[np.argsort(codes[shuffled], kind="stable")]
    place = np.arange(len(codes)) - np.repeat(np.cumsum(counts) - counts, counts)
    together = 2 if size < 2 * len(counts) else 1
    start = torch.rand(len(counts), dtype=torch.float64).numpy()
    position = (place // together * together + start[codes[by_class]] * together) / counts[codes[by_class]]
    order = by_class[np.argsort(position, kind="stable")]
    return torch.from_numpy(order[: n_batches * size].reshape(n_batches, size))


def cosine(anchors: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """One minus the cosine of all pairs of rows.

    Parameters
    ----------
    anchors, others : torch.Tensor [shape=(b, k), dtype=float32]

    Returns
    -------
    torch.Tensor [shape=(b, b), dtype=float32]
    """
    from torch.nn.functional import normalize

    return 1 - normalize(anchors) @ normalize(others).T


def euclidean(anchors: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """Euclidean distance of all pairs of rows, with gradient zero at distance zero (as `cosine`)."""
    import torch

    # The faster form by matrix products loses half of the digits of small distances.
    return torch.cdist(anchors, others, compute_mode="donot_use_mm_for_euclid_dist")


def squared_euclidean(anchors: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """Squared Euclidean distance of all pairs of rows (as `cosine`)."""
    return euclidean(anchors, others).square()


def candidates(codes: torch.Tensor, *, own_pair: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Say which items of a batch an anchor may take.

    Parameters
    ----------
    codes : torch.Tensor [shape=(b,), dtype=int]
        Classes.
    own_pair : bool
        Whether the anchor's own item in the other view is one of its positives.

    Returns
    -------
    positive, negative : torch.Tensor [shape=(b, b), dtype=bool]
    """
    same = codes[:, None] == codes
    return same if own_pair else same.clone().fill_diagonal_(False), ~same


def batch_all(distances: torch.Tensor, positive: torch.Tensor, negative: torch.Tensor, margin: float) -> Taken:
    """Take every triplet of the batch.

    Parameters
    ----------
    distances : torch.Tensor [shape=(b, b), dtype=float32]
        Without gradient.
    positive, negative : torch.Tensor [shape=(b, b), dtype=bool]
        See `candidates`.
    margin : float

    Returns
    -------
    anchors, positives : torch.Tensor [shape=(p,), dtype=int64]
        Pairs, no pair twice.
    taken : torch.Tensor [shape=(p, b), dtype=float32]
        How often each pair is taken with each negative.
    """
    anchors, positives = positive.nonzero(as_tuple=True)
    return anchors, positives, negative[anchors].to(distances.dtype)


def batch_semi_hard(distances: torch.Tensor, positive: torch.Tensor, negative: torch.Tensor, margin: float) -> Taken:
    """Take every triplet whose negative is farther than the positive by less than the margin (as `batch_all`)."""
    anchors, positives = positive.nonzero(as_tuple=True)
    near, far = distances[anchors, positives, None], distances[anchors]
    return anchors, positives, (negative[anchors] & (far > near) & (far < near + margin)).to(distances.dtype)


def batch_hard(distances: torch.Tensor, positive: torch.Tensor, negative: torch.Tensor, margin: float) -> Taken:
    """Take for every anchor its farthest positive and its nearest negative (as `batch_all`)."""
    from torch.nn.functional import one_hot

    (anchors,) = (positive.any(dim=1) & negative.any(dim=1)).nonzero(as_tuple=True)
    farthest = distances.masked_fill(~positive, -1).argmax(dim=1)
    nearest = distances.masked_fill(~negative, float("inf")).argmin(dim=1)
    return anchors, farthest[anchors], one_hot(nearest[anchors], len(distances)).to(distances.dtype)


def random(distances: torch.Tensor, positive: torch.Tensor, negative: torch.Tensor, margin: float) -> Taken:
    """Draw `N_RANDOM` triplets for every anchor from the batch, with replacement (as `batch_all`)."""
    import torch

    b, device = len(distances), distances.device
    (usable,) = (positive.any(dim=1) & negative.any(dim=1)).nonzero(as_tuple=True)
    anchors, positives = positive.nonzero(as_tuple=True)
    if not len(usable):
        return anchors, positives, distances.new_zeros(len(anchors), b)
    # Drawn on the CPU, whose generator's state is part of a checkpoint.
    near, far = (
        torch.multinomial(mask[usable].float().cpu(), N_RANDOM, replacement=True).to(device)
        for mask in (positive, negative)
    )
    drawn = (usable[:, None] * b + near) * b + far
    counts = torch.bincount(drawn.flatten(), minlength=b**3).view(b, b, b)
    return anchors, positives, counts[anchors, positives].to(distances.dtype)


def hinge(distances: torch.Tensor, triplets: Taken, margin: float) -> tuple[torch.Tensor, torch.Tensor]:
    r"""Mean of :math:`[d(a, p) - d(a, n) + m]_+` over the taken triplets where it is not zero.

    Parameters
    ----------
    distances : torch.Tensor [shape=(b, b), dtype=float32]
    triplets : tuple of torch.Tensor
        What a selection returns.
    margin : float
        m.

    Returns
    -------
    loss, active : torch.Tensor [shape=(), dtype=float32]
        The mean, zero when there is none, and the share of the taken triplets where the term is not zero.
    """
    import torch

    anchors, positives, taken = triplets
    # Where the term is not zero it is linear in the distances: their slopes, summed over the triplets, give value and
    # gradient without a graph over all triplets.
    with torch.no_grad():
        active = taken * (distances[anchors, positives, None] - distances[anchors] + margin > 0)
        slopes = torch.zeros_like(distances).index_add_(0, anchors, active).neg_()
        slopes[anchors, positives] += active.sum(dim=1)
        count = active.sum()
        mean = count.clamp(min=1)
    return (distances * slopes).sum() / mean + margin * count / mean, count / taken.sum().clamp(min=1)


#: By the name in `params.yaml`.
DISTANCES: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "cosine": cosine,
    "euclidean": euclidean,
    "squared-euclidean": squared_euclidean,
}
SELECTIONS: dict[str, Callable[[torch.Tensor, torch.Tensor, torch.Tensor, float], Taken]] = {
    "batch-all": batch_all,
    "batch-semi-hard": batch_semi_hard,
    "batch-hard": batch_hard,
    "random": random,
}
