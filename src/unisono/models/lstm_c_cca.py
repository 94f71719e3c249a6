"""LSTM-C-CCA: deep canonical correlation over classes, of networks that read sequences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic import Field

from unisono.models.base import Count, Dropout, Share
from unisono.models.parts import deep
from unisono.models.parts.columns import standardisation
from unisono.models.parts.correlation import DeepCorrelation
from unisono.models.parts.objective import Pairs, paired

if TYPE_CHECKING:
    import torch

#: Legal widths of the two LSTM layers and of the layer applied to each frame.
Layers = dict[str, Annotated[list[Count], Field(min_length=3, max_length=3)]]
#: For the small default source. The author's code: 512 and 784 units.
LAYERS: Layers = {deep.OTHER: [96, 96, 256]}


class LSTMCCCA(DeepCorrelation):
    r"""C-DCCA whose networks read the frames of an item one after the other.

    A view's network standardises its frames (mean and deviation of the real training frames), reads them with two
    LSTM layers, passes every state through one fully connected softmax layer, and the flattened result through a
    fully connected sigmoid layer. Padding reaches none of it: a state only knows the frames before it, and states
    of padding count as zero. Both networks are trained for the correlation over own pairs (weight beta) and all
    pairs of a class, as in `c_dcca`; the closing linear CCA has the same pairs.

    Sequences are read up to the length of the longest training item; a view without a time axis is a sequence of
    one frame. Where the author's code normalises by batch, inputs are standardised, since padding would enter a
    batch's mean.

    Parameters
    ----------
    beta : float
        Weight of own pairs beside those of the class, from 0 to 1.
    layers : dict of str to list of int
        Per view the widths of the first LSTM layer, of the second, and of the softmax layer; ``other`` stands for
        every view not named.
    outputs : int
        Width of the sigmoid layer of either view.
    dropout : float
        After each LSTM layer.

    References
    ----------
    The dissertation's section 5.3.3; its author's published code (``seg_lstm_cca``).
    """

    supervised = True
    needs_pairs = False
    sequential = True

    beta: Share = 0.2
    layers: Layers = LAYERS
    outputs: Count = 64
    dropout: Dropout = 0.1
    epochs = 30

    def _pairs(self, codes: torch.Tensor) -> Pairs:
        return paired(codes, pairs="all", beta=self.beta)

    @property
    def _outputs_key(self) -> str:
        return f"models.{self.name}.outputs"

    def _width(self, view: str) -> int:
        return self.outputs

    def _inputs(self, view: str, array: np.ndarray, lengths: np.ndarray | None) -> np.ndarray:
        """Bring a view to (n, T, d + 1): the last column is one for real frames; padding is zero throughout."""
        frames = array[:, None] if array.ndim == 2 else array
        n, given, width = frames.shape
        counts = np.full(n, given) if lengths is None else lengths
        longest = self._frames(view) if self.arrays_ else int(counts.max())
        kept = min(given, longest)
        made = np.zeros((n, longest, width + 1), dtype=np.float32)
        made[:, :, -1] = np.arange(longest) < counts[:, None]
        made[:, :kept, :-1] = frames[:, :kept] * made[:, :kept, -1:]
        return made

    def _network(self, view: str, inputs: np.ndarray | None) -> torch.nn.Module:
        width = self.widths_[view]
        if inputs is None:
            n_frames, scale = self._frames(view), (np.zeros(width), np.ones(width))
        else:
            n_frames, scale = inputs.shape[1], standardisation(inputs[inputs[:, :, -1] == 1, :-1])
        layers = deep.layers_of(self.name, self.layers, view)
        return _recurrent(width, layers, n_frames, self.outputs, dropout=self.dropout, scale=scale)

    def _frames(self, view: str) -> int:
        """Return the length of the longest training item."""
        flattened: int = self.arrays_[f"{view}.network.last.weight"].shape[1]
        return flattened // deep.layers_of(self.name, self.layers, view)[-1]


def _recurrent(
    width: int,
    layers: Sequence[int],
    n_frames: int,
    outputs: int,
    *,
    dropout: float,
    scale: tuple[np.ndarray, np.ndarray],
) -> torch.nn.Module:
    """Build the network of a view: (n, n_frames, width + 1) with a last column for real frames to (n, outputs)."""
    import torch
    from torch import nn

    class Recurrent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scaling = deep.perceptron(width, [], scale=scale)
            self.first = nn.LSTM(width, layers[0], batch_first=True)
            self.second = nn.LSTM(layers[0], layers[1], batch_first=True)
            self.each = nn.Linear(layers[1], layers[2])
            self.last = nn.Linear(n_frames * layers[2], outputs)
            self.dropout = nn.Dropout(dropout)

        def forward(self, sequences: torch.Tensor) -> torch.Tensor:
            real = sequences[:, :, -1:]
            states = self.dropout(self.first(self.scaling(sequences[:, :, :-1]))[0])
            states = self.dropout(self.second(states)[0])
            each = torch.softmax(self.each(states), dim=-1) * real
            return torch.sigmoid(self.last(each.flatten(start_dim=1)))

    return Recurrent()


MODEL = LSTMCCCA
