"""VGGish: 128 numbers for 0.96 s of sound.

**Conventions.** A patch is (96, 64), frames x bands of `unisono.features.logmel`. Weights are a mapping from
variable names, as in the published checkpoint without the leading ``vggish/``, to float32 arrays: kernels (3,
3, in, out), matrices (in, out), biases (out,). The network is convolution 64, P, 128, P, 256, 256, P, 512,
512, P (3 x 3, zero padding, ReLU; P: maximum over 2 x 2), then fully connected 4,096, 4,096 (ReLU) and 128.
The output is taken *before* any activation, as the published TensorFlow release does; the published PCA and
its 8-bit step come after it.

References
----------
.. [1] S. Hershey et al.: CNN Architectures for Large-Scale Audio Classification. ICASSP 2017, section 3.3.
.. [2] tensorflow/models, research/audioset/vggish: vggish_slim.py, vggish_postprocess.py.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from unisono.errors import DataError, pass_machine
from unisono.features import logmel
from unisono.features.tf_runtime import tensorflow
from unisono.io import archive, unpickle

DIMENSIONS = 128
SCOPE = "vggish"
#: Output channels of each layer; names of the published checkpoint.
WIDTHS: Mapping[str, int] = {
    "conv1": 64,
    "conv2": 128,
    "conv3/conv3_1": 256,
    "conv3/conv3_2": 256,
    "conv4/conv4_1": 512,
    "conv4/conv4_2": 512,
    "fc1/fc1_1": 4096,
    "fc1/fc1_2": 4096,
    "fc2": DIMENSIONS,
}
POOLED = ("conv1", "conv2", "conv3/conv3_2", "conv4/conv4_2")
OUTPUT = "fc2"
#: The PCA's output is clipped to -2 ... 2 before it is cut into 256 steps.
CLIP = 2.0


def variable_shapes(widths: Mapping[str, int] = WIDTHS) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the network's variables.

    Parameters
    ----------
    widths : mapping of str to int
        Output channels of each layer.

    Returns
    -------
    dict of str to tuple of int
        From the input to the output: ``conv1/weights``, ``conv1/biases``, ...
    """
    shapes: dict[str, tuple[int, ...]] = {}
    inputs, positions = 1, logmel.FRAMES * logmel.BANDS
    for layer, outputs in widths.items():
        if layer.startswith("conv"):
            shapes[f"{layer}/weights"] = (3, 3, inputs, outputs)
            positions //= 4 if layer in POOLED else 1
        else:
            # The first matrix sees all positions of all channels.
            shapes[f"{layer}/weights"] = (inputs * positions, outputs)
            positions = 1
        shapes[f"{layer}/biases"] = (outputs,)
        inputs = outputs
    return shapes


def untrained(seed: int, widths: Mapping[str, int] = WIDTHS) -> dict[str, np.ndarray]:
    """Draw weights at random: normal with variance 2 / inputs (He et al., 2015), biases 0.

    Parameters
    ----------
    seed : int
        The same seed gives the same weights, whatever the version of TensorFlow.
    widths : mapping of str to int
        Output channels of each layer.

    Returns
    -------
    dict of str to np.ndarray [dtype=float32]
    """
    generator = np.random.default_rng(seed)
    weights: dict[str, np.ndarray] = {}
    for name, shape in variable_shapes(widths).items():
        if name.endswith("/biases"):
            weights[name] = np.zeros(shape, dtype=np.float32)
        else:
            weights[name] = generator.standard_normal(shape, dtype=np.float32)
            weights[name] *= np.float32(math.sqrt(2 / math.prod(shape[:-1])))
    return weights


def load_checkpoint(path: Path, widths: Mapping[str, int] = WIDTHS) -> dict[str, np.ndarray]:
    """Read weights from a TensorFlow checkpoint (one file, as published), by the names of its variables.

    Parameters
    ----------
    path : Path
    widths : mapping of str to int
        Output channels of each layer, as expected.

    Returns
    -------
    dict of str to np.ndarray [dtype=float32]

    Raises
    ------
    DataError
        The file is missing or no checkpoint, or a variable is missing, has another shape, or is not finite.
    """
    tf = tensorflow()
    remedy = "give the published vggish_model.ckpt, or set weights: untrained"
    if not path.is_file():
        raise DataError(f"{path}: no such checkpoint; {remedy}")
    try:
        reader = tf.train.load_checkpoint(str(path))
        present = reader.get_variable_to_shape_map()
    except (tf.errors.OpError, ValueError, RuntimeError) as error:
        pass_machine(error)
        raise DataError(f"{path}: not a TensorFlow checkpoint or damaged ({error}); {remedy}") from None
    weights = {}
    for name, shape in variable_shapes(widths).items():
        full = f"{SCOPE}/{name}"
        if full not in present:
            raise DataError(f"{path}: has no variable {full}; {remedy}")
        if tuple(present[full]) != shape:
            raise DataError(f"{path}: variable {full} has shape {tuple(present[full])}, not {shape}; {remedy}")
        try:
            weights[name] = np.asarray(reader.get_tensor(full), dtype=np.float32)
        except (tf.errors.OpError, ValueError, RuntimeError) as error:
            pass_machine(error)
            raise DataError(f"{path}: variable {full} cannot be read ({error}); {remedy}") from None
        if not np.isfinite(weights[name]).all():
            raise DataError(f"{path}: variable {full} holds NaN or infinity; {remedy}")
    return weights


def load_pca(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read the published PCA (``.npz``; nothing in it is executed).

    Parameters
    ----------
    path : Path

    Returns
    -------
    vectors : np.ndarray [shape=(128, 128), dtype=float32]
        One principal component a row, scaled to unit variance.
    means : np.ndarray [shape=(128,), dtype=float32]

    Raises
    ------
    DataError
        The file is missing, no ``.npz``, or an array is missing or has another shape.
    """
    remedy = "give the published vggish_pca_params.npz, or set postprocess: none"
    expected = {"pca_eigen_vectors": (DIMENSIONS, DIMENSIONS), "pca_means": (DIMENSIONS,)}
    if not path.is_file():
        raise DataError(f"{path}: no such file; {remedy}")
    arrays = []
    try:
        found = {
            name: unpickle.load_npy(data, name=f"{path}: {name}")
            for name, data in archive.zip_members(path)
            if name.removesuffix(".npy") in expected
        }
    except DataError as error:
        raise DataError(f"{error}; {remedy}") from None
    for name, shape in expected.items():
        if f"{name}.npy" not in found:
            raise DataError(f"{path}: has no array {name}; {remedy}")
        array = found[f"{name}.npy"]
        if array.dtype.kind not in "fiu" or array.size != math.prod(shape) or not np.isfinite(array).all():
            raise DataError(
                f"{path}: {name} is {array.dtype} {array.shape}, expected {shape} of finite numbers; {remedy}"
            )
        arrays.append(array.astype(np.float32).reshape(shape))
    return arrays[0], arrays[1]


def postprocess(embeddings: np.ndarray, vectors: np.ndarray, means: np.ndarray, *, eight_bit: bool) -> np.ndarray:
    """Whiten embeddings, ``vectors (e - means)``, and optionally cut them into 256 steps.

    Parameters
    ----------
    embeddings : np.ndarray [shape=(n, 128), dtype=float32]
    vectors : np.ndarray [shape=(128, 128)]
    means : np.ndarray [shape=(128,)]
    eight_bit : bool
        Clip to -2 ... 2 and round ``(x + 2) 255 / 4`` to whole numbers.

    Returns
    -------
    np.ndarray [shape=(n, 128), dtype=float32]
        With `eight_bit` whole numbers from 0 to 255.
    """
    whitened = (embeddings - means) @ vectors.T
    if eight_bit:
        whitened = np.rint((np.clip(whitened, -CLIP, CLIP) + CLIP) * (255 / (2 * CLIP)))
    return whitened.astype(np.float32)


class Extractor:
    """From sound to embeddings, on the CPU.

    The same patch gives the same bytes whatever the patches around it, for a given batch size, number of
    threads and machine: every batch has the full size, the last one is filled up with zeros.

    Parameters
    ----------
    weights : mapping of str to np.ndarray
        From `untrained` or `load_checkpoint`.
    pca : tuple of np.ndarray, optional
        Vectors and means from `load_pca`; without it the network's output is left as it is.
    eight_bit : bool
        Cut the PCA's output into 256 steps.
    batch_size : int
        Patches per step of the network.
    """

    def __init__(
        self,
        weights: Mapping[str, np.ndarray],
        *,
        pca: tuple[np.ndarray, np.ndarray] | None = None,
        eight_bit: bool = False,
        batch_size: int = 64,
    ) -> None:
        tf = tensorflow()
        self.dimensions = len(weights[f"{OUTPUT}/biases"])
        self.batch_size = batch_size
        self._pca = pca
        self._eight_bit = eight_bit
        # Variables, not constants: TensorFlow would copy 288 MB of constants into the graph.
        self._variables = {name: tf.Variable(value, trainable=False) for name, value in weights.items()}
        self._network = tf.function(
            self._forward,
            input_signature=[tf.TensorSpec((batch_size, logmel.FRAMES, logmel.BANDS), tf.float32)],
            autograph=False,
        )

    @staticmethod
    def patches(samples: np.ndarray, sample_rate: int, *, hop_s: float = 0.96) -> np.ndarray:
        """Cut a sound into log-mel patches; `unisono.features.logmel.patches`."""
        return logmel.patches(samples, sample_rate, hop_s=hop_s)

    def embed(self, patches: np.ndarray) -> np.ndarray:
        """Embed log-mel patches.

        Parameters
        ----------
        patches : np.ndarray [shape=(n, 96, 64), dtype=float32]

        Returns
        -------
        np.ndarray [shape=(n, 128), dtype=float32]

        Raises
        ------
        DataError
            `patches` has another shape.
        """
        if patches.shape[1:] != (logmel.FRAMES, logmel.BANDS):
            raise DataError(f"expected log-mel patches of shape (n, 96, 64), got {patches.shape}")
        output = np.empty((len(patches), self.dimensions), dtype=np.float32)
        for start in range(0, len(patches), self.batch_size):
            batch = np.asarray(patches[start : start + self.batch_size], dtype=np.float32)
            missing = self.batch_size - len(batch)
            if missing:
                batch = np.pad(batch, ((0, missing), (0, 0), (0, 0)))
            embedded = self._network(batch).numpy()
            output[start : start + self.batch_size] = embedded[: self.batch_size - missing]
        if self._pca is None:
            return output
        return postprocess(output, *self._pca, eight_bit=self._eight_bit)

    def _forward(self, patches: Any) -> Any:
        tf = tensorflow()
        values = patches[..., None]
        for layer in WIDTHS:
            kernel, bias = self._variables[f"{layer}/weights"], self._variables[f"{layer}/biases"]
            if layer.startswith("conv"):
                values = tf.nn.conv2d(values, kernel, strides=1, padding="SAME")
            else:
                values = tf.matmul(tf.reshape(values, (self.batch_size, kernel.shape[0])), kernel)
            values = tf.nn.bias_add(values, bias)
            if layer != OUTPUT:
                values = tf.nn.relu(values)
            if layer in POOLED:
                values = tf.nn.max_pool2d(values, ksize=2, strides=2, padding="SAME")
        return values
