"""Inception V3 and VGGish: ours against Keras' predict with batch 1, called once a frame or once for all.

Both use all cores: ours one process per core with one thread each, as the stage does, Keras one process with a thread
per core. The same weights; Inception's outputs are compared. The networks take turns, the fastest of each counts.

    python benchmarks/inception.py --items 128
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import time
from typing import Any

import numpy as np
from _measure import arguments
from vggish import keras_network as keras_vggish

from unisono.features import inception, vggish
from unisono.features.tf_runtime import tensorflow


def keras_inception(weights: dict[str, np.ndarray]) -> Any:
    """Build the peer, Keras' own network, with our weights."""
    layers = tensorflow().keras.layers
    model = tensorflow().keras.applications.InceptionV3(
        weights=None, include_top=False, pooling="avg", input_shape=(299, 299, 3)
    )
    for kind, names in ((layers.Conv2D, ("kernel",)), (layers.BatchNormalization, ("beta", "mean", "variance"))):
        made = [layer for layer in model.layers if isinstance(layer, kind)]
        made.sort(
            key=lambda layer: (
                int(layer.name.rsplit("_", 1)[-1]) if layer.name[-1].isdigit() and "_" in layer.name else 0
            )
        )
        for index, layer in enumerate(made, start=1):
            layer.set_weights([weights[f"conv_{index:02d}/{name}"] for name in names])
    return model


def data(name: str, n: int) -> np.ndarray:
    """Make frames or patches of noise."""
    generator = np.random.default_rng(0)
    if name == "inception":
        return generator.integers(0, 256, (n, 299, 299, 3), dtype=np.uint8)
    return generator.normal(-1, 2, (n, 96, 64)).astype(np.float32)


def worker(name: str, n: int, batch_size: int, pipe: Any) -> None:
    """Embed `n` items each time a message comes; answer with the first two vectors."""
    if name == "inception":
        ours: Any = inception.Extractor.from_weights(inception.untrained(0), batch_size=batch_size)
    else:
        ours = vggish.Extractor(vggish.untrained(0), batch_size=batch_size)
    items = data(name, n)
    while True:
        ours.embed(items[:batch_size])
        pipe.send(None)
        if not pipe.recv():
            return
        pipe.send(ours.embed(items)[:2])


def compare(name: str, n: int, turns: int, batch_size: int) -> None:
    """Print the rates."""
    cores = len(os.sched_getaffinity(0))
    per_worker = -(-n // cores // batch_size) * batch_size
    context = multiprocessing.get_context("spawn")
    os.environ |= {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1", "OMP_NUM_THREADS": "1"}
    pipes = [context.Pipe() for _ in range(cores)]
    workers = [
        context.Process(target=worker, args=(name, per_worker, batch_size, end), daemon=True) for _, end in pipes
    ]
    for process in workers:
        process.start()
    for key in ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS"):
        os.environ[key] = str(cores)
    items = data(name, n)
    if name == "inception":
        network = keras_inception(inception.untrained(0))
        items = tensorflow().keras.applications.inception_v3.preprocess_input(items.astype(np.float32))
    else:
        network, items = keras_vggish(vggish.untrained(0)), items[..., None]
    network.predict(items[:2], batch_size=1, verbose=0)
    few = items[: max(len(items) // 4, 1)]
    rates: dict[str, list[float]] = {"unisono": [], "call": [], "all": []}
    for _ in range(turns):
        for here, _ in pipes:
            here.recv()
        start_s = time.perf_counter()
        for here, _ in pipes:
            here.send(True)
        first = next(iter([here.recv() for here, _ in pipes]))
        rates["unisono"].append(per_worker * cores / (time.perf_counter() - start_s))
        for here, _ in pipes:
            here.poll(None)  # the workers are idle again
        start_s = time.perf_counter()
        expected = network.predict(items, batch_size=1, verbose=0)
        rates["all"].append(n / (time.perf_counter() - start_s))
        start_s = time.perf_counter()
        for index in range(len(few)):
            network.predict(few[index : index + 1], verbose=0)
        rates["call"].append(len(few) / (time.perf_counter() - start_s))
        np.testing.assert_allclose(first, expected[:2], rtol=1e-2, atol=1e-3 * np.abs(expected).max())
    for here, _ in pipes:
        here.recv()
        here.send(False)
    ours, call, one = (max(rates[key]) for key in ("unisono", "call", "all"))
    print(f"{name}, {n} items, {cores} cores: unisono (batch {batch_size}) {ours:.1f}/s")
    print(f"  Keras predict, a call per item   {call:6.1f}/s: ours {ours / call:.2f} times as fast (target 2)")
    print(f"  Keras predict, batch 1, one call {one:6.1f}/s: ours {ours / one:.2f} times as fast")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=64, help="frames, and patches, per turn")
    parser.add_argument("--turns", type=int, default=3, help="turns of each network")
    args = arguments(parser, items=1, turns=1)
    compare("inception", args.items, args.turns, 32)
    compare("vggish", args.items, args.turns, 64)


if __name__ == "__main__":
    main()
