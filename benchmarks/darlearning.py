"""DARLearning and its baselines at the size of the lyrics-melody data: 10,118 training samples, 30 global epochs.

The bounds are 15 minutes on 2 cores and 4 GB for DARLearning. Views of the dissertation's widths (audio 128, sheet 32,
lyrics 40), made from a shared latent. `--published` takes Table 6.1's layers.

    python benchmarks/darlearning.py
    python benchmarks/darlearning.py --published --epochs 1
"""

from __future__ import annotations

import argparse

import numpy as np
from _measure import arguments, cost

from unisono import models

WIDTHS = {"audio": 128, "sheet": 32, "lyrics": 40}


def views(n_items: int) -> dict[str, np.ndarray]:
    """Three views of a shared latent of 16 dimensions, float32."""
    generator = np.random.default_rng(0)
    latent = generator.standard_normal((n_items, 16))
    made = {}
    for view, width in WIDTHS.items():
        noise = generator.standard_normal((n_items, width))
        made[view] = (latent @ generator.standard_normal((16, width)) + noise).astype(np.float32)
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=10118, help="training items")
    parser.add_argument("--epochs", type=int, default=30, help="global epochs")
    parser.add_argument("--published", action="store_true", help="layers [1024, 1024, 128]")
    parser.add_argument("--models", nargs="+", default=["baseline", "baseline_gan", "darlearning"])
    args = arguments(parser, items=60, epochs=1)
    data = views(args.items)
    layers = {"layers": {"other": [1024, 1024, 128]}} if args.published else {}
    # What the first training of a process loads counts for none.
    models.create("darlearning", epochs=1).fit({view: array[:64] for view, array in data.items()})
    print(f"{args.items} items, {args.epochs} global epochs, layers {'published' if args.published else 'default'}")
    for name in args.models:
        model = models.create(name, epochs=args.epochs, **layers)
        model.device = "cpu"
        print(f"{name:14s}{cost(lambda model=model: model.fit(data))}")


if __name__ == "__main__":
    main()
