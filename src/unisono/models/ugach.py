"""Unsupervised generative adversarial cross-modal hashing: a graph of neighbours, learned by a game of two networks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from unisono.models.base import Count, Labels, Lengths, Natural, Positive, Several, Views, Weight
from unisono.models.parts import deep, generative, hashing
from unisono.models.parts.columns import standardisation

if TYPE_CHECKING:
    import torch

Terms = dict[str, float]

#: Epochs of the generator after each of the discriminator.
GENERATOR_EPOCHS = 2
#: The learning rate is multiplied by the first number every so many steps.
DECAY, DECAY_STEPS = 0.9, 20_000
#: Rows compared with all others at a time.
BLOCK = 1024
#: Taken off the logarithm of the probability of what shall not be drawn.
NEVER = 1e4


def nearest_rows(array: np.ndarray, k: int) -> np.ndarray:
    """Find the k rows nearest to each row by Euclidean distance, itself among them.

    Parameters
    ----------
    array : np.ndarray [shape=(n, d), dtype=any real]
    k : int
        All n where there are fewer.

    Returns
    -------
    np.ndarray [shape=(n, min(k, n)), dtype=int64]
        In no particular order.
    """
    points = (array - array.mean(axis=0, dtype=np.float64)).astype(np.float32)
    halves = np.einsum("nd,nd->n", points, points) / 2
    k = min(k, len(points))
    found = np.empty((len(points), k), dtype=np.int64)
    for start in range(0, len(points), BLOCK):
        # Half of the squared distance, less what is the same for the whole row.
        distances = halves - points[start : start + BLOCK] @ points.T
        rows = np.arange(len(distances))
        distances[rows, start + rows] = -np.inf
        found[start : start + BLOCK] = np.argpartition(distances, k - 1, axis=1)[:, :k]
    return found


def correlation_graph(views: Mapping[str, np.ndarray], neighbours: int) -> np.ndarray:
    """Find the items that are true for an item in the other view: those near to it in either view.

    Parameters
    ----------
    views : mapping of str to np.ndarray [shape=(n, d), dtype=any real]
        Two.
    neighbours : int
        K; half of them are taken from each view, the item itself among them.

    Returns
    -------
    np.ndarray [shape=(n, K), dtype=int64]
        An item that is near in both views stands twice.
    """
    return np.concatenate([nearest_rows(array, neighbours // 2) for array in views.values()], axis=1)


def log_probabilities(queries: torch.Tensor, candidates: torch.Tensor) -> torch.Tensor:
    r"""Eq. 2, :math:`\log p(c \mid q)` with :math:`p = \operatorname{softmax}_c(-\lVert h_q - h_c \rVert^2)`.

    Parameters
    ----------
    queries : torch.Tensor [shape=(b, k), dtype=float32]
    candidates : torch.Tensor [shape=(c, k), dtype=float32]

    Returns
    -------
    torch.Tensor [shape=(b, c), dtype=float32]
    """
    return (-generative.squared_distances(queries, candidates)).log_softmax(1)


def hinge(query: torch.Tensor, positive: torch.Tensor, negative: torch.Tensor, margin: float) -> torch.Tensor:
    r"""Eq. 4, :math:`\max(0, m + \lVert h_q - h_p \rVert^2 - \lVert h_q - h_n \rVert^2)`.

    Parameters
    ----------
    query : torch.Tensor [shape=(b, k), dtype=float32]
    positive, negative : torch.Tensor [shape=(b, s, k), dtype=float32]
        s of each, taken together one by one.
    margin : float
        m.

    Returns
    -------
    torch.Tensor [shape=(b, s), dtype=float32]
    """
    near, far = ((query[:, None] - other).square().sum(2) for other in (positive, negative))
    return (margin + near - far).clamp(min=0)


class UGACH(hashing.HashAligner):
    r"""Learns the graph of each view's neighbours, without labels, by a game of two networks.

    .. math:: \min_D \; E_{p \sim G, n \sim p_\theta} [\varphi(q, p, n)]_+, \quad
              \max_\theta \; E_{n \sim p_\theta(\cdot \mid q)} \; \sigma([\varphi(q, p, n)]_+), \quad
              \varphi = m + \lVert h_q - h_p \rVert^2 - \lVert h_q - h_n \rVert^2

    A query q is an item in one view, p and n items in the other, in both directions. p is drawn from the graph: the
    items nearest to q by Euclidean distance in either view. n is drawn by the generator from candidates with
    :math:`p_\theta = \operatorname{softmax}(-\lVert g_q - g_n \rVert^2)`; the discriminator trains on those that are
    not in the graph. Each network has one hidden tanh layer and a sigmoid layer per view, and weights of its own.
    The generator learns by REINFORCE, with the reward less that of the query's other samples. First the discriminator
    learns alone, from negatives drawn evenly. Embeddings are the outputs moved to (-1, 1). The networks' inputs are
    standardised; distances in the graph are those of the views as they come. The weights are those of the last epoch.

    The graph is noisy, and what the generator finds near to a query is often of its class: a generator that learns
    makes the embeddings worse than negatives drawn evenly, to which weight decay, as published, brings it back. Too
    much weight decay, for data whose views share little, makes all outputs equal.

    Parameters
    ----------
    hidden : int
        Width of the hidden layer.
    neighbours : int
        Items of the graph for each item, half of them from each view; the item itself is the nearest in both.
    margin : float
        m, of squared distances between 0 and n_components.
    n_candidates : int
        Items drawn evenly at every step, from which the generator chooses for all queries of the batch.
    n_samples : int
        Negatives, and positives, of a query in a step.
    embedding : {"discriminator", "generator"}
        The network that `transform` applies.
    weight_decay, generator_weight_decay : float
        Weight of half the squared weights and biases in the loss of the discriminator and the generator.
    optimiser : {"adam", "sgd"}
    learning_rate, generator_learning_rate : float
        Of the discriminator and the generator; multiplied by .9 every 20,000 steps.
    batch_size : int
        Queries of a step, each in both views; not more than there are items.
    pretraining_epochs : int
        Passes of the discriminator over the training rows before the game.
    epochs : int
        Global epochs of the game, each of one pass of the discriminator and two of the generator.
    min_steps : int
        Least number of steps before the game: on few rows it raises the epochs there.
    seed : int
        Of initial weights, batches, candidates and samples.

    References
    ----------
    Zhang, Peng, Yuan, "Unsupervised generative adversarial cross-modal hashing", AAAI 2018, Eq. 1 to 6. Their
    published code takes the reward as here, but the softmax of the generator's step over two samples only.
    """

    grid: ClassVar[Mapping[str, Sequence[Any]]] = {"neighbours": (4, 10, 20), "weight_decay": (0.01, 0.03)}
    hidden: Count = 256
    neighbours: Annotated[int, Field(ge=2, multiple_of=2)] = 10
    margin: Positive = 1.25
    n_candidates: Several = 256
    n_samples: Several = 2
    embedding: Literal["discriminator", "generator"] = "discriminator"
    weight_decay: Weight = 0.03
    generator_weight_decay: Weight = 0.03
    optimiser: Literal["adam", "sgd"] = "adam"
    learning_rate: Positive = 1e-3
    generator_learning_rate: Positive = 1e-3
    batch_size: Several = 64
    pretraining_epochs: Natural = 30
    epochs: Count = 30
    min_steps: Natural = 150

    def _fit(self, views: Views, labels: Labels, lengths: Lengths, checkpoint: Path | None) -> None:
        import torch

        device = deep.choose_device(self.device)
        graph = torch.as_tensor(correlation_graph(views, self.neighbours))
        with deep.seeded(self.seed):
            networks = torch.nn.ModuleDict(
                {
                    name: torch.nn.ModuleDict({view: self._network(view, array) for view, array in views.items()})
                    for name in ("discriminator", "generator")
                }
            ).to(device)
            data = [torch.as_tensor(array, dtype=torch.float32).to(device) for array in views.values()]
            game = _Game(self, networks, data, graph)
            pretraining = self.pretraining_epochs
            if pretraining:
                pretraining = deep.raised(pretraining, game.n_batches, self.min_steps)
            deep.train(
                self,
                networks,
                game.optimisers,
                lambda number: game.run_epoch(number, pretraining),
                epochs=pretraining + self.epochs,
                data=list(views.values()),
                checkpoint=checkpoint,
            )
        for view, network in game.networks[self.embedding].items():
            self.arrays_ |= deep.to_arrays(network, view)
        self._count_ties(views)

    def _outputs(self, view: str, array: np.ndarray) -> np.ndarray:
        network = self._network(view, np.zeros((1, self.widths_[view])))
        return 2 * deep.embed(deep.from_arrays(network, self.arrays_, view), array) - 1

    def _network(self, view: str, array: np.ndarray) -> torch.nn.Sequential:
        scale = standardisation(array)
        return deep.perceptron(array.shape[1], [self.hidden, self.n_components], scale=scale)


class _Game:
    """One training: the networks, the rows, the graph, and how an epoch runs."""

    def __init__(self, model: UGACH, networks: Any, data: list[torch.Tensor], graph: torch.Tensor) -> None:
        import torch

        self.model, self.networks, self.graph = model, networks, graph
        self.device = data[0].device
        # Standardised once, not in every step.
        first = networks["discriminator"].values()
        self.data = [network[0](array) for network, array in zip(first, data, strict=True)]
        kinds: dict[str, Any] = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}
        self.rates = [model.learning_rate, model.generator_learning_rate]
        decays = [model.weight_decay, model.generator_weight_decay]
        self.optimisers = [
            kinds[model.optimiser](network.parameters(), lr=rate, weight_decay=decay, fused=True)
            for network, rate, decay in zip(networks.values(), self.rates, decays, strict=True)
        ]
        self.size = min(model.batch_size, len(graph))
        self.n_batches = len(graph) // self.size

    def run_epoch(self, number: int, pretraining: int) -> dict[str, float]:
        """Train the discriminator for an epoch and, past the pretraining, the generator for two."""
        played = number - pretraining
        if played < 0:
            return self._train(0, lambda rows: self.discriminator_terms(rows, by_generator=False), number)
        terms = self._train(0, lambda rows: self.discriminator_terms(rows, by_generator=True), number)
        for inner in range(GENERATOR_EPOCHS):
            terms |= self._train(1, self.generator_terms, played * GENERATOR_EPOCHS + inner)
        return terms

    def _train(self, place: int, terms_of: Callable[[torch.Tensor], dict[str, torch.Tensor]], before: int) -> Terms:
        """Take one network, which had some epochs before, through all rows; return the means of its terms."""
        import torch

        optimiser = self.optimisers[place]
        sums: dict[str, torch.Tensor] = {}
        batches = torch.randperm(len(self.graph))[: self.n_batches * self.size].view(self.n_batches, self.size)
        for step, rows in enumerate(batches, start=before * self.n_batches):
            for group in optimiser.param_groups:
                group["lr"] = self.rates[place] * DECAY ** (step // DECAY_STEPS)
            terms = terms_of(rows)
            optimiser.zero_grad()
            # The first term is the loss.
            next(iter(terms.values())).backward()
            optimiser.step()
            for name, value in terms.items():
                sums[name] = sums[name] + value.detach() if name in sums else value.detach()
        return {name: value.item() / self.n_batches for name, value in sums.items()}

    def discriminator_terms(self, rows: torch.Tensor, *, by_generator: bool) -> dict[str, torch.Tensor]:
        """Loss of the discriminator: the hinge, for negatives of the generator or drawn evenly."""
        import torch

        candidates = self.candidates()
        if by_generator:
            with torch.no_grad():
                log_p = self.log_probabilities(rows, candidates)
        else:
            log_p = [torch.zeros(len(rows), self.model.n_candidates, device=self.device)] * 2
        positives, negatives = [], []
        for own, drawable in zip(candidates, log_p, strict=True):
            # What is true for the query is no negative.
            true = (self.graph[rows][:, :, None] == own).any(1).to(self.device)
            drawn = generative.draw((drawable - NEVER * true).log_softmax(1), self.model.n_samples)
            negatives.append(own.to(self.device)[drawn])
            positives.append(self.true(rows))
        return {"discriminator": torch.stack(self.hinges(rows, positives, negatives)).mean()}

    def generator_terms(self, rows: torch.Tensor) -> dict[str, torch.Tensor]:
        """Loss of the generator (REINFORCE) and the mean reward."""
        import torch

        candidates = self.candidates()
        log_p = self.log_probabilities(rows, candidates)
        drawn = [generative.draw(each.detach(), self.model.n_samples) for each in log_p]
        negatives = [own.to(self.device)[chosen] for own, chosen in zip(candidates, drawn, strict=True)]
        with torch.no_grad():
            hinges = self.hinges(rows, [self.true(rows) for _ in candidates], negatives)
        rewards = [phi.sigmoid() for phi in hinges]
        losses = [generative.policy_gradient(*each) for each in zip(log_p, drawn, rewards, strict=True)]
        return {"generator": torch.stack(losses).mean(), "reward": torch.stack(rewards).mean()}

    def candidates(self) -> list[torch.Tensor]:
        """Draw rows evenly, for queries in each view; randomness from the CPU."""
        import torch

        return list(torch.randint(len(self.graph), (2, self.model.n_candidates)))

    def log_probabilities(self, rows: torch.Tensor, candidates: list[torch.Tensor]) -> list[torch.Tensor]:
        """Of the generator, for queries in each view."""
        import torch

        parts = []
        for side in (0, 1):
            # One pass through a view's network for all that is needed of it.
            together = torch.cat([rows, candidates[1 - side]])
            parts.append(self.embed("generator", side, together).split([len(rows), self.model.n_candidates]))
        return [log_probabilities(parts[side][0], parts[1 - side][1]) for side in (0, 1)]

    def true(self, rows: torch.Tensor) -> torch.Tensor:
        """Draw items of the graph for each query."""
        import torch

        picks = torch.randint(self.graph.shape[1], (len(rows), self.model.n_samples))
        return self.graph[rows].gather(1, picks)

    def hinges(
        self, rows: torch.Tensor, positives: list[torch.Tensor], negatives: list[torch.Tensor]
    ) -> list[torch.Tensor]:
        """Hinge of the discriminator for queries in each view, given the rows of positives and negatives for each."""
        import torch

        parts = []
        for side in (0, 1):
            needed = [rows[:, None], positives[1 - side], negatives[1 - side]]
            widths = [part.shape[1] for part in needed]
            together = torch.cat([part.to(self.device) for part in needed], dim=1)
            parts.append(self.embed("discriminator", side, together).split(widths, dim=1))
        found = []
        for side in (0, 1):
            query, (_, positive, negative) = parts[side][0], parts[1 - side]
            found.append(hinge(query[:, 0], positive, negative, self.model.margin))
        return found

    def embed(self, name: str, side: int, rows: torch.Tensor) -> torch.Tensor:
        """Return the outputs of a network for rows of one view, of any shape."""
        network = list(self.networks[name].values())[side][1:]
        found: torch.Tensor = network(self.data[side][rows.flatten().to(self.device)])
        return found.view(*rows.shape, -1)


MODEL = UGACH
