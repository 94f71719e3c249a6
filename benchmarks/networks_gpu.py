"""Every method that trains networks at VEGAS size: an epoch and a whole training, on the CPU and, where one is, a GPU.

Each method runs with its default settings on random views of ten classes: vectors, or what it needs besides (a third
view, frames). The seconds of an epoch are the difference of two trainings, so that what comes before and after (closed
forms, graphs of neighbours) counts once; a whole training is extrapolated to the default number of epochs. Networks use
the threads that they always use. Of the CPU it is processor seconds over all threads, which other work disturbs less,
of a GPU seconds on the clock. The last value of the loss stands beside both: the same draws, other arithmetic. Without
a GPU its columns stay empty, and a line says so.

    python benchmarks/networks_gpu.py
    python benchmarks/networks_gpu.py --methods supcon dscmr clip --epochs 5
    python benchmarks/networks_gpu.py --items 2000 --devices cpu
"""

from __future__ import annotations

import argparse
import warnings
from typing import Any

import numpy as np
from _measure import arguments, cost

from unisono import models
from unisono.models.parts.generative import ThreeBranch

CLASSES = 10
#: What counts as epochs.
PHASES = ("pretraining_epochs", "epochs")
#: Methods of one view of frames and one of vectors.
ONE_OF_FRAMES = ("joint_dcca", "tag_attention")
#: Most items of a method whose relation would hold a tenth of all pairs.
MOST = {"tag_attention": 4000}


def trained() -> list[str]:
    """Names of the methods that train networks."""
    return [name for name in models.available() if models.method(name).trains_networks]


def make_views(name: str, args: argparse.Namespace) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Random features with classes in them, float32, as many and of the shapes that the method takes."""
    cls = models.method(name)
    n_items = min(args.items, MOST.get(name, args.items))
    generator = np.random.default_rng(0)
    labels = np.arange(n_items) % CLASSES
    latent = 0.7 * generator.standard_normal((CLASSES, 16))[labels] + generator.standard_normal((n_items, 16))
    widths = {"audio": args.widths[0], "visual": args.widths[1]}
    if issubclass(cls, ThreeBranch):
        widths["lyrics"] = args.widths[0]
    frames = dict.fromkeys(widths, 1)
    if name in ONE_OF_FRAMES:
        frames["audio"], widths["audio"] = args.picture
    elif cls.sequential:
        frames = dict.fromkeys(widths, args.frames)
    views = {}
    for view, width in widths.items():
        signal = (latent @ generator.standard_normal((16, width))).astype(np.float32)
        noise = generator.standard_normal((n_items, frames[view], width), dtype=np.float32)
        views[view] = np.squeeze(signal[:, None] + 4 * noise, axis=1) if frames[view] == 1 else signal[:, None] + noise
    return views, labels


def measure(name: str, device: str, views: dict[str, np.ndarray], labels: np.ndarray, epochs: int) -> dict[str, float]:
    """Train with one epoch and with more, by phase; return seconds of an epoch and of a training, and the loss."""
    defaults = models.check_params(name, {})
    phases = [phase for phase in PHASES if phase in defaults]
    once: dict[str, Any] = dict.fromkeys(phases, 1) | ({"min_steps": 0} if "min_steps" in defaults else {})

    def seconds(params: dict[str, Any]) -> tuple[float, models.Aligner]:
        model = models.create(name, **params)
        model.device, model.progress = device, False
        found = cost(lambda: model.fit(views, labels))
        return found.cpu_s if device == "cpu" else found.wall_s, found.result

    first_s, model = seconds(once)
    whole_s, epoch_s = first_s, 0.0
    for phase in phases:
        longer_s, model = seconds(once | {phase: 1 + epochs})
        epoch_s = max(longer_s - first_s, 0) / epochs
        whole_s += (defaults[phase] - 1) * epoch_s
    return {"epoch_s": epoch_s, "whole_s": whole_s, "loss": next(iter(model.history_[-1].values()))}


def devices(wanted: list[str]) -> list[str]:
    """Return those of the devices that are there."""
    import torch

    if "cuda" in wanted and not torch.cuda.is_available():
        print("no CUDA device here: its columns are not measured")
        return [device for device in wanted if device != "cuda"]
    return wanted


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--methods", nargs="+", choices=trained(), default=trained(), metavar="METHOD", help="by name")
    parser.add_argument("--items", type=int, default=22482, help="training items")
    parser.add_argument("--widths", type=int, nargs=2, default=(128, 1024), help="of the two views")
    parser.add_argument("--frames", type=int, default=10, help="of methods that read sequences")
    parser.add_argument(
        "--picture", type=int, nargs=2, default=(128, 20), help="frames and their width, beside vectors"
    )
    parser.add_argument("--epochs", type=int, default=2, help="by which two trainings differ")
    parser.add_argument("--devices", nargs="+", choices=("cpu", "cuda"), default=["cpu", "cuda"])
    args = arguments(parser, items=120, widths=(12, 16), frames=3, picture=(64, 4), epochs=1)
    warnings.simplefilter("ignore", UserWarning)
    there = devices(args.devices)
    print(f"{args.items} items, {args.widths[0]} and {args.widths[1]} wide; {args.epochs} epochs measured")
    print(
        f"{'':16s}"
        + "".join(f"{device + ': an epoch':>16s}{'whole':>12s}{'last loss':>12s}" for device in args.devices)
    )
    for device in there:
        # The first training pays for imports, and for starting the device.
        tiny = argparse.Namespace(items=60, widths=(6, 8), frames=2)
        measure("tnn", device, *make_views("tnn", tiny), 1)
    for name in args.methods:
        views, labels = make_views(name, args)
        cells = ""
        for device in args.devices:
            if device in there:
                found = measure(name, device, views, labels, args.epochs)
                cells += f"{found['epoch_s']:14.2f} s{found['whole_s']:10.1f} s{found['loss']:12.4g}"
            else:
                cells += f"{'-':>16s}{'-':>12s}{'-':>12s}"
        print(f"{name:16s}{cells}", flush=True)


if __name__ == "__main__":
    main()
