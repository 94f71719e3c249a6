"""Baseline-GAN of chapter 6: the baseline with a generator that proposes the pairs it must tell from the true one."""

from __future__ import annotations

from typing import Literal

from unisono.models.base import Positive, Several
from unisono.models.parts.generative import ThreeBranch


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
    temperature : float
        t, by which the distances are divided; 1 in Eq. 6.2. At 1 the generator soon proposes one candidate only.
    n_candidates : int
        Candidates of a batch: pairs of any x with any y of it, drawn evenly. p sums over these.
    embedding : {"discriminator", "generator"}
        The network whose branches `transform` applies. The discriminator's is the default: it is the one network that
        all three methods have, and it learns from distances directly, the generator from rewards alone.

    References
    ----------
    The dissertation's chapter 6 (Table 6.3 and Eq. 6.2 to 6.5); Zeng, Yu, Oyama, "Unsupervised generative adversarial
    alignment representation for sheet music, audio and lyrics", 2020 (arXiv 2007.14856). The policy gradient
    follows Zhang, Peng, Yuan, "Unsupervised generative adversarial cross-modal hashing", AAAI 2018, and Wang et
    al., "IRGAN", SIGIR 2017: the dissertation gives none.
    """

    adversarial = True

    temperature: Positive = 20.0
    n_candidates: Several = 512
    embedding: Literal["discriminator", "generator"] = "discriminator"


MODEL = BaselineGAN
