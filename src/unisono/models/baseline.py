"""Baseline of chapter 6: the discriminator alone, a triplet network over a view and a pair of views."""

from __future__ import annotations

from unisono.models.parts.generative import (
    LAYERS,
    Count,
    Distance,
    Layers,
    Natural,
    Positive,
    Several,
    ThreeBranch,
    Weight,
)


class Baseline(ThreeBranch):
    r"""Trains the discriminator without an adversary: the own pair shall be nearer to a query than others.

    .. math:: \max\big(0,\ \alpha + d(\Theta(z), \Theta(x, y)) - d(\Theta(z), \Theta(x_a, y_b))\big)

    :math:`\Theta` has one branch of tanh layers per view; z is a query (lyrics), (x, y) its own pair,
    :math:`(x_a, y_b)` any audio with any sheet of the batch, drawn evenly. Inputs are standardised; Adam.

    Parameters
    ----------
    source_view : str
        View of the query z, from which knowledge is transferred; the other two are the pair.
    layers : dict of str to list of int
        Widths of each branch's layers, the last the same for all; ``other`` stands for views not named.
    distance : {"triple", "mean"}
        d(z, (x, y)): the mean of the three squared distances among z, x and y; or the squared distance of z from
        (x + y) / 2, as Eq. 6.2 is written.
    margin : float
        alpha, by which other pairs shall be farther than the true one.
    epochs : int
        Global epochs, each of two epochs of every network.
    batch_size : int
        Items of a batch.
    n_samples : int
        Other pairs drawn per query.
    learning_rate : float
        Of Adam.
    decay_every : int
        Global epochs after which the learning rate is divided by 10, again and again; 0 for never.
    learning_rate_floor : float
        Where that division ends.
    seed : int
        Of initial weights, batches, candidates and samples.

    Notes
    -----
    All six directions are ranked by cosine in one space. The last epoch's weights are kept: nothing is selected. With
    distance ``mean`` the objective holds x and y by their sum only (||z - (x+y)/2||^2 = ||z-x||^2 / 2 + ||z-y||^2 / 2
    - ||x-y||^2 / 4), which sets the two apart; audio and sheet then rank at or below chance.

    References
    ----------
    The dissertation's chapter 6 (Table 6.3 and Eq. 6.3); Zeng, Yu, Oyama, "Unsupervised generative adversarial
    alignment representation for sheet music, audio and lyrics", 2020 (arXiv 2007.14856).
    """

    def __init__(
        self,
        *,
        source_view: str = "lyrics",
        layers: Layers = LAYERS,
        distance: Distance = "triple",
        margin: Weight = 1.0,
        epochs: Count = 30,
        batch_size: Several = 64,
        n_samples: Several = 8,
        learning_rate: Positive = 1e-3,
        decay_every: Natural = 0,
        learning_rate_floor: Positive = 1e-5,
        seed: int = 0,
    ) -> None:
        super().__init__(
            source_view=source_view,
            layers=layers,
            distance=distance,
            margin=margin,
            epochs=epochs,
            batch_size=batch_size,
            n_samples=n_samples,
            learning_rate=learning_rate,
            decay_every=decay_every,
            learning_rate_floor=learning_rate_floor,
            seed=seed,
        )


MODEL = Baseline
