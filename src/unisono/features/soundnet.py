"""SoundNet, eight layers: raw sound to scores of 1,000 objects and 401 scenes.

**Conventions.** Sound is mono at 22,050 Hz in -1 ... 1, shape ``(n, samples)``; the network hears it times 256. Its
time step is 65,536 samples (3 s), and its last layer sees eight steps of the layer before, so that a sound must have
some 12 s: shorter ones are repeated up to the 20 s that it was trained on. Features are the 401 scene scores before
the softmax, averaged over time: the dissertation's "400-D" names no layer, and none has exactly 400.

References
----------
.. [1] Y. Aytar, C. Vondrick, A. Torralba: SoundNet. NeurIPS 2016, Table 1 and section 3 (the 8-layer network).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from unisono.features import torch_weights

if TYPE_CHECKING:
    import torch

SAMPLE_RATE = 22050
#: What the network hears at a time.
SAMPLES = 20 * SAMPLE_RATE
#: Factor from -1 ... 1 to the range of its training.
SCALE = 256.0
OBJECTS, SCENES = 1000, 401


class Layer(NamedTuple):
    """One convolution over time: filters, kernel, stride, zeros on either side, and the pooling after it (1: none)."""

    filters: int
    kernel: int
    stride: int
    padding: int
    pool: int


LAYERS = (
    Layer(16, 64, 2, 32, 8),
    Layer(32, 32, 2, 16, 8),
    Layer(64, 16, 2, 8, 1),
    Layer(128, 8, 2, 4, 1),
    Layer(256, 4, 2, 2, 4),
    Layer(512, 4, 2, 2, 1),
    Layer(1024, 4, 2, 2, 1),
)
HEAD = Layer(0, 8, 2, 0, 1)


def build() -> Any:
    """Build the network, with torch's own random weights.

    Returns
    -------
    torch.nn.Module
        Layers ``conv1, batchnorm1, ..., conv7, batchnorm7, conv8_objs, conv8_scns``.
    """
    from torch import nn

    parts: dict[str, nn.Module] = {}
    channels = 1
    for index, layer in enumerate(LAYERS, start=1):
        parts[f"conv{index}"] = nn.Conv1d(channels, layer.filters, layer.kernel, layer.stride, layer.padding)
        parts[f"batchnorm{index}"] = nn.BatchNorm1d(layer.filters)
        channels = layer.filters
    for name, outputs in (("conv8_objs", OBJECTS), ("conv8_scns", SCENES)):
        parts[name] = nn.Conv1d(channels, outputs, HEAD.kernel, HEAD.stride, HEAD.padding)
    return nn.ModuleDict(parts).eval()


def forward(network: Any, sound: Any, seen: Callable[[str, Any], None] | None = None) -> tuple[Any, Any]:
    """Lead sound through the network.

    Parameters
    ----------
    network : torch.nn.Module
        From `build`.
    sound : torch.Tensor [shape=(n, samples), dtype=float32]
        In -1 ... 1.
    seen : callable, optional
        Called with the name and the output of every layer.

    Returns
    -------
    objects : torch.Tensor [shape=(n, 1000, t)]
    scenes : torch.Tensor [shape=(n, 401, t)]
    """
    import torch.nn.functional as functional

    seen = seen or (lambda name, values: None)
    values = sound[:, None] * SCALE
    for index, layer in enumerate(LAYERS, start=1):
        values = functional.relu(network[f"batchnorm{index}"](network[f"conv{index}"](values)))
        seen(f"conv{index}", values)
        if layer.pool > 1:
            values = functional.max_pool1d(values, layer.pool)
            seen(f"pool{index}", values)
    return network["conv8_objs"](values), network["conv8_scns"](values)


def repeated(samples: np.ndarray) -> np.ndarray:
    """Bring a sound to 20 s: repeat a shorter one, cut a longer one.

    Parameters
    ----------
    samples : np.ndarray [shape=(n,), dtype=float32]
        At 22,050 Hz; n > 0.

    Returns
    -------
    np.ndarray [shape=(441000,), dtype=float32]
    """
    return np.resize(samples, SAMPLES)


class Extractor(torch_weights.Extractor):
    """From sounds of 20 s, (n, 441000) float32, to scene scores, (n, 401)."""

    dimensions = SCENES

    def features(self, batch: torch.Tensor) -> torch.Tensor:
        """Average the scene scores over time."""
        scenes: torch.Tensor = forward(self.network, batch)[1].mean(dim=2)
        return scenes
