"""The staff reader: training, and reading, in processor seconds of one core.

Training is the default number of steps on drawn strips as wide as the default songs'; reading is all of a picture, from
its staff to its rows. The peer finds note heads in the same pictures by three elliptical templates (full, hollow with
and without a stem) with plain correlation.

    python benchmarks/staff_reader.py --items 100 --steps 400
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch
from _measure import arguments

from unisono.features import staff_reader
from unisono.features.staff_reader import rows, staff, symbols, training


def picture(notes: np.ndarray, space: int = 7) -> np.ndarray:
    """Draw five lines and an ellipse a note, 600 columns."""
    sample = symbols.printed(notes)
    assert sample is not None
    result = np.full((13 * space, 600), 255, np.uint8)
    middle = 6 * space
    result[middle - 2 * space : middle + 2 * space + 1 : space] = 0
    rows_, columns = np.mgrid[: len(result), :600]
    places = np.linspace(70, 580, len(sample.symbols))
    for place, (_, step, *_) in zip(places, sample.symbols, strict=True):
        inside = ((rows_ - middle + step * space / 2) / 3) ** 2 + ((columns - place) / 4) ** 2 <= 1
        result[inside] = 0
    return result


def templates(strip: np.ndarray) -> np.ndarray:
    """Correlate with three ellipses, and give the best of each cell."""
    from scipy.signal import correlate2d

    y, x = np.mgrid[-5:6, -6:7]
    ellipse = (y / 4) ** 2 + (x / 5) ** 2
    shapes = (
        (ellipse <= 1).astype(float),
        (abs(ellipse - 0.8) < 0.4).astype(float),
        ((ellipse > 0.4) & (ellipse <= 1)).astype(float),
    )
    found = [correlate2d(strip, shape - shape.mean(), mode="same") for shape in shapes]
    best: np.ndarray = np.max(found, axis=0)
    return best.reshape(staff.CELL_ROWS, staff.CELL_PIXELS, -1, staff.CELL_PIXELS).max(axis=(1, 3))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=100, help="pictures")
    parser.add_argument("--steps", type=int, default=400, help="training steps")
    args = arguments(parser, items=4, steps=2)
    torch.set_num_threads(1)
    training.THREADS = 1
    rng = np.random.default_rng(0)
    melodies = [
        np.stack([rng.choice([60, 62, 64, 65, 67, 69, 71, 72], 20), np.ones(20), np.zeros(20)], axis=1)
        for _ in range(args.items)
    ]
    pictures = [picture(notes) for notes in melodies]
    strips = [staff.strip(each)[0] for each in pictures]
    printed = [sample for notes in melodies if (sample := symbols.printed(notes)) is not None]
    start_s = time.process_time()
    arrays, losses = training.train(
        training.Samples(strips, printed), steps=args.steps, batch_size=8, learning_rate=0.004, seed=0
    )
    trained_s = time.process_time() - start_s
    print(
        f"training    {trained_s:7.1f} s for {args.steps} steps of 8 pictures, loss {losses[0]:.2f} to {losses[-1]:.2f}"
    )
    compute = staff_reader.apply(staff_reader.Reader(arrays, {}))
    for name, function in (
        ("staff alone", lambda each: staff.strip(each)),
        ("reading", lambda each: rows.features(compute, each, 20)),
        ("templates", lambda each: templates(staff.strip(each)[0] / 255)),
    ):
        start_s = time.process_time()
        for each in pictures:
            function(each)
        print(f"{name:12}{1000 * (time.process_time() - start_s) / len(pictures):7.1f} ms a picture")


if __name__ == "__main__":
    main()
