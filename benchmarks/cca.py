"""CCA: ours against its three matrix products alone, and against scikit-learn, at VEGAS size by default.

Wall-clock time of the fastest of some runs. scikit-learn takes minutes at full size; `--peer-items 0` leaves it out.

    python benchmarks/cca.py
    python benchmarks/cca.py --items 2000 --peer-items 2000
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable

import numpy as np
from sklearn.cross_decomposition import CCA

from unisono import models


def best_of(runs: int, function: Callable[[], object]) -> float:
    """Seconds of the fastest of some runs."""
    times = []
    for _ in range(runs):
        start_s = time.perf_counter()
        function()
        times.append(time.perf_counter() - start_s)
    return min(times)


def views(n_items: int, audio: int, visual: int) -> tuple[np.ndarray, np.ndarray]:
    """Two views of a shared latent of 16 dimensions, float32."""
    generator = np.random.default_rng(0)
    latent = generator.standard_normal((n_items, 16))
    made = []
    for width in (audio, visual):
        noise = generator.standard_normal((n_items, width))
        made.append((latent @ generator.standard_normal((16, width)) + noise).astype(np.float32))
    return made[0], made[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=22482, help="training items")
    parser.add_argument("--peer-items", type=int, default=22482, help="training items for scikit-learn")
    parser.add_argument("--widths", type=int, nargs=2, default=(128, 1024), help="of the two views")
    parser.add_argument("--components", type=int, default=10, help="width of the shared space")
    parser.add_argument("--runs", type=int, default=3, help="the fastest of these counts (of ours)")
    args = parser.parse_args()
    x, y = views(args.items, *args.widths)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    ours_s = best_of(
        args.runs, lambda: models.create("cca", n_components=args.components).fit({"audio": x, "visual": y})
    )
    memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 2**20
    X, Y = x.astype(np.float64), y.astype(np.float64)
    products_s = best_of(args.runs, lambda: (X.T @ X, Y.T @ Y, X.T @ Y))
    print(f"{args.items} items, {args.widths[0]} and {args.widths[1]} wide, {args.components} components")
    print(f"ours                  {ours_s:8.2f} s   {memory:.2f} GiB above the input")
    print(f"three products alone  {products_s:8.2f} s   ours takes {ours_s / products_s:.2f} times that")
    if args.peer_items:
        part = slice(args.peer_items)
        peer = CCA(n_components=args.components, max_iter=500)
        peer_s = best_of(1, lambda: peer.fit(x[part].astype(np.float64), y[part].astype(np.float64)))
        same_s = best_of(
            args.runs,
            lambda: models.create("cca", n_components=args.components).fit({"audio": x[part], "visual": y[part]}),
        )
        print(f"scikit-learn          {peer_s:8.2f} s   at {args.peer_items} items: {peer_s / same_s:.0f} times ours")


if __name__ == "__main__":
    main()
