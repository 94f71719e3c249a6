"""DARLearning and its baselines: a discriminator that ranks pairs for a source view, a generator that proposes them.

**Conventions.** Three views: the *source* z (lyrics) and the *pair* x, y (audio and sheet). Each network has a
branch per view. A candidate for a query z_i is any x_a with any y_b of the same mini-batch, so that memory is
linear in the number of items: no n x n matrix is ever made. ``QX``, ``QY`` and ``XY`` are the squared
distances within a batch, from which the distance of every candidate follows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from unisono.errors import ConfigError
from unisono.models.base import Aligner, Count, Labels, Lengths, Natural, Positive, Several, Views, Weight
from unisono.models.parts import deep
from unisono.models.parts.columns import standardisation
from unisono.models.parts.linear import closed_cca

if TYPE_CHECKING:
    import torch

#: Widths of the layers of every branch.
LAYERS: deep.Layers = {"other": [256, 128]}
#: Weights of ||q-x||^2, ||q-y||^2 and ||x-y||^2 in the distance of a query q from a pair (x, y).
DISTANCES = {"triple": (1 / 3, 1 / 3, 1 / 3), "mean": (1 / 2, 1 / 2, -1 / 4)}
#: Epochs of each network within a global epoch (Table 6.1).
INNER_EPOCHS = 2
#: Width of the CCA space in which the nearest pairs are found, where the views allow it.
CCA_COMPONENTS = 10
#: Its ridge, that of `unisono.models.cca`.
CCA_RIDGE = 0.1
#: Rows of the CCA space compared with all others at a time.
BLOCK = 1024


def squared_distances(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Squared Euclidean distance of every row of one matrix from every row of the other."""
    return one.square().sum(1)[:, None] + other.square().sum(1)[None] - 2 * one @ other.T


def batch_distances(
    q: torch.Tensor, x: torch.Tensor, y: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Squared distances within a batch of b rows: QX, QY and XY, each b x b."""
    return squared_distances(q, x), squared_distances(q, y), squared_distances(x, y)


def mixed_pairs(size: int, shape: tuple[int, ...]) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows a and b of pairs (x_a, y_b) of a batch, drawn evenly; randomness from the CPU."""
    import torch

    return torch.randint(size, shape), torch.randint(size, shape)


def pair_distances(
    distances: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
    weights: tuple[float, float, float],
    a: torch.Tensor,
    b: torch.Tensor,
) -> torch.Tensor:
    """Distance of every query from pairs (x_a, y_b): the same c for all queries (a is c long) or own ones (b x c)."""
    QX, QY, XY = distances
    if a.ndim == 1:
        return weights[0] * QX[:, a] + weights[1] * QY[:, b] + weights[2] * XY[a, b]
    return weights[0] * QX.gather(1, a) + weights[1] * QY.gather(1, b) + weights[2] * XY[a, b]


def hinge(positive: torch.Tensor, generated: torch.Tensor, margin: float) -> torch.Tensor:
    """Eq. 6.3, phi = max(0, margin + d(q, p_T) - d(q, p_G)), for b positives and b x s generated pairs."""
    return (margin + positive[:, None] - generated).clamp(min=0)


def draw(log_p: torch.Tensor, n_samples: int) -> torch.Tensor:
    """Draw columns of each row with their probabilities, with replacement; randomness from the CPU."""
    import torch

    cumulated = log_p.exp().cumsum(1)
    numbers = torch.rand(len(log_p), n_samples).to(log_p.device) * cumulated[:, -1:]
    return torch.searchsorted(cumulated, numbers).clamp(max=log_p.shape[1] - 1)


def policy_gradient(log_p: torch.Tensor, chosen: torch.Tensor, rewards: torch.Tensor) -> torch.Tensor:
    """REINFORCE: a loss whose expected gradient is that of -E_p[reward].

    Each sample's reward is taken off by the mean of the query's other samples, which lowers the variance and
    leaves the expectation as it is.
    """
    n_samples = chosen.shape[1]
    others = (rewards.sum(1, keepdim=True) - rewards) / (n_samples - 1)
    return -((rewards - others) * log_p.gather(1, chosen)).mean()


def transfer_loss(source: torch.Tensor, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """KL(h(z) || f(x)) + KL(h(z) || g(y)) of the softmaxed outputs, mean over items."""
    h = source.log_softmax(1)
    total = h.new_zeros(())
    for other in (x, y):
        total = total + (h.exp() * (h - other.log_softmax(1))).sum(1).mean()
    return total


def nearest_pairs(name: str, pair: Mapping[str, np.ndarray], k: int) -> np.ndarray:
    """For every item the k items whose pairs lie nearest in the pair's CCA space, the item itself included.

    A pair's place is the mean of its two embeddings; nearness is cosine, as in ranking.

    Parameters
    ----------
    name : str
        The method, for messages.
    pair : mapping of str to np.ndarray [shape=(n, d), dtype=any real]
        The two views.
    k : int
        All n where there are fewer.

    Returns
    -------
    np.ndarray [shape=(n, min(k, n)), dtype=int64]
        In no particular order.
    """
    limits = [limit for array in pair.values() for limit in (array.shape[1], len(array) - 1)]
    means, _, *weights = closed_cca(name, pair, min(CCA_COMPONENTS, *limits), CCA_RIDGE)
    # Like an embedding, float32: half the memory and time of the products below.
    places = np.zeros((len(next(iter(pair.values()))), weights[0].shape[1]), dtype=np.float32)
    for array, mean, matrix in zip(pair.values(), means, weights, strict=True):
        places += (array - mean) @ matrix
    places /= np.maximum(np.linalg.norm(places, axis=1, keepdims=True), np.finfo(np.float32).tiny)
    k = min(k, len(places))
    found = np.empty((len(places), k), dtype=np.int64)
    for start in range(0, len(places), BLOCK):
        nearness = places[start : start + BLOCK] @ places.T
        rows = np.arange(len(nearness))
        nearness[rows, start + rows] = np.inf
        found[start : start + BLOCK] = np.argpartition(-nearness, k - 1, axis=1)[:, :k]
    return found


class ThreeBranch(Aligner):
    """What the three methods share.

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
        Pairs drawn per query, evenly or by the generator.
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
    """

    trains_networks = True
    standardises = True
    # Switches that a simpler method does not have.
    adversarial = False
    transfer = 0.0
    truth = "pairs"
    neighbours = 1
    temperature = 1.0
    n_candidates = 1
    embedding = "discriminator"

    grid: ClassVar[Mapping[str, Sequence[Any]]] = {"learning_rate": (3e-4, 1e-3, 3e-3), "margin": (0.3, 1.0)}
    source_view: str = "lyrics"
    layers: deep.Layers = LAYERS
    distance: Literal["triple", "mean"] = "triple"
    margin: Weight = 1.0
    epochs: Count = 30
    batch_size: Several = 64
    n_samples: Several = 8
    learning_rate: Positive = 1e-3
    decay_every: Natural = 0
    learning_rate_floor: Positive = 1e-5

    def _fit(self, views: Views, labels: Labels, lengths: Lengths, checkpoint: Path | None) -> None:
        import torch

        order = self._ordered(views)
        truth = (
            nearest_pairs(self.name, {view: views[view] for view in order[1:]}, self.neighbours)
            if self.truth == "cca"
            else None
        )
        with deep.seeded(self.seed):
            device = deep.choose_device(self.device)
            names = ["discriminator", "generator"] if self.adversarial else ["discriminator"]
            networks: Any = torch.nn.ModuleDict({name: self._network(views, order) for name in names})
            networks.to(device)
            optimisers = [
                torch.optim.Adam(networks[name].parameters(), lr=self.learning_rate, fused=True) for name in names
            ]
            data = [torch.as_tensor(views[view], dtype=torch.float32, device=device) for view in order]
            training = _Training(self, networks, optimisers, data, truth)
            deep.train(
                self,
                networks,
                optimisers,
                training.run_epoch,
                epochs=self.epochs,
                data=list(views.values()),
                checkpoint=checkpoint,
            )
        for view, branch in zip(order, networks[self.embedding], strict=True):
            self.arrays_ |= deep.to_arrays(branch, view)

    def _transform(self, view: str, array: np.ndarray, lengths: np.ndarray | None) -> np.ndarray:
        width = self.widths_[view]
        scale = np.zeros(width), np.ones(width)
        return deep.embed(deep.from_arrays(self._branch(view, width, scale), self.arrays_, view), array)

    def _branch(self, view: str, width: int, scale: tuple[np.ndarray, np.ndarray]) -> torch.nn.Sequential:
        layers = deep.layers_of(self.name, self.layers, view)
        return deep.perceptron(width, layers, hidden="tanh", last="tanh", scale=scale)

    def _network(self, views: Mapping[str, np.ndarray], order: Sequence[str]) -> torch.nn.ModuleList:
        import torch

        # Not by name: a ModuleDict refuses names such as "type" and any with a dot.
        scales = {view: standardisation(array) for view, array in views.items()}
        return torch.nn.ModuleList([self._branch(view, self.widths_[view], scales[view]) for view in order])

    def _ordered(self, views: Mapping[str, np.ndarray]) -> list[str]:
        """Return the source view and the two of the pair; check that there are such."""
        named = ", ".join(views)
        if len(views) != 3:
            raise ConfigError(
                f"{self.name}: aligns a source view with a pair of views, three in all, got {len(views)} ({named}); "
                "choose three with --views"
            )
        if self.source_view not in views:
            raise ConfigError(
                f"models.{self.name}.source_view: {self.source_view!r} is none of the views ({named}); "
                "set it to the one from which knowledge is transferred"
            )
        deep.common_width(self.name, self.layers, views)
        return [self.source_view, *(view for view in views if view != self.source_view)]


class _Training:
    """One training: the networks, the rows, and how a global epoch runs."""

    def __init__(
        self,
        model: ThreeBranch,
        networks: Any,
        optimisers: Sequence[torch.optim.Optimizer],
        data: list[torch.Tensor],
        truth: np.ndarray | None,
    ) -> None:
        import torch

        self.model, self.networks, self.optimisers, self.data = model, networks, optimisers, data
        self.truth = None if truth is None else torch.as_tensor(truth)
        self.weights = DISTANCES[model.distance]

    def run_epoch(self, number: int) -> dict[str, float]:
        """Train the generator, then the discriminator, for two epochs each."""
        import torch

        rate = learning_rate(self.model, number)
        for optimiser in self.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = rate
        terms: dict[str, list[torch.Tensor]] = {}
        losses = [self.discriminator_terms, self.generator_terms]
        for optimiser, loss in reversed(list(zip(self.optimisers, losses, strict=False))):
            for rows in self._batches():
                found = loss(rows)
                optimiser.zero_grad()
                torch.stack(list(found.values())).sum().backward()
                optimiser.step()
                for name, value in found.items():
                    terms.setdefault(name, []).append(value.detach())
        return {name: torch.stack(values).mean().item() for name, values in terms.items()}

    def _batches(self) -> Iterator[torch.Tensor]:
        import torch

        for _ in range(INNER_EPOCHS):
            yield from torch.randperm(len(self.data[0])).split(self.model.batch_size)

    def embed(self, name: str, rows: torch.Tensor) -> list[torch.Tensor]:
        """Return the outputs of a network for the source and the pair of some items."""
        return [branch(array[rows]) for branch, array in zip(self.networks[name], self.data, strict=True)]

    def discriminator_terms(self, rows: torch.Tensor) -> dict[str, torch.Tensor]:
        """Loss terms of the discriminator; without a generator it ranks pairs drawn evenly."""
        import torch
        from torch.nn import functional

        model = self.model
        size, device = len(rows), self.data[0].device
        if model.adversarial:
            with torch.no_grad():
                _, _, *chosen = self.propose(self.embed("generator", rows))
        else:
            chosen = [index.to(device) for index in mixed_pairs(size, (size, model.n_samples))]
        outputs = self.embed("discriminator", rows)
        phi = self.phi(outputs, rows, *chosen)
        # -log(1 - sigmoid(phi)). The other term of Eq. 6.5 is constant: phi of the true pair itself is the margin.
        terms = {"discriminator": (functional.softplus(phi) if model.adversarial else phi).mean()}
        if model.transfer:
            terms["discriminator_transfer"] = model.transfer * transfer_loss(*outputs)
        return terms

    def generator_terms(self, rows: torch.Tensor) -> dict[str, torch.Tensor]:
        """Loss terms of the generator; the reward of a pair is -log(1 - D), which the discriminator lowers."""
        import torch
        from torch.nn import functional

        model = self.model
        outputs = self.embed("generator", rows)
        log_p, columns, *chosen = self.propose(outputs)
        with torch.no_grad():
            rewards = functional.softplus(self.phi(self.embed("discriminator", rows), rows, *chosen))
        terms = {"generator": policy_gradient(log_p, columns, rewards)}
        if model.transfer:
            terms["generator_transfer"] = model.transfer * transfer_loss(*outputs)
        return terms

    def propose(self, outputs: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Let the generator choose pairs: log p(J | z) of Eq. 6.2 (b x c), the columns drawn, and their rows a, b."""
        q, x, y = outputs
        a, b = (index.to(q.device) for index in mixed_pairs(len(q), (self.model.n_candidates,)))
        distances = pair_distances(batch_distances(q, x, y), self.weights, a, b)
        log_p = (-distances / self.model.temperature).log_softmax(1)
        columns = draw(log_p.detach(), self.model.n_samples)
        return log_p, columns, a[columns], b[columns]

    def phi(self, outputs: list[torch.Tensor], rows: torch.Tensor, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """Eq. 6.3 for the pairs (x_a, y_b); the true pair is the own one, or one of the nearest, drawn evenly."""
        import torch

        q, x, y = outputs
        generated = pair_distances(batch_distances(q, x, y), self.weights, a, b)
        if self.truth is not None:
            picks = torch.randint(self.truth.shape[1], (len(rows),))
            x, y = self.embed("discriminator", self.truth[rows, picks])[1:]
        pairs = zip(self.weights, ((q, x), (q, y), (x, y)), strict=True)
        positive = torch.stack([weight * (one - other).square().sum(1) for weight, (one, other) in pairs]).sum(0)
        return hinge(positive, generated, self.model.margin)


def learning_rate(model: ThreeBranch, epoch: int) -> float:
    """Divide the first learning rate by 10 every `decay_every` global epochs (0: never), down to the floor."""
    drops = epoch // model.decay_every if model.decay_every else 0
    return max(model.learning_rate / 10**drops, min(model.learning_rate_floor, model.learning_rate))
