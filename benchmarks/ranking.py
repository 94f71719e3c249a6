"""Mean average precision: ours against scikit-learn's and torchmetrics' in the same run, and its memory at full size.

scikit-learn's and torchmetrics' average precision are called query by query, after one matrix product: torchmetrics'
`RetrievalMAP`, which sorts all pairs first, is slower than its function. torchmetrics takes a hit whose score is 0 or
below for a miss, so it gets the cosines plus 1.5. It is no dependency of ours; a folder of its own holds it:

    pip install --no-deps --target /tmp/peers torchmetrics lightning-utilities
    PYTHONPATH=/tmp/peers python benchmarks/ranking.py               # 5,621 queries, as in a fold of VEGAS
    python benchmarks/ranking.py --items 28103 --peer-items 0        # all of VEGAS, time and memory
"""

from __future__ import annotations

import argparse
import importlib.util
import resource
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from _measure import arguments

from unisono import metrics

Embeddings = tuple[np.ndarray, np.ndarray, np.ndarray]


def cosines(queries: np.ndarray, gallery: np.ndarray) -> np.ndarray:
    q, g = (array / np.linalg.norm(array, axis=1, keepdims=True) for array in (queries, gallery))
    return np.asarray(q @ g.T)


def with_scikit_learn(queries: np.ndarray, gallery: np.ndarray, labels: np.ndarray) -> float:
    from sklearn.metrics import average_precision_score

    scores = cosines(queries, gallery)
    return float(
        np.mean([average_precision_score(labels == own, row) for own, row in zip(labels, scores, strict=True)])
    )


def with_torchmetrics(queries: np.ndarray, gallery: np.ndarray, labels: np.ndarray) -> float:
    import torch
    from torchmetrics.functional.retrieval import retrieval_average_precision

    scores, classes = torch.from_numpy(cosines(queries, gallery) + np.float32(1.5)), torch.from_numpy(labels)
    found = [retrieval_average_precision(row, classes == own) for own, row in zip(classes, scores, strict=True)]
    return float(torch.stack(found).mean())


def resident_mib() -> float:
    """Memory of this process now."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 2**10


def timed(function: Callable[[], float]) -> tuple[float, float]:
    """Seconds and value."""
    start_s = time.perf_counter()
    value = function()
    return time.perf_counter() - start_s, value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=5621, help="queries, and size of the gallery")
    parser.add_argument("--peer-items", type=int, default=5621, help="the same for the peers; 0 leaves them out")
    parser.add_argument("--components", type=int, default=10, help="width of the embeddings")
    args = arguments(parser, items=60, peer_items=40)
    generator = np.random.default_rng(0)
    queries = generator.standard_normal((args.items, args.components)).astype(np.float32)
    gallery = queries + generator.standard_normal(queries.shape).astype(np.float32)
    labels = generator.integers(10, size=args.items)
    before = resident_mib()
    print(f"{args.items} queries against {args.items}, {args.components} components")
    for name, measure in (
        ("mean average precision", lambda: metrics.mean_average_precision(queries, gallery, labels, labels)),
        ("precision-recall curve", lambda: metrics.precision_recall_curve(queries, gallery, labels, labels)[0][0]),
        ("ranks", lambda: metrics.ranks(queries, gallery)[0]),
    ):
        seconds, _ = timed(measure)
        print(f"{name:24s}{seconds:8.2f} s")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    print(f"at most {peak - before:.0f} MiB above the input")
    if args.peer_items:
        part: Embeddings = queries[: args.peer_items], gallery[: args.peer_items], labels[: args.peer_items]
        ours_s, ours = timed(lambda: metrics.mean_average_precision(*part, part[2]))
        print(f"{args.peer_items} queries against {args.peer_items}: ours {ours_s:.2f} s")
        for name, module, peer in (
            ("scikit-learn", "sklearn", with_scikit_learn),
            ("torchmetrics", "torchmetrics", with_torchmetrics),
        ):
            if importlib.util.find_spec(module) is None:
                print(f"{name}: not installed; see the first lines of this script")
                continue
            peer(*(array[:50] for array in part))  # imports are not counted
            peer_s, theirs = timed(lambda peer=peer: peer(*part))
            print(f"{name:14s}{peer_s:6.2f} s, {peer_s / ours_s:.1f} times ours; difference {abs(ours - theirs):.1e}")


if __name__ == "__main__":
    main()
