"""KCCA and C-KCCA: time and memory at VEGAS size, and against the exact solution and cca_zoo where those run.

Random features of ten classes: class centres, and a latent that an item's two views share, both bent by a random
layer of tanh. cca_zoo is no dependency of unisono; install it beside the environment and put it on the path:

    pip install --no-deps --target /tmp/peers cca_zoo
    PYTHONPATH=/tmp/peers python benchmarks/kcca.py

Without it that line is left out.
"""

from __future__ import annotations

import argparse
import warnings

import numpy as np
from _measure import arguments, cost
from sklearn.metrics.pairwise import rbf_kernel

from unisono import metrics, models

CLASSES = 10


def classified(n_items: int, audio: int, visual: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Two views, float32, of items in ten classes."""
    generator = np.random.default_rng(0)
    labels = np.arange(n_items) % CLASSES
    latent = generator.standard_normal((CLASSES, 16))[labels] + generator.standard_normal((n_items, 16))
    views = {}
    for view, width in (("audio", audio), ("visual", visual)):
        bent = np.tanh(latent @ generator.standard_normal((16, 64)) / 4)
        noise = 2 * generator.standard_normal((n_items, width))
        views[view] = (bent @ generator.standard_normal((64, width)) / 4 + noise).astype(np.float32)
    return views, labels


def score(model: models.Aligner, views: dict[str, np.ndarray], labels: np.ndarray) -> float:
    """MAP, mean of both directions."""
    found = model.transform(views)
    one, two = found["audio"], found["visual"]
    return float(np.mean([metrics.mean_average_precision(*pair, labels, labels) for pair in ((one, two), (two, one))]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=22482, help="training items of the full size")
    parser.add_argument("--exact-items", type=int, default=4000, help="training items of the exact solution")
    parser.add_argument("--peer-items", type=int, default=2000, help="training items for cca_zoo; 0 = leave it out")
    parser.add_argument("--test-items", type=int, default=1000, help="ranked items")
    parser.add_argument("--widths", type=int, nargs=2, default=(128, 1024), help="of the two views")
    parser.add_argument("--runs", type=int, default=2, help="the fastest of these counts (of ours)")
    args = arguments(parser, items=120, exact_items=60, peer_items=40, test_items=20, widths=(12, 16), runs=1)
    warnings.simplefilter("ignore", UserWarning)
    largest = max(args.items, args.exact_items, args.peer_items)
    views, labels = classified(largest + args.test_items, *args.widths)
    test = {view: array[largest:] for view, array in views.items()}
    truth = labels[largest:]

    def fit(name: str, n_items: int, **params: object) -> models.Aligner:
        train = {view: array[:n_items] for view, array in views.items()}
        return models.create(name, **params).fit(train, labels[:n_items])

    print(f"{args.items} items, {args.widths[0]} and {args.widths[1]} wide; MAP of {args.test_items} others")
    print(f"{'chance':24s} MAP {metrics.chance_map(truth, truth):.3f}")
    for name in ("kcca", "c_kcca"):
        for kind in ("nystroem", "random_features"):
            options = {"approximation": kind, "exact_up_to": 0}
            full = cost(lambda n=name, o=options: fit(n, args.items, **o), args.runs)
            print(f"{name + ' ' + kind:24s} MAP {score(full.result, test, truth):.3f} {full}")

    print(f"{args.exact_items} items")
    for name in ("kcca", "c_kcca"):
        exact = cost(lambda n=name: fit(n, args.exact_items, exact_up_to=args.exact_items))
        best = score(exact.result, test, truth)
        print(f"{name + ' exact':24s} MAP {best:.3f} {exact}")
        for kind in ("nystroem", "random_features"):
            options = {"approximation": kind, "exact_up_to": 0}
            near = cost(lambda n=name, o=options: fit(n, args.exact_items, **o), args.runs)
            found = score(near.result, test, truth)
            print(f"{name + ' ' + kind:24s} MAP {found:.3f} {near}  {found - best:+.3f} from exact")

    if not args.peer_items:
        return
    try:
        from cca_zoo.nonparametric import KCCA
    except ImportError:
        print("cca_zoo is not installed: see the top of this file")
        return
    print(f"{args.peer_items} items")
    ours = cost(lambda: fit("kcca", args.peer_items, exact_up_to=0), args.runs)
    exact = cost(lambda: fit("kcca", args.peer_items, exact_up_to=args.peer_items))
    # The same kernels and the same ridge, which cca_zoo counts from the kernel's uncentred scale.
    train = [views[view][: args.peer_items].astype(np.float64) for view in views]
    gamma = [0.5 / exact.result.arrays_[f"{view}.width"][0] ** 2 for view in views]
    ridges = [exact.result.ridge * (1 - rbf_kernel(x, gamma=g).mean()) for x, g in zip(train, gamma, strict=True)]
    peer = KCCA(n_components=10, kernel="rbf", gamma=gamma, shrinkage=[ridge / (1 + ridge) for ridge in ridges])
    theirs = cost(lambda: peer.fit(train))
    pair = peer.transform([test[view].astype(np.float64) for view in views])
    found = np.mean([metrics.mean_average_precision(*p, truth, truth) for p in (pair, pair[::-1])])
    print(f"{'cca_zoo':24s} MAP {found:.3f} {theirs}")
    for name, mine in (("kcca nystroem", ours), ("kcca exact", exact)):
        print(
            f"{name:24s} MAP {score(mine.result, test, truth):.3f} {mine}  "
            f"cca_zoo takes {theirs.wall_s / mine.wall_s:.0f} times that ({theirs.cpu_s / mine.cpu_s:.0f} of processor)"
        )


if __name__ == "__main__":
    main()
