"""EfficientNet-Lite0: processor milliseconds a picture, beside torch.

Torch in two ways: as the network's paper draws it, convolution by convolution with batch normalisation of its own
("eager"), and with the normalisation folded into the kernels and colours last in memory. All three see the same
pictures, one at a time on one thread, in turns; the median of each counts. Decoding and scaling are measured beside.

    python benchmarks/efficientnet.py --items 30 --turns 3
"""

from __future__ import annotations

import argparse
import io
import time
from collections.abc import Callable, Mapping
from typing import Any

from _measure import arguments

from unisono import arithmetic

arithmetic.pin()

import numpy as np  # noqa: E402
from threadpoolctl import threadpool_limits  # noqa: E402

from unisono.errors import DataError  # noqa: E402
from unisono.features import efficientnet_lite0, pictures  # noqa: E402
from unisono.features.efficientnet_lite0 import graph, package  # noqa: E402

#: At most so many processor milliseconds a picture of 224 pixels, and at least so many times as fast as eager torch.
TARGET_MS, TARGET_TIMES = 15.0, 2.5


def network(weights: Mapping[str, np.ndarray], *, folded: bool) -> Callable[[np.ndarray], np.ndarray]:
    """Build the network in torch: (side, side, 3) to the last map."""
    import torch
    import torch.nn.functional as F

    layers: list[tuple[efficientnet_lite0.Layer, Any, Any]] = []
    for layer in efficientnet_lite0.layers():
        if folded:
            kernel, bias = (torch.from_numpy(array) for array in efficientnet_lite0.folded(weights, layer))
            layers.append((layer, kernel.contiguous(memory_format=torch.channels_last), bias))
        else:
            parts = ("running_mean", "running_var", "weight", "bias")
            norm = [torch.from_numpy(weights[f"{layer.norm}.{part}"]) for part in parts]
            layers.append((layer, torch.from_numpy(weights[f"{layer.name}.weight"]), norm))

    def run(picture: np.ndarray) -> np.ndarray:
        values = (torch.from_numpy(picture.transpose(2, 0, 1)[None].astype(np.float32)) - 127) / 128
        values = values.contiguous(memory_format=torch.channels_last) if folded else values
        start = values
        with torch.inference_mode():
            for layer, kernel, more in layers:
                start = values if layer.begins else start
                groups = len(kernel) if layer.alone else 1
                before, after = graph.padding(values.shape[-1], kernel.shape[-1], layer.stride)
                padded = F.pad(values, (before, after, before, after)) if after else values
                if folded:
                    values = F.conv2d(padded, kernel, more, layer.stride, 0, 1, groups)
                else:
                    values = F.conv2d(padded, kernel, None, layer.stride, 0, 1, groups)
                    values = F.batch_norm(values, *more, training=False, eps=efficientnet_lite0.EPSILON)
                values = F.relu6(values) if layer.limited else values
                values = values + start if layer.adds else values
        found: np.ndarray = values[0].numpy()
        return found

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=30, help="pictures")
    parser.add_argument("--turns", type=int, default=3, help="turns of all ways")
    parser.add_argument("--side", type=int, default=224, help="pixels")
    args = arguments(parser, items=2, turns=1, side=64)

    import torch
    from PIL import Image

    torch.set_num_threads(1)
    try:
        weights = package.read()
    except DataError as error:
        print(f"untrained, which takes as long: {error}")
        weights = efficientnet_lite0.untrained(0)
    generator = np.random.default_rng(0)
    shown = [generator.integers(0, 256, (args.side, args.side, 3), dtype=np.uint8) for _ in range(args.items)]
    extractor = efficientnet_lite0.Extractor(weights, side=args.side)
    ways: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "ours": lambda picture: extractor.maps(picture[None])[0],
        "torch, eager": network(weights, folded=False),
        "torch, folded, channels last": network(weights, folded=True),
    }
    files = []
    for picture in shown:
        made = io.BytesIO()
        Image.fromarray(picture).save(made, "JPEG")
        files.append(made.getvalue())
    taken: dict[str, list[float]] = {name: [] for name in (*ways, "decoding and scaling")}
    with threadpool_limits(1):
        expected = ways["torch, eager"](shown[0])
        for name, way in ways.items():
            np.testing.assert_allclose(way(shown[0]), expected, rtol=1e-3, atol=1e-4 * max(np.abs(expected).max(), 1))
            taken[name].clear()
        for _ in range(args.turns):
            for name, way in ways.items():
                for picture in shown:
                    start_s = time.process_time()
                    way(picture)
                    taken[name].append(time.process_time() - start_s)
        for content in files:
            start_s = time.process_time()
            pictures.seen(content, "picture", side=args.side)
            taken["decoding and scaling"].append(time.process_time() - start_s)
    medians = {name: 1e3 * float(np.median(values)) for name, values in taken.items()}
    print(f"pictures of {args.side} pixels, one at a time, one thread, processor ms (median)")
    for name, value in medians.items():
        times = f"; ours is {value / medians['ours']:.2f} times as fast" if name.startswith("torch") else ""
        print(f"  {name:<30} {value:7.2f}{times}")
    print(f"  targets at 224: {TARGET_MS:g} ms, {TARGET_TIMES:g} times as fast as eager")


if __name__ == "__main__":
    main()
