"""Triplet network: two views in one space, where items of a class are nearer than others by a margin."""

from __future__ import annotations

from unisono.models.parts.triplet_network import TripletNetwork


class TNN(TripletNetwork):
    r"""Trains one network per view on triplets: an anchor of one view, a positive and a negative of the other.

    .. math:: \frac{1}{|T_+|} \sum_{(a, p, n) \in T} \big[ d(f(x_a), g(y_p)) - d(f(x_a), g(y_n)) + m \big]_+

    f is the network of the anchor's view; positive and negative branch share g. p has the class of a, n another,
    T are the triplets selected within a batch, :math:`T_+` those whose term is not zero. Every batch has each class
    in its share of the training rows. Inputs are standardised; hidden layers are tanh with dropout; Adam.

    Parameters
    ----------
    anchor : str
        View of the anchors: its name, or auto, which is ``audio`` if there is a view of that name, otherwise the first
        by name.
    layers : dict of str to list of int
        Widths of each view's layers, the last the same for all; ``other`` stands for views not named.
    last : {"sigmoid", "tanh+sigmoid"}
        Activation of the last layer. With tanh+sigmoid (the authors' code) no cosine distance exceeds 1 - sech(1) =
        .352 in any number of dimensions, so that every term of a larger margin stays active.
    dropout : float
        After every hidden layer.
    distance : {"cosine", "euclidean", "squared-euclidean"}
        d: one minus the cosine; the length of the difference, as Hermans et al. advise; its square, as the authors'
        code.
    triplets : {"batch-all", "batch-semi-hard", "batch-hard", "random"}
        All triplets of the batch; those whose negative is farther than the positive by less than the margin; for
        each anchor its farthest positive and nearest negative; 150 per anchor, drawn from the batch with replacement.
    own_pair : bool
        Whether an anchor's own item in the other view is one of its positives.
    margin : float
        m.
    batch_size : int
        Items of a batch, not more than there are.
    batches : int or None
        Number of batches B of an epoch, which then have floor(n / B) items: the dissertation's way to say the batch
        size. If given, `batch_size` has no effect.
    learning_rate : float
    epochs : int
        Passes over the training rows.
    min_steps : int
        Least number of batches to train on: on few rows it raises the epochs.
    seed : int
        Of initial weights, dropout and batches.

    References
    ----------
    Zeng, Yu, Oyama, "Deep triplet neural networks with cluster-CCA for audio-visual cross-modal retrieval", TOMM
    16(3), 2020; the dissertation's section 5.2, Eq. 5.13. Hermans, Beyer, Leibe, "In defense of the triplet loss for
    person re-identification", 2017.
    """


MODEL = TNN
