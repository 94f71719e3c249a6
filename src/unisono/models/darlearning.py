"""DARLearning: audio and sheet music aligned for fixed lyrics by an adversarial game."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from unisono.errors import ConfigError
from unisono.models.base import Count, Weight
from unisono.models.baseline_gan import BaselineGAN


class DARLearning(BaselineGAN):
    r"""Adds to Baseline-GAN a transfer from the source view, and truth from the CCA space of the pair.

    .. math:: p(J \mid z) = \operatorname{softmax}(-d(z, J) / t), \quad
              \phi = \max(0, \alpha + d(\Theta(z), \Theta(p^T)) - d(\Theta(z), \Theta(p^G))), \quad
              D = \sigma(\phi), \quad \min_G \max_D \ \log D(p^T) + \log(1 - D(p^G))
              \quad T = \sum KL(h(z) \| f(x)) + KL(h(z) \| g(y))

    z is a query (lyrics), J a candidate pair of any audio and any sheet of the batch, :math:`p^G` a pair that the
    generator draws with p, :math:`p^T` a true pair of the query, :math:`\Theta` the discriminator's outputs. Both
    networks have one branch of tanh layers per view and weights of their own. The generator learns by REINFORCE with
    the reward -log(1 - D), less the mean reward of the query's other samples; the discriminator minimises the same.
    :math:`\log D(p^T)` is a constant, since :math:`\phi` of the true pair is :math:`\alpha`. Inputs are standardised;
    Adam.
    T, over softmaxed outputs, is added to the loss of each network. True pairs are the query's own and those whose
    place in the CCA space, the mean of both embeddings, is nearest to it by cosine.

    Parameters
    ----------
    truth : {"cca", "pairs"}
        What a true pair is: one of the `neighbours` nearest in the CCA space of x and y, or the own pair only.
    neighbours : int
        Nearest pairs that are true, the own one among them.
    transfer : float
        Weight of the KL terms; 0 leaves them out.
    adversarial : bool
        Whether there is a generator; without it other pairs are drawn evenly, as in `baseline`.

    References
    ----------
    The dissertation's chapter 6 (Table 6.1 and Eq. 6.1 to 6.5); Zeng, Yu, Oyama, "Unsupervised generative adversarial
    alignment representation for sheet music, audio and lyrics", 2020 (arXiv 2007.14856). The policy gradient
    follows Zhang, Peng, Yuan, "Unsupervised generative adversarial cross-modal hashing", AAAI 2018, and Wang et
    al., "IRGAN", SIGIR 2017: the dissertation gives none.
    """

    grid: ClassVar[Mapping[str, Sequence[Any]]] = {"learning_rate": (3e-4, 1e-3, 3e-3), "transfer": (0.0, 1.0)}
    truth: Literal["cca", "pairs"] = "cca"
    neighbours: Count = 5
    transfer: Weight = 1.0
    adversarial: bool = True

    def _check_params(self) -> None:
        # CCA takes the pair as it comes.
        self.standardises = self.truth == "pairs"
        if self.embedding == "generator" and not self.adversarial:
            raise ConfigError(
                "models.darlearning.embedding: 'generator', but adversarial is false and there is none; "
                "set embedding to discriminator"
            )


MODEL = DARLearning
