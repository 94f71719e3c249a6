"""Terms of hashing by class with critics (AGAH): attention by class, codes of classes, and the critics' own loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

from unisono.models.parts import triplets

if TYPE_CHECKING:
    import torch

#: Weight of the gradient penalty: WGAN-GP's, as in the authors' code.
PENALTY = 10.0
#: Within the sigmoid of the attention.
SHARPNESS = 5.0


def attend(features: torch.Tensor, feature_map: torch.Tensor, attention: float) -> torch.Tensor:
    r"""Mix features with those of the classes they resemble, :math:`(1 - \lambda) f + \lambda \, m F / \sum_c m_c`.

    :math:`m = \sigma(5 f F^T)`.

    Parameters
    ----------
    features : torch.Tensor [shape=(b, w), dtype=float32]
        f, rows of unit length.
    feature_map : torch.Tensor [shape=(C, w), dtype=float32]
        F, rows of unit length.
    attention : float
        lambda.

    Returns
    -------
    torch.Tensor [shape=(b, w), dtype=float32]
    """
    mask = (SHARPNESS * features @ feature_map.T).sigmoid()
    return (1 - attention) * features + attention * (mask @ feature_map) / mask.sum(1, keepdim=True)


def triplet_loss(one: torch.Tensor, other: torch.Tensor, codes: torch.Tensor, margin: float) -> torch.Tensor:
    r"""Sum of :math:`[m - \cos(h_a, h_p) + \cos(h_a, h_n)]_+` over all triplets of a batch in both directions.

    Parameters
    ----------
    one, other : torch.Tensor [shape=(b, k), dtype=float32]
        Outputs for the same items in two views; an anchor's own item is one of its positives.
    codes : torch.Tensor [shape=(b,), dtype=int64]
        Classes.
    margin : float
        m.

    Returns
    -------
    torch.Tensor [shape=(), dtype=float32]
    """
    distances = triplets.cosine(one, other)
    # Every triplet of the one direction is one of the other too: classes are the same in both views.
    taken = triplets.batch_all(distances.detach(), *triplets.candidates(codes, own_pair=True), margin)
    count = taken[2].sum()
    total = distances.new_zeros(())
    for anchored in (distances, distances.T):
        mean, active = triplets.hinge(anchored, taken, margin)
        total = total + mean * (active * count)
    return total


def balance_loss(h: torch.Tensor) -> torch.Tensor:
    r"""Sum of :math:`1 / (1 + \exp \cos(|h_i|, 1))`, least where all outputs of an item are equally large."""
    import torch

    cosine = torch.nn.functional.cosine_similarity(h.abs(), torch.ones_like(h))
    return (-cosine).sigmoid().sum()


def code_map_loss(h: torch.Tensor, code_map: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
    r"""Sum of :math:`(h_i \cdot c_j - k (2 l_{ij} - 1))^2` over items and classes, l telling an item's class.

    Parameters
    ----------
    h : torch.Tensor [shape=(b, k), dtype=float32]
    code_map : torch.Tensor [shape=(C, k), dtype=float32]
        c, of -1 and 1.
    codes : torch.Tensor [shape=(b,), dtype=int64]

    Returns
    -------
    torch.Tensor [shape=(), dtype=float32]
    """
    return (h @ code_map.T - h.shape[1] * _sides(codes, len(code_map))).square().sum()


def update_code_map(code_map: torch.Tensor, outputs: list[torch.Tensor], codes: torch.Tensor) -> torch.Tensor:
    """Choose the bits of the code map one after the other, each the best for `code_map_loss` of the outputs' signs.

    Parameters
    ----------
    code_map : torch.Tensor [shape=(C, k), dtype=float32]
    outputs : list of torch.Tensor [shape=(n, k), dtype=float32]
        By view.
    codes : torch.Tensor [shape=(n,), dtype=int64]

    Returns
    -------
    torch.Tensor [shape=(C, k), dtype=float32]
    """
    import torch

    found = code_map.clone()
    sides = _sides(codes, len(code_map))
    gram = sum((signs(h).T @ signs(h) for h in outputs), torch.zeros_like(code_map[0, 0]))
    wanted = code_map.shape[1] * sum((sides.T @ signs(h) for h in outputs), torch.zeros_like(code_map))
    for bit in range(code_map.shape[1]):
        others = found @ gram[:, bit] - found[:, bit] * gram[bit, bit]
        found[:, bit] = signs(wanted[:, bit] - others)
    return found


def slopes(critic: torch.nn.Sequential, x: torch.Tensor) -> torch.Tensor:
    """Gradient of a critic's value with respect to each row, itself with gradient for the critic's weights.

    Parameters
    ----------
    critic : torch.nn.Sequential
        Dense layers with ReLU between them, and one output. A ReLU passes all of a gradient or nothing, so that no
        graph of the backward pass is needed.
    x : torch.Tensor [shape=(b, w), dtype=float32]

    Returns
    -------
    torch.Tensor [shape=(b, w), dtype=float32]
    """
    import torch

    layers = [layer for layer in critic if isinstance(layer, torch.nn.Linear)]
    passed = []
    with torch.no_grad():
        for layer in layers[:-1]:
            x = layer(x).relu()
            passed.append(x > 0)
    found: torch.Tensor = layers[-1].weight
    for layer, mask in zip(reversed(layers[:-1]), reversed(passed), strict=True):
        found = (found * mask) @ layer.weight
    return found


def critic_loss(
    critic: torch.nn.Sequential, real: torch.Tensor, fake: torch.Tensor, mixing: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    r"""Wasserstein loss with gradient penalty, and its part without the penalty.

    .. math:: \frac{1}{b} \sum_i D(f_i) - D(r_i) + 10 \, (\lVert \nabla D(x_i) \rVert - 1)^2, \quad
              x = u r + (1 - u) f

    Parameters
    ----------
    critic : torch.nn.Sequential
        D, as for `slopes`.
    real, fake : torch.Tensor [shape=(b, w), dtype=float32]
        r and f, without gradient.
    mixing : torch.Tensor [shape=(b, w), dtype=float32]
        u.

    Returns
    -------
    loss, distance : torch.Tensor [shape=(), dtype=float32]

    References
    ----------
    Gulrajani et al., "Improved training of Wasserstein GANs", NIPS 2017, Eq. 3.
    """
    import torch

    fakes, reals = critic(torch.cat([fake, real])).split(len(fake))
    distance = fakes.mean() - reals.mean()
    gradients = slopes(critic, mixing * real + (1 - mixing) * fake)
    return distance + PENALTY * (gradients.norm(dim=1) - 1).square().mean(), distance


def _sides(codes: torch.Tensor, n_classes: int) -> torch.Tensor:
    """1 where an item has a class, -1 elsewhere."""
    from torch.nn.functional import one_hot

    return 2.0 * one_hot(codes, n_classes) - 1


def signs(x: torch.Tensor) -> torch.Tensor:
    """-1 or 1; zero becomes 1."""
    import torch

    return torch.where(x < 0, -1.0, 1.0)
