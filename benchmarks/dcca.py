"""Deep CCA: whole trainings at VEGAS size by default, their objectives alone, and a plain loop as peer.

The networks are the dissertation's (chapter 4: 128, 128, 64, 64 and 512, 512, 256, 256), its batch 512. The peer is
deep CCA as public implementations write it: inverse square roots and singular values by `eigh` in float64, and a
gradient through them, with the same networks, batches, optimiser and ridge; one of its epochs is timed and multiplied.
Stopping early (`--epochs 5`) times that many of ours and multiplies, too.

    python benchmarks/dcca.py
    python benchmarks/dcca.py --epochs 5 --layers default
    python benchmarks/dcca.py --songs-only --song-epochs 10

For audio and lyrics it times 8,000 pairs of 200 and 300 columns in batches of 1,000: 1024-1024-32 in float32 and
128-64-10 in float64, 100 epochs each (`--song-epochs` runs fewer and multiplies). `user` and `system` are processor
seconds over all threads.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from _measure import arguments

from unisono import models
from unisono.models.parts import correlation, deep, objective
from unisono.models.parts.columns import standardisation

PUBLISHED = {"audio": [128, 128, 64, 64], "other": [512, 512, 256, 256]}
METHODS = ("dcca", "c_dcca", "s_dcca")
EPOCHS = 50
#: Epochs on audio and lyrics, and the layers by precision.
SONG_EPOCHS = 100
SONG_NETWORKS = {"single": [1024, 1024, 32], "double": [128, 64, 10]}


def views(n_items: int, widths: tuple[int, int]) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Two views of a shared latent of 16 dimensions around ten class centres, float32."""
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 10, n_items)
    latent = generator.standard_normal((10, 16))[labels] + generator.standard_normal((n_items, 16))
    made = {}
    for view, width in zip(("audio", "visual"), widths, strict=True):
        noise = generator.standard_normal((n_items, width))
        made[view] = (latent @ generator.standard_normal((16, width)) + noise).astype(np.float32)
    return made, labels


def plain_loss(X: torch.Tensor, Y: torch.Tensor, ridge: float) -> torch.Tensor:
    """Minus the trace norm, differentiated through three eigendecompositions."""
    X, Y = X.double().T, Y.double().T
    X, Y = X - X.mean(dim=1, keepdim=True), Y - Y.mean(dim=1, keepdim=True)
    n = X.shape[1]
    roots = []
    for H in (X, Y):
        S = H @ H.T / n
        values, vectors = torch.linalg.eigh(S + ridge * S.diagonal().mean() * torch.eye(len(S), dtype=S.dtype))
        roots.append(vectors @ torch.diag(values**-0.5) @ vectors.T)
    T = roots[0] @ (X @ Y.T / n) @ roots[1]
    T = T if len(T) <= T.shape[1] else T.T
    values = torch.linalg.eigvalsh(T @ T.T)
    return -torch.sqrt(values.clamp(min=1e-12)).sum()


def plain_epoch(arrays: dict[str, np.ndarray], layers: dict[str, list[int]], batch: int, ridge: float) -> None:
    """One epoch of the peer."""
    torch.manual_seed(0)
    networks = torch.nn.ModuleList(
        deep.perceptron(a.shape[1], deep.layers_of("dcca", layers, view), dropout=0.2, scale=standardisation(a))
        for view, a in arrays.items()
    )
    optimiser = torch.optim.RMSprop(networks.parameters(), lr=1e-3, alpha=0.9, eps=1e-7)
    x, y = (torch.as_tensor(array) for array in arrays.values())
    for rows in torch.randperm(len(x)).tensor_split(-(-len(x) // batch)):
        loss = plain_loss(networks[0](x[rows]), networks[1](y[rows]), ridge)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()


def seconds(function: Callable[[], object]) -> float:
    """Wall-clock time of one call."""
    start_s = time.perf_counter()
    function()
    return time.perf_counter() - start_s


def objectives_ms(widths: tuple[int, int], batch: int, runs: int) -> dict[str, float]:
    """Milliseconds of each method's objective with its gradient; the median of alternating runs."""
    generator = torch.Generator().manual_seed(0)
    X, Y = (torch.rand((batch, width), generator=generator).requires_grad_() for width in widths)
    codes = torch.randint(0, 10, (batch,), generator=generator)
    losses: dict[str, Callable[[], Any]] = {}
    for name in METHODS:
        model: Any = models.create(name)
        losses[name] = lambda model=model: -objective.correlation(X, Y, model._pairs(codes), ridge=0.1)
    losses["plain"] = lambda: plain_loss(X, Y, 0.1)
    times: dict[str, list[float]] = {name: [] for name in losses}
    for _ in range(runs):
        for name, loss in losses.items():
            times[name].append(seconds(lambda loss=loss: loss().backward()))
    return {name: 1000 * float(np.median(values)) for name, values in times.items()}


def time_songs(n_items: int, epochs: int, networks: dict[str, list[int]]) -> None:
    """Print what the networks for audio and lyrics cost, scaled to 100 epochs."""
    arrays, _ = views(n_items, (200, 300))
    for precision, layers in networks.items():
        params = {"n_components": min(10, layers[-1]), "layers": {"other": layers}, "precision": precision}
        spent = []
        # The difference of two fits is epochs alone.
        for run in (1, 1 + epochs):
            model: Any = models.create("dcca", **params, batch=1000, epochs=run, min_steps=0)
            model.device, model.progress = "cpu", False
            start, start_s = os.times(), time.perf_counter()
            model.fit(arrays)
            stop, stop_s = os.times(), time.perf_counter()
            spent.append(np.array([stop_s - start_s, stop.user - start.user, stop.system - start.system]))
        wall_s, user_s, system_s = SONG_EPOCHS / epochs * (spent[1] - spent[0])
        print(
            f"{'-'.join(map(str, layers))}, {precision}: {wall_s:.1f} s on the clock, {user_s:.1f} s user, "
            f"{system_s:.1f} s system for {SONG_EPOCHS} epochs of {n_items} pairs ({epochs} run)"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=22482, help="training items")
    parser.add_argument("--widths", type=int, nargs=2, default=(128, 1024), help="of the two views")
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="epochs to run; times are multiplied up to 50")
    parser.add_argument("--batch", type=int, default=512, help="rows per step at most")
    parser.add_argument("--layers", choices=("published", "default"), default="published")
    parser.add_argument("--runs", type=int, default=50, help="of each objective alone")
    parser.add_argument("--song-items", type=int, default=8000, help="pairs of audio and lyrics")
    parser.add_argument("--song-epochs", type=int, default=10, help="epochs to run on them; scaled to 100")
    parser.add_argument("--songs-only", action="store_true")
    tiny = {"song_items": 200, "song_epochs": 1}
    args = arguments(parser, items=120, widths=(24, 32), epochs=1, batch=64, layers="default", runs=1, **tiny)
    time_songs(args.song_items, args.song_epochs, SONG_NETWORKS)
    if args.songs_only:
        return
    arrays, labels = views(args.items, (args.widths[0], args.widths[1]))
    layers = PUBLISHED if args.layers == "published" else correlation.LAYERS
    first, second = (deep.layers_of("dcca", layers, view)[-1] for view in arrays)
    last = first, second
    print(f"{args.items} items, {args.widths[0]} and {args.widths[1]} wide, outputs {last[0]} and {last[1]}")
    found = objectives_ms(last, args.batch, args.runs)
    for name, value in found.items():
        print(f"{name:8s} objective {value:8.2f} ms   {value / found['dcca']:.2f} times dcca's")
    for name in METHODS:
        model = models.create(name, layers=layers, batch=args.batch, epochs=args.epochs, min_steps=0)
        model.device = "cpu"
        took_s = seconds(lambda model=model: model.fit(arrays, labels))
        print(f"{name:8s} {took_s * EPOCHS / args.epochs:8.1f} s for {EPOCHS} epochs ({args.epochs} run)")
    with deep.seeded(0, threads=2):
        peer_s = seconds(lambda: plain_epoch(arrays, layers, args.batch, 0.1))
    print(f"plain    {peer_s * EPOCHS:8.1f} s for {EPOCHS} epochs (1 run)")


if __name__ == "__main__":
    main()
