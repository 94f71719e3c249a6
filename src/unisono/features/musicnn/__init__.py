"""musicnn: 200 numbers for three seconds of music, from a network that was trained to tag songs.

**Conventions.** Sound is mono at 16,000 Hz, floats in -1 ... 1, shape ``(n,)``. A frame is a 512-point FFT every 256
samples, the sound mirrored at both ends; 96 mel bands of its power (librosa's), rounded to half precision as the
package does, and ``log10(1 + 10,000 x)``. A patch is 187 frames x 96 bands: 3 s. Weights are a mapping from the
variables' names in the published checkpoint to float32 arrays: kernels (height, width, in, out), height over time,
width over bands; matrices (in, out).

Every convolution is followed by ReLU, then by batch normalisation (epsilon 0.001). The front end has two timbral
convolutions (7 x 38 and 7 x 67, 204 filters each, over time with zero padding) and three temporal ones (128, 64 and
32 x 1, 51 filters each, zero padding), each followed by the maximum over its bands: 561 numbers a frame. Three
convolutions over 7 frames with 64 filters follow, the second and third added to what they see. The 561 + 3 x 64 = 753
numbers are pooled over time by maximum and mean; a layer of 200 with ReLU and normalisation (penultimate) and a
logistic one of 50 tags end the network.

References
----------
.. [1] J. Pons, X. Serra: musicnn: Pre-trained convolutional neural networks for music audio tagging. ISMIR 2019 (late
   breaking). Package musicnn 0.1.0: extractor.py, models.py.
.. [2] J. Pons et al.: End-to-end learning for music audio tagging at scale. ISMIR 2018.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from unisono.errors import DataError

if TYPE_CHECKING:
    import torch

SAMPLE_RATE = 16_000
N_FFT = 512
STEP = 256
BANDS = 96
FRAMES = 187
#: Inside the logarithm, and in batch normalisation.
GAIN, EPSILON = 10_000, 1e-3
#: Largest value of a log-mel spectrogram: the largest number of half precision.
LOUDEST = math.log10(1 + GAIN * 65_504)
#: Frames and bands of the kernels of the front end, with their filters; frames and filters of those that follow.
FRONT = ((7, 38, 204), (7, 67, 204), (128, 1, 51), (64, 1, 51), (32, 1, 51))
MIDDLE_FRAMES, MIDDLE_FILTERS, N_MIDDLE = 7, 64, 3
N_FRONT = sum(filters for _, _, filters in FRONT)
N_POOLED = N_FRONT + N_MIDDLE * MIDDLE_FILTERS
#: Width of each output; ``pools`` is the means, then the maxima.
OUTPUTS: Mapping[str, int] = {
    "penultimate": 200,
    "mean_pool": N_POOLED,
    "max_pool": N_POOLED,
    "pools": 2 * N_POOLED,
    "tags": 50,
}
#: A filter that cannot change its output by more than this, whatever it hears, is a constant.
NEGLIGIBLE = 1e-7


def variable_shapes() -> dict[str, tuple[int, ...]]:
    """Names and shapes of the network's variables, in the order of the checkpoint's names."""
    kernels = [(rows, bands, 1, filters) for rows, bands, filters in FRONT]
    widths = [N_FRONT, *[MIDDLE_FILTERS] * (N_MIDDLE - 1)]
    kernels += [(MIDDLE_FRAMES, width, 1, MIDDLE_FILTERS) for width in widths]
    shapes: dict[str, tuple[int, ...]] = {}
    for i, shape in enumerate(kernels):
        shapes[f"{_numbered('conv2d', i)}/kernel"] = shape
        shapes[f"{_numbered('conv2d', i)}/bias"] = shape[-1:]
    for i, matrix in enumerate([(2 * N_POOLED, OUTPUTS["penultimate"]), (OUTPUTS["penultimate"], OUTPUTS["tags"])]):
        shapes[f"{_numbered('dense', i)}/kernel"] = matrix
        shapes[f"{_numbered('dense', i)}/bias"] = matrix[-1:]
    for i, width in enumerate([1, *(shape[-1] for shape in kernels), 2 * N_POOLED, OUTPUTS["penultimate"]]):
        for part in ("gamma", "beta", "moving_mean", "moving_variance"):
            shapes[f"{_numbered('batch_normalization', i)}/{part}"] = (width,)
    return shapes


def _numbered(name: str, index: int) -> str:
    """Name a layer as TensorFlow does: ``conv2d, conv2d_1, ...``."""
    return f"{name}_{index}" if index else name


def untrained(seed: int) -> dict[str, np.ndarray]:
    """Draw weights at random: normal with variance 2 / inputs (He et al., 2015), normalisation that changes nothing.

    Parameters
    ----------
    seed : int
        The same seed gives the same weights, whatever the version of torch.

    Returns
    -------
    dict of str to np.ndarray [dtype=float32]
    """
    generator = np.random.default_rng(seed)
    weights: dict[str, np.ndarray] = {}
    for name, shape in variable_shapes().items():
        if len(shape) > 1:
            drawn = generator.standard_normal(shape, dtype=np.float32)
            weights[name] = drawn * np.float32(math.sqrt(2 / math.prod(shape[:-1])))
        else:
            weights[name] = np.full(shape, name.endswith(("gamma", "moving_variance")), dtype=np.float32)
    return weights


def log_mel(samples: np.ndarray) -> np.ndarray:
    """Compute the log-mel spectrogram of a sound.

    Parameters
    ----------
    samples : np.ndarray [shape=(n,), dtype=float32]
        Mono, at 16,000 Hz, in -1 ... 1.

    Returns
    -------
    np.ndarray [shape=(1 + n // 256, 96), dtype=float32]
        No frame for a sound that is too short to be mirrored (256 samples or fewer).
    """
    import librosa

    if len(samples) <= N_FFT // 2:
        return np.empty((0, BANDS), dtype=np.float32)
    mel = librosa.feature.melspectrogram(
        y=np.asarray(samples, dtype=np.float32),
        sr=SAMPLE_RATE,
        n_fft=N_FFT,
        hop_length=STEP,
        n_mels=BANDS,
        pad_mode="reflect",
    )
    # The package rounds; its numbers are matched to four digits only so.
    rounded = mel.T.astype(np.float16).astype(np.float32)
    return np.ascontiguousarray(np.log10(GAIN * rounded + 1))


def patches(samples: np.ndarray, sample_rate: int, *, hop_s: float = 3.0) -> np.ndarray:
    """Cut a sound into log-mel patches.

    Parameters
    ----------
    samples : np.ndarray [shape=(n,), dtype=float32]
        Mono, in -1 ... 1.
    sample_rate : int
        In Hz; other rates than 16,000 are resampled by librosa, as the package does: its numbers depend on what is
        left right below 8,000 Hz.
    hop_s : float
        Step from patch to patch in seconds, rounded down to frames of 16 ms: 187 of them for 3 s, so that patches
        neither overlap nor leave a gap.

    Returns
    -------
    np.ndarray [shape=(m, 187, 96), dtype=float32]
        Only whole patches, as in the package: 10 of 30 s, none of a sound shorter than 3 s.

    Examples
    --------
    >>> len(patches(np.zeros(480_000), 16_000))
    10
    """
    import librosa

    if len(samples):
        samples = librosa.resample(np.asarray(samples, np.float32), orig_sr=sample_rate, target_sr=SAMPLE_RATE)
    spectrum = log_mel(samples)
    if len(spectrum) < FRAMES:
        return np.empty((0, FRAMES, BANDS), dtype=np.float32)
    step = max(1, math.floor(hop_s * SAMPLE_RATE / STEP + 1e-6))
    views = np.lib.stride_tricks.sliding_window_view(spectrum, FRAMES, axis=0)
    return np.array(views[::step].transpose(0, 2, 1), order="C")


class _Normalisation(NamedTuple):
    """Batch normalisation as ``scale x + shift``."""

    scale: np.ndarray
    shift: np.ndarray


def _normalisation(weights: Mapping[str, np.ndarray], index: int) -> _Normalisation:
    name = _numbered("batch_normalization", index)
    gamma, beta, mean, variance = (
        weights[f"{name}/{part}"].astype(np.float64) for part in ("gamma", "beta", "moving_mean", "moving_variance")
    )
    scale = gamma / np.sqrt(variance + EPSILON)
    return _Normalisation(scale, beta - scale * mean)


def _tensor(array: np.ndarray) -> torch.Tensor:
    import torch

    # A copy: torch shares no memory that cannot be written.
    return torch.from_numpy(np.array(array, dtype=np.float32, order="C"))


class _Front:
    """One convolution of the front end with its ReLU, its normalisation and the maximum over its bands.

    The normalisation, ``scale relu(x) + shift``, comes after the maximum: where its scale is negative the maximum of
    what it gives is at the least x, so such filters are negated. Many filters of the published networks died in
    training, their kernels decayed to nothing: what such a one gives is a constant, and it is not computed.

    Parameters
    ----------
    kernel : np.ndarray [shape=(rows, bands, 1, filters)]
    bias : np.ndarray [shape=(filters,)]
    normalisation : _Normalisation
    largest : float
        Largest absolute value in the input.
    """

    def __init__(self, kernel: np.ndarray, bias: np.ndarray, normalisation: _Normalisation, *, largest: float) -> None:
        import torch

        scale, shift = normalisation
        reach = np.abs(kernel).sum(axis=(0, 1, 2)) * largest
        self.alive = torch.from_numpy(np.flatnonzero(np.abs(scale) * reach > NEGLIGIBLE))
        alive = self.alive.numpy()
        sign = np.where(scale < 0, -1.0, 1.0)[alive]
        rows = len(kernel)
        self.padding = ((rows - 1) // 2, rows // 2)
        self.kernel = _tensor((kernel[..., alive] * sign).transpose(3, 2, 0, 1))
        self.bias, self.sign = _tensor(bias[alive] * sign), _tensor(sign[:, None])
        self.scale, self.shift = _tensor(scale[alive, None]), _tensor(shift[alive, None])
        self.constant = _tensor(scale * np.maximum(bias, 0) + shift)

    def __call__(self, values: torch.Tensor) -> torch.Tensor:
        """Apply it: (n, 1, time, bands) to (n, filters, time)."""
        import torch.nn.functional as F

        padded = F.pad(values, (0, 0, *self.padding))
        found = F.conv2d(padded, self.kernel, self.bias).amax(dim=3)
        output = self.constant[:, None].repeat(len(values), 1, values.shape[2])
        output[:, self.alive] = F.relu(found * self.sign) * self.scale + self.shift
        return output


class _Middle:
    """One of the convolutions over all channels, with its ReLU and normalisation."""

    def __init__(self, kernel: np.ndarray, bias: np.ndarray, normalisation: _Normalisation) -> None:
        self.kernel, self.bias = _tensor(kernel[:, :, 0].transpose(2, 1, 0)), _tensor(bias)
        self.scale, self.shift = (_tensor(part[:, None]) for part in normalisation)

    def __call__(self, values: torch.Tensor) -> torch.Tensor:
        """Apply it: (n, channels, time) to (n, filters, time)."""
        import torch.nn.functional as F

        convolved = F.conv1d(values, self.kernel, self.bias, padding=MIDDLE_FRAMES // 2)
        return F.relu(convolved) * self.scale + self.shift


class Extractor:
    """From log-mel patches to one of the network's outputs, on the CPU.

    Normalisation is folded into what follows it wherever that changes no number but by rounding. Patches go through
    the network `batch_size` at a time.

    Parameters
    ----------
    weights : mapping of str to np.ndarray
        From `untrained` or `unisono.features.musicnn.package.read`.
    output : {"penultimate", "mean_pool", "max_pool", "pools", "tags"}
    batch_size : int
        Patches per step of the network.
    """

    def __init__(self, weights: Mapping[str, np.ndarray], *, output: str = "penultimate", batch_size: int = 5) -> None:
        self.output, self.dimensions, self.batch_size = output, OUTPUTS[output], batch_size

        def layer(index: int) -> tuple[Any, Any, _Normalisation]:
            name = _numbered("conv2d", index)
            return weights[f"{name}/kernel"], weights[f"{name}/bias"], _normalisation(weights, index + 1)

        scale, shift = (float(part[0]) for part in _normalisation(weights, 0))
        self._scale, self._shift = scale, shift
        largest = max(abs(shift), abs(scale * LOUDEST + shift))
        self._front = [_Front(*layer(index), largest=largest) for index in range(len(FRONT))]
        self._middle = [_Middle(*layer(len(FRONT) + index)) for index in range(N_MIDDLE)]
        pooled, last = (_normalisation(weights, len(FRONT) + N_MIDDLE + index) for index in (1, 2))
        matrix = weights["dense/kernel"].astype(np.float64)
        self._matrix = _tensor((pooled.scale[:, None] * matrix).T)
        self._bias = _tensor(weights["dense/bias"] + pooled.shift @ matrix)
        self._last = tuple(_tensor(part) for part in last)
        self._tags = _tensor(weights["dense_1/kernel"].T), _tensor(weights["dense_1/bias"])

    def embed(self, patches: np.ndarray) -> np.ndarray:
        """Apply the network.

        Parameters
        ----------
        patches : np.ndarray [shape=(n, 187, 96), dtype=float32]
            From `patches`.

        Returns
        -------
        np.ndarray [shape=(n, dimensions), dtype=float32]

        Raises
        ------
        DataError
            `patches` has another shape.
        """
        import torch

        if patches.shape[1:] != (FRAMES, BANDS):
            raise DataError(f"expected log-mel patches of shape (n, {FRAMES}, {BANDS}), got {patches.shape}")
        output = np.empty((len(patches), self.dimensions), dtype=np.float32)
        with torch.inference_mode():
            for start in range(0, len(patches), self.batch_size):
                batch = slice(start, start + self.batch_size)
                output[batch] = self._forward(_tensor(patches[batch])).numpy()
        return output

    def _forward(self, patches: torch.Tensor) -> torch.Tensor:
        import torch
        import torch.nn.functional as F

        values = patches[:, None] * self._scale + self._shift
        front = torch.cat([block(values) for block in self._front], dim=1)
        parts, current = [front], self._middle[0](front)
        parts.append(current)
        for block in self._middle[1:]:
            current = block(current) + current
            parts.append(current)
        whole = torch.cat(parts, dim=1)
        largest, mean = whole.amax(dim=2), whole.mean(dim=2)
        if self.output.endswith(("pool", "pools")):
            return {"mean_pool": mean, "max_pool": largest, "pools": torch.cat([mean, largest], dim=1)}[self.output]
        # Maximum and mean of one number stand side by side.
        pooled = torch.stack([largest, mean], dim=2).flatten(1)
        scale, shift = self._last
        penultimate = F.relu(F.linear(pooled, self._matrix, self._bias)) * scale + shift
        return penultimate if self.output == "penultimate" else F.linear(penultimate, *self._tags).sigmoid()
