"""The staff reader: a small convolutional network that reads printed notes, and one row of features a note.

**Conventions.** A `Reader` is a set of named numpy arrays with metadata, kept as safetensors. It takes strips
(`unisono.features.staff_reader.staff`) and gives, for every cell of 4 x 4 pixels, 23 logits: that a symbol stands
there, its kind (5), its printed length (12), the accidental before it (4), that it is tied to the one before
(`unisono.features.staff_reader.symbols`), and 32 activations; and for the whole strip the clef (5). Rows of cells are
steps of the staff, so that a pitch is a place and what is learned of one pitch holds for all.

It is trained on the pictures of the training part and the notes they were printed from, nothing else: where in the
picture a note stands is not told but found (`unisono.features.staff_reader.training`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from unisono.errors import DataError
from unisono.features.staff_reader import staff, symbols
from unisono.io import tensors
from unisono.io.files import replacing
from unisono.media import notation

if TYPE_CHECKING:
    import torch

#: Outputs, side, stride and dilation (rows, columns) of each convolution.
LAYERS = (
    (12, 5, 2, (1, 1)),
    (24, 3, 2, (1, 1)),
    (32, 3, 1, (1, 2)),
    (32, 3, 1, (3, 1)),
    (32, 3, 1, (2, 4)),
)
HIDDEN = LAYERS[-1][0]
#: Where each attribute lies among a cell's logits.
SYMBOL = slice(0, 1)
KIND = slice(1, 1 + len(symbols.KINDS))
LENGTH = slice(KIND.stop, KIND.stop + len(symbols.LENGTHS))
ACCIDENTAL = slice(LENGTH.stop, LENGTH.stop + len(symbols.ACCIDENTALS))
TIED = slice(ACCIDENTAL.stop, ACCIDENTAL.stop + 1)
#: Cells from the left in which the clef stands.
CLEF_CELLS = 10


def _shapes() -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    inputs = 1
    for number, (outputs, side, _, _) in enumerate(LAYERS):
        shapes |= {f"{number}.weight": (outputs, inputs, side, side), f"{number}.bias": (outputs,)}
        inputs = outputs
    clefs = len(notation.CLEFS)
    return shapes | {
        "cells.weight": (TIED.stop, HIDDEN, 1, 1),
        "cells.bias": (TIED.stop,),
        "clef.weight": (clefs, HIDDEN * staff.CELL_ROWS),
        "clef.bias": (clefs,),
    }


SHAPES = _shapes()


@dataclass(frozen=True)
class Reader:
    """A trained network.

    Attributes
    ----------
    arrays : mapping of str to np.ndarray [dtype=float32]
        ``<layer>.{weight,bias}`` with batch normalisation folded in, ``cells.*``, ``clef.*``; shapes in `SHAPES`.
    metadata : mapping
        How it was trained.
    """

    arrays: Mapping[str, np.ndarray]
    metadata: Mapping[str, Any]

    def __post_init__(self) -> None:
        for name, shape in SHAPES.items():
            if name not in self.arrays:
                raise DataError(f"staff reader: array {name!r} is missing; run the stage train_staff_reader again")
            array = self.arrays[name]
            if array.shape != shape or array.dtype != np.float32:
                raise DataError(
                    f"staff reader: {name} is {array.dtype} {array.shape}, expected float32 {shape}; "
                    "run the stage train_staff_reader again"
                )

    def save(self, path: Path) -> None:
        """Write as safetensors, metadata as JSON in the header; the same bytes for the same reader."""
        from safetensors.numpy import save

        data = save(
            {name: np.ascontiguousarray(self.arrays[name]) for name in SHAPES},
            metadata={"unisono": json.dumps(dict(self.metadata), sort_keys=True)},
        )
        with replacing(path) as temporary:
            temporary.write_bytes(data)

    @classmethod
    def load(cls, path: Path) -> Reader:
        """Read what `save` wrote.

        Raises
        ------
        DataError
            The file is missing, damaged, or no staff reader.
        """
        metadata, arrays = tensors.read(
            path, "unisono", what="a staff reader", remedy="run the stage train_staff_reader again"
        )
        return cls(arrays, metadata)


class Cells(NamedTuple):
    """What a network sees in one strip of n columns of cells."""

    logits: np.ndarray
    """(23, 32, n), float32."""
    hidden: np.ndarray
    """(32, 32, n), float32."""
    clef: np.ndarray
    """(5,), float32."""


def forward(
    body: torch.nn.Module, cells: torch.nn.Module, clef: torch.nn.Module, strips: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Apply the network's parts to strips (n, 1, 128, 4 m): logits (n, 23, 32, m), activations, clefs (n, 5)."""
    hidden = body(strips)
    begin = hidden[:, :, :, :CLEF_CELLS].sum(dim=3) / CLEF_CELLS
    return cells(hidden), hidden, clef(begin.flatten(1))


def apply(reader: Reader) -> Callable[[np.ndarray], Cells]:
    """Make the function from a strip to what the network sees.

    Parameters
    ----------
    reader : Reader

    Returns
    -------
    callable
        From (128, 4 n) uint8, 255 black, to `Cells`; one strip at a time, so that none depends on others.
    """
    import torch
    from torch import nn

    layers: list[nn.Module] = []
    inputs = 1
    for number, (outputs, side, stride, dilation) in enumerate(LAYERS):
        padding = (dilation[0] * (side // 2), dilation[1] * (side // 2))
        convolution = nn.Conv2d(inputs, outputs, side, stride=stride, padding=padding, dilation=dilation)
        _fill(convolution, reader.arrays, str(number))
        layers += [convolution, nn.ReLU(inplace=True)]
        inputs = outputs
    body = nn.Sequential(*layers).eval()
    cells, clef = nn.Conv2d(HIDDEN, TIED.stop, 1), nn.Linear(HIDDEN * staff.CELL_ROWS, len(notation.CLEFS))
    _fill(cells, reader.arrays, "cells")
    _fill(clef, reader.arrays, "clef")

    def compute(strip: np.ndarray) -> Cells:
        with torch.inference_mode():
            ink = torch.from_numpy(strip.astype(np.float32) / np.float32(255))[None, None]
            logits, hidden, clefs = forward(body, cells, clef, ink.contiguous(memory_format=torch.channels_last))
            return Cells(logits[0].numpy(), hidden[0].numpy(), clefs[0].numpy())

    return compute


def _fill(layer: Any, arrays: Mapping[str, np.ndarray], name: str) -> None:
    import torch

    weight = torch.tensor(arrays[f"{name}.weight"])
    layer.weight.data = weight.contiguous(memory_format=torch.channels_last) if weight.ndim == 4 else weight
    layer.bias.data = torch.tensor(arrays[f"{name}.bias"])
