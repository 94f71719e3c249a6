"""Closed forms tuned on all parts of the built vegas: at most two minutes on two cores.

The peer is a plain loop over candidates and inner folds, on the first part alone; its seconds for all parts are those
times their number. Both choose the same. All in one process, whose processor seconds two workers share. Without the
data, random features of the same shape.

    python benchmarks/tuning.py --data data
"""

from __future__ import annotations

import argparse
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


def timed(name: str, setting: evaluation.Setting, folder: Path) -> tuple[float, evaluation.Result]:
    """Give processor seconds, in this process alone, and the result."""
    request = evaluation.Request(name, name, [setting])
    before = time.process_time()
    (ended,) = evaluation.run_requests([request], compute=Compute(executor="serial"), folder=folder)
    assert ended.result is not None, ended.error
    return time.process_time() - before, ended.result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of built data sets; random features without it")
    parser.add_argument("--items", type=int, default=400, help="random items")
    parser.add_argument("--methods", nargs="+", default=METHODS)
    args = arguments(parser, items=60, methods=["c_cca"])
    sets = {"audio": "audio", "visual": "visual"}
    data = load_dataset("vegas", root=args.data, views=sets) if args.data else made(args.items)
    warnings.simplefilter("ignore")
    whole_s, n_parts = 0.0, len(evaluation.divide(data))
    for name in args.methods:
        setting = evaluation.Setting("", data, PARAMS, candidates=tuning.candidates(name, True))
        with TemporaryDirectory() as folder:
            first, result = timed(name, setting, Path(folder))
            again, _ = timed(name, setting, Path(folder))
        before = time.process_time()
        chosen = plain(data, name, setting.candidates)
        peer_s = (time.process_time() - before) * n_parts
        assert result.metrics["tuned"]["chosen"][0]["params"] == chosen
        whole_s += first
        print(
            f"{name}: {len(setting.candidates)} candidates, {first:.1f} s of the processor with all fits, "
            f"{again:.1f} s where they are kept; plain loop {peer_s:.1f} s",
            flush=True,
        )
    print(f"all: {whole_s:.0f} s of the processor, half of it on each of two cores")


if __name__ == "__main__":
    main()
