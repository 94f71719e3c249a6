"""Triplet network: two views in one space, where items of a class are nearer than others by a margin."""

from __future__ import annotations

from unisono.models.parts.triplet_network import TripletNetwork


class TNN(TripletNetwork):
    r"""Trains one network per view on triplets: an anchor of one view, a positive and a negative of the other.

    .. math:: \frac{1}{|T_+|} \sum_{(a, p, n) \in T} \big[ d(f(x_a), g(y_p)) - d(f(x_a), g(y_n)) + m \big]_+

    f is the network of the anchor's view; positive and negative branch share g. p has the class of a, n another,
    T are the triplets selected within a batch, :math:`T_+` those whose term is not zero. Every batch has each class
    in its share of the training rows. Inputs are standardised; hidden layers are tanh with dropout; Adam.

    References
    ----------
    Zeng, Yu, Oyama, "Deep triplet neural networks with cluster-CCA for audio-visual cross-modal retrieval", TOMM
    16(3), 2020; the dissertation's section 5.2, Eq. 5.13. Hermans, Beyer, Leibe, "In defense of the triplet loss for
    person re-identification", 2017.
    """


MODEL = TNN
