"""What the deep methods share: units dropped at random."""

from __future__ import annotations

import pytest
import torch

from unisono.models.parts import deep


@pytest.mark.parametrize("share", [0.1, 0.2, 0.5, 0.9])
def test_dropout_drops_its_share_and_keeps_the_mean(share: float) -> None:
    network = deep.perceptron(3, [400, 1], hidden="linear", dropout=share)
    dropout = network[1]
    ones = torch.ones(1001, 399)
    with deep.seeded(0):
        first, second = dropout(ones), dropout(ones)
    for drawn in (first, second):
        values, counts = drawn.unique(return_counts=True)
        torch.testing.assert_close(values, torch.tensor([0, 1 / (1 - share)]))
        n, deviation = drawn.numel(), (drawn.numel() * share * (1 - share)) ** 0.5
        assert abs(counts[0].item() - n * share) < 5 * deviation
    # Every draw is another, neighbours are independent, and the seed decides.
    both = ((first == 0) & (second == 0)).double().mean().item()
    beside = ((first[:, 1:] == 0) & (first[:, :-1] == 0)).double().mean().item()
    assert both == pytest.approx(share**2, abs=0.01)
    assert beside == pytest.approx(share**2, abs=0.01)
    with deep.seeded(0):
        assert torch.equal(dropout(ones), first)


def test_dropout_passes_gradients_of_kept_units_only_and_nothing_in_evaluation() -> None:
    dropout = deep.perceptron(3, [4, 1], hidden="linear", dropout=0.25)[1]
    x = torch.ones(50, 7, requires_grad=True)
    outputs = dropout(x)
    outputs.sum().backward()
    assert torch.equal(x.grad, outputs.detach())
    dropout.eval()
    assert dropout(x) is x
