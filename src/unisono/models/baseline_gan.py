"""Baseline-GAN of chapter 6: the baseline with a generator that proposes the pairs it must tell from the true one."""

from __future__ import annotations

from unisono.models.parts.generative import (
    LAYERS,
    Count,
    Distance,
    Embedding,
    Layers,
    Natural,
    Positive,
    Several,
    ThreeBranch,
    Weight,
)


class BaselineGAN(ThreeBranch):
    r"""Trains a discriminator against a generator that chooses pairs for a query.

    .. math:: p(J \mid z) = \operatorname{softmax}(-d(z, J) / t), \quad
              \phi = \max(0, \alpha + d(\Theta(z), \Theta(p^T)) - d(\Theta(z), \Theta(p^G))), \quad
              D = \sigma(\phi), \quad \min_G \max_D \ \log D(p^T) + \log(1 - D(p^G))

    z is a query (lyrics), J a candidate pair of any audio and any sheet of the batch, :math:`p^G` a pair that the
    generator draws with p, :math:`p^T` the query's own pair, :math:`\Theta` the discriminator's outputs. Both
    networks have one branch of tanh layers per view and weights of their own. The generator learns by REINFORCE with
    the reward -log(1 - D), less the mean reward of the query's other samples; the discriminator minimises the same.
    :math:`\log D(p^T)` is a constant, since :math:`\phi` of the true pair is :math:`\alpha`. Inputs are standardised;
    Adam.

    Parameters
    ----------
    source_view : str
        View of the query z, from which knowledge is transferred; the other two are the pair.
    layers : dict of str to list of int
        Widths of each branch's layers, the last the same for all; ``other`` stands for views not named.
    distance : {"triple", "mean"}
        d(z, (x, y)): the mean of the three squared distances among z, x and y; or the squared distance of z from
        (x + y) / 2, as Eq. 6.2 is written.
    temperature : float
        t, by which the distances are divided; 1 in Eq. 6.2. At 1 the generator soon proposes one candidate only.
    n_candidates : int
        Candidates of a batch: pairs of any x with any y of it, drawn evenly. p sums over these.
    embedding : {"discriminator", "generator"}
        The network whose branches `transform` applies. The discriminator's is the default: it is the one network that
        all three methods have, and it learns from distances directly, the generator from rewards alone.
    margin : float
        alpha, by which other pairs shall be farther than the true one.
    epochs : int
        Global epochs, each of two epochs of every network.
    batch_size : int
        Items of a batch.
    n_samples : int
        Pairs that the generator draws per query.
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
    The dissertation's chapter 6 (Table 6.3 and Eq. 6.2 to 6.5); Zeng, Yu, Oyama, "Unsupervised generative adversarial
    alignment representation for sheet music, audio and lyrics", 2020 (arXiv 2007.14856). The policy gradient
    follows Zhang, Peng, Yuan, "Unsupervised generative adversarial cross-modal hashing", AAAI 2018, and Wang et
    al., "IRGAN", SIGIR 2017: the dissertation gives none.
    """

    def __init__(
        self,
        *,
        source_view: str = "lyrics",
        layers: Layers = LAYERS,
        distance: Distance = "triple",
        temperature: Positive = 20.0,
        n_candidates: Several = 512,
        embedding: Embedding = "discriminator",
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
        self.adversarial = True
        self.temperature = temperature
        self.n_candidates = n_candidates
        self.embedding = embedding


MODEL = BaselineGAN
