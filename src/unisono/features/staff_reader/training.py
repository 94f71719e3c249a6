"""Training the staff reader on pictures whose notes are known, but not where in the picture they stand.

**Method.** The row of a note head follows from its pitch, and the order of all symbols is known, so that only columns
are missing. A monotone alignment gives them: for the first steps by ink and spacing (`symbols.first_guess`), from then
on by the network itself, as Viterbi training of speech recognisers does. Batch normalisation is folded into the filters
at the end. Strips are blurred, shifted, brightened and made noisy at random: the reader is not to be tuned to one
engraver's pixels.

References
----------
.. [1] B. H. Juang, L. R. Rabiner: The segmental K-means algorithm for estimating parameters of hidden Markov models.
   IEEE Transactions on Acoustics, Speech, and Signal Processing 38(9), 1990.
.. [2] J. Calvo-Zaragoza, D. Rizo: End-to-End Neural Optical Music Recognition of Monophonic Scores. Applied Sciences
   8(4), 2018.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm import tqdm

from unisono.errors import ProgramError
from unisono.features import staff_reader
from unisono.features.staff_reader import staff, symbols
from unisono.features.staff_reader.symbols import Printed
from unisono.media import notation

if TYPE_CHECKING:
    import torch

# Fixed, whatever the machine has: another number adds in another order, and trains another reader. On a busy machine
# two wait for each other more than the second helps.
THREADS = 1
#: So often a training goes through the samples, at most.
MAX_PASSES = 50
#: Steps after which the network aligns its own samples.
GUESSED_STEPS = 80
#: Strips longer than this many cells, four times the usual, are not trained on.
MAX_CELLS = 800
# Batches whose strips are sorted by width together, so that little of a batch is filling.
_SORTED = 8
# Weights: of a symbol's own cell against an empty one, of what a symbol is in the cells beside its own, of the clef.
_OWN, _BESIDE, _CLEF, _FOUND = 4.0, 0.3, 0.2, 0.5
# Of a tied head against one that is not: they are one in twelve.
_TIED = 3.0
# Logit of a symbol at first: nearly all cells are empty, and what corrects a wrong guess of that drowns all else.
_FIRST_LOGIT = -4.0
_BETAS = (0.9, 0.99)
_WEIGHT_DECAY = 0.01
_LARGEST_BLUR = 1.6
_NOISE = 0.03


@dataclass(frozen=True)
class Samples:
    """What is trained on.

    Attributes
    ----------
    strips : sequence of np.ndarray [shape=(128, columns), dtype=uint8]
    printed : sequence of Printed
    """

    strips: Sequence[np.ndarray]
    printed: Sequence[Printed]


def schedule(n_samples: int, *, steps: int, batch_size: int) -> tuple[int, int, str]:
    """Adapt steps and batches to few samples, as `asmcmr.training.schedule` does.

    Examples
    --------
    >>> schedule(600, steps=320, batch_size=8)
    (320, 8, '')
    >>> schedule(4, steps=320, batch_size=8)[:2]
    (50, 4)
    """
    size = min(batch_size, n_samples)
    most = min(steps, max(MAX_PASSES * n_samples // size, 1))
    if (most, size) == (steps, batch_size):
        return steps, batch_size, ""
    return most, size, (
        f"mtm.features.staff_reader: {most} steps of {size} pictures in place of {steps} of {batch_size}, since there "
        f"are {n_samples} training samples"
    )  # fmt: skip


def train(
    samples: Samples, *, steps: int, batch_size: int, learning_rate: float, seed: int
) -> tuple[dict[str, np.ndarray], list[float]]:
    """Train a reader with AdamW and a fixed number of steps, on the processor.

    Parameters
    ----------
    samples : Samples
        Each fits its strip (`symbols.fits`).
    steps, batch_size : int
    learning_rate : float
        Highest, after a quarter of the steps.
    seed : int
        Of the initial filters, the order, and what is done to the strips. On one kind of processor the same seed gives
        the same bytes.

    Returns
    -------
    arrays : dict of str to np.ndarray [dtype=float32]
        See `staff_reader.Reader`.
    losses : list of float
        One a step.

    Raises
    ------
    ProgramError
        The loss became NaN or infinite.
    """
    import torch

    rng = np.random.default_rng(seed)
    threads = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    losses: list[float] = []
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = _Network()
        optimizer = torch.optim.AdamW(network.parameters(), lr=learning_rate, betas=_BETAS, weight_decay=_WEIGHT_DECAY)
        # One cycle has a beginning and an end: it needs eight steps.
        rates = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, learning_rate, total_steps=max(steps, 7) + 1, pct_start=0.25
        )
        batches = _batches([strip.shape[1] for strip in samples.strips], batch_size, rng)
        for step in (progress := tqdm(range(steps), desc="train staff reader")):
            rows = next(batches)
            strips = [samples.strips[row] for row in rows]
            logits, clefs = network(_augmented(_stacked(strips), rng))
            printed = [samples.printed[row] for row in rows]
            columns = [
                _columns(strip, sample, None if step < GUESSED_STEPS else own)
                for strip, sample, own in zip(strips, printed, logits.detach(), strict=True)
            ]
            loss = _loss(logits, clefs, printed, columns, [strip.shape[1] // staff.CELL_PIXELS for strip in strips])
            losses.append(loss.item())
            if not np.isfinite(losses[-1]):
                raise ProgramError(
                    f"the staff reader's training diverged (loss {losses[-1]} at step {step + 1}); "
                    "lower mtm.features.staff_reader.learning_rate"
                )
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            rates.step()
            progress.set_postfix(loss=f"{losses[-1]:.2f}")
        return network.folded(), losses
    finally:
        torch.set_num_threads(threads)


def _batches(widths: Sequence[int], size: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Go through the samples again and again, in batches of nearly equal width."""
    lengths = np.array(widths)
    while True:
        order = rng.permutation(len(lengths))
        batches: list[np.ndarray] = []
        for start in range(0, len(order), size * _SORTED):
            part = order[start : start + size * _SORTED]
            part = part[np.argsort(lengths[part], kind="stable")]
            batches += [part[first : first + size] for first in range(0, len(part), size)]
        yield from (batches[number] for number in rng.permutation(len(batches)))


def _stacked(strips: Sequence[np.ndarray]) -> torch.Tensor:
    """Put strips side by side, (n, 1, 128, longest), paper beyond their ends."""
    import torch

    batch = np.zeros((len(strips), 1, staff.STRIP_ROWS, max(strip.shape[1] for strip in strips)), np.float32)
    for row, strip in enumerate(strips):
        batch[row, 0, :, : strip.shape[1]] = strip / np.float32(255)
    return torch.from_numpy(batch)


def _augmented(strips: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Blur, shift by a pixel or two, make lighter or darker, and add noise."""
    import torch
    from torch.nn import functional

    width = rng.uniform(0, _LARGEST_BLUR)
    if width > 0.3:
        kernel = torch.exp(-((torch.arange(-4, 5.0) / width) ** 2) / 2)
        kernel = kernel / kernel.sum()
        strips = functional.conv2d(strips, kernel[None, None, :, None], padding=(4, 0))
        strips = functional.conv2d(strips, kernel[None, None, None], padding=(0, 4))
    strips = torch.roll(strips, (int(rng.integers(-1, 2)), int(rng.integers(-2, 3))), (2, 3))
    noise = torch.from_numpy(rng.standard_normal(tuple(strips.shape), dtype=np.float32))
    noisy = (strips * rng.uniform(0.8, 1.2) + _NOISE * noise).clamp(0, 1.2)
    return noisy.contiguous(memory_format=torch.channels_last)


def _columns(strip: np.ndarray, sample: Printed, logits: torch.Tensor | None) -> np.ndarray:
    """Find the column of each symbol, by the network where it has learned something."""
    from torch.nn import functional

    if logits is None:
        return symbols.align(symbols.first_guess(strip / np.float32(255), sample))
    cells = strip.shape[1] // staff.CELL_PIXELS
    found = functional.logsigmoid(logits[staff_reader.SYMBOL, :, :cells]).numpy()[0]
    kinds = functional.log_softmax(logits[staff_reader.KIND, :, :cells], dim=0).numpy()
    rows = staff.MIDDLE_CELL - sample.symbols[:, 1]
    by_network = found[rows] + kinds[sample.symbols[:, 0], rows]
    return symbols.align(by_network + symbols.of_signature(sample, cells))


def _loss(
    logits: torch.Tensor,
    clefs: torch.Tensor,
    printed: Sequence[Printed],
    columns: Sequence[np.ndarray],
    cells: Sequence[int],
) -> torch.Tensor:
    """Cross-entropies: symbol or none in every cell; what it is, at the symbols; the clef.

    The cells beside a symbol's may say either, and what a symbol is they learn with a smaller weight; what follows the
    last note in a full bar, a bar line that may be cut off, is left out.
    """
    import torch
    from torch.nn import functional

    n, last = len(printed), logits.shape[3] - 1
    targets, weights = torch.zeros(n, staff.CELL_ROWS, last + 1), torch.ones(n, staff.CELL_ROWS, last + 1)
    places: list[np.ndarray] = []
    for number, (sample, own) in enumerate(zip(printed, columns, strict=True)):
        rows = staff.MIDDLE_CELL - sample.symbols[:, 1]
        weights[number, :, (own[-1] + 3 if sample.ends_bar else cells[number] - 1) : cells[number] + 1] = 0
        for beside in (-1, 1):
            weights[number, rows, np.clip(own + beside, 0, last)] = 0
        weights[number, rows, own] = _OWN
        targets[number, rows, own] = 1
        for beside in (-1, 0, 1):
            places.append(np.stack([np.full(len(rows), number), rows, np.clip(own + beside, 0, last)]))
    at = np.concatenate(places, axis=1)
    known = torch.from_numpy(np.concatenate([sample.symbols for sample in printed for _ in range(3)]))
    share = torch.cat(
        [torch.full((len(sample.symbols),), w) for sample in printed for w in (_BESIDE, 1.0, _BESIDE)]
    )  # as places
    seen = logits[at[0], :, at[1], at[2]]
    heads = known[:, 0] == symbols.HEAD
    long = heads | (known[:, 0] == symbols.REST)

    def mean(part: slice, column: int, rows: torch.Tensor) -> torch.Tensor:
        values = functional.cross_entropy(seen[rows, part], known[rows, column], reduction="none")
        return (values * share[rows]).sum() / share[rows].sum()

    found = functional.binary_cross_entropy_with_logits(
        logits[:, 0], targets, weight=weights, reduction="sum"
    ) / targets.sum()  # fmt: skip
    of_head = share[heads] * torch.where(known[heads, 4] > 0, _TIED, 1.0)
    tied = functional.binary_cross_entropy_with_logits(
        seen[heads, staff_reader.TIED.start], known[heads, 4].float(), weight=of_head, reduction="sum"
    )
    return (
        _FOUND * found
        + mean(staff_reader.KIND, 0, torch.ones_like(heads))
        + mean(staff_reader.LENGTH, 2, long)
        + mean(staff_reader.ACCIDENTAL, 3, heads)
        + tied / share[heads].sum()
        + _CLEF * functional.cross_entropy(clefs, torch.tensor([sample.clef for sample in printed]))
    )


class _Network:
    """The reader with batch normalisation that learns."""

    def __init__(self) -> None:
        import torch
        from torch import nn

        layers: list[nn.Module] = []
        inputs = 1
        for outputs, side, stride, dilation in staff_reader.LAYERS:
            padding = (dilation[0] * (side // 2), dilation[1] * (side // 2))
            layers += [
                nn.Conv2d(inputs, outputs, side, stride=stride, padding=padding, dilation=dilation, bias=False),
                nn.BatchNorm2d(outputs),
                nn.ReLU(),
            ]
            inputs = outputs
        self.body = nn.Sequential(*layers).to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
        self.cells = nn.Conv2d(staff_reader.HIDDEN, staff_reader.TIED.stop, 1)
        self.cells.bias.data[staff_reader.SYMBOL] = _FIRST_LOGIT  # type: ignore[union-attr]
        self.clef = nn.Linear(staff_reader.HIDDEN * staff.CELL_ROWS, len(notation.CLEFS))

    def parameters(self) -> list[Any]:
        """List what is learned."""
        return [*self.body.parameters(), *self.cells.parameters(), *self.clef.parameters()]

    def __call__(self, strips: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Give the logits of cells and clefs."""
        logits, _, clefs = staff_reader.forward(self.body, self.cells, self.clef, strips)
        return logits, clefs

    def folded(self) -> dict[str, np.ndarray]:
        """Give the arrays of a reader."""
        arrays: dict[str, np.ndarray] = {}
        for number in range(len(staff_reader.LAYERS)):
            convolution, normalisation = self.body[3 * number], self.body[3 * number + 1]
            state = {name: value.double().numpy() for name, value in normalisation.state_dict().items()}
            scale = state["weight"] / np.sqrt(state["running_var"] + normalisation.eps)
            weight = convolution.weight.detach().double().contiguous().numpy()
            arrays[f"{number}.weight"] = weight * scale[:, None, None, None]
            arrays[f"{number}.bias"] = state["bias"] - state["running_mean"] * scale
        for name, layer in (("cells", self.cells), ("clef", self.clef)):
            arrays |= {f"{name}.{key}": value.numpy().copy() for key, value in layer.state_dict().items()}
        return {name: np.ascontiguousarray(array, dtype=np.float32) for name, array in arrays.items()}
