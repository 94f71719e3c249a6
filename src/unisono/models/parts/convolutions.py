"""A convolutional network for matrices of features over time, whose first block takes an eighth of the usual work.

**Conventions.** A block is convolution (3x3, zero padding, no bias), batch normalisation, maximum over windows, ReLU. A
maximum and a ReLU change places without any effect, so that the ReLU sees the maxima alone. The first block has one
channel to read and the largest image to write, and no step on that image is taken whole:

- its normalisation needs the mean and variance of :math:`w^T p` over all 3x3 patches p, which are :math:`w^T m` and
  :math:`w^T (M - m m^T) w`: moments of the input, not of what is convolved. The normalisation is then part of the
  weights;
- the convolution at all places of a window is one matrix product of the window's surroundings (4x6 numbers for 2x4),
  a few items at a time into a buffer that stays in the processor's cache, and only maxima leave it. The gradient
  repeats the product to find them; places that tie share it.

The result is that of the plain layers but for rounding. Normalisations are computed in float64 where they add up, all
else in float32: the objective's gradient is what is left of far larger terms. torch is imported inside functions.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch

#: Windows of the three blocks, rows (features) by columns (time), as stated for JointTrain; cut to smaller images.
POOLS = ((2, 4), (2, 4), (1, 4))
#: Items of a matrix product on a CPU: at 20 x 646, 3 MB of outputs.
ITEMS = 4
#: Items embedded at a time, outside of training.
EMBEDDED = 64
#: Width and height of a convolution.
SIZE = 3


def convolutional(
    channels: Sequence[int],
    *,
    head: torch.nn.Module,
    scale: tuple[np.ndarray, np.ndarray],
) -> torch.nn.Module:
    """Build a network from matrices to vectors.

    Parameters
    ----------
    channels : sequence of int
        Of each block; the blocks' windows are `POOLS`.
    head : torch.nn.Module
        Takes mean and maximum of every channel of the last block over what is left of time and features
        [shape=(n, 2 * channels[-1])].
    scale : tuple of np.ndarray [shape=(d,)]
        Mean and deviation of the features.

    Returns
    -------
    torch.nn.Module
        From (n, T, d) to what `head` gives; a picture has a row for each of the d columns. In evaluation mode a row's
        output does not depend on other rows.
    """
    import torch
    from torch import nn

    class Convolutional(nn.Module):
        mean: torch.Tensor
        deviation: torch.Tensor

        def __init__(self) -> None:
            super().__init__()
            for name, array in zip(("mean", "deviation"), scale, strict=True):
                self.register_buffer(name, torch.as_tensor(array, dtype=torch.float32))
            sizes = [1, *channels]
            self.convolutions = nn.ModuleList(
                nn.Conv2d(before, after, SIZE, padding=SIZE // 2, bias=False)
                for before, after in itertools.pairwise(sizes)
            )
            self.norms = nn.ModuleList(nn.BatchNorm2d(size) for size in channels)
            self.head = head

        def forward(self, matrices: torch.Tensor) -> torch.Tensor:
            if self.training:
                return self._whole(matrices)
            return torch.cat([self._whole(part) for part in matrices.split(EMBEDDED)])

        def _whole(self, matrices: torch.Tensor) -> torch.Tensor:
            images = ((matrices - self.mean) / self.deviation).mT
            maps = first_block(images, self.convolutions[0], self.norms[0], POOLS[0])
            for convolution, norm, pool in zip(self.convolutions[1:], self.norms[1:], POOLS[1:], strict=True):
                maps = later_block(maps, convolution, norm, pool)
            return self.head(torch.cat([maps.mean(dim=(2, 3)), maps.amax(dim=(2, 3))], dim=1))

    return Convolutional()


def first_block(images: torch.Tensor, convolution: Any, norm: Any, pool: tuple[int, int]) -> torch.Tensor:
    """Convolve images of one channel, normalise, take maxima over windows, and cut at zero.

    Parameters
    ----------
    images : torch.Tensor [shape=(n, H, W), dtype=float32 or float64]
        Data: it gets no gradient.
    convolution : torch.nn.Conv2d
        Of weights [shape=(c, 1, 3, 3)].
    norm : torch.nn.BatchNorm2d
        In training its running statistics are brought up to date.
    pool : tuple of int
        Rows and columns of a window, cut to the image; rows and columns beyond the last whole window are normalised
        with the others and have no maximum.

    Returns
    -------
    torch.Tensor [shape=(n, c, H // rows, W // columns)]
        Channels last in memory.
    """
    import torch

    n_items, height, width = images.shape
    pool = _cut(pool, (height, width))
    places = _places(pool).to(images.device)
    padded = torch.nn.functional.pad(images, (1, 1, 1, 1))
    filters = convolution.weight.flatten(start_dim=1).double()
    if norm.training:
        first, second = _moments(padded, pool, places)
        mean = filters @ first
        variance = ((filters @ second) * filters).sum(dim=1) - mean.square()
        _update(norm, mean.detach(), variance.detach(), n_items * height * width)
    else:
        mean, variance = norm.running_mean.double(), norm.running_var.double()
    gain, shift = _affine(norm.weight, norm.bias, mean, variance, norm.eps)
    # One-hot: where each weight stands in the surroundings of a window, for each place of the window.
    chosen = torch.nn.functional.one_hot(places, _surroundings(pool)).double()
    kernel = torch.einsum("cq,pqk->pck", filters * gain[:, None], chosen)
    maxima: torch.Tensor = _maxima()(kernel, shift, padded, pool)
    return maxima.permute(0, 3, 1, 2)


def later_block(maps: torch.Tensor, convolution: Any, norm: Any, pool: tuple[int, int]) -> torch.Tensor:
    """Convolve maps of several channels, normalise, take maxima over windows, and cut at zero.

    The maximum is taken before the normalisation, which then has an eighth of the numbers; where a channel's weight is
    negative, which would turn a maximum into a minimum, convolution and weight change their sign.

    Parameters
    ----------
    maps : torch.Tensor [shape=(n, channels before, H, W), dtype=float32 or float64]
        Channels last in memory.
    convolution : torch.nn.Conv2d
    norm : torch.nn.BatchNorm2d
        In training its running statistics are brought up to date.
    pool : tuple of int
        Rows and columns of a window, cut to the maps.

    Returns
    -------
    torch.Tensor [shape=(n, channels, H // rows, W // columns)]
    """
    import torch

    sign = torch.where(norm.weight.detach() < 0, -1.0, 1.0).to(maps.dtype)
    found = torch.nn.functional.conv2d(maps, convolution.weight * sign[:, None, None, None], padding=SIZE // 2)
    if norm.training:
        mean, variance = _statistics()(found)
        count = found.numel() // len(sign)
        _update(norm, mean.detach() * sign, variance.detach(), count)
    else:
        mean, variance = norm.running_mean.double() * sign, norm.running_var.double()
    gain, shift = _affine(norm.weight * sign, norm.bias, mean, variance, norm.eps)
    maxima = torch.nn.functional.max_pool2d(found, _cut(pool, found.shape[2:]))
    # In float64, for the sums of its gradient; there are few numbers left.
    return torch.relu(maxima.double() * gain[:, None, None] + shift[:, None, None]).to(maps.dtype)


def _affine(
    weight: torch.Tensor, bias: torch.Tensor, mean: torch.Tensor, variance: torch.Tensor, eps: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Turn a normalisation into a factor and a summand per channel [dtype=float64]."""
    import torch

    gain = weight / torch.sqrt(variance.clamp(min=0) + eps)
    return gain, bias - gain * mean


def _cut(pool: tuple[int, int], shape: Sequence[int]) -> tuple[int, int]:
    return min(pool[0], shape[0]), min(pool[1], shape[1])


def _surroundings(pool: tuple[int, int]) -> int:
    """Count the numbers that a window's convolutions read."""
    return (pool[0] + SIZE - 1) * (pool[1] + SIZE - 1)


def _places(pool: tuple[int, int]) -> torch.Tensor:
    """Place of each weight in a window's surroundings [shape=(rows * columns, 9)]."""
    import torch

    grid = torch.arange(_surroundings(pool)).view(pool[0] + SIZE - 1, pool[1] + SIZE - 1)
    return grid.unfold(0, SIZE, 1).unfold(1, SIZE, 1).reshape(pool[0] * pool[1], SIZE * SIZE)


def _windows(padded: torch.Tensor, pool: tuple[int, int]) -> torch.Tensor:
    """Surroundings of all windows, one in a column [shape=(_surroundings(pool), n * H' * W')]."""
    found = padded.unfold(1, pool[0] + SIZE - 1, pool[0]).unfold(2, pool[1] + SIZE - 1, pool[1])
    return found.permute(3, 4, 0, 1, 2).reshape(_surroundings(pool), -1)


def _parts(padded: torch.Tensor) -> Sequence[torch.Tensor]:
    """Divide items so that a product's outputs stay in the cache."""
    return padded.split(ITEMS if padded.device.type == "cpu" else 16 * EMBEDDED)


def _moments(padded: torch.Tensor, pool: tuple[int, int], places: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean of all 3x3 patches of images, and of their products [shape=(9,) and (9, 9), dtype=float64]."""
    import torch

    with torch.no_grad():
        sums = torch.zeros(_surroundings(pool), dtype=torch.float64, device=padded.device)
        products = torch.zeros((len(sums), len(sums)), dtype=torch.float64, device=padded.device)
        for part in _parts(padded):
            windows = _windows(part, pool)
            sums += windows.sum(dim=1)
            products += windows @ windows.mT
        first, second = sums[places].sum(dim=0), products[places[:, :, None], places[:, None, :]].sum(dim=0)
        patches = padded.unfold(1, SIZE, 1).unfold(2, SIZE, 1)
        height, width = patches.shape[1:3]
        rows, columns = height - height % pool[0], width - width % pool[1]
        for rest in (patches[:, :, columns:], patches[:, rows:, :columns]):
            flat = rest.reshape(-1, SIZE * SIZE)
            first += flat.sum(dim=0)
            second += flat.mT @ flat
        n_patches = len(padded) * height * width
        return first / n_patches, second / n_patches


def _update(norm: Any, mean: torch.Tensor, variance: torch.Tensor, count: int) -> None:
    """Bring running statistics up to date as ``torch.nn.BatchNorm2d`` does."""
    norm.num_batches_tracked += 1
    share = norm.momentum if norm.momentum is not None else 1 / float(norm.num_batches_tracked)
    norm.running_mean.lerp_(mean.to(norm.running_mean.dtype), share)
    norm.running_var.lerp_((variance * count / max(count - 1, 1)).to(norm.running_var.dtype), share)


@functools.cache
def _maxima() -> Callable[..., torch.Tensor]:
    """Build the convolution of all windows with the maximum of each, cut at zero, and its gradient."""
    import torch

    def product(kernel: torch.Tensor, windows: torch.Tensor, buffer: torch.Tensor) -> torch.Tensor:
        n_places, n_channels, _ = kernel.shape
        found = buffer[: n_places * n_channels * windows.shape[1]].view(n_places * n_channels, -1)
        torch.mm(kernel.flatten(end_dim=1), windows, out=found)
        return found.view(n_places, n_channels, -1)

    def buffered(kernel: torch.Tensor, parts: Sequence[torch.Tensor], n_windows: int) -> torch.Tensor:
        return kernel.new_empty(kernel.shape[0] * kernel.shape[1] * len(parts[0]) * n_windows)

    class Maxima(torch.autograd.Function):
        @staticmethod
        def forward(
            ctx: Any, kernel: torch.Tensor, shift: torch.Tensor, padded: torch.Tensor, pool: tuple[int, int]
        ) -> torch.Tensor:
            height, width = ((size - SIZE + 1) // window for size, window in zip(padded.shape[1:], pool, strict=True))
            maxima = padded.new_empty((len(padded), height, width, kernel.shape[1]))
            kernel, shift = kernel.to(padded.dtype), shift.to(padded.dtype)
            parts = _parts(padded)
            buffer = buffered(kernel, parts, height * width)
            for part, found in zip(parts, maxima.split(len(parts[0])), strict=True):
                highest = product(kernel, _windows(part, pool), buffer).amax(dim=0)
                highest += shift[:, None]
                found.view(-1, len(shift)).copy_(highest.relu_().mT)
            ctx.pool = pool
            ctx.save_for_backward(kernel, padded, maxima)
            return maxima

        @staticmethod
        def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
            kernel, padded, maxima = ctx.saved_tensors
            n_channels = kernel.shape[1]
            # Large terms of which little is left: added up in float64, as the normalisation's gradient is.
            for_kernel = torch.zeros_like(kernel, dtype=torch.float64)
            for_shift = for_kernel.new_zeros(n_channels)
            parts = _parts(padded)
            buffer = buffered(kernel, parts, maxima.shape[1] * maxima.shape[2])
            one, below = kernel.new_ones(()), -torch.finfo(kernel.dtype).tiny
            passed = torch.ops.aten.threshold_backward
            for part, found, slope in zip(
                parts, maxima.split(len(parts[0])), gradients[0].split(len(parts[0])), strict=True
            ):
                windows = _windows(part, ctx.pool)
                values = product(kernel, windows, buffer)
                values -= values.amax(dim=0)
                # One at the maxima, else zero, without a mask of another type, which is ten times as slow.
                highest = passed(one.expand_as(values), values, below)
                own = passed(slope, found, 0).reshape(-1, n_channels).mT
                for_shift += own.sum(dim=1)
                highest *= own / highest.sum(dim=0)
                for_kernel += (highest.flatten(end_dim=1) @ windows.mT).view_as(kernel)
            return for_kernel, for_shift, None, None

    return Maxima.apply


@functools.cache
def _statistics() -> Callable[..., tuple[torch.Tensor, torch.Tensor]]:
    """Build the mean and variance of each channel, in float64 from parts that stay in the cache, and their gradient.

    torch's own normalisation of maps with channels last adds all places up one after the other, in float32: at 8,000
    places an item its outputs are off by 1e-4, and gradients of the correlation by 2 %.
    """
    import torch

    def parts(maps: torch.Tensor) -> list[torch.Tensor]:
        return [part.permute(0, 2, 3, 1).reshape(-1, maps.shape[1]) for part in _parts(maps)]

    class Statistics(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, maps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            count = maps.numel() // maps.shape[1]
            divided = parts(maps)
            mean = torch.stack([part.sum(dim=0) for part in divided]).double().sum(dim=0) / count
            rounded = mean.to(maps.dtype)
            squares = torch.stack([(part - rounded).square_().sum(dim=0) for part in divided]).double().sum(dim=0)
            variance = squares / count - (mean - rounded).square()
            ctx.save_for_backward(maps, mean)
            return mean, variance

        @staticmethod
        def backward(ctx: Any, *gradients: torch.Tensor) -> torch.Tensor:
            maps, mean = ctx.saved_tensors
            count = maps.numel() // maps.shape[1]
            slope = 2 * gradients[1] / count
            start = gradients[0] / count - slope * mean
            return torch.addcmul(
                start.to(maps.dtype)[:, None, None], slope.to(maps.dtype)[:, None, None], maps
            ).contiguous(memory_format=torch.channels_last)

    return Statistics.apply
