"""JointTrain: an epoch of `joint_dcca` on 20 x 646 matrices and 300-D vectors, and a plain loop in the same run.

Both have the stated network (3x3 convolutions of 16, 32 and 64 channels, windows 2x4, 2x4 and 1x4, 256-32 after them
and 256-32 on the vectors), the same batches, Adam and ridge, and start from the same weights; without dropout, so that
both have the same losses. The peer is what one writes first in torch: convolution, normalisation, ReLU and pooling in
turn, and inverse square roots and singular values by `eigh` and `svd` with a gradient through them. `user` and
`system` are processor seconds over all threads; the kernel spends the latter on the pages of large temporary arrays.

    python benchmarks/joint_dcca.py
    python benchmarks/joint_dcca.py --items 8000 --epochs 2 --peer-epochs 0
    python benchmarks/joint_dcca.py --audio-branch recurrent --frames 10 --features 200
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _measure import arguments, cost
from torch import nn
from torch.nn import functional

from unisono import models
from unisono.models.parts import deep
from unisono.models.parts.columns import standardisation
from unisono.models.parts.convolutions import POOLS

#: What an epoch is scaled to.
PAIRS = 8000
RIDGE = 0.1


def views(n_items: int, features: int, frames: int) -> dict[str, np.ndarray]:
    """Noise in which a slow wave of an item's own frequency and a vector share three numbers."""
    generator = np.random.default_rng(0)
    latent = generator.standard_normal((n_items, 3)).astype(np.float32)
    time = np.arange(frames, dtype=np.float32) / frames
    sound = generator.standard_normal((n_items, frames, features), dtype=np.float32)
    for row in range(n_items):
        sound[row] += np.sin(40 * (1.5 + np.tanh(latent[row, 0])) * time + latent[row, 1])[:, None]
        sound[row, :, 0] *= 1 + np.tanh(latent[row, 2])
    words = latent @ generator.standard_normal((3, 300), dtype=np.float32)
    return {"audio": sound, "lyrics": words + generator.standard_normal((n_items, 300), dtype=np.float32)}


class Plain(nn.Module):
    """The peer's network of the matrices."""

    def __init__(self, channels: list[int], head: nn.Module) -> None:
        super().__init__()
        sizes = [1, *channels]
        self.convolutions = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1, bias=False) for a, b in pairwise(sizes))
        self.norms = nn.ModuleList(nn.BatchNorm2d(size) for size in channels)
        self.head = head

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """From (n, features, frames) to vectors."""
        x = x[:, None]
        for convolution, norm, pool in zip(self.convolutions, self.norms, POOLS, strict=True):
            x = functional.max_pool2d(functional.relu(norm(convolution(x))), pool)
        vectors: torch.Tensor = self.head(torch.cat([x.mean(dim=(2, 3)), x.amax(dim=(2, 3))], dim=1))
        return vectors


def plain_loss(X: torch.Tensor, Y: torch.Tensor) -> torch.Tensor:
    """Minus the sum of the canonical correlations, differentiated through two eigendecompositions and an SVD."""
    X, Y = (H.double() - H.double().mean(dim=0) for H in (X, Y))
    roots = []
    for H in (X, Y):
        S = H.T @ H / len(H)
        values, vectors = torch.linalg.eigh(S + RIDGE * S.diagonal().mean() * torch.eye(len(S), dtype=S.dtype))
        roots.append(vectors @ torch.diag(values**-0.5) @ vectors.T)
    return -torch.linalg.svd(roots[0] @ (X.T @ Y / len(X)) @ roots[1])[1].sum()


def plain_epochs(arrays: dict[str, np.ndarray], model: Any, networks: Any, epochs: int) -> list[float]:
    """Train from the weights of our networks; return the loss of each epoch."""
    sound, words = arrays.values()
    with torch.random.fork_rng():
        peer = nn.ModuleList([Plain(model.channels, networks[0].head), networks[1]])
    peer[0].load_state_dict({k: v for k, v in networks[0].state_dict().items() if k not in ("mean", "deviation")})
    mean, deviation = standardisation(sound.reshape(-1, sound.shape[-1]))
    optimiser = torch.optim.Adam(peer.parameters(), lr=model.learning_rate)
    losses = []
    for _ in range(epochs):
        found = []
        for rows in torch.randperm(len(sound)).tensor_split(-(-len(sound) // model.batch)):
            batch = np.stack([(sound[row] - mean) / deviation for row in rows]).transpose(0, 2, 1)
            x = torch.from_numpy(np.ascontiguousarray(batch, dtype=np.float32))
            y = torch.from_numpy(np.stack([words[row] for row in rows]))
            loss = plain_loss(peer[0](x), peer[1](y))
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            found.append(loss.item())
        losses.append(float(np.mean(found)))
    return losses


@contextmanager
def counted() -> Iterator[dict[str, float]]:
    """Count user and system seconds of a block."""
    found: dict[str, float] = {}
    before = os.times()
    yield found
    after = os.times()
    found |= {"user": after.user - before.user, "system": after.system - before.system}


def peak_gib() -> float:
    """Largest resident set of this process since `cost` last set it back."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.partition("VmHWM:")[2].split()[0]) / 2**20


def report(name: str, spent: dict[str, float], memory_gib: float, losses: list[float]) -> None:
    """Print what an epoch cost."""
    seconds = f"{spent['user']:7.1f} s user, {spent['system']:5.1f} s system an epoch"
    print(f"{name} {seconds}; {memory_gib:.2f} GiB above the input; losses", *(f"{loss:.6f}" for loss in losses))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=2000, help="pairs; seconds are scaled to 8,000")
    parser.add_argument("--frames", type=int, default=646)
    parser.add_argument("--features", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=2, help="epochs of ours")
    parser.add_argument("--peer-epochs", type=int, default=1, help="epochs of the plain loop; 0: not run")
    parser.add_argument("--batch", type=int, default=1000)
    parser.add_argument("--channels", type=int, nargs=3, default=[16, 32, 64])
    parser.add_argument("--audio-branch", choices=("convolutions", "recurrent"), default="convolutions")
    args = arguments(parser, items=60, frames=70, epochs=2, peer_epochs=2, batch=30, channels=[4, 4, 8])
    n_components = 8 if args.smoke else 32
    arrays = views(args.items, args.features, args.frames)
    params = {
        "n_components": n_components,
        "layers": {"other": [256, n_components]},
        "batch": args.batch,
        "channels": args.channels,
        "audio_branch": args.audio_branch,
        "ridge": RIDGE,
        "dropout": 0.0,
        "min_steps": 0,
    }
    scale = PAIRS / args.items

    def train(epochs: int) -> Callable[[], Any]:
        model: Any = models.create("joint_dcca", epochs=epochs, **params)
        model.device, model.progress = "cpu", False
        return lambda: model.fit(arrays)

    print(f"{args.items} pairs of {args.features} x {args.frames} and 300, batches of {args.batch}; scaled to {PAIRS}")
    # What is loaded and compiled at the first call is nobody's epoch.
    models.create("joint_dcca", epochs=1, **params).fit({view: array[:50] for view, array in arrays.items()})
    # The difference of two fits is epochs alone, without preparing, settling and the closing CCA.
    with counted() as short:
        train(1)()
    with counted() as long:
        ours = cost(train(1 + args.epochs))
    took = {name: scale * (long[name] - short[name]) / args.epochs for name in long}
    report("joint_dcca", took, ours.memory_gib, losses := [epoch["loss"] for epoch in ours.result.history_])
    print(f"{'':10s} {scale * long['user']:7.1f} s user for a whole fit of {1 + args.epochs} epochs")
    print(f"{'':10s} {peak_gib():.2f} GiB at most of the whole process, input and libraries included")
    if not args.peer_epochs or args.audio_branch != "convolutions":
        return
    with deep.seeded(0):
        model: Any = models.create("joint_dcca", **params)
        model.widths_ = {view: array.shape[-1] for view, array in arrays.items()}
        inputs = [model._inputs(view, array, None) for view, array in arrays.items()]
        networks = nn.ModuleList(model._network(view, array) for view, array in zip(arrays, inputs, strict=True))
        del inputs
        with counted() as plain:
            peer = cost(lambda: plain_epochs(arrays, model, networks, args.peer_epochs))
    spent = {name: scale * plain[name] / args.peer_epochs for name in plain}
    report("plain loop", spent, peer.memory_gib, peer.result)
    if not args.smoke:
        every = sum(spent.values()) / sum(took.values())
        print(f"ratio      {spent['user'] / took['user']:.2f} times by user seconds, {every:.2f} by all")
    away = max(abs(a - b) for a, b in zip(losses, peer.result, strict=False))
    print(f"losses differ by {away:.1e} at most (bound 1e-3 of {abs(losses[0]):.2f})")
    if away > 1e-3 * max(abs(losses[0]), 1):
        raise SystemExit("joint_dcca and the plain loop do not have the same losses")


if __name__ == "__main__":
    main()
