"""Training ASMCMR on pairs of printed and sounding music (`unisono.features.asmcmr.pairs`).

Differences from Dorfer et al. (TISMIR 2018), for a run of a minute instead of a day: a fixed number of steps, no
augmentation but several engravings, the hinge in both directions, and the weights are the mean of those after the last
steps (Izmailov et al., UAI 2018), which depends less on rounding and seed than those after the last one. The CCA
layer's projections come from running averages over batches, and no gradient flows through them: computed from one
batch of 50 pairs alone, 2 x 32 directions fit any pairs at all, and the gradient of singular vectors has differences
of singular values in its denominator. At the end, batch normalisation and projections are computed anew from
`N_SETTLING` pairs.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm import tqdm

from unisono.errors import DataError, ProgramError, pass_machine
from unisono.features import asmcmr
from unisono.features.asmcmr.pairs import Pairs
from unisono.io.files import replacing

if TYPE_CHECKING:
    import torch

# Fixed, whatever the machine has: another number adds in another order, and trains another encoder.
THREADS = 2
# Added to covariances before they are inverted, relative to the mean of their diagonal.
RIDGE = 0.01
# Of the newest batch in the CCA layer's running averages.
NEWEST = 0.2
# Pairs from which the finished encoder's normalisation and projections are computed (fewer after a shorter training).
N_SETTLING = 600
CHECKPOINT_STEPS = 10
# So often a training goes through the samples; the default songs are gone through ten times.
MAX_PASSES = 50
# Share of the steps, the last ones, after which weights count into the mean.
AVERAGED = 0.25


def trainable(encoder: asmcmr.Encoder, branch: asmcmr.Branch) -> torch.nn.Sequential:
    """Build one branch, up to ``h``, with batch normalisation that learns.

    Parameters
    ----------
    encoder : Encoder
        Initial filters.
    branch : {"sheet", "audio"}

    Returns
    -------
    torch.nn.Sequential
        From (n, 1, rows, columns) to (n, 32).
    """
    import torch
    from torch import nn

    layers: list[nn.Module] = []
    last = len(asmcmr.CHANNELS) - 1
    for block in range(last + 1):
        weight = torch.tensor(encoder.arrays[f"{branch}.{block}.weight"])
        outputs, inputs, size, _ = weight.shape
        convolution = nn.Conv2d(inputs, outputs, size, padding=size // 2, bias=False)
        convolution.weight.data = weight.contiguous(memory_format=torch.channels_last)
        layers += [convolution, nn.BatchNorm2d(outputs, eps=asmcmr.EPSILON)]
        if block % 2:
            layers.append(nn.MaxPool2d(2))
        if block < last:
            layers.append(nn.ELU())
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())


class CCALayer:
    """Projection of both branches onto canonical directions, from running averages of their moments.

    Attributes
    ----------
    state : dict of str to torch.Tensor
        Averages of the rows of both branches side by side (``mean``, 64), of their products (``products``, 64 x 64),
        and of one (``weight``), all from zero, in float64.
    """

    def __init__(self) -> None:
        self.state: dict[str, torch.Tensor] = {}

    def __call__(self, sheet: torch.Tensor, audio: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Take a batch into the averages and project it.

        Parameters
        ----------
        sheet, audio : torch.Tensor [shape=(n, 32)]
            ``h`` of each branch; row i pairs with row i.

        Returns
        -------
        sheet, audio : torch.Tensor [shape=(n, 32), dtype=float64]
            Unit rows. Gradients flow through the rows, not through the projections.
        """
        import torch

        rows = torch.cat([sheet, audio], dim=1).double()
        with torch.no_grad():
            batch = {
                "mean": rows.mean(dim=0),
                "products": rows.T @ rows / len(rows),
                "weight": rows.new_ones(()),
            }
            for name, value in batch.items():
                old = self.state.get(name, torch.zeros_like(value)).to(value.device)
                self.state[name] = (1 - NEWEST) * old + NEWEST * value
            mean = self.state["mean"] / self.state["weight"]
            covariance = self.state["products"] / self.state["weight"] - torch.outer(mean, mean)
            projections = canonical_projections(covariance.cpu().numpy())
        projected = [
            torch.nn.functional.normalize(part @ torch.from_numpy(projection).to(part.device))
            for part, projection in zip((rows - mean).chunk(2, dim=1), projections, strict=True)
        ]
        return projected[0], projected[1]


def schedule(n_samples: int, *, steps: int, batch_size: int) -> tuple[int, int, str]:
    """Adapt steps and batches to few samples.

    A batch holds every sample once at most: a window of the same sample is no other pair. And the samples are gone
    through `MAX_PASSES` times at most.

    Parameters
    ----------
    n_samples, steps, batch_size : int

    Returns
    -------
    steps, batch_size : int
    adapted : str
        What was changed and why; empty where nothing was.

    Examples
    --------
    >>> schedule(600, steps=120, batch_size=50)
    (120, 50, '')
    >>> schedule(19, steps=120, batch_size=50)[:2]
    (50, 19)
    """
    size = min(batch_size, n_samples)
    most = min(steps, max(MAX_PASSES * n_samples // size, 1))
    if (most, size) == (steps, batch_size):
        return steps, batch_size, ""
    return most, size, (
        f"mtm.features.asmcmr: {most} steps of {size} pairs in place of {steps} of {batch_size}, since there are "
        f"{n_samples} training samples"
    )  # fmt: skip


def hinge(sheet: torch.Tensor, audio: torch.Tensor, margin: float) -> torch.Tensor:
    """Mean of ``max(0, margin - s(x, y) + s(x, y'))`` over pairs and the batch's other items, both directions.

    Parameters
    ----------
    sheet, audio : torch.Tensor [shape=(n, 32)]
        Unit rows; row i pairs with row i.
    margin : float

    Returns
    -------
    torch.Tensor [shape=()]
    """
    import torch

    similarities = sheet @ audio.T
    paired = similarities.diagonal()
    violations = torch.relu(margin - paired[:, None] + similarities) + torch.relu(
        margin - paired[None, :] + similarities
    )
    others = ~torch.eye(len(paired), dtype=torch.bool, device=paired.device)
    return violations[others].mean() / 2


def train(
    pairs: Pairs,
    *,
    steps: int,
    batch_size: int,
    learning_rate: float,
    margin: float,
    seed: int,
    device: str = "cpu",
    checkpoint: Path | None = None,
) -> tuple[asmcmr.Encoder, list[dict[str, float]]]:
    """Train both branches with Adam and a fixed number of steps.

    Parameters
    ----------
    pairs : Pairs
    steps, batch_size : int
    learning_rate, margin : float
    seed : int
        Of the initial filters and of the drawn pairs. On one kind of processor the same seed gives the same bytes.
    device : str
        ``cpu``, ``cuda`` or ``cuda:N``.
    checkpoint : Path or None
        File for unfinished work: written every `CHECKPOINT_STEPS` steps, and gone on from if it exists.

    Returns
    -------
    encoder : Encoder
    history : list of dict
        Per step ``step`` (from 1) and ``loss``.

    Raises
    ------
    DataError
        The checkpoint is damaged.
    ProgramError
        The loss became NaN or infinite.
    """
    import torch
    from torch.optim.swa_utils import AveragedModel

    branches = {branch: trainable(asmcmr.untrained(seed), branch).to(device).train() for branch in asmcmr.BRANCHES}
    layer = CCALayer()
    optimizer = torch.optim.Adam(
        [parameter for module in branches.values() for parameter in module.parameters()], lr=learning_rate
    )
    averages: dict[asmcmr.Branch, Any] = {branch: AveragedModel(module) for branch, module in branches.items()}
    work = _Work(branches, averages, layer, optimizer)
    threads = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    try:
        history = work.restore(checkpoint) if checkpoint and checkpoint.is_file() else []
        progress = tqdm(range(len(history), steps), initial=len(history), total=steps, desc="train ASMCMR")
        for step in progress:
            snippets, excerpts = pairs.draw(np.random.default_rng((seed, step)), batch_size)
            sheet = branches["sheet"](_tensor(snippets, device))
            audio = branches["audio"](_tensor(excerpts, device))
            try:
                loss = hinge(*layer(sheet, audio), margin)
            except np.linalg.LinAlgError:  # what a covariance of NaN gives
                loss = torch.tensor(torch.nan)
            value = loss.item()
            if not np.isfinite(value):
                raise _diverged(f"loss {value} at step {step + 1}")
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            if step >= steps * (1 - AVERAGED):
                for branch, average in averages.items():
                    average.update_parameters(branches[branch])
            progress.set_postfix(loss=f"{value:.3f}")
            history.append({"step": step + 1, "loss": value})
            if checkpoint and (step + 1) % CHECKPOINT_STEPS == 0:
                work.save(checkpoint, history)
        settling = pairs.draw(
            np.random.default_rng((seed, steps)), max(batch_size, min(steps * batch_size, N_SETTLING))
        )
        try:
            encoder = settle(
                {branch: average.module for branch, average in averages.items()},
                *settling,
                batch_size=batch_size,
                device=device,
            )
        except (DataError, np.linalg.LinAlgError) as error:  # the last step may be the one that diverged
            raise _diverged(str(error)) from None
    finally:
        torch.set_num_threads(threads)
    return encoder, history


def _diverged(what: str) -> ProgramError:
    """Say that training cannot go on."""
    return ProgramError(f"ASMCMR's training diverged ({what}); lower mtm.features.asmcmr.learning_rate")


@dataclass(frozen=True)
class _Work:
    """Everything that training changes, to be saved and gone on from."""

    branches: Mapping[asmcmr.Branch, torch.nn.Sequential]
    averages: Mapping[asmcmr.Branch, torch.nn.Module]
    layer: CCALayer
    optimizer: torch.optim.Optimizer

    def save(self, path: Path, history: list[dict[str, float]]) -> None:
        """Write the state after the steps of `history`."""
        import torch

        state: dict[str, Any] = {
            "history": history,
            "layer": self.layer.state,
            "optimizer": self.optimizer.state_dict(),
            **{branch: module.state_dict() for branch, module in self.branches.items()},
            **{f"{branch} averaged": module.state_dict() for branch, module in self.averages.items()},
        }
        written = io.BytesIO()
        torch.save(state, written)
        with replacing(path) as temporary:
            # Not the library's own writing, which says in another way that a disk is full.
            temporary.write_bytes(written.getbuffer())

    def restore(self, path: Path) -> list[dict[str, float]]:
        """Read what `save` wrote, and return its history."""
        import torch

        try:
            state = torch.load(path, weights_only=True, map_location="cpu")
            for branch, module in self.branches.items():
                module.load_state_dict(state[branch])
                self.averages[branch].load_state_dict(state[f"{branch} averaged"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.layer.state = state["layer"]
            return list(state["history"])
        except Exception as error:  # damage shows as whatever it leads to
            pass_machine(error)
            raise DataError(
                f"{path}: unfinished training cannot be read ({type(error).__name__}); delete it and run again"
            ) from None


def settle(
    branches: Mapping[asmcmr.Branch, torch.nn.Sequential],
    snippets: np.ndarray,
    excerpts: np.ndarray,
    *,
    batch_size: int,
    device: str,
) -> asmcmr.Encoder:
    """Make an encoder of trained branches, with normalisation and projections from many pairs instead of one batch.

    Parameters
    ----------
    branches : mapping of torch.nn.Sequential
        From `trainable`.
    snippets : np.ndarray [shape=(n, 80, 100), dtype=float32]
    excerpts : np.ndarray [shape=(n, 92, 42), dtype=float32]
        Row i pairs with row i.
    batch_size : int
        At most n.
    device : str

    Returns
    -------
    Encoder
    """
    inputs = {"sheet": snippets, "audio": excerpts}
    arrays: dict[str, np.ndarray] = {}
    for branch, module in branches.items():
        arrays |= _settled(module, branch, inputs[branch], batch_size, device)
        arrays[f"{branch}.projection"] = np.eye(asmcmr.DIMENSIONS, dtype=np.float32)
        arrays[f"{branch}.centre"] = np.zeros(asmcmr.DIMENSIONS, np.float32)
    unprojected = asmcmr.Encoder(arrays, {})
    hidden = {branch: asmcmr.hidden_states(unprojected, branch)(inputs[branch]) for branch in asmcmr.BRANCHES}
    projections = canonical_projections(np.cov(np.hstack([hidden["sheet"], hidden["audio"]]), rowvar=False))
    for branch, projection in zip(asmcmr.BRANCHES, projections, strict=True):
        arrays[f"{branch}.projection"] = projection.astype(np.float32)
        arrays[f"{branch}.centre"] = hidden[branch].mean(axis=0).astype(np.float32)
    return asmcmr.Encoder(arrays, {"weights": "trained"})


def _settled(
    module: torch.nn.Sequential, branch: asmcmr.Branch, inputs: np.ndarray, batch_size: int, device: str
) -> dict[str, np.ndarray]:
    """Compute a branch's normalisation from all inputs, and return its arrays."""
    import torch

    blocks: list[tuple[torch.Tensor, torch.nn.BatchNorm2d]] = []
    for layer in module:
        if isinstance(layer, torch.nn.Conv2d):
            weight = layer.weight
        elif isinstance(layer, torch.nn.BatchNorm2d):
            layer.reset_running_stats()
            layer.momentum = None  # PyTorch's word for the plain mean over batches
            blocks.append((weight, layer))
    with torch.no_grad():
        for start in range(0, len(inputs) - batch_size + 1, batch_size):
            module(_tensor(inputs[start : start + batch_size], device))
    arrays = {}
    for number, (weight, layer) in enumerate(blocks):
        statistics = layer.state_dict()
        tensors = {
            "weight": weight.detach(),
            "beta": statistics["bias"],
            "gamma": statistics["weight"],
            "mean": statistics["running_mean"],
            "inv_std": (statistics["running_var"] + layer.eps).rsqrt(),
        }
        for name, tensor in tensors.items():
            arrays[f"{branch}.{number}.{name}"] = tensor.cpu().contiguous().numpy().copy()
    return arrays


def canonical_projections(covariance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Canonical directions of two halves of a vector.

    Parameters
    ----------
    covariance : np.ndarray [shape=(2 d, 2 d), dtype=float64]
        Of both halves side by side.

    Returns
    -------
    U, V : np.ndarray [shape=(d, d), dtype=float64]
        ``U' C_ss U = V' C_aa V = I`` (each covariance with `RIDGE` times the mean of its diagonal on the diagonal) and
        ``U' C_sa V`` diagonal, the largest correlation first; in each column of U the largest entry is positive.

    Raises
    ------
    np.linalg.LinAlgError
        The covariance holds NaN.
    """
    d = len(covariance) // 2
    whitening = []
    for half in (slice(0, d), slice(d, 2 * d)):
        own = covariance[half, half]
        scale = max(np.trace(own) / d, np.finfo(np.float64).tiny)
        values, vectors = np.linalg.eigh(own + RIDGE * scale * np.eye(d))
        whitening.append(vectors / np.sqrt(values) @ vectors.T)
    left, _, right = np.linalg.svd(whitening[0] @ covariance[:d, d:] @ whitening[1])
    sheet, audio = whitening[0] @ left, whitening[1] @ right.T
    signs = np.sign(sheet[np.abs(sheet).argmax(axis=0), np.arange(d)])
    return sheet * signs, audio * signs


def _tensor(inputs: np.ndarray, device: str) -> torch.Tensor:
    """Make inputs (n, rows, columns) a batch of one-channel pictures."""
    import torch

    return torch.from_numpy(inputs[:, None]).to(device).contiguous(memory_format=torch.channels_last)
