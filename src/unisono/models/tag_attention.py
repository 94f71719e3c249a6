"""Tag attention: a recurrent network reads a lyric for a picture, and a perceptron scores the two."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from unisono.errors import DataError
from unisono.models.base import Count, Dropout, Items, Lengths, Natural, Positive, Views
from unisono.models.parts import attention, deep
from unisono.models.parts.relational import RelationalAligner
from unisono.models.parts.views import average

if TYPE_CHECKING:
    import torch
    from scipy import sparse

#: Largest length of a gradient.
GRADIENT = 1.0
#: Numbers of a block of scores in memory.
BLOCK = 2**24


class TagAttention(RelationalAligner):
    r"""Learns to score a picture and a lyric together, reading the lyric with an eye on the picture's tags.

    The view of vectors (n, d) is the picture v, such as the mean of its tags' word vectors; the view of sequences
    (n, L, d) is the lyric, a vector per word. A recurrent network reads the words in both directions, states
    :math:`h_1 \dots h_L`, and

    .. math:: a_i = \operatorname{softmax}_i (v^T W h_i), \quad z = \sum_i a_i h_i, \quad q = \tanh(U v + u),
              \quad s = f([q, z, q \circ z])

    with f a perceptron of one hidden layer. The training maximises the likelihood of which pairs are relevant: a batch
    has some lyrics, a relevant picture for each and random ones besides, and counts all pairs of these. Padding is not
    read. Training computes in float32, on one thread.

    `score` ranks, in either direction. `transform` gives what each view has of its own, q and the mean of h, by which
    nothing is ranked; their cosine means nothing.

    Parameters
    ----------
    attention : {"tags", "mean"}
        How z weighs the words of a lyric: as above, or all alike, without a look at the picture.
    units : int
        Of the recurrent network (LSTM), in each direction; q is as wide as both together.
    hidden : int
        Width of the hidden layer (ReLU) of f.
    dropout : float
        Share of the numbers of the words' vectors that are dropped in training.
    batch_size : int
        Lyrics of a batch, not more than there are with a relevant picture; each brings one of its pictures, drawn anew.
    extra : int
        Random pictures added to a batch.
    positive_weight : float
        Weight of a relevant pair in the loss.
    learning_rate : float
        Of Adam.
    epochs : int
        Passes over the lyrics that have a relevant picture.
    min_steps : int
        Least number of batches to train on: on few lyrics it raises the epochs.
    seed : int
        Of initial weights, dropout and batches.

    References
    ----------
    Li, Hu, Lu, "Image2song: Song retrieval via bridging image content and lyric words", ICCV 2017, arXiv:1708.05851
    (the parts are the paper's; sizes, the attention's formula and the loss are not stated there).
    """

    sequential = True
    trains_networks = True

    attention: Literal["tags", "mean"] = "tags"
    units: Count = 32
    hidden: Count = 64
    dropout: Dropout = 0.3
    batch_size: Count = 48
    extra: Natural = 16
    positive_weight: Positive = 1.0
    learning_rate: Positive = 3e-3
    epochs: Count = 20
    min_steps: Natural = 400

    def _fit_relation(
        self, views: Views, relevance: sparse.csr_array, lengths: Lengths, checkpoint: Path | None
    ) -> None:
        import torch

        picture, lyric = attention.one_sequence(self.name, views)
        # A row for each lyric, whose pictures are looked up.
        relation = (relevance if lyric < picture else relevance.T).tocsr()
        relation.sort_indices()
        words, counts = attention.padded(views[lyric], lengths.get(lyric))
        device = deep.choose_device(self.device)
        with deep.seeded(self.seed):
            network = self._network(views[picture].shape[1], words.shape[2]).to(device)
            optimiser = torch.optim.Adam(network.parameters(), lr=self.learning_rate, fused=True)
            vectors = torch.as_tensor(views[picture], dtype=torch.float32).to(device)
            sequences, real = torch.as_tensor(words).to(device), torch.as_tensor(counts).to(device)
            batches = attention.Batches(relation, self.batch_size, self.extra)
            weight = torch.tensor(self.positive_weight, device=device)

            def step(lyrics: torch.Tensor, pictures: torch.Tensor, relevant: torch.Tensor) -> torch.Tensor:
                states = network.read(sequences[lyrics], real[lyrics])
                scores = network.score(vectors[pictures], states, real[lyrics])
                loss = torch.nn.functional.binary_cross_entropy_with_logits(scores, relevant, pos_weight=weight)
                optimiser.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(network.parameters(), GRADIENT)
                optimiser.step()
                return loss.detach()

            def run_epoch(number: int) -> dict[str, float]:
                losses = [step(*(part.to(device) for part in batch)) for batch in batches]
                return {"loss": torch.stack(losses).mean().item()}

            epochs = deep.raised(self.epochs, len(batches), self.min_steps)
            data = [views[picture], words, counts, relation.indices, relation.indptr]
            deep.train(self, network, [optimiser], run_epoch, epochs=epochs, data=data, checkpoint=checkpoint)
        self.arrays_ |= deep.to_arrays(network, "network")
        self.arrays_["lyric"] = np.array([sorted(views).index(lyric)])

    def attend(self, image: np.ndarray, lyrics: np.ndarray, lengths: np.ndarray | None = None) -> np.ndarray:
        """Weigh the words of lyrics, each for a picture.

        Parameters
        ----------
        image : np.ndarray [shape=(n, d), dtype=any real]
            Row i is the picture of lyric i.
        lyrics : np.ndarray [shape=(n, L, d), dtype=any real]
        lengths : np.ndarray [shape=(n,), dtype=int], optional
            Words of each lyric; all L by default.

        Returns
        -------
        np.ndarray [shape=(n, L), dtype=float32]
            Rows sum to 1; padding has 0. With attention mean, all words of a lyric have one weight.

        Raises
        ------
        DataError
            As `transform`.
        """
        import torch

        picture, lyric = self._roles()
        counts_of = None if lengths is None else {lyric: lengths}
        checked = {items.view: items for items in self._checked({picture: image, lyric: lyrics}, counts_of)}
        vectors, (words, counts) = _vectors(checked[picture]), attention.padded(*checked[lyric][1:])
        found = np.zeros(np.shape(lyrics)[:2], dtype=np.float32)
        with deep.seeded(self.seed), torch.inference_mode():
            network = self._fitted()
            states = attention.read(network, words, counts)
            for row in range(len(words)):
                one = slice(row, row + 1)
                seen = network.weigh(torch.as_tensor(vectors[one]), states[one], torch.as_tensor(counts[one]))
                found[row, : words.shape[1]] = seen[0, 0].numpy()
        return found

    def _transform(self, view: str, array: np.ndarray, lengths: np.ndarray | None) -> np.ndarray:
        items = Items(view, array, lengths)
        with deep.seeded(self.seed):
            network = self._fitted()
            if view == self._roles()[0]:
                return deep.embed(network.gaze, _vectors(items))
            words, counts = attention.padded(array, lengths)
            mean: np.ndarray = attention.read(network, words, counts).numpy()
            return average(mean, counts)

    def _score(self, queries: Items, gallery: Items) -> np.ndarray:
        roles = self._roles()
        sides = {items.view: items for items in (queries, gallery)}
        if set(sides) != set(roles):
            raise DataError(
                f"{self.name}: scores a row of view {roles[0]!r} with one of {roles[1]!r}, got {queries.view!r} and "
                f"{gallery.view!r}"
            )
        picture, lyric = (sides[view] for view in roles)
        words, counts = attention.padded(lyric.array, lyric.lengths)
        with deep.seeded(self.seed):
            found = attention.scores(self._fitted(), _vectors(picture), words, counts, block=BLOCK)
        return found if queries is picture else found.T

    def _roles(self) -> tuple[str, str]:
        """Return the views of pictures and of lyrics."""
        names = sorted(self.widths_)
        lyric = names[int(self.arrays_["lyric"][0])]
        return next(view for view in names if view != lyric), lyric

    def _fitted(self) -> Any:
        picture, lyric = self._roles()
        return deep.from_arrays(self._network(self.widths_[picture], self.widths_[lyric]), self.arrays_, "network")

    def _network(self, width: int, frame_width: int) -> Any:
        return attention.attentive(
            width,
            frame_width,
            units=self.units,
            hidden=self.hidden,
            dropout=self.dropout,
            tags=self.attention == "tags",
        )


def _vectors(items: Items) -> np.ndarray:
    return np.asarray(average(items.array, items.lengths), dtype=np.float32)


MODEL = TagAttention
