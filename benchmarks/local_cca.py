"""local_cca: against CCA on the explicit list of all rows with their neighbours, at the size of MTM by default.

The list is what the method stands for: every row of every item with its neighbours, standardised, as one matrix per
view, and numpy's covariances and singular values of it. How far the correlations of both differ is printed.

    python benchmarks/local_cca.py
    python benchmarks/local_cca.py --items 632
"""

from __future__ import annotations

import argparse

import numpy as np
from _measure import arguments, cost

from unisono import models

CONTEXT, RIDGE = 2, 0.03


def sequences(n_items: int, rows: int, widths: tuple[int, int]) -> dict[str, np.ndarray]:
    """Two views, float32, of 16 numbers a row with noise."""
    generator = np.random.default_rng(0)
    latent = generator.standard_normal((n_items, rows, 16), dtype=np.float32)
    made = {}
    for view, width in zip(("audio", "sheet"), widths, strict=True):
        made[view] = latent @ generator.standard_normal((16, width), dtype=np.float32)
        made[view] += generator.standard_normal((n_items, rows, width), dtype=np.float32)
    return made


def listed(array: np.ndarray) -> np.ndarray:
    """List every row among its neighbours, zeros beyond the ends, columns standardised and at most 64 of them."""
    n_items, rows, width = array.shape
    flat = array.reshape(-1, width).astype(np.float64)
    flat = (flat - flat.mean(axis=0)) / flat.std(axis=0)
    if width > 64:
        _, vectors = np.linalg.eigh(np.cov(flat.T))
        flat = flat @ vectors[:, -64:]
    padded = np.pad(flat.reshape(n_items, rows, -1), ((0, 0), (CONTEXT, CONTEXT), (0, 0)))
    contexts = [padded[:, t : t + rows] for t in range(2 * CONTEXT + 1)]
    return np.concatenate(contexts, axis=2).reshape(n_items * rows, -1)


def plain(views: dict[str, np.ndarray]) -> np.ndarray:
    """Solve CCA on the lists; return the correlations."""
    lists = [listed(array) for array in views.values()]
    centred = [rows - rows.mean(axis=0) for rows in lists]
    whitened = []
    for rows in centred:
        own = rows.T @ rows / (len(rows) - 1)
        own += RIDGE * np.trace(own) / len(own) * np.eye(len(own))
        whitened.append(np.linalg.inv(np.linalg.cholesky(own)))
    cross = centred[0].T @ centred[1] / (len(centred[0]) - 1)
    return np.linalg.svd(whitened[0] @ cross @ whitened[1].T, compute_uv=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=10118, help="training items")
    parser.add_argument("--rows", type=int, default=20, help="of each item")
    parser.add_argument("--widths", type=int, nargs=2, default=(128, 64), help="of the two views")
    parser.add_argument("--runs", type=int, default=3, help="the fastest of these counts")
    args = arguments(parser, items=30, rows=5, widths=(70, 6), runs=1)
    views = sequences(args.items, args.rows, args.widths)
    print(f"{args.items} items of {args.rows} rows, {args.widths[0]} and {args.widths[1]} wide, context {CONTEXT}")
    ours = cost(lambda: models.create("local_cca", context=CONTEXT, ridge=RIDGE).fit(views), args.runs)
    peer = cost(lambda: plain(views), args.runs)
    away = np.abs(ours.result.correlations_ - peer.result[: len(ours.result.correlations_)]).max()
    print(f"local_cca                {ours}")
    print(f"the list of all rows     {peer}  {peer.cpu_s / ours.cpu_s:.1f} times ours; correlations within {away:.0e}")
    gallery = {view: array[:2000] for view, array in views.items()}
    print(f"embedding 2,000 items    {cost(lambda: ours.result.transform(gallery), args.runs)}")


if __name__ == "__main__":
    main()
