"""Posterior matching: time and memory at VEGAS size, and against scikit-learn's grid search over the same candidates.

The peer searches scaling, width and penalty of Nystroem features and ridge regression by five-fold cross-validation,
one view after the other, on fewer rows, and ends there: no calibration, no discriminant analysis, no further draws.

    python benchmarks/posterior.py
    python benchmarks/posterior.py --peer-items 0
"""

from __future__ import annotations

import argparse

import numpy as np
from _measure import arguments, cost
from kcca import classified, score
from sklearn.decomposition import PCA
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from unisono import metrics, models
from unisono.models.posterior import FEW_LANDMARKS, PENALTIES

SCALINGS = {"none": StandardScaler(with_std=False), "columns": StandardScaler(), "whitened": PCA(whiten=True)}


def search(rows: np.ndarray, labels: np.ndarray, widths: list[float]) -> GridSearchCV:
    """Choose a classifier of one view as one would with scikit-learn."""
    scaled = StandardScaler().fit_transform(rows)
    # Of standardised columns the squared distance of two rows is about twice their number.
    gammas = [width / (2 * scaled.shape[1]) for width in widths]
    steps = [
        ("scaling", StandardScaler()),
        ("kernel", Nystroem(n_components=min(FEW_LANDMARKS, 4 * len(rows) // 5), random_state=0)),
        ("ridge", RidgeClassifier()),
    ]
    grid = {"scaling": list(SCALINGS.values()), "kernel__gamma": gammas, "ridge__alpha": PENALTIES}
    return GridSearchCV(Pipeline(steps), grid, cv=5).fit(rows, labels)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=22482, help="training items of the full size")
    parser.add_argument("--peer-items", type=int, default=1000, help="training items for the peer; 0 = leave it out")
    parser.add_argument("--test-items", type=int, default=1000, help="ranked items")
    parser.add_argument("--widths", type=int, nargs=2, default=(128, 1024), help="of the two views")
    parser.add_argument("--runs", type=int, default=1, help="the fastest of these counts (of ours)")
    args = arguments(parser, items=200, peer_items=60, test_items=20, widths=(12, 16), runs=1)
    largest = max(args.items, args.peer_items)
    views, labels = classified(largest + args.test_items, *args.widths)
    test, truth = {view: array[largest:] for view, array in views.items()}, labels[largest:]

    def fit(name: str, n_items: int, **params: object) -> models.Aligner:
        train = {view: array[:n_items] for view, array in views.items()}
        return models.create(name, **params).fit(train, labels[:n_items])

    print(f"{args.items} items, {args.widths[0]} and {args.widths[1]} wide; MAP of {args.test_items} others")
    print(f"{'chance':28s} MAP {metrics.chance_map(truth, truth):.3f}")
    for name, params in (
        ("posterior", {}),
        ("posterior", {"lda": False}),
        ("semantic_matching", {"classifier": "lda", "similarity": "inner"}),
        ("c_cca", {"n_components": 9}),
    ):
        found = cost(lambda n=name, p=params: fit(n, args.items, **p), args.runs)
        label = " ".join([name, *(f"{key}={value}" for key, value in params.items() if key != "similarity")])
        print(f"{label:28s} MAP {score(found.result, test, truth):.3f} {found}", flush=True)
        if not params:
            for view, chosen in found.result.chosen_.items():
                print(f"    {view}: {chosen}")

    if not args.peer_items:
        return
    print(f"{args.peer_items} items")
    ours = cost(lambda: fit("posterior", args.peer_items), args.runs)
    print(f"{'posterior':28s} MAP {score(ours.result, test, truth):.3f} {ours}")
    widths = models.check_params("posterior", {})["widths"]
    peer = cost(lambda: [search(a[: args.peer_items], labels[: args.peer_items], widths) for a in views.values()])
    right = [f"{each.score(test[view], truth):.3f}" for view, each in zip(views, peer.result, strict=True)]
    print(f"{'GridSearchCV':28s} right {', '.join(right)} {peer}")
    print(f"GridSearchCV takes {peer.cpu_s / ours.cpu_s:.0f} times that of processor time")


if __name__ == "__main__":
    main()
