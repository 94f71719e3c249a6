"""CCA and C-CCA: against CCA's three matrix products alone and scikit-learn's CCA, at VEGAS size by default.

scikit-learn, the peer, is a dependency already. It takes minutes at full size; `--peer-items 0` leaves it out.

    python benchmarks/cca.py
    python benchmarks/cca.py --items 2000 --peer-items 2000
"""

from __future__ import annotations

import argparse
import warnings

import numpy as np
from _measure import arguments, cost
from sklearn.cross_decomposition import CCA

from unisono import models

CLASSES = 10


def classified(n_items: int, audio: int, visual: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Two views, float32, of a latent of 16 dimensions around the centres of ten classes."""
    generator = np.random.default_rng(0)
    labels = np.arange(n_items) % CLASSES
    latent = generator.standard_normal((CLASSES, 16))[labels] + generator.standard_normal((n_items, 16))
    made = {}
    for view, width in (("audio", audio), ("visual", visual)):
        noise = generator.standard_normal((n_items, width))
        made[view] = (latent @ generator.standard_normal((16, width)) + noise).astype(np.float32)
    return made, labels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=22482, help="training items")
    parser.add_argument("--peer-items", type=int, default=22482, help="training items for scikit-learn")
    parser.add_argument("--widths", type=int, nargs=2, default=(128, 1024), help="of the two views")
    parser.add_argument("--components", type=int, default=10, help="width of the shared space")
    parser.add_argument("--runs", type=int, default=5, help="the fastest of these counts (of ours)")
    args = arguments(parser, items=200, peer_items=60, widths=(12, 16), runs=1)
    # With ten classes, C-CCA says that its tenth component carries no class covariance.
    warnings.simplefilter("ignore", UserWarning)
    views, labels = classified(max(args.items, args.peer_items), *args.widths)
    k = args.components

    def fit(name: str, n_items: int, **params: object) -> models.Aligner:
        train = {view: array[:n_items] for view, array in views.items()}
        return models.create(name, n_components=k, **params).fit(train, labels[:n_items])

    print(f"{args.items} items, {args.widths[0]} and {args.widths[1]} wide, {k} components")
    X, Y = (array[: args.items].astype(np.float64) for array in views.values())
    products = cost(lambda: (X.T @ X, Y.T @ Y, X.T @ Y), args.runs)
    ours = cost(lambda: fit("cca", args.items), args.runs)
    print(f"three products alone     {products}")
    print(f"cca                      {ours}  {ours.wall_s / products.wall_s:.2f} times the products")
    for options in ({}, {"pairs": "half"}, {"beta": 0.2}):
        clustered = cost(lambda o=options: fit("c_cca", args.items, **o), args.runs)
        label = "c_cca " + "".join(f"{key}={value}" for key, value in options.items())
        print(f"{label:24s} {clustered}  {clustered.wall_s / ours.wall_s:.2f} times cca")
    if args.peer_items:
        peer_views = [array[: args.peer_items].astype(np.float64) for array in views.values()]
        peer = cost(lambda: CCA(n_components=k).fit(*peer_views))
        same = cost(lambda: fit("cca", args.peer_items), args.runs)
        print(
            f"scikit-learn             {peer}  at {args.peer_items} items: {peer.wall_s / same.wall_s:.0f} times ours"
        )


if __name__ == "__main__":
    main()
