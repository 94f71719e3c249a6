"""ASMCMR's sheet branch on one core: ours against plain blocks.

Ours folds normalisation into the filters, pools before ELU and keeps channels last. The peer is the same network as it
is published, layer by layer, in PyTorch's default layout. Figures are crops per second of processor time; both give
the same vectors.

    python benchmarks/asmcmr.py --items 2000
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from _measure import arguments

from unisono.features import asmcmr


def plain(encoder: asmcmr.Encoder) -> Callable[[np.ndarray], np.ndarray]:
    """Compute ``h`` block by block, as published."""
    tensors = {name: torch.tensor(array) for name, array in encoder.arrays.items()}

    def compute(inputs: np.ndarray) -> np.ndarray:
        hidden = []
        for start in range(0, len(inputs), asmcmr.BATCH_SIZE):
            x = torch.from_numpy(inputs[start : start + asmcmr.BATCH_SIZE, None])
            for block in range(len(asmcmr.CHANNELS)):
                weight, beta, gamma, mean, inv_std = (
                    tensors[f"sheet.{block}.{name}"] for name in ("weight", *asmcmr.NORMALISATION)
                )
                x = torch.nn.functional.conv2d(x, weight, padding=weight.shape[2] // 2)
                x = (x - mean[:, None, None]) * (gamma * inv_std)[:, None, None] + beta[:, None, None]
                if block < len(asmcmr.CHANNELS) - 1:
                    x = torch.nn.functional.elu(x)
                if block % 2:
                    x = torch.nn.functional.max_pool2d(x, 2)
            hidden.append(x.mean(dim=(2, 3)).numpy())
        return np.concatenate(hidden)

    return compute


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=1000, help="crops")
    args = arguments(parser, items=4)
    torch.set_num_threads(1)
    encoder = asmcmr.untrained(0)
    snippets = np.random.default_rng(0).random((args.items, 80, 100), dtype=np.float32)
    results, rates = [], []
    for compute in (plain(encoder), asmcmr.hidden_states(encoder, "sheet")):
        with torch.inference_mode():
            compute(snippets[: asmcmr.BATCH_SIZE])
            start_s = time.process_time()
            results.append(compute(snippets))
            rates.append(args.items / (time.process_time() - start_s))
    print(f"{args.items} crops, one core; largest difference {np.abs(results[0] - results[1]).max():.1e}")
    print(f"plain blocks  {rates[0]:7.0f} crops/s")
    print(f"ours          {rates[1]:7.0f} crops/s   {rates[1] / rates[0]:.2f} x")


if __name__ == "__main__":
    main()
