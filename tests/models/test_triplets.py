"""Triplet losses against plain Python loops, and batches that hold every class."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch

from unisono.errors import ConfigError
from unisono.models.parts import triplets

B = 14
#: Class 3 has one item: it has no positive but its own pair.
CODES = np.array([0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 3])
MARGIN = 0.3


def embedded(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Embeddings of a batch in two views, in float64."""
    generator = torch.Generator().manual_seed(seed)
    anchors, others = (torch.rand(B, 5, generator=generator, dtype=torch.float64) for _ in range(2))
    return anchors.requires_grad_(), others.requires_grad_()


def loop_distance(name: str, one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Distance of two vectors, from its definition."""
    if name == "cosine":
        return 1 - (one @ other) / (one @ one).sqrt() / (other @ other).sqrt()
    squared = ((one - other) ** 2).sum()
    return squared if name == "squared-euclidean" else squared.sqrt()


def loop_triplets(selection: str, d: list[list[float]], *, own_pair: bool) -> list[tuple[int, int, int]]:
    """Choose triplets one by one, from the selection's definition."""
    chosen = []
    for a in range(B):
        positives = [p for p in range(B) if CODES[p] == CODES[a] and (own_pair or p != a)]
        negatives = [n for n in range(B) if CODES[n] != CODES[a]]
        if selection == "batch-hard" and positives:
            chosen.append((a, max(positives, key=lambda p: d[a][p]), min(negatives, key=lambda n: d[a][n])))
            continue
        for p, n in itertools.product(positives, negatives):
            if selection == "batch-all" or (selection == "batch-semi-hard" and d[a][p] < d[a][n] < d[a][p] + MARGIN):
                chosen.append((a, p, n))
    return chosen


@pytest.mark.parametrize("own_pair", [False, True])
@pytest.mark.parametrize("selection", ["batch-all", "batch-semi-hard", "batch-hard"])
@pytest.mark.parametrize("distance", ["cosine", "euclidean", "squared-euclidean"])
def test_loss_and_gradient_equal_a_plain_loop(distance: str, selection: str, own_pair: bool) -> None:
    anchors, others = embedded()
    distances = triplets.DISTANCES[distance](anchors, others)
    sides = triplets.candidates(torch.as_tensor(CODES), own_pair=own_pair)
    taken = triplets.SELECTIONS[selection](distances.detach(), *sides, MARGIN)
    loss, active = triplets.hinge(distances, taken, MARGIN)
    found = torch.autograd.grad(loss, [anchors, others])

    d = [[loop_distance(distance, one, other) for other in others] for one in anchors]
    expected_triplets = loop_triplets(selection, [[value.item() for value in row] for row in d], own_pair=own_pair)
    terms = [term for a, p, n in expected_triplets if (term := d[a][p] - d[a][n] + MARGIN) > 0]
    expected = torch.stack(terms).sum() / len(terms)
    assert len(terms) > 5
    assert loss.item() == pytest.approx(expected.item(), rel=1e-9)
    assert active.item() == pytest.approx(len(terms) / len(expected_triplets))
    for one, other in zip(found, torch.autograd.grad(expected, [anchors, others]), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("own_pair", [False, True])
@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
def test_random_triplets_are_drawn_evenly_and_their_loss_equals_a_plain_loop(distance: str, own_pair: bool) -> None:
    anchors, others = embedded()
    distances = triplets.DISTANCES[distance](anchors, others)
    sides = triplets.candidates(torch.as_tensor(CODES), own_pair=own_pair)
    counts = np.zeros((B, B, B))
    n_draws = 40
    torch.manual_seed(0)
    for _ in range(n_draws):
        pairs, positives, taken = triplets.random(distances.detach(), *sides, MARGIN)
        for a, p, row in zip(pairs.tolist(), positives.tolist(), taken.numpy(), strict=True):
            counts[a, p] += row
    possible = loop_triplets("batch-all", distances.tolist(), own_pair=own_pair)
    assert set(zip(*(axis.tolist() for axis in np.nonzero(counts)), strict=True)) == set(possible)
    of_anchor = np.bincount([a for a, _, _ in possible], minlength=B)
    np.testing.assert_array_equal(counts.sum(axis=(1, 2)), np.where(of_anchor > 0, n_draws * triplets.N_RANDOM, 0))
    for a, p, n in possible:
        mean = n_draws * triplets.N_RANDOM / of_anchor[a]
        assert abs(counts[a, p, n] - mean) < 5 * math.sqrt(mean)

    loss, _ = triplets.hinge(distances, (pairs, positives, taken), MARGIN)
    total, number = 0.0, 0
    for a, p, row in zip(pairs.tolist(), positives.tolist(), taken.tolist(), strict=True):
        for n, times in enumerate(row):
            term = distances[a, p].item() - distances[a, n].item() + MARGIN
            if term > 0:
                total, number = total + times * term, number + int(times)
    assert loss.item() == pytest.approx(total / number, rel=1e-9)


@pytest.mark.parametrize("selection", sorted(triplets.SELECTIONS))
def test_batch_without_triplets_costs_nothing(selection: str) -> None:
    for codes in (torch.arange(B), torch.zeros(B, dtype=torch.int64)):
        anchors, others = embedded()
        distances = triplets.cosine(anchors, others)
        sides = triplets.candidates(codes, own_pair=False)
        taken = triplets.SELECTIONS[selection](distances.detach(), *sides, MARGIN)
        loss, active = triplets.hinge(distances, taken, MARGIN)
        assert (loss.item(), active.item()) == (0, 0)
        assert all(grad.eq(0).all() for grad in torch.autograd.grad(loss, [anchors, others]))


@pytest.mark.parametrize("selection", sorted(set(triplets.SELECTIONS) - {"random"}))
def test_nan_distances_give_a_nan_loss(selection: str) -> None:
    distances = torch.full((B, B), float("nan"), requires_grad=True)
    sides = triplets.candidates(torch.as_tensor(CODES), own_pair=False)
    taken = triplets.SELECTIONS[selection](distances.detach(), *sides, MARGIN)
    assert torch.isnan(triplets.hinge(distances, taken, MARGIN)[0])


def test_tanh_then_sigmoid_bounds_the_cosine_distance() -> None:
    # Pólya-Szegő: entries within a factor e of each other have a cosine of at least 2/(e + 1/e), in any dimension.
    bound = 1 - 1 / math.cosh(1)
    assert bound == pytest.approx(0.352, abs=5e-4)
    corners = torch.tensor(list(itertools.product([-40.0, 40.0], repeat=6)), dtype=torch.float64)
    distances = triplets.cosine(*(torch.sigmoid(torch.tanh(corners)),) * 2)
    assert distances.max().item() <= bound + 1e-12
    # Attained where half of the squared length lies on either side: as near as six dimensions come.
    assert distances.max().item() > 0.3
    assert triplets.cosine(*(torch.sigmoid(corners),) * 2).max().item() > 0.99


def test_classes_are_balanced_within_each_batch() -> None:
    torch.manual_seed(0)
    codes = np.random.default_rng(0).permutation(np.repeat(np.arange(10), 32))
    even = triplets.balanced_batches(codes, 8, 40).numpy()
    assert sorted(even.flatten().tolist()) == list(range(320))
    for rows in even:
        np.testing.assert_array_equal(np.bincount(codes[rows], minlength=10), 4)
    again = triplets.balanced_batches(codes, 8, 40).numpy()
    assert (even != again).any()
    for rows in triplets.balanced_batches(codes, 12, 26).numpy():
        assert set(np.bincount(codes[rows], minlength=10)) <= {1, 2, 3, 4}

    sizes = np.array([300, 120, 60, 20])
    codes = np.repeat(np.arange(4), sizes)
    batches = triplets.balanced_batches(codes, 9, 50).numpy()
    assert len(np.unique(batches)) == 450
    for rows in batches:
        assert (np.abs(np.bincount(codes[rows], minlength=4) - sizes / 10) <= 2).all()


def test_many_classes_still_meet_in_small_batches() -> None:
    torch.manual_seed(0)
    codes = np.repeat(np.arange(100), 8)
    for rows in triplets.balanced_batches(codes, 20, 40).numpy():
        counts = np.bincount(codes[rows])
        assert (counts >= 2).sum() >= 18


def test_number_of_batches_or_their_size() -> None:
    assert triplets.batch_shape("tnn", 320, 40, None) == (8, 40)
    assert triplets.batch_shape("tnn", 90, 40, None) == (2, 40)
    assert triplets.batch_shape("tnn", 30, 40, None) == (1, 30)
    assert [triplets.batch_shape("tnn", 22483, 40, n)[1] for n in (300, 400, 500, 700)] == [74, 56, 44, 32]
    with pytest.raises(ConfigError, match=r"models\.tnn\.batches: 500 batches of 320 training rows have 0 items"):
        triplets.batch_shape("tnn", 320, 40, 500)
