r"""EfficientNet-Lite0: 1,280 numbers for a picture, from a network that was trained on ImageNet to name 1,000 things.

**Conventions.** Pictures are RGB, uint8, ``(n, side, side, 3)``, from `unisono.features.pictures.seen`; the network
sees :math:`(x - 127) / 128`. Any `side` from 32 pixels on will do: 224 is what it was trained on, and each 32 pixels
make one row of its last map (7 x 7 for 224, 4 x 4 for 128). Weights are a mapping from the names in the published file
to float32 arrays, kernels (out, in, height, width).

A stem (3 x 3, stride 2) is followed by seven stages of inverted bottlenecks: a 1 x 1 convolution to `expansion` times
the channels (not in the first stage), one of k x k for each channel alone, and a 1 x 1 one to fewer channels again, to
which the block's input is added where it has the same shape. The head is 1 x 1 to 1,280 channels. Zeros are padded as
TensorFlow does ("same": an odd one goes below and right), every convolution is batch-normalised (epsilon 0.001), and
all but the last one of a block are limited to 0 ... 6.

Of the last map the network's own features are the mean (``whole``). The means of five parts of it are ``regions``: of
its four corners, which overlap in the middle row and column, and of its middle. ``logits`` follow from the whole.

It is run by onnxruntime, batch normalisation folded into the kernels: three times as fast as torch, and, as all its
sums run over channels in the same order whatever the vector length, with the same bytes on each x86-64 processor since
2013 (`benchmarks/efficientnet.py`).

References
----------
.. [1] M. Tan, Q. Le: EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks. ICML 2019, Table 1.
.. [2] R. Liu: EfficientNet-Lite (tensorflow/tpu, models/official/efficientnet/lite), 2020: no squeeze-and-excitation,
   ReLU6, a fixed stem and head.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import numpy as np

from unisono.errors import DataError, require
from unisono.features.efficientnet_lite0 import graph

DIMENSIONS = 1280
CLASSES = 1000
#: Parts of a picture: the whole, and five regions.
PARTS = 6
EPSILON = 1e-3
#: What the network sees is (x - MEAN) / SCALE.
MEAN, SCALE = 127, 128
#: Pixels that make one row of the last map.
STRIDE = 32
STEM = 32


class Stage(NamedTuple):
    """Blocks of one shape; the first of them has the stride."""

    repeats: int
    kernel: int
    stride: int
    expansion: int
    channels: int


STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)


class Layer(NamedTuple):
    """A convolution with its normalisation.

    Attributes
    ----------
    name, norm : str
        Of the kernel and of its normalisation in the published file.
    shape : tuple of int
        Of the kernel: (out, in, k, k).
    stride : int
    alone : bool
        Each channel has a kernel of its own.
    limited : bool
        ReLU6 follows.
    begins, adds : bool
        What goes in is the input of a block; that input is added to what comes out.
    """

    name: str
    norm: str
    shape: tuple[int, int, int, int]
    stride: int = 1
    alone: bool = False
    limited: bool = True
    begins: bool = False
    adds: bool = False


def layers() -> list[Layer]:
    """List the network's 49 convolutions in order."""
    found = [Layer("_conv_stem", "_bn0", (STEM, 3, 3, 3), stride=2)]
    channels, number = STEM, 0
    for stage in STAGES:
        for repeat in range(stage.repeats):
            block, stride = f"_blocks.{number}", stage.stride if repeat == 0 else 1
            wide, k = channels * stage.expansion, stage.kernel
            if stage.expansion > 1:
                found.append(Layer(f"{block}._expand_conv", f"{block}._bn0", (wide, channels, 1, 1), begins=True))
            found.append(
                Layer(f"{block}._depthwise_conv", f"{block}._bn1", (wide, 1, k, k), stride, alone=True,
                      begins=stage.expansion == 1)
            )  # fmt: skip
            adds = stride == 1 and channels == stage.channels
            shape = (stage.channels, wide, 1, 1)
            found.append(Layer(f"{block}._project_conv", f"{block}._bn2", shape, limited=False, adds=adds))
            channels, number = stage.channels, number + 1
    return [*found, Layer("_conv_head", "_bn1", (DIMENSIONS, channels, 1, 1))]


def variable_shapes() -> dict[str, tuple[int, ...]]:
    """Names and shapes of the network's variables."""
    shapes: dict[str, tuple[int, ...]] = {}
    for layer in layers():
        shapes[f"{layer.name}.weight"] = layer.shape
        for part in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"{layer.norm}.{part}"] = layer.shape[:1]
    return shapes | {"_fc.weight": (CLASSES, DIMENSIONS), "_fc.bias": (CLASSES,)}


def untrained(seed: int) -> dict[str, np.ndarray]:
    """Draw weights at random: normal with variance 2 / inputs (He et al., 2015), normalisation that changes nothing.

    Parameters
    ----------
    seed : int

    Returns
    -------
    dict of str to np.ndarray [dtype=float32]
    """
    generator = np.random.default_rng(seed)
    weights: dict[str, np.ndarray] = {}
    for name, shape in variable_shapes().items():
        if len(shape) > 1:
            drawn = generator.standard_normal(shape, dtype=np.float32)
            weights[name] = drawn * np.float32(math.sqrt(2 / math.prod(shape[1:])))
        else:
            one = name != "_fc.bias" and name.endswith(("weight", "running_var"))
            weights[name] = np.full(shape, one, dtype=np.float32)
    return weights


def folded(weights: Mapping[str, np.ndarray], layer: Layer) -> tuple[np.ndarray, np.ndarray]:
    """Multiply a convolution's normalisation into it.

    Parameters
    ----------
    weights : mapping of str to np.ndarray
    layer : Layer

    Returns
    -------
    kernel : np.ndarray [shape=(out, in, k, k), dtype=float32]
    bias : np.ndarray [shape=(out,), dtype=float32]
    """
    parts = ("weight", "bias", "running_mean", "running_var")
    gamma, beta, mean, variance = (weights[f"{layer.norm}.{part}"].astype(np.float64) for part in parts)
    scale = gamma / np.sqrt(variance + EPSILON)
    kernel = weights[f"{layer.name}.weight"] * scale[:, None, None, None]
    return kernel.astype(np.float32), (beta - mean * scale).astype(np.float32)


def squares(n: int) -> list[tuple[slice, slice]]:
    """Give the five regions of a map of n rows and columns: four corners, then the middle.

    A corner has the first or last ``n // 2 + 1`` rows and columns; the middle is the largest square in the centre that
    is no larger (7: rows 0-3, 3-6 and 2-4; 4: 0-2, 1-3 and 1-2).
    """
    side = n // 2 + 1
    inner = max(side - (n - side) % 2, 1)
    first, last, middle = slice(0, side), slice(n - side, n), slice((n - inner) // 2, (n - inner) // 2 + inner)
    return [(rows, columns) for rows in (first, last) for columns in (first, last)] + [(middle, middle)]


@lru_cache
def shares(n: int) -> np.ndarray:
    """Give what each place of a map of n x n counts in each part: (6, n²) of float64, rows sum to 1."""
    found = np.zeros((PARTS, n, n))
    found[0] = 1
    for part, (rows, columns) in enumerate(squares(n), start=1):
        found[part, rows, columns] = 1
    flat = found.reshape(PARTS, -1)
    shared: np.ndarray = flat / flat.sum(axis=1, keepdims=True)
    shared.flags.writeable = False
    return shared


class Seen(NamedTuple):
    """What the network makes of pictures.

    Attributes
    ----------
    parts : np.ndarray [shape=(n, 6, 1280), dtype=float32]
        The whole, then the five regions of `squares`.
    logits : np.ndarray [shape=(n, 1000), dtype=float32]
        Before the softmax, in the order of ImageNet's classes.
    """

    parts: np.ndarray
    logits: np.ndarray


class Extractor:
    """The network with its weights, on one thread of the CPU. Each picture goes through it alone.

    Parameters
    ----------
    weights : mapping of str to np.ndarray
        From `untrained` or `unisono.features.efficientnet_lite0.package.read`.
    side : int
        Height and width of the pictures.

    Raises
    ------
    MissingExtra
        onnxruntime is not installed.
    """

    def __init__(self, weights: Mapping[str, np.ndarray], *, side: int = 224) -> None:
        require("onnxruntime")
        # Since 1.29 it reports each process to its maker, from its import on, where this is not set.
        os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
        self.side, self._weights = side, weights
        self._matrix = np.ascontiguousarray(weights["_fc.weight"].T)

    @cached_property
    def _session(self) -> Any:
        import onnxruntime  # type: ignore[import-untyped]

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        # Errors alone: it warns of processors that it cannot name.
        options.log_severity_level = 3
        model = graph.network([(layer, *folded(self._weights, layer)) for layer in layers()], side=self.side)
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def maps(self, pictures: np.ndarray) -> np.ndarray:
        """Give the last map of each picture.

        Parameters
        ----------
        pictures : np.ndarray [shape=(n, side, side, 3), dtype=uint8]

        Returns
        -------
        np.ndarray [shape=(n, 1280, m, m), dtype=float32]
            m = side / 32, rounded up.

        Raises
        ------
        DataError
            `pictures` has another shape or type.
        """
        shape = (self.side, self.side, 3)
        if pictures.shape[1:] != shape or pictures.dtype != np.uint8:
            raise DataError(f"expected pictures (n, {', '.join(map(str, shape))}) of uint8, got {pictures.shape}")
        rows = -(-self.side // STRIDE)
        found = np.empty((len(pictures), DIMENSIONS, rows, rows), dtype=np.float32)
        for place, picture in enumerate(pictures):
            values = (picture.transpose(2, 0, 1)[None].astype(np.float32) - MEAN) / SCALE
            found[place] = self._session.run(None, {graph.INPUT: values})[0][0]
        return found

    def embed(self, pictures: np.ndarray) -> Seen:
        """Look at pictures.

        Parameters
        ----------
        pictures : np.ndarray [shape=(n, side, side, 3), dtype=uint8]

        Returns
        -------
        Seen

        Raises
        ------
        DataError
            `pictures` has another shape or type.
        """
        parts = np.empty((len(pictures), PARTS, DIMENSIONS), dtype=np.float32)
        logits = np.empty((len(pictures), CLASSES), dtype=np.float32)
        for place, picture in enumerate(pictures):
            found = self.maps(picture[None])[0].reshape(DIMENSIONS, -1)
            # As one product: means over few numbers each are slow.
            parts[place] = shares(-(-self.side // STRIDE)) @ found.T.astype(np.float64)
            logits[place] = parts[place, 0] @ self._matrix + self._weights["_fc.bias"]
        return Seen(parts, logits)
