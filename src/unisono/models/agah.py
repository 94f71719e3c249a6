"""Adversary guided asymmetric hashing: attention by class, critics that align the views, a code for every class."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from unisono.models.base import Count, Dropout, Labels, Lengths, Natural, Positive, Several, Share, Views, Weight
from unisono.models.parts import class_codes, deep, hashing
from unisono.models.parts.columns import standardisation

if TYPE_CHECKING:
    import torch

#: Hidden layers of each view's network; a layer of `features` units follows.
LAYERS = {"other": [256]}
#: Hidden layers of the critics, in parts of the features' width: the authors' 512 and 256 for 512 features.
CRITIC = (1.0, 0.5)
#: Betas and weight decay of the critics' optimiser: WGAN-GP's, as in the authors' code.
BETAS, CRITIC_DECAY = (0.5, 0.9), 1e-4
#: The learning rate is multiplied by the first number every so many epochs.
DECAY, DECAY_EPOCHS = 0.6, 100


class AGAH(hashing.HashAligner):
    r"""Learns codes from class labels: triplets and a map of codes, on features that two critics cannot tell apart.

    .. math:: \min \; T + \alpha B + \beta L + \gamma M + \eta Q - \mu (D_y(f_x) + D_x(f_y))

    A network per view gives features f of unit length, mixed with those of the classes they resemble
    (`class_codes.attend`); one hash layer (tanh), shared by the views, gives outputs h in (-1, 1). T is the triplet
    loss, in both directions, B makes the outputs of an item equally large, L is the cross-entropy of a label classifier
    on f, M ties h to a code for every class, Q = :math:`\sum (h - \operatorname{sign} h)^2`; B, L, M and Q are summed
    over both views, and all but the critics' terms over the items of a batch. Each critic (WGAN-GP) tells the other
    view's features from those of its own, and the networks raise its value of the other's. After every epoch the
    features and the codes of the classes are made anew from all training rows. Embeddings are the outputs. Inputs are
    standardised; Adamax. The weights are those of the last epoch.

    Parameters
    ----------
    layers : dict of str to list of int
        Widths of the hidden layers by view; ``other`` stands for every view not named.
    features : int
        Width of the features; the critics' hidden layers have as many, and half as many, units.
    dropout : float
        After every hidden layer.
    attention : float
        lambda, the share of the classes' features.
    margin : float
        Of the triplets, in cosine.
    balance : float
        alpha.
    label : float
        beta.
    code_map : float
        gamma.
    quantisation : float
        eta.
    adversary : float
        mu.
    weight_decay : float
        Of the networks' optimiser.
    batch_size : int
        Items of a batch, not more than there are.
    learning_rate : float
        Of the networks and the critics; multiplied by .6 every 100 epochs.
    epochs : int
        Passes over the training rows.
    min_steps : int
        Least number of batches to train on: on few rows it raises the epochs.
    seed : int
        Of initial weights and codes, dropout, batches and the critics' mixtures.

    References
    ----------
    Gu, Gu, Gu, Liu, Xiong, Wang, "Adversary guided asymmetric hashing for cross-modal retrieval", ICMR 2019. Their
    published code divides features by the norm of the whole batch, so that an item's code depends on its batch; here
    every row has unit length.
    """

    supervised = True
    standardises = True

    grid: ClassVar[Mapping[str, Sequence[Any]]] = {"learning_rate": (3e-3, 1e-2), "code_map": (1e-4, 1e-3, 1e-2)}
    layers: deep.Layers = LAYERS
    features: Several = 256
    dropout: Dropout = 0.5
    attention: Share = 0.2
    margin: Positive = 0.3
    balance: Weight = 1.0
    label: Weight = 0.0
    code_map: Weight = 1e-3
    quantisation: Weight = 1.0
    adversary: Weight = 1.0
    weight_decay: Weight = 5e-4
    batch_size: Several = 64
    learning_rate: Positive = 1e-2
    epochs: Count = 60
    min_steps: Natural = 300

    def _fit(self, views: Views, labels: Labels, lengths: Lengths, checkpoint: Path | None) -> None:
        import torch

        assert labels is not None
        classes, codes = np.unique(labels, return_inverse=True)
        size = min(self.batch_size, len(codes))
        n_batches = len(codes) // size
        epochs = deep.raised(self.epochs, n_batches, self.min_steps)
        device = deep.choose_device(self.device)
        with deep.seeded(self.seed):
            networks = torch.nn.ModuleDict(self._networks(views, len(classes))).to(device)
            data = {view: torch.as_tensor(array, dtype=torch.float32).to(device) for view, array in views.items()}
            training = _Training(self, networks, data, torch.as_tensor(codes).to(device))

            def run_epoch(number: int) -> dict[str, float]:
                batches = torch.randperm(len(codes))[: n_batches * size].view(n_batches, size)
                return training.run_epoch(number, batches.to(device))

            deep.train(
                self,
                networks,
                training.optimisers,
                run_epoch,
                epochs=epochs,
                data=[*views.values(), labels],
                checkpoint=checkpoint,
            )
        self.arrays_ |= deep.to_arrays(networks["hash"], "hash")
        self._count_ties(views)

    def _outputs(self, view: str, array: np.ndarray) -> np.ndarray:
        rows = {name: np.zeros((1, width)) for name, width in self.widths_.items()}
        network = self._embedder(rows, len(self.arrays_["hash.feature_map"]))
        return deep.embed(deep.from_arrays(network, self.arrays_, "hash").branch(view), array)

    def _networks(self, views: Mapping[str, np.ndarray], n_classes: int) -> dict[str, Any]:
        """Build what embeds, and what only the training needs."""
        import torch

        hidden = [max(1, round(part * self.features)) for part in CRITIC]
        critics = {view: deep.perceptron(self.features, [*hidden, 1], hidden="relu", last="linear") for view in views}
        return {
            "hash": self._embedder(views, n_classes),
            "classifier": deep.perceptron(self.features, [n_classes], last="linear"),
            "critics": torch.nn.ModuleDict(critics),
        }

    def _embedder(self, views: Mapping[str, np.ndarray], n_classes: int) -> Any:
        """Build what embeds: the networks of the views, the hash layer and both maps."""
        bodies = {
            view: deep.perceptron(
                array.shape[1],
                [*deep.layers_of(self.name, self.layers, view), self.features],
                hidden="relu",
                last="relu",
                dropout=self.dropout,
                scale=standardisation(array),
            )
            for view, array in views.items()
        }
        return _hash_network()(bodies, self.features, self.n_components, n_classes, self.attention)


@functools.cache
def _hash_network() -> Any:
    import torch

    class HashNetwork(torch.nn.Module):
        feature_map: torch.Tensor
        code_map: torch.Tensor

        def __init__(self, bodies: dict[str, Any], width: int, bits: int, n_classes: int, attention: float) -> None:
            super().__init__()
            self.attention = attention
            self.bodies = torch.nn.ModuleDict(bodies)
            self.layer = deep.perceptron(width, [bits], last="tanh")
            # Random until the end of the first epoch.
            directions = torch.nn.functional.normalize(torch.randn(n_classes, width))
            self.register_buffer("feature_map", directions)
            self.register_buffer("code_map", class_codes.signs(torch.randn(n_classes, bits)))

        def forward(self, view: str, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
            """Return features, features after attention, outputs."""
            plain = torch.nn.functional.normalize(self.bodies[view](x))
            attended = class_codes.attend(plain, self.feature_map, self.attention)
            return plain, attended, self.layer(attended)

        def branch(self, view: str) -> torch.nn.Module:
            """Return the network that gives the outputs of one view."""
            whole = self

            class Branch(torch.nn.Module):
                def forward(self, x: torch.Tensor) -> torch.Tensor:
                    outputs: torch.Tensor = whole(view, x)[2]
                    return outputs

            return Branch()

    return HashNetwork


class _Training:
    """One training: the networks, the rows, and how an epoch runs."""

    def __init__(self, model: AGAH, networks: Any, data: dict[str, torch.Tensor], codes: torch.Tensor) -> None:
        import torch

        self.model, self.networks, self.data, self.codes = model, networks, data, codes
        embedders = [*networks["hash"].parameters(), *networks["classifier"].parameters()]
        rate = model.learning_rate
        self.optimisers: list[torch.optim.Optimizer] = [
            torch.optim.Adamax(embedders, lr=rate, weight_decay=model.weight_decay, foreach=True),
            torch.optim.Adamax(
                networks["critics"].parameters(), lr=rate, betas=BETAS, weight_decay=CRITIC_DECAY, foreach=True
            ),
        ]

    def run_epoch(self, number: int, batches: torch.Tensor) -> dict[str, float]:
        """Train on every batch, then make both maps anew."""
        for optimiser in self.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = self.model.learning_rate * DECAY ** (number // DECAY_EPOCHS)
        sums: dict[str, torch.Tensor] = {}
        for rows in batches:
            for name, value in self.step(rows).items():
                sums[name] = sums[name] + value if name in sums else value
        self.refresh()
        return {name: value.item() / len(batches) for name, value in sums.items()}

    def step(self, rows: torch.Tensor) -> dict[str, torch.Tensor]:
        """Take a step with the critics, then one with the networks; return all terms, of which `loss` is the sum."""
        embedded = [self.networks["hash"](view, array[rows])[1:] for view, array in self.data.items()]
        features = [f for f, _ in embedded]
        criticised = self.critic_terms([f.detach() for f in features])
        self.optimisers[1].zero_grad()
        criticised["critics"].backward()
        self.optimisers[1].step()
        # The networks' step needs no gradient of the critics' weights.
        critics = self.networks["critics"].requires_grad_(False)
        weighted = self.terms(features, [h for _, h in embedded], self.codes[rows])
        loss = sum((weight * value for weight, value in weighted.values()), features[0].new_zeros(()))
        self.optimisers[0].zero_grad()
        loss.backward()
        self.optimisers[0].step()
        critics.requires_grad_(True)
        values = {name: value.detach() for name, (_, value) in weighted.items()}
        return {"loss": loss.detach(), **values} | {name: value.detach() for name, value in criticised.items()}

    def critic_terms(self, features: list[torch.Tensor]) -> dict[str, torch.Tensor]:
        """Loss of both critics, and how far apart they hold the views."""
        import torch

        found = []
        for place, critic in enumerate(self.networks["critics"].values()):
            # Randomness from the CPU.
            mixing = torch.rand(features[0].shape).to(features[0].device)
            found.append(class_codes.critic_loss(critic, features[place], features[1 - place], mixing))
        losses, distances = zip(*found, strict=True)
        return {"critics": torch.stack(losses).sum(), "critics_distance": -torch.stack(distances).sum()}

    def terms(
        self, features: list[torch.Tensor], outputs: list[torch.Tensor], codes: torch.Tensor
    ) -> dict[str, tuple[float, torch.Tensor]]:
        """Weight and value of every term of the networks' loss."""
        import torch
        from torch.nn.functional import binary_cross_entropy_with_logits, one_hot

        model = self.model
        map_of_codes = self.networks["hash"].code_map
        critics = list(self.networks["critics"].values())
        one, other = outputs
        terms: dict[str, tuple[float, list[torch.Tensor]]] = {
            "triplet": (1.0, [class_codes.triplet_loss(one, other, codes, model.margin)]),
            "balance": (model.balance, [class_codes.balance_loss(h) for h in outputs]),
            "code_map": (model.code_map, [class_codes.code_map_loss(h, map_of_codes, codes) for h in outputs]),
            "quantisation": (model.quantisation, [(h - class_codes.signs(h)).square().sum() for h in outputs]),
            "adversary": (model.adversary, [-critics[1 - place](f).mean() for place, f in enumerate(features)]),
        }
        if model.label:
            truth = one_hot(codes, len(map_of_codes)).float()
            logits = [self.networks["classifier"](f) for f in features]
            labels = [binary_cross_entropy_with_logits(each, truth, reduction="sum") for each in logits]
            terms["label"] = model.label, labels
        return {name: (weight, torch.stack(values).sum()) for name, (weight, values) in terms.items()}

    def refresh(self) -> None:
        """Make the features and the codes of the classes from all rows."""
        import torch
        from torch.nn.functional import normalize, one_hot

        network = self.networks["hash"].eval()
        outputs = []
        with torch.no_grad():
            belongs = one_hot(self.codes).float()
            sums = torch.zeros_like(network.feature_map)
            for view, array in self.data.items():
                parts = [network(view, rows) for rows in array.split(deep.BATCH)]
                sums += belongs.T @ torch.cat([plain for plain, _, _ in parts])
                outputs.append(torch.cat([h for _, _, h in parts]))
            network.feature_map.copy_(normalize(sums))
            network.code_map.copy_(class_codes.update_code_map(network.code_map, outputs, self.codes))
        network.train()


MODEL = AGAH
