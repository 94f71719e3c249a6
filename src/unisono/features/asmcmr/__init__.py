"""ASMCMR, the audio-sheet-music encoder of Dorfer et al.: two convolutional branches that meet in a CCA layer.

**Conventions.** An `Encoder` is a set of named numpy arrays with metadata, kept as safetensors. Branch ``sheet``
takes snippets (n, 80, 100), branch ``audio`` spectrogram excerpts (n, 92, 42) (`unisono.features.asmcmr.input`);
both give unit vectors of 32 numbers in one space. Features of a data set use the sheet branch alone.

A branch is nine blocks of convolution, batch normalisation ``(x - mean) * gamma * inv_std + beta`` and ELU: 3 x 3
in pairs, each pair followed by 2 x 2 max pooling, and at last 1 x 1 without ELU; the mean over all positions is
``h``, and the CCA layer gives ``(h - mean) @ U`` for sheets and ``(h - mean) @ V`` for audio, divided by its length.

References
----------
.. [1] M. Dorfer, J. Hajič jr., A. Arzt, H. Frostel, G. Widmer: Learning Audio-Sheet Music Correspondences for
   Cross-Modal Retrieval and Piece Identification. TISMIR 1(1), 2018. Parameters: CPJKU/audio_sheet_retrieval.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from unisono.errors import DataError
from unisono.io import tensors, unpickle
from unisono.io.files import replacing

if TYPE_CHECKING:
    import torch

Branch = Literal["sheet", "audio"]
BRANCHES: tuple[Branch, Branch] = ("sheet", "audio")
DIMENSIONS = 32
# Output channels of the blocks; the last is the 1 x 1 convolution.
CHANNELS = (24, 24, 48, 48, 96, 96, 96, 96, DIMENSIONS)
NORMALISATION = ("beta", "gamma", "mean", "inv_std")
# Of Lasagne's batch normalisation, with which the published parameters were made.
EPSILON = 1e-4
# A batch whose largest layer stays small enough for the allocator to keep: twice as many cost half as much again.
BATCH_SIZE = 8


def _shapes() -> dict[str, tuple[int, ...]]:
    """Names and shapes of an encoder's arrays, in the published order."""
    shapes: dict[str, tuple[int, ...]] = {}
    for branch in BRANCHES:
        for block, (inputs, outputs) in enumerate(zip((1, *CHANNELS), CHANNELS, strict=False)):
            size = 1 if block == len(CHANNELS) - 1 else 3
            shapes[f"{branch}.{block}.weight"] = (outputs, inputs, size, size)
            shapes |= {f"{branch}.{block}.{name}": (outputs,) for name in NORMALISATION}
    shapes |= {f"{branch}.projection": (DIMENSIONS, DIMENSIONS) for branch in BRANCHES}
    shapes |= {f"{branch}.centre": (DIMENSIONS,) for branch in BRANCHES}
    return shapes


SHAPES = _shapes()


@dataclass(frozen=True)
class Encoder:
    """Parameters of both branches and the CCA layer.

    Attributes
    ----------
    arrays : mapping of str to np.ndarray [dtype=float32]
        ``<branch>.<block>.{weight,beta,gamma,mean,inv_std}``, ``<branch>.projection`` (U, V), ``<branch>.centre``
        (the means); shapes in `SHAPES`.
    metadata : mapping
        At least ``weights`` (pretrained, trained or untrained).
    """

    arrays: Mapping[str, np.ndarray]
    metadata: Mapping[str, Any]

    def __post_init__(self) -> None:
        for name, shape in SHAPES.items():
            if name not in self.arrays:
                raise DataError(f"ASMCMR encoder: array {name!r} is missing")
            array = self.arrays[name]
            if array.shape != shape or array.dtype != np.float32:
                raise DataError(f"ASMCMR encoder: {name} is {array.dtype} {array.shape}, expected float32 {shape}")
            if not np.isfinite(array).all():
                raise DataError(f"ASMCMR encoder: {name} holds NaN or infinite values")

    def save(self, path: Path) -> None:
        """Write as safetensors, metadata as JSON in the header; the same bytes for the same encoder."""
        from safetensors.numpy import save

        data = save(
            {name: np.ascontiguousarray(self.arrays[name]) for name in SHAPES},
            metadata={"unisono": json.dumps(dict(self.metadata), sort_keys=True)},
        )
        with replacing(path) as temporary:
            temporary.write_bytes(data)

    @classmethod
    def load(cls, path: Path) -> Encoder:
        """Read what `save` wrote.

        Raises
        ------
        DataError
            The file is missing, damaged, or not an encoder.
        """
        metadata, arrays = tensors.read(
            path, "unisono", what="an ASMCMR encoder", remedy="run the stage train_asmcmr again"
        )
        return cls(arrays, metadata)


def untrained(seed: int) -> Encoder:
    """Draw an encoder at random: He-uniform filters, batch normalisation and CCA layer that do nothing.

    Parameters
    ----------
    seed : int

    Returns
    -------
    Encoder
    """
    rng = np.random.default_rng(seed)
    arrays = {}
    for name, shape in SHAPES.items():
        if name.endswith("weight"):
            bound = np.sqrt(6 / np.prod(shape[1:]))
            arrays[name] = rng.uniform(-bound, bound, shape).astype(np.float32)
        elif name.endswith("projection"):
            arrays[name] = np.eye(DIMENSIONS, dtype=np.float32)
        else:
            fill = 1 if name.endswith(("gamma", "inv_std")) else 0
            arrays[name] = np.full(shape, fill, np.float32)
    return Encoder(arrays, {"weights": "untrained", "seed": seed})


def from_published(source: Path) -> Encoder:
    """Read the authors' parameters: a Python 2 pickle of 97 arrays, opened with an allow-list.

    Parameters
    ----------
    source : Path
        ``params_all_split_mutopia_full_aug.pkl``. Its last three arrays, covariances of the last training batch,
        are not used.

    Returns
    -------
    Encoder

    Raises
    ------
    DataError
        The file is damaged, names a foreign global, or holds other arrays.
    """
    arrays = unpickle.load(source, encoding="latin1")
    ours = arrays[: len(SHAPES)] if isinstance(arrays, list) else []
    if len(ours) < len(SHAPES) or not all(isinstance(array, np.ndarray) and array.dtype.kind == "f" for array in ours):
        raise DataError(f"{source}: expected a list of 97 arrays of floats, the authors' ASMCMR parameters")
    named = {name: array.astype(np.float32) for name, array in zip(SHAPES, ours, strict=True)}
    return Encoder(named, {"weights": "pretrained", "file": source.name})


def network(encoder: Encoder, branch: Branch) -> torch.nn.Sequential:
    """Build one branch for inference, up to ``h``; batch normalisation is folded into the filters.

    Pooling comes before ELU: the same numbers, since ELU is monotone, from a quarter of the exponentials.

    Parameters
    ----------
    encoder : Encoder
    branch : {"sheet", "audio"}

    Returns
    -------
    torch.nn.Sequential
        From (n, 1, rows, columns) to (n, 32), float32, channels last.
    """
    import torch
    from torch import nn

    layers: list[nn.Module] = []
    for block in range(len(CHANNELS)):
        weight, beta, gamma, mean, inv_std = (
            encoder.arrays[f"{branch}.{block}.{name}"].astype(np.float64) for name in ("weight", *NORMALISATION)
        )
        scale = gamma * inv_std
        convolution = nn.Conv2d(weight.shape[1], weight.shape[0], weight.shape[2], padding=weight.shape[2] // 2)
        convolution.weight.data = torch.from_numpy((weight * scale[:, None, None, None]).astype(np.float32)).contiguous(
            memory_format=torch.channels_last
        )
        convolution.bias = nn.Parameter(torch.from_numpy((beta - mean * scale).astype(np.float32)))
        layers.append(convolution)
        if block < len(CHANNELS) - 1:
            if block % 2:
                layers.append(nn.MaxPool2d(2))
            layers.append(nn.ELU(inplace=True))
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*layers).eval()


def hidden_states(encoder: Encoder, branch: Branch) -> Callable[[np.ndarray], np.ndarray]:
    """Make the function from inputs to ``h``, what the CCA layer projects.

    Parameters
    ----------
    encoder : Encoder
    branch : {"sheet", "audio"}

    Returns
    -------
    callable
        From (n, rows, columns) float32 to (n, 32) float64. Inputs go through the network in batches of one fixed
        size, so that a row does not depend on how many there are.
    """
    import torch

    branch_network = network(encoder, branch)

    def compute(inputs: np.ndarray) -> np.ndarray:
        hidden = np.empty((len(inputs), DIMENSIONS))
        batch = np.zeros((BATCH_SIZE, 1, *inputs.shape[1:]), np.float32)
        for start in range(0, len(inputs), BATCH_SIZE):
            part = inputs[start : start + BATCH_SIZE]
            batch[: len(part), 0] = part
            with torch.inference_mode():
                tensor = torch.from_numpy(batch).contiguous(memory_format=torch.channels_last)
                hidden[start : start + len(part)] = branch_network(tensor)[: len(part)].numpy()
        return hidden

    return compute


def embedder(encoder: Encoder, branch: Branch) -> Callable[[np.ndarray], np.ndarray]:
    """Make the function from inputs to unit vectors.

    Parameters
    ----------
    encoder : Encoder
    branch : {"sheet", "audio"}

    Returns
    -------
    callable
        From (n, 80, 100) snippets or (n, 92, 42) excerpts, float32, to (n, 32) float32 unit rows; a row does not
        depend on its neighbours.
    """
    compute = hidden_states(encoder, branch)
    projection = encoder.arrays[f"{branch}.projection"].astype(np.float64)
    centre = encoder.arrays[f"{branch}.centre"].astype(np.float64)
    return lambda inputs: unit_rows((compute(inputs) - centre) @ projection)


def unit_rows(rows: np.ndarray) -> np.ndarray:
    """Divide rows by their length.

    Parameters
    ----------
    rows : np.ndarray [shape=(n, d)]

    Returns
    -------
    np.ndarray [shape=(n, d), dtype=float32]
        A row of zeros stays zero.
    """
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows / np.maximum(lengths, np.finfo(np.float64).tiny)).astype(np.float32)
