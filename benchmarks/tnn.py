"""TNN-C-CCA at VEGAS size: one fold, five folds on two cores, and the same training with a peer's triplet loss.

The peer is pytorch-metric-learning's TripletMarginLoss (cosine, all triplets of the batch, mean over those that are not
zero) on the same projections, networks and batches, in two loops: the plain one of torch's documentation (nn.Dropout,
Adam as it comes), and ours, where the loss alone differs. Both losses agree on a batch before anything is timed. One
thread per process. Seconds on the clock and, for one process, of its processor time, which other work on the machine
sways less.

    pip install --no-deps --target /tmp/peers pytorch-metric-learning
    PYTHONPATH=/tmp/peers python benchmarks/tnn.py --folds 5
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import torch
from _measure import arguments
from pytorch_metric_learning.distances import CosineSimilarity
from pytorch_metric_learning.losses import TripletMarginLoss

from unisono import models
from unisono.models.parts import deep, triplet_network, triplets

MARGIN = 0.5
DROPOUT = 0.2

Loss = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
#: On the clock, and of processor time.
Seconds = np.ndarray


def clocks() -> Seconds:
    """Read both clocks."""
    return np.array([time.perf_counter(), time.process_time()])


def views(n_items: int, audio: int, visual: int, seed: int = 0) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Two views of ten classes, whose means lie in a shared latent of 16 dimensions; float32."""
    generator = np.random.default_rng(seed)
    labels = np.arange(n_items) % 10
    latent = generator.standard_normal((10, 16))[labels] + generator.standard_normal((n_items, 16))
    made = {}
    for name, width in (("audio", audio), ("visual", visual)):
        made[name] = latent @ generator.standard_normal((16, width)) + 4 * generator.standard_normal((n_items, width))
    return {name: array.astype(np.float32) for name, array in made.items()}, labels


def model(args: argparse.Namespace, fold: int) -> models.Aligner:
    """Make the model of a fold."""
    made = models.create("tnn_c_cca", seed=fold, batches=args.batches, epochs=args.epochs, min_steps=0, margin=MARGIN)
    made.progress = False
    made.device = "cpu"
    return made


def fit_fold(args: argparse.Namespace, fold: int) -> Seconds:
    """Train on a fold's rows; return the seconds of the training alone."""
    data, labels = views(args.items, *args.widths, seed=fold)
    start = clocks()
    model(args, fold).fit(data, labels)
    return clocks() - start


def our_loss(anchors: torch.Tensor, others: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
    """Batch-all, as `models.tnn` has it."""
    distances = triplets.cosine(anchors, others)
    sides = triplets.candidates(codes, own_pair=False)
    return triplets.hinge(distances, triplets.batch_all(distances.detach(), *sides, MARGIN), MARGIN)[0]


def peer_loss() -> Loss:
    """Make the peer's batch-all; given one label tensor twice, it leaves the anchor's own pair out, as we do."""
    triplet = TripletMarginLoss(margin=MARGIN, distance=CosineSimilarity())
    return lambda anchors, others, codes: triplet(anchors, codes, ref_emb=others, ref_labels=codes)


def plain_network(widths: list[int], scale: tuple[np.ndarray, np.ndarray]) -> torch.nn.Sequential:
    """Build the network of plain modules; standardisation is that of ours."""
    parts: list[torch.nn.Module] = [deep.perceptron(len(scale[0]), [], scale=scale)]
    width = len(scale[0])
    for size in widths[:-1]:
        parts += [torch.nn.Linear(width, size), torch.nn.Tanh(), torch.nn.Dropout(DROPOUT)]
        width = size
    return torch.nn.Sequential(*parts, torch.nn.Linear(width, widths[-1]), torch.nn.Sigmoid())


def peer_fold(args: argparse.Namespace, *, plain: bool) -> Seconds:
    """Train as `fit_fold` does, with the peer's loss; return the seconds."""
    data, labels = views(args.items, *args.widths)
    loss = peer_loss()
    start = clocks()
    projected = models.create("c_cca").fit(data, labels).transform(data)
    n_batches, size = triplets.batch_shape("tnn", args.items, 0, args.batches)
    with deep.seeded(0):
        networks = torch.nn.ModuleDict()
        for view, array in projected.items():
            widths, scale = deep.layers_of("tnn", triplet_network.LAYERS, view), deep.standardisation(array)
            if plain:
                networks[view] = plain_network(widths, scale)
            else:
                networks[view] = deep.perceptron(array.shape[1], widths, dropout=DROPOUT, scale=scale)
        inputs = {view: torch.as_tensor(array) for view, array in projected.items()}
        classes = torch.as_tensor(labels)
        optimiser = torch.optim.Adam(networks.parameters(), lr=1e-3, fused=None if plain else True)
        for _ in range(args.epochs):
            for rows in triplets.balanced_batches(labels, n_batches, size):
                anchors, others = (networks[view](array[rows]) for view, array in inputs.items())
                value = loss(anchors, others, classes[rows])
                optimiser.zero_grad()
                value.backward()
                optimiser.step()
    return clocks() - start


def loss_alone(loss: Loss, size: int, runs: int = 300) -> Seconds:
    """Seconds of loss and gradient of a batch."""
    torch.manual_seed(0)
    codes = torch.arange(size) % 10
    anchors, others = (torch.rand(size, 10).requires_grad_() for _ in range(2))
    start = clocks()
    for _ in range(runs):
        loss(anchors, others, codes).backward()
    return (clocks() - start) / runs


def check_losses() -> None:
    """Stop if the two losses or their gradients differ on a batch."""
    torch.manual_seed(0)
    codes = torch.arange(56) % 10
    found = []
    anchors, others = (torch.rand(56, 10, dtype=torch.float64).requires_grad_() for _ in range(2))
    for loss in (our_loss, peer_loss()):
        value = loss(anchors, others, codes)
        found.append([value, *torch.autograd.grad(value, [anchors, others])])
    for ours, peers in zip(*found, strict=True):
        torch.testing.assert_close(ours, peers, rtol=1e-6, atol=1e-9)


def pooled(args: argparse.Namespace, n_folds: int) -> float:
    """Wall-clock seconds of some folds on two processes, their start included."""
    start_s = time.perf_counter()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(2, n_folds), mp_context=context) as pool:
        list(pool.map(fit_fold, [args] * n_folds, range(n_folds)))
    return time.perf_counter() - start_s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=22482, help="training items of a fold")
    parser.add_argument("--widths", type=int, nargs=2, default=(128, 1024), help="of the two views")
    parser.add_argument("--batches", type=int, default=400, help="of an epoch")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--folds", type=int, default=5, help="in parallel; 0 leaves this out")
    args = arguments(parser, items=120, widths=(12, 16), batches=2, epochs=1, folds=2)
    torch.set_num_threads(1)
    check_losses()
    # The first training of a process pays for imports.
    fit_fold(argparse.Namespace(items=600, widths=(20, 20), batches=10, epochs=1), 0)
    print(f"{args.items} items, {args.widths[0]} and {args.widths[1]} wide, {args.epochs} x {args.batches} batches")
    rows = {
        "one fold": (
            fit_fold(args, 0),
            {"plain loop": peer_fold(args, plain=True), "our loop": peer_fold(args, plain=False)},
        ),
        "loss alone, 1000 batches": (
            1000 * loss_alone(our_loss, args.items // args.batches),
            {"": 1000 * loss_alone(peer_loss(), args.items // args.batches)},
        ),
    }
    for what, (ours, peers) in rows.items():
        print(f"{what + ', ours':45}{ours[0]:8.1f} s {ours[1]:8.1f} s of processor time")
        for how, peer in peers.items():
            label = f"{what}, peer{how and f' ({how})'}"
            factors = peer / ours
            print(f"{label:45}{peer[0]:8.1f} s {peer[1]:8.1f} s   {factors[0]:.2f}, {factors[1]:.2f} times ours")
    if args.folds:
        one_s, all_s = pooled(args, 1), pooled(args, args.folds)
        print(f"{'one fold, own process':45}{one_s:8.1f} s")
        print(f"{f'{args.folds} folds, two processes':45}{all_s:8.1f} s   {all_s / one_s:.2f} times one")


if __name__ == "__main__":
    main()
