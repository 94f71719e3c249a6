"""The adversarial methods of Table 5.2 at VEGAS size: time, memory, and MAP of other items beside chance.

Each method runs with its default settings on two random views of ten classes. Its networks use one thread.

    python benchmarks/adversarial.py acmr ucal
    python benchmarks/adversarial.py acmr --items 320 --param epochs=100
"""

from __future__ import annotations

import argparse
import warnings

import numpy as np
import yaml
from _measure import arguments, cost

from unisono import metrics, models

CLASSES = 10


def classified(n_items: int, audio: int, visual: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Two views, float32, of a latent of 16 dimensions around the centres of ten classes, in noise."""
    generator = np.random.default_rng(0)
    labels = np.arange(n_items) % CLASSES
    latent = 0.7 * generator.standard_normal((CLASSES, 16))[labels] + generator.standard_normal((n_items, 16))
    views = {}
    for view, width in (("audio", audio), ("visual", visual)):
        noise = 4 * generator.standard_normal((n_items, width))
        views[view] = (latent @ generator.standard_normal((16, width)) + noise).astype(np.float32)
    return views, labels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("methods", nargs="+", choices=models.available(), metavar="METHOD", help="by name")
    parser.add_argument("--items", type=int, default=22482, help="training items")
    parser.add_argument("--test-items", type=int, default=1000, help="ranked items")
    parser.add_argument("--widths", type=int, nargs=2, default=(128, 1024), help="of the two views")
    parser.add_argument("--param", nargs="*", default=[], metavar="KEY=VALUE", help="of all the methods")
    parser.add_argument("--runs", type=int, default=1, help="the fastest of these counts")
    args = arguments(parser, items=60, test_items=20, widths=(12, 16))
    warnings.simplefilter("ignore", UserWarning)
    params = {key: yaml.safe_load(value) for key, _, value in (text.partition("=") for text in args.param)}
    views, labels = classified(args.items + args.test_items, *args.widths)
    train, test = (
        {view: array[rows] for view, array in views.items()} for rows in (slice(args.items), slice(args.items, None))
    )
    truth = labels[args.items :]
    print(f"{args.items} items, {args.widths[0]} and {args.widths[1]} wide; MAP of {args.test_items} others")
    print(f"{'chance':16s} MAP {metrics.chance_map(truth, truth):.3f}")
    for name in args.methods:

        def fit(name: str = name) -> models.Aligner:
            model = models.create(name, **params)
            model.device = "cpu"
            return model.fit(train, labels[: args.items])

        fitted = cost(fit, args.runs)
        found = fitted.result.transform(test)
        pairs = (found["audio"], found["visual"]), (found["visual"], found["audio"])
        score = np.mean([metrics.mean_average_precision(*pair, truth, truth) for pair in pairs])
        print(f"{name:16s} MAP {score:.3f} {fitted}  {len(fitted.result.history_)} epochs", flush=True)


if __name__ == "__main__":
    main()
