"""Inception V3: 2,048 numbers for a picture, its layer ``pool3``.

**Conventions.** Frames are RGB, uint8, ``(n, height, width, 3)``. The network sees 299 x 299 pixels, whatever the
frame's shape (the frame is stretched, not cropped), scaled to -1 ... 1. Two networks of that name are in use:

``keras``
    The network of Keras' applications, by its published weights or untrained. Frames are resized by Pillow's
    bilinear filter, which averages over all pixels it covers (antialiasing), to 8 bits; ``x / 127.5 - 1``.
``youtube8m``
    The frozen graph of December 2015 that YouTube-8M's features come from, fed as its authors did: resized
    bilinearly *without* antialiasing, as TensorFlow did then, and ``(x - 128) / 128`` inside the graph.

Weights are a mapping from ``conv_01/kernel`` (height, width, in, out), ``conv_01/beta``, ``conv_01/mean`` and
``conv_01/variance`` (out,) to ``conv_94/...``, numbered as the network is described below, to float32 arrays.

References
----------
.. [1] C. Szegedy et al.: Rethinking the Inception Architecture for Computer Vision. CVPR 2016, Table 1.
.. [2] S. Abu-El-Haija et al.: YouTube-8M. arXiv 1609.08675, section 3.3: ReLU of the last hidden layer, then PCA.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

from unisono.errors import DataError
from unisono.features import frozen_graph
from unisono.features.tf_runtime import tensorflow
from unisono.io import hdf5

#: Height and width that the network sees.
SIZE = 299
DIMENSIONS = 2048
#: Of the batch normalisation, which has an offset but no scale.
EPSILON = 1e-3
Variant = Literal["keras", "youtube8m"]

_KINDS = {"kernel": "kernel", "beta": "beta", "moving_mean": "mean", "moving_variance": "variance"}


def _describe(x: Any, ops: Any) -> Any:
    """Lead `x` through the network, by the `conv`, `max_pool`, `average_pool` and `concat` of `ops`."""
    conv = ops.conv

    def chain(x: Any, *layers: tuple[int, int, int]) -> Any:
        for filters, height, width in layers:
            x = conv(x, filters, height, width)
        return x

    x = conv(x, 32, 3, 3, stride=2, padding="VALID")
    x = conv(x, 32, 3, 3, padding="VALID")
    x = ops.max_pool(conv(x, 64, 3, 3))
    x = conv(x, 80, 1, 1, padding="VALID")
    x = ops.max_pool(conv(x, 192, 3, 3, padding="VALID"))
    for pooled in (32, 64, 64):  # 35 x 35
        parts = [chain(x, (64, 1, 1)), chain(x, (48, 1, 1), (64, 5, 5))]
        parts += [chain(x, (64, 1, 1), (96, 3, 3), (96, 3, 3)), conv(ops.average_pool(x), pooled, 1, 1)]
        x = ops.concat(parts)
    # To 17 x 17.
    parts = [conv(x, 384, 3, 3, stride=2, padding="VALID")]
    parts += [conv(chain(x, (64, 1, 1), (96, 3, 3)), 96, 3, 3, stride=2, padding="VALID"), ops.max_pool(x)]
    x = ops.concat(parts)
    for n in (128, 160, 160, 192):
        parts = [chain(x, (192, 1, 1)), chain(x, (n, 1, 1), (n, 1, 7), (192, 7, 1))]
        parts += [chain(x, (n, 1, 1), (n, 7, 1), (n, 1, 7), (n, 7, 1), (192, 1, 7))]
        parts += [conv(ops.average_pool(x), 192, 1, 1)]
        x = ops.concat(parts)
    # To 8 x 8.
    parts = [conv(chain(x, (192, 1, 1)), 320, 3, 3, stride=2, padding="VALID")]
    parts += [conv(chain(x, (192, 1, 1), (192, 1, 7), (192, 7, 1)), 192, 3, 3, stride=2, padding="VALID")]
    x = ops.concat([*parts, ops.max_pool(x)])
    for _ in range(2):
        parts = [chain(x, (320, 1, 1))]
        for layers in [((384, 1, 1),), ((448, 1, 1), (384, 3, 3))]:
            y = chain(x, *layers)
            parts += [conv(y, 384, 1, 3), conv(y, 384, 3, 1)]
        x = ops.concat([*parts, conv(ops.average_pool(x), 192, 1, 1)])
    return x


class _Shapes:
    """Operations on channel counts: they collect the shapes of the kernels."""

    def __init__(self) -> None:
        self.kernels: list[tuple[int, int, int, int]] = []

    def conv(self, x: int, filters: int, height: int, width: int, stride: int = 1, padding: str = "SAME") -> int:
        self.kernels.append((height, width, x, filters))
        return filters

    def max_pool(self, x: int) -> int:
        return x

    def average_pool(self, x: int) -> int:
        return x

    def concat(self, parts: list[int]) -> int:
        return sum(parts)


class _Tensors:
    """Operations on tensors, with kernels into which the batch normalisation has been multiplied."""

    def __init__(self, kernels: list[Any], biases: list[Any]) -> None:
        self.tf = tensorflow()
        self.variables = iter(zip(kernels, biases, strict=True))

    def conv(self, x: Any, filters: int, height: int, width: int, stride: int = 1, padding: str = "SAME") -> Any:
        kernel, bias = next(self.variables)
        return self.tf.nn.relu(self.tf.nn.bias_add(self.tf.nn.conv2d(x, kernel, stride, padding), bias))

    def max_pool(self, x: Any) -> Any:
        return self.tf.nn.max_pool2d(x, 3, 2, "VALID")

    def average_pool(self, x: Any) -> Any:
        return self.tf.nn.avg_pool2d(x, 3, 1, "SAME")

    def concat(self, parts: list[Any]) -> Any:
        return self.tf.concat(parts, axis=-1)


def kernel_shapes() -> list[tuple[int, int, int, int]]:
    """Shapes of the 94 kernels, (height, width, in, out), in the order of the description."""
    shapes = _Shapes()
    _describe(3, shapes)
    return shapes.kernels


def untrained(seed: int, shapes: list[tuple[int, int, int, int]] | None = None) -> dict[str, np.ndarray]:
    """Draw weights at random as Keras does: Glorot uniform kernels, batch normalisation that changes nothing.

    Parameters
    ----------
    seed : int
        The same seed gives the same weights, in every process and with every version of TensorFlow.
    shapes : list of tuple of int, optional
        Of the kernels; `kernel_shapes` by default.

    Returns
    -------
    dict of str to np.ndarray [dtype=float32]
    """
    generator = np.random.default_rng(seed)
    weights: dict[str, np.ndarray] = {}
    for index, shape in enumerate(shapes or kernel_shapes(), start=1):
        limit = np.float32(math.sqrt(6 / (math.prod(shape[:3]) + math.prod((*shape[:2], shape[3])))))
        kernel = generator.random(shape, dtype=np.float32)
        weights[f"conv_{index:02d}/kernel"] = (kernel * 2 - 1) * limit
        weights[f"conv_{index:02d}/beta"] = np.zeros(shape[3], dtype=np.float32)
        weights[f"conv_{index:02d}/mean"] = np.zeros(shape[3], dtype=np.float32)
        weights[f"conv_{index:02d}/variance"] = np.ones(shape[3], dtype=np.float32)
    return weights


def load_h5(path: Path, shapes: list[tuple[int, int, int, int]] | None = None) -> dict[str, np.ndarray]:
    """Read Keras' published weights (``inception_v3_..._notop.h5``).

    Keras numbers layers in the order in which they are made, which is that of the description here.

    Parameters
    ----------
    path : Path
    shapes : list of tuple of int, optional
        Of the kernels, as expected; `kernel_shapes` by default.

    Returns
    -------
    dict of str to np.ndarray [dtype=float32]

    Raises
    ------
    DataError
        The file is missing, no HDF5 file, of another network, or holds NaN.
    """
    shapes = shapes or kernel_shapes()
    remedy = "give Keras' inception_v3 weights without top, or set weights: untrained"
    if not path.is_file():
        raise DataError(f"{path}: no such file; {remedy}")
    layers: dict[str, dict[str, np.ndarray]] = {}
    try:
        arrays, _ = hdf5.read(path.read_bytes(), str(path), lambda name: True, deep=True)
    except DataError as error:
        raise DataError(f"{error}; {remedy}") from None
    for name, array in arrays.items():
        if array.dtype.kind != "f":
            raise DataError(f"{path}: {name} holds {array.dtype}, expected floats; {remedy}")
        layer, kind = name.split("/")[0], name.split("/")[-1].partition(":")[0]
        layers.setdefault(layer, {})[kind] = array.astype(np.float32)
    ordered = sorted(layers, key=lambda name: int((re.search(r"_(\d+)$", name) or [0, 0])[1]))
    convolutions = [layers[name] for name in ordered if "kernel" in layers[name]]
    normalisations = [layers[name] for name in ordered if "moving_mean" in layers[name]]
    if not len(convolutions) == len(normalisations) == len(shapes):
        raise DataError(
            f"{path}: has {len(convolutions)} convolutions and {len(normalisations)} normalisations, "
            f"not {len(shapes)} of each; {remedy}"
        )
    weights: dict[str, np.ndarray] = {}
    for index, (conv, norm, shape) in enumerate(zip(convolutions, normalisations, shapes, strict=True), start=1):
        for kind, array in sorted({**conv, **norm}.items()):
            name = f"conv_{index:02d}/{_KINDS.get(kind, kind)}"
            expected = shape if kind == "kernel" else shape[3:]
            if kind not in _KINDS or array.shape != expected or not np.isfinite(array).all():
                raise DataError(f"{path}: {name} is {array.shape}, expected {expected} finite numbers; {remedy}")
            weights[name] = array
    return weights


def resize(frames: np.ndarray, variant: Variant) -> np.ndarray:
    """Bring frames to the size that the network sees; see the module's conventions.

    Parameters
    ----------
    frames : np.ndarray [shape=(n, height, width, 3), dtype=uint8]
    variant : {"keras", "youtube8m"}

    Returns
    -------
    np.ndarray [shape=(n, 299, 299, 3), dtype=uint8 (keras) or float32 (youtube8m)]
        In 0 ... 255.

    Raises
    ------
    DataError
        `frames` has another shape or type.
    """
    if frames.ndim != 4 or frames.shape[3] != 3 or frames.dtype != np.uint8:
        raise DataError(f"expected frames (n, height, width, 3) of uint8, got {frames.shape} of {frames.dtype}")
    if variant == "youtube8m":
        if len(frames) == 0:
            return np.empty((0, SIZE, SIZE, 3), dtype=np.float32)
        # Of the defaults of 2015: corners are not aligned, pixels have no centre.
        return np.asarray(tensorflow().raw_ops.ResizeBilinear(images=frames, size=(SIZE, SIZE)), dtype=np.float32)
    from PIL import Image

    output = np.empty((len(frames), SIZE, SIZE, 3), dtype=np.uint8)
    for target, frame in zip(output, frames, strict=True):
        target[:] = np.asarray(Image.fromarray(frame).resize((SIZE, SIZE), Image.Resampling.BILINEAR))
    return output


class Extractor:
    """From resized frames to ``pool3``, on the CPU.

    A frame's features do not depend on the frames around it: every batch has the full size, the last one is filled
    up with zeros.

    Parameters
    ----------
    network : callable
        From (batch_size, 299, 299, 3) float32 in 0 ... 255 to (batch_size, d), in TensorFlow.
    variant : {"keras", "youtube8m"}
        How frames are resized.
    batch_size : int
        Frames per step of the network.
    """

    def __init__(self, network: Callable[[Any], Any], *, variant: Variant, batch_size: int = 32) -> None:
        tf = tensorflow()
        self.variant: Variant = variant
        self.batch_size = batch_size
        kind = tf.uint8 if variant == "keras" else tf.float32
        self._network = tf.function(
            # pool3 averages what a ReLU let pass, so YouTube-8M's ReLU changes nothing; another graph may need it.
            lambda pictures: tf.nn.relu(network(tf.cast(pictures, tf.float32))),
            input_signature=[tf.TensorSpec((batch_size, SIZE, SIZE, 3), kind)],
            autograph=False,
        )
        self.dimensions = int(self._network.get_concrete_function().output_shapes[1])

    @classmethod
    def from_weights(cls, weights: Mapping[str, np.ndarray], *, batch_size: int = 32) -> Extractor:
        """Build Keras' network.

        Parameters
        ----------
        weights : mapping of str to np.ndarray
            From `untrained` or `load_h5`.
        batch_size : int
        """
        tf = tensorflow()
        kernels, biases = [], []
        for index in range(1, len(weights) // len(_KINDS) + 1):
            kernel, beta, mean, variance = (weights[f"conv_{index:02d}/{kind}"] for kind in _KINDS.values())
            # Batch normalisation is one factor and one offset per channel: no work left for it at run time.
            scale = 1 / np.sqrt(variance.astype(np.float64) + EPSILON)
            kernels.append(tf.Variable((kernel * scale).astype(np.float32), trainable=False))
            biases.append(tf.Variable((beta - mean * scale).astype(np.float32), trainable=False))

        def network(pictures: Any) -> Any:
            values = _describe(pictures / 127.5 - 1, _Tensors(kernels, biases))
            return tf.reduce_mean(values, axis=(1, 2))

        return cls(network, variant="keras", batch_size=batch_size)

    @classmethod
    def from_graph(cls, graph: bytes, *, batch_size: int = 32) -> Extractor:
        """Build the network from the frozen graph of 2015.

        Parameters
        ----------
        graph : bytes
            From `unisono.features.frozen_graph.read`.
        batch_size : int

        Raises
        ------
        DataError
            It is no graph, or has not the expected tensors.
        """
        return cls(frozen_graph.network(graph, batch_size), variant="youtube8m", batch_size=batch_size)

    def resize(self, frames: np.ndarray) -> np.ndarray:
        """Bring frames to the size that the network sees; `unisono.features.inception.resize`."""
        return resize(frames, self.variant)

    def embed(self, pictures: np.ndarray) -> np.ndarray:
        """Embed resized frames.

        Parameters
        ----------
        pictures : np.ndarray [shape=(n, 299, 299, 3)]
            From `resize`.

        Returns
        -------
        np.ndarray [shape=(n, 2048), dtype=float32]
            Not negative.

        Raises
        ------
        DataError
            `pictures` has another shape.
        """
        if pictures.shape[1:] != (SIZE, SIZE, 3):
            raise DataError(f"expected pictures of shape (n, {SIZE}, {SIZE}, 3), got {pictures.shape}")
        output = np.empty((len(pictures), self.dimensions), dtype=np.float32)
        for start in range(0, len(pictures), self.batch_size):
            batch = pictures[start : start + self.batch_size]
            missing = self.batch_size - len(batch)
            if missing:
                batch = np.pad(batch, ((0, missing), (0, 0), (0, 0), (0, 0)))
            output[start : start + self.batch_size] = self._network(batch).numpy()[: self.batch_size - missing]
        return output
