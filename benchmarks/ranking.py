"""Mean average precision: ours against scikit-learn's average precision per query, in the same run.

python benchmarks/ranking.py                # 5,621 queries, as in a fold of VEGAS
python benchmarks/ranking.py --items 28103 --peer-items 0
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np
from sklearn.metrics import average_precision_score

from unisono import metrics


def peer(queries: np.ndarray, gallery: np.ndarray, labels: np.ndarray) -> float:
    """Compute the measure with scikit-learn."""
    q, g = (array / np.linalg.norm(array, axis=1, keepdims=True) for array in (queries, gallery))
    scores = q @ g.T
    found = [average_precision_score(labels == label, row) for label, row in zip(labels, scores, strict=True)]
    return float(np.mean(found))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=5621, help="queries, and size of the gallery")
    parser.add_argument("--peer-items", type=int, default=5621, help="the same for scikit-learn; 0 leaves it out")
    parser.add_argument("--components", type=int, default=10, help="width of the embeddings")
    args = parser.parse_args()
    generator = np.random.default_rng(0)
    queries = generator.standard_normal((args.items, args.components)).astype(np.float32)
    gallery = queries + generator.standard_normal(queries.shape).astype(np.float32)
    labels = generator.integers(10, size=args.items)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for name, measure in (
        ("mean average precision", lambda: metrics.mean_average_precision(queries, gallery, labels, labels)),
        ("precision-recall curve", lambda: metrics.precision_recall_curve(queries, gallery, labels, labels)),
        ("ranks", lambda: metrics.ranks(queries, gallery)),
    ):
        start_s = time.perf_counter()
        measure()
        print(f"{name:24s}{time.perf_counter() - start_s:8.2f} s")
    memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 2**20
    print(f"{args.items} against {args.items}: {memory:.2f} GiB above the input")
    if args.peer_items:
        part = queries[: args.peer_items], gallery[: args.peer_items], labels[: args.peer_items]
        start_s = time.perf_counter()
        ours = metrics.mean_average_precision(*part, part[2])
        ours_s = time.perf_counter() - start_s
        start_s = time.perf_counter()
        theirs = peer(*part)
        peer_s = time.perf_counter() - start_s
        print(f"scikit-learn {peer_s:.2f} s, {peer_s / ours_s:.1f} times ours; difference {abs(ours - theirs):.1e}")


if __name__ == "__main__":
    main()
