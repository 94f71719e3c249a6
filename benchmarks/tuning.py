"""Closed forms tuned on all parts of the built vegas: at most two minutes on two cores.

The peer is a plain loop over candidates and inner folds, one process, on the first part alone; its seconds for all
parts are those times their number. Both choose the same. Without the data, random features of the same shape.

    python benchmarks/tuning.py --data data
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from itertools import permutations
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from _measure import arguments

from unisono import evaluation, metrics, models
from unisono.config.compute import Compute
from unisono.datasets.loading import Dataset, load_dataset
from unisono.errors import UnisonoError
from unisono.evaluation import trying, tuning
from unisono.models.base import average

METHODS = ("cca", "c_cca", "gcca", "multi_view", "kcca", "c_kcca")
PARAMS = {"standardise": "columns"}


def made(n: int) -> Dataset:
    """Features of the default vegas's shape."""
    generator = np.random.default_rng(0)
    latent = generator.standard_normal((n, 20))
    views = {
        name: (latent @ generator.standard_normal((20, d)) + generator.standard_normal((n, d))).astype(np.float32)
        for name, d in (("audio", 128), ("visual", 256))
    }
    return Dataset("vegas", "random", np.arange(n).astype(str), views, labels=np.arange(n) % 10)


def plain(data: Dataset, model: str, candidates: tuple[dict[str, Any], ...]) -> dict[str, Any]:
    """Choose on the first part by a loop."""
    train = evaluation.divide(data)[0].train
    folds = trying.inner_folds(data, train)
    views = {view: average(array, data.lengths.get(view)) for view, array in data.views.items()}
    assert data.labels is not None
    merits = []
    for candidate in candidates:
        values = []
        for fold in np.unique(folds):
            rows, held_out = train[folds != fold], train[folds == fold]
            fitted = models.create(model, **PARAMS, **candidate)
            try:
                fitted.fit({view: array[rows] for view, array in views.items()}, data.labels[rows])
            except UnisonoError:
                values.append(-np.inf)
                break
            embedded = fitted.transform({view: array[held_out] for view, array in views.items()})
            labels = data.labels[held_out]
            pairs = permutations(embedded.values(), 2)
            values += [metrics.mean_average_precision(*pair, labels, labels) for pair in pairs]
        merits.append(np.mean(values))
    return candidates[int(np.argmax(merits))]


def processor_s() -> float:
    """Seconds of this process and of workers that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of built data sets; random features without it")
    parser.add_argument("--items", type=int, default=400, help="random items")
    parser.add_argument("--methods", nargs="+", default=METHODS)
    args = arguments(parser, items=60, methods=["c_cca"])
    sets = {"audio": "audio", "visual": "visual"}
    data = load_dataset("vegas", root=args.data, views=sets) if args.data else made(args.items)
    compute = Compute(executor="serial") if args.smoke else Compute(workers=2)
    warnings.simplefilter("ignore")
    requests = [
        evaluation.Request(name, name, [evaluation.Setting("", data, PARAMS, candidates=tuning.candidates(name, True))])
        for name in args.methods
    ]
    with TemporaryDirectory() as folder:
        for again in (False, True):
            started, before = time.perf_counter(), processor_s()
            results = {
                ended.request.key: ended.result
                for ended in evaluation.run_requests(requests, compute=compute, folder=Path(folder))
            }
            wall_s, own_s = time.perf_counter() - started, processor_s() - before
            print(f"{'kept trials' if again else 'all'}: {own_s:.0f} s of the processor, {wall_s:.0f} s on the clock")
    peer_s, n_parts = 0.0, len(evaluation.divide(data))
    for request in requests:
        before = time.process_time()
        chosen = plain(data, request.model, request.settings[0].candidates)
        took = time.process_time() - before
        peer_s += took
        result = results[request.key]
        assert result is not None
        assert result.metrics["tuned"]["chosen"][0]["params"] == chosen
        print(f"{request.key}: {result.times['tune_s']:.0f} s of trials, plain loop {took * n_parts:.0f} s")
    print(f"plain loop: {peer_s * n_parts:.0f} s of the processor")


if __name__ == "__main__":
    main()
