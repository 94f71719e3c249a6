"""Baseline of chapter 6: the discriminator alone, a triplet network over a view and a pair of views."""

from __future__ import annotations

from unisono.models.parts.generative import ThreeBranch


class Baseline(ThreeBranch):
    r"""Trains the discriminator without an adversary: the own pair shall be nearer to a query than others.

    .. math:: \max\big(0,\ \alpha + d(\Theta(z), \Theta(x, y)) - d(\Theta(z), \Theta(x_a, y_b))\big)

    :math:`\Theta` has one branch of tanh layers per view; z is a query (lyrics), (x, y) its own pair,
    :math:`(x_a, y_b)` any audio with any sheet of the batch, drawn evenly. Inputs are standardised; Adam.

    References
    ----------
    The dissertation's chapter 6 (Table 6.3 and Eq. 6.3); Zeng, Yu, Oyama, "Unsupervised generative adversarial
    alignment representation for sheet music, audio and lyrics", 2020 (arXiv 2007.14856).
    """


MODEL = Baseline
