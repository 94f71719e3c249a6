"""VGGish: ours against Keras' predict and torch with the same weights on one core, and the whole stage.

The networks take turns, and the fastest turn of each counts. TensorFlow and torch use one thread.

    python benchmarks/vggish.py --items 512 --samples 914
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from _measure import arguments

from unisono.config.compute import Compute
from unisono.config.mtm import Mtm
from unisono.features import vggish
from unisono.features.tf_runtime import tensorflow
from unisono.features.vggish import extraction as vggish_extraction
from unisono.io import parquet
from unisono.media import audio

DISSERTATION_SAMPLES = 14_454
SAMPLES_PER_SHARD = 64


def keras_network(weights: Mapping[str, np.ndarray]) -> Any:
    """Build the peer, the same network from Keras' layers."""
    layers = tensorflow().keras.layers
    inputs = layers.Input((96, 64, 1))
    values = inputs
    named = {}
    for layer, width in vggish.WIDTHS.items():
        activation = None if layer == vggish.OUTPUT else "relu"
        if layer.startswith("conv"):
            named[layer] = layers.Conv2D(width, 3, padding="same", activation=activation)
        else:
            named[layer] = layers.Dense(width, activation=activation, kernel_initializer="zeros")
        if layer == "fc1/fc1_1":
            values = layers.Flatten()(values)
        values = named[layer](values)
        if layer in vggish.POOLED:
            values = layers.MaxPool2D(2, 2, padding="same")(values)
    model = tensorflow().keras.Model(inputs, values)
    for layer, made in named.items():
        made.set_weights([weights[f"{layer}/weights"], weights[f"{layer}/biases"]])
    return model


def torch_network(weights: Mapping[str, np.ndarray]) -> Callable[[np.ndarray], np.ndarray]:
    """Build the other peer: torch, oneDNN, channels last."""
    import torch
    from torch import nn

    torch.set_num_threads(1)
    layers: list[nn.Module] = []
    for layer in vggish.WIDTHS:
        kernel, bias = weights[f"{layer}/weights"], weights[f"{layer}/biases"]
        module: nn.Conv2d | nn.Linear
        if layer.startswith("conv"):
            module, order = nn.Conv2d(*kernel.shape[2:], 3, padding=1), (3, 2, 0, 1)
        else:
            module, order = nn.Linear(*kernel.shape), (1, 0)
        if layer == "fc1/fc1_1":
            layers.append(nn.Flatten())
            # torch flattens channels first.
            kernel = kernel.reshape(6, 4, -1, kernel.shape[1]).transpose(2, 0, 1, 3).reshape(kernel.shape)
        module.load_state_dict(
            {
                "weight": torch.from_numpy(np.ascontiguousarray(kernel.transpose(order))),
                "bias": torch.from_numpy(bias),
            }
        )
        layers.append(module)
        layers += [nn.ReLU()] if layer != vggish.OUTPUT else []
        layers += [nn.MaxPool2d(2)] if layer in vggish.POOLED else []
    network = nn.Sequential(*layers).eval().to(memory_format=torch.channels_last)

    def run(patches: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            batch = torch.from_numpy(patches[:, None]).contiguous(memory_format=torch.channels_last)
            return np.asarray(network(batch))

    return run


def seconds(function: Callable[[np.ndarray], np.ndarray], patches: np.ndarray) -> float:
    """Seconds that a network takes for the patches."""
    start_s = time.perf_counter()
    function(patches)
    return time.perf_counter() - start_s


def write_audio(folder: Path, n_samples: int) -> int:
    """Write shards of random piano-like samples; return the number of patches in them."""
    rng = np.random.default_rng(0)
    n_patches = 0
    for index, start in enumerate(range(0, n_samples, SAMPLES_PER_SHARD)):
        n = min(SAMPLES_PER_SHARD, n_samples - start)
        lengths = rng.choice([0.125, 0.25, 0.5, 1.0], (n, 20), p=[0.1, 0.3, 0.4, 0.2])
        offsets = np.cumsum(lengths, axis=1)
        sounds = []
        for row in range(n):
            t = np.arange(int((offsets[row, -1] + 0.5) * 16000)) / 16000
            sounds.append(audio.encode_flac(0.2 * np.sin(2 * np.pi * rng.uniform(100, 800) * t), 16000))
        parquet.write(
            folder / parquet.shard_name(index),
            {
                "id": [f"sample-{start + row:05d}" for row in range(n)],
                "audio": [(sound, "x.flac") for sound in sounds],
                "onsets": offsets - lengths,
                "offsets": offsets,
            },
            types={
                "id": pa.string(),
                "audio": parquet.MEDIA,
                "onsets": parquet.vector(20),
                "offsets": parquet.vector(20),
            },
            metadata={"dataset": "mtm", "source": "random tones"},
        )
        n_patches += int(np.maximum(1, lengths // 0.96).sum())
    return n_patches


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=192, help="patches for the comparison on one core")
    parser.add_argument("--turns", type=int, default=3, help="turns of each network")
    parser.add_argument("--samples", type=int, default=0, help="samples of 20 notes for the whole stage; 0: none")
    args = arguments(parser, items=2, turns=1, samples=0)

    weights = vggish.untrained(0)
    patches = np.random.default_rng(0).normal(-1, 2, (args.items, 96, 64)).astype(np.float32)
    keras, torch = keras_network(weights), torch_network(weights)

    def predict(batch_size: int) -> Callable[[np.ndarray], np.ndarray]:
        return lambda p: np.asarray(keras.predict(p[..., None], batch_size=batch_size, verbose=0))

    networks = {
        "unisono, batch 64": vggish.Extractor(weights).embed,
        "Keras predict, batch 64": predict(64),
        "Keras predict, batch 1": predict(1),
        "torch, batch 64": lambda p: np.concatenate([torch(p[i : i + 64]) for i in range(0, len(p), 64)]),
    }
    outputs = [network(patches) for network in networks.values()]
    for output in outputs[1:]:
        np.testing.assert_allclose(output, outputs[0], rtol=1e-3, atol=1e-3)
    turns = [[seconds(network, patches) for network in networks.values()] for _ in range(args.turns)]
    fastest = np.min(turns, axis=0)
    print(f"{args.items} patches on one core")
    for name, taken_s in zip(networks, fastest, strict=True):
        print(f"  {name:<24} {args.items / taken_s:6.1f} patches/s, ours {taken_s / fastest[0]:.2f} times as fast")

    if args.samples:
        compute = Compute.load()
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            n_patches = write_audio(folder / "audio", args.samples)
            start_s = time.perf_counter()
            vggish_extraction.extract_folder(
                folder / "audio",
                folder / "features",
                settings=Mtm.load().features.vggish,
                compute=compute.model_copy(update={"scratch": folder / "scratch"}),
                downloads=folder / "downloads",
            )
            stage_s = time.perf_counter() - start_s
        print(f"stage, {args.samples} samples, {n_patches} patches on {compute.n_workers} cores: {stage_s:.1f} s")
        hours = stage_s / args.samples * DISSERTATION_SAMPLES / 3600
        print(f"  {n_patches / stage_s:.1f} patches/s; {DISSERTATION_SAMPLES} samples: {hours:.2f} hours (target 4)")


if __name__ == "__main__":
    main()
