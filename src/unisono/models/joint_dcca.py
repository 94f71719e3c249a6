"""Joint DCCA: networks that read frames, or a picture of them, learn with the correlation itself."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import Field

from unisono.errors import DataError
from unisono.models.base import Count, Dropout, Labels, Lengths, Views, average
from unisono.models.parts import deep
from unisono.models.parts.columns import standardisation
from unisono.models.parts.convolutions import POOLS, convolutional
from unisono.models.parts.correlation import PerceptronCorrelation
from unisono.models.parts.objective import Pairs, one_to_one

if TYPE_CHECKING:
    import torch

#: Fully connected layers of either view.
LAYERS: deep.Layers = {deep.OTHER: [256, 10]}

#: Legal channels: one number per block of convolutions.
Channels = Annotated[list[Count], Field(min_length=len(POOLS), max_length=len(POOLS))]


class JointDCCA(PerceptronCorrelation):
    r"""DCCA of raw frames and vectors: features are learned together with their correlation (JointTrain).

    One view is a sequence per item, (n, T, d) with T frames of d numbers (20 MFCC of 646 frames); the other is one
    vector per item (n, d). Which is which is told by their shapes. The network of the sequence sees a picture of d rows
    and T columns: three blocks of 3x3 convolution, batch normalisation, ReLU and a maximum over 2x4, 2x4 and 1x4
    (features by time), then mean and maximum of every channel, then fully connected layers. The network of the vectors
    is fully connected layers. Both are trained for the correlation of their outputs, as in `dcca`:

    .. math:: \max_{f, g} \lVert L_1^{-1} \Sigma_{12} L_2^{-T} \rVert

    and a linear CCA of the outputs of the training rows follows. Networks compute in float32, the objective in float64.
    Statistics of the normalisation are measured anew, over all training rows, when the training is over.

    The second axis is time: a matrix the wrong way round, (n, d, T), is not noticed, and has its windows and its
    standardisation the wrong way round. Items are read up to the length of the longest training item, and a shorter one
    is repeated to that length, so that padding reaches nothing. Columns are standardised by the training rows.

    Parameters
    ----------
    batch : int
        Rows per step at most; all steps of an epoch have about as many. All training rows where they are fewer.
    learning_rate : float
        Of Adam.
    layers : dict of str to list of int
        Widths of the fully connected layers by view; ``other`` stands for every view not named. Hidden layers are
        ReLU, the last is linear.
    dropout : float
        After every hidden fully connected layer.
    min_steps : int
        Least number of steps to train for: on few rows it raises the epochs.
    audio_branch : str
        What reads the sequence. convolutions: as above. recurrent: a GRU, for short sequences of summaries that a
        trained network has made of seconds of sound; mean and maximum of its states replace those of the channels.
    channels : list of int
        Of the three blocks of convolutions.
    units : int
        Of the GRU.
    validation : float
        Share of the training rows, drawn by the seed, that are not trained on but choose the epoch: the one after
        which the components of the others correlate most on them, in the mean. 0: the last epoch.

    References
    ----------
    Yu, Tang, Raposo, Chen, "Deep cross-modal correlation learning for audio and lyrics in music retrieval",
    arXiv:1711.08976, 2017; TOMM 15(1), 2019 (its audio branch is recurrent).
    """

    sequential = True

    epochs = 30
    batch = 1000
    layers = LAYERS
    min_steps = 60
    audio_branch: Literal["convolutions", "recurrent"] = "convolutions"
    channels: Channels = [16, 32, 64]  # noqa: RUF012
    units: Count = 128
    validation: Dropout = 0.0

    def _fit(self, views: Views, labels: Labels, lengths: Lengths, checkpoint: Path | None) -> None:
        sequences = [view for view, array in views.items() if array.ndim == 3]
        if len(sequences) != 1:
            shapes = ", ".join(f"{view} {array.shape}" for view, array in views.items())
            raise DataError(
                f"{self.name}: learns from one view of frames (n, T, d) and one of vectors (n, d), got {shapes}; give "
                + ("the frames of one view, or use dcca" if not sequences else "one vector per item for one of them")
            )
        for view, array in views.items():
            if all((row == array[0]).all() for row in array):
                raise DataError(f"{self.name}: all rows of view {view!r} are equal; there is nothing to correlate")
        super()._fit(views, labels, lengths, checkpoint)
        (view,) = sequences
        # An entry for every frame, so that no file can claim more frames than it is long.
        self.arrays_[f"{view}.frames"] = np.zeros(_longest(views[view], lengths.get(view)), dtype=np.int8)

    def _pairs(self, codes: torch.Tensor) -> Pairs:
        return one_to_one(codes)

    def _optimiser(self, networks: torch.nn.Module) -> torch.optim.Optimizer:
        import torch

        return torch.optim.Adam(networks.parameters(), lr=self.learning_rate)

    def _settle(self, network: torch.nn.Module, batches: Iterable[torch.Tensor]) -> None:
        from torch.optim.swa_utils import update_bn

        update_bn(batches, network)

    def _inputs(self, view: str, array: np.ndarray, lengths: np.ndarray | None) -> np.ndarray:
        """Average vectors over what frames they have; repeat or cut sequences to T frames, copied only if need be."""
        longest = len(self.arrays_[f"{view}.frames"]) if f"{view}.frames" in self.arrays_ else 0
        if array.ndim == 2 and longest:
            raise DataError(f"{self.name}: view {view!r} has shape {array.shape}, it was fitted on frames (n, T, d)")
        if array.ndim == 2 or (self.arrays_ and not longest):
            return average(array, lengths)
        frames = longest or _longest(array, lengths)
        if lengths is None and frames == array.shape[1]:
            return np.asarray(array, dtype=np.float32)
        made = np.empty((len(array), frames, array.shape[2]), dtype=np.float32)
        places, counts = np.arange(frames), np.full(len(array), array.shape[1]) if lengths is None else lengths
        for row, count in enumerate(counts):
            made[row] = array[row, places % count]
        return made

    def _network(self, view: str, inputs: np.ndarray | None) -> torch.nn.Module:
        width, layers = self.widths_[view], deep.layers_of(self.name, self.layers, view)
        sequence = f"{view}.frames" in self.arrays_ if inputs is None else inputs.ndim == 3
        scale = (np.zeros(width), np.ones(width)) if inputs is None else _scale(inputs)
        if not sequence:
            return deep.perceptron(width, layers, hidden="relu", last="linear", dropout=self.dropout, scale=scale)
        read = self.channels[-1] if self.audio_branch == "convolutions" else self.units
        head = deep.perceptron(2 * read, layers, hidden="relu", last="linear", dropout=self.dropout)
        if self.audio_branch == "convolutions":
            return convolutional(self.channels, head=head, scale=scale)
        return _recurrent(width, self.units, head=head, scale=scale)


def _longest(array: np.ndarray, lengths: np.ndarray | None) -> int:
    return array.shape[1] if lengths is None else int(lengths.max())


def _scale(inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation of the columns of vectors, or of frames (one after the other, since they are large)."""
    if inputs.ndim == 2:
        return standardisation(inputs)
    found = [standardisation(inputs[:, :, column].reshape(-1, 1)) for column in range(inputs.shape[2])]
    mean, deviation = (np.concatenate(each) for each in zip(*found, strict=True))
    return mean, deviation


def _recurrent(
    width: int, units: int, *, head: torch.nn.Module, scale: tuple[np.ndarray, np.ndarray]
) -> torch.nn.Module:
    """Build the network that reads the frames in order: from (n, T, width) to what `head` gives."""
    import torch
    from torch import nn

    class Recurrent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scaling = deep.perceptron(width, [], scale=scale)
            self.states = nn.GRU(width, units, batch_first=True)
            self.head = head

        def forward(self, frames: torch.Tensor) -> torch.Tensor:
            states = self.states(self.scaling(frames))[0]
            vectors: torch.Tensor = self.head(torch.cat([states.mean(dim=1), states.amax(dim=1)], dim=1))
            return vectors

    return Recurrent()


MODEL = JointDCCA
