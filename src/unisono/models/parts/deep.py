"""Training of networks, the same for every deep method: seeded, resumable, stopping when it diverges.

**Conventions.** A method builds its networks inside `seeded`, wraps all that lasts from one epoch to the next
(weights, running statistics, memories) in one ``torch.nn.Module``, and gives `train` a function that runs one
epoch. Everything random is drawn from torch's global CPU generator, whose state is part of a checkpoint. What
was learned leaves as plain arrays (`to_arrays`). torch is imported inside functions.
"""

from __future__ import annotations

import contextlib
import copy
import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import Field
from tqdm import tqdm

from unisono.errors import ConfigError, TrainingError, pass_machine
from unisono.io.files import replacing
from unisono.models.base import Aligner, Count

if TYPE_CHECKING:
    import torch

#: Seconds between two checkpoints.
CHECKPOINT_S = 10.0
#: Rows embedded at a time.
BATCH = 8192
#: Name of the entry of `layers` that stands for every view not named there.
OTHER = "other"

#: Legal widths of layers: one list per view, `OTHER` for every view not named.
Layers = dict[str, Annotated[list[Count], Field(min_length=1)]]


def choose_device(name: str) -> torch.device:
    """Turn ``compute.device`` into a device: ``auto`` is CUDA where it is present.

    Raises
    ------
    ConfigError
        CUDA is asked for and not there.
    """
    import torch

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise ConfigError(f"compute.device: {name!r}, but torch finds no CUDA device; set it to auto or cpu")
    return torch.device(name)


@contextlib.contextmanager
def seeded(seed: int, *, threads: int = 1) -> Iterator[None]:
    """Seed torch's generators and fix its threads for a block, and leave both afterwards as they were.

    Parameters
    ----------
    seed : int
    threads : int
        Part of the arithmetic's order, so a constant of the method. One is fastest for small networks: two
        processes that each train with two threads on two cores take fifty times as long.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            yield
    finally:
        torch.set_num_threads(before)


def layers_of(name: str, layers: Mapping[str, Sequence[int]], view: str) -> list[int]:
    """Return the widths of the layers of a view's network.

    Parameters
    ----------
    name : str
        The method, for messages.
    layers : mapping of str to sequence of int
        Widths by view; the entry ``other`` stands for every view not named.
    view : str

    Raises
    ------
    ConfigError
        The view is not named and there is no entry ``other``.
    """
    widths = layers.get(view, layers.get(OTHER))
    if not widths:
        raise ConfigError(f"models.{name}.layers: no widths for view {view!r}; add an entry {view!r} or {OTHER!r}")
    return list(widths)


def common_width(name: str, layers: Mapping[str, Sequence[int]], views: Iterable[str]) -> int:
    """Return the width of the last layers, which is that of the shared space.

    Raises
    ------
    ConfigError
        The views do not agree on it.
    """
    last = {view: layers_of(name, layers, view)[-1] for view in views}
    if len(set(last.values())) > 1:
        given = ", ".join(f"{view} {width}" for view, width in last.items())
        raise ConfigError(f"models.{name}.layers: the last widths differ ({given}); one space needs one width")
    return next(iter(last.values()))


def raised(epochs: int, n_batches: int, min_steps: int) -> int:
    """Raise a number of epochs, each of that many batches, so that they have a least number of steps."""
    return max(epochs, -(-min_steps // n_batches))


def perceptron(
    width: int,
    layers: Sequence[int],
    *,
    hidden: str = "tanh",
    last: str = "sigmoid",
    dropout: float = 0.0,
    scale: tuple[np.ndarray, np.ndarray] | None = None,
) -> torch.nn.Sequential:
    """Build a fully connected network.

    Parameters
    ----------
    width : int
        Width of the input.
    layers : sequence of int
        Widths of the layers, the output's last.
    hidden, last : str
        Activation after every hidden layer, and after the last: tanh, sigmoid, relu, linear, or two joined by
        ``+`` (``"tanh+sigmoid"``).
    dropout : float
        After every hidden activation.
    scale : tuple of np.ndarray [shape=(width,)], optional
        Mean and deviation (of `unisono.models.parts.columns.standardisation`) taken off the input first; stored with
        the weights.

    Returns
    -------
    torch.nn.Sequential
        Dense layers have Glorot's uniform initialisation and zero biases, as the authors' (Keras) have.
    """
    from torch import nn

    activations = {"tanh": nn.Tanh, "sigmoid": nn.Sigmoid, "relu": nn.ReLU}
    parts: list[nn.Module] = [] if scale is None else [_scaling(*scale)]
    for position, size in enumerate(layers):
        dense = nn.Linear(width, size)
        nn.init.xavier_uniform_(dense.weight)
        nn.init.zeros_(dense.bias)
        parts.append(dense)
        final = position == len(layers) - 1
        names = (last if final else hidden).split("+")
        parts += [activations[name]() for name in names if name != "linear"]
        if dropout and not final:
            parts.append(_dropout(dropout))
        width = size
    return nn.Sequential(*parts)


def _dropout(share: float) -> Any:
    """Make ``torch.nn.Dropout``, two to three times faster on a CPU: 16 random bits per unit, of torch's generator."""
    import torch

    class Dropout(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if not self.training:
                return x
            bits = torch.empty(-(-x.numel() // 4), dtype=torch.int64, device=x.device).random_(-(2**63), None)
            kept = bits.view(torch.int16)[: x.numel()].view(x.shape) >= round(share * 2**16) - 2**15
            dropped: torch.Tensor = x * (kept.to(x.dtype) / (1 - share))
            return dropped

    return Dropout()


def _scaling(mean: np.ndarray, deviation: np.ndarray) -> Any:
    import torch

    class Scaling(torch.nn.Module):
        mean: torch.Tensor
        deviation: torch.Tensor

        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("mean", torch.as_tensor(mean, dtype=torch.float32))
            self.register_buffer("deviation", torch.as_tensor(deviation, dtype=torch.float32))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            scaled: torch.Tensor = (x - self.mean) / self.deviation
            return scaled

    return Scaling()


def train(
    model: Aligner,
    networks: torch.nn.Module,
    optimisers: Sequence[torch.optim.Optimizer],
    run_epoch: Callable[[int], Mapping[str, float]],
    *,
    epochs: int,
    data: Sequence[np.ndarray] = (),
    checkpoint: Path | None = None,
) -> None:
    """Run the epochs of a training, and fill ``model.history_``.

    Parameters
    ----------
    model : Aligner
        For its name, parameters, seed and whether it shows progress.
    networks : torch.nn.Module
        All that lasts between epochs, as parameters or buffers.
    optimisers : sequence of torch.optim.Optimizer
    run_epoch : callable
        ``run_epoch(number) -> loss terms``; number counts from 0. Learning rates that change do so as a
        function of the number, so that a resumed training has them right.
    epochs : int
    data : sequence of np.ndarray
        What is trained on; a checkpoint made from other data, parameters or seed is not taken.
    checkpoint : Path, optional
        File written every `CHECKPOINT_S` seconds, from which an interrupted training goes on; the result is
        the same, bit for bit on a CPU. It is deleted at the end.

    Raises
    ------
    TrainingError
        A loss term is NaN or infinite.
    """
    fingerprint = _fingerprint(model, data, epochs) if checkpoint else ""
    history = _resume(checkpoint, fingerprint, networks, optimisers) if checkpoint else []
    saved = time.monotonic()
    # None shows the bar on a terminal only.
    hidden = None if model.progress else True
    with tqdm(total=epochs, initial=len(history), desc=f"train {model.name}", unit="epoch", disable=hidden) as bar:
        for number in range(len(history), epochs):
            networks.train()
            terms = {name: float(value) for name, value in run_epoch(number).items()}
            check_finite(model.name, number, terms)
            history.append(terms)
            bar.update()
            bar.set_postfix({name: f"{value:.4g}" for name, value in terms.items()})
            if checkpoint and number + 1 < epochs and time.monotonic() - saved > CHECKPOINT_S:
                _write(checkpoint, fingerprint, history, networks, optimisers)
                saved = time.monotonic()
    networks.eval()
    model.history_ = history
    if checkpoint:
        checkpoint.unlink(missing_ok=True)


def held_out(name: str, share: float, n_items: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw the rows that choose the epoch.

    Parameters
    ----------
    name : str
        The method, for messages.
    share : float
        Of the rows, from 0 (none) to less than 1.
    n_items : int
    seed : int

    Returns
    -------
    train, held : np.ndarray [dtype=int64]
        Rows to train on and rows held out, both rising.

    Raises
    ------
    ConfigError
        The share is above 0 and comes to fewer than three rows, or leaves fewer than two to train on.
    """
    n_held = round(share * n_items)
    if share and (n_held < 3 or n_items - n_held < 2):
        raise ConfigError(
            f"models.{name}.validation: {share} of {n_items} training rows are {n_held}, expected three at least and "
            "two or more left; change the share, or set it to 0 to keep the last epoch"
        )
    drawn = np.random.default_rng(seed).permutation(n_items)
    return np.sort(drawn[n_held:]), np.sort(drawn[:n_held])


def keep_best(networks: torch.nn.Module) -> Any:
    """Hold networks together with a copy of their best state so far, so that a checkpoint has both.

    Returns
    -------
    torch.nn.Module
        ``consider(score)`` copies the state if its score is the highest yet; ``restore()`` goes back to that state.
    """
    import torch

    class Best(torch.nn.Module):
        score: torch.Tensor

        def __init__(self) -> None:
            super().__init__()
            self.networks = networks
            self.kept = copy.deepcopy(networks).requires_grad_(False)
            self.register_buffer("score", torch.tensor(-torch.inf, dtype=torch.float64))

        def consider(self, score: float) -> None:
            if score > self.score:
                self.score.fill_(score)
                self.kept.load_state_dict(self.networks.state_dict())

        def restore(self) -> None:
            self.networks.load_state_dict(self.kept.state_dict())

    return Best()


def check_finite(name: str, epoch: int, terms: Mapping[str, float]) -> None:
    """Raise `TrainingError` when a loss term is NaN or infinite."""
    for term, value in terms.items():
        if not np.isfinite(value):
            raise TrainingError(
                f"{name}: training diverged in epoch {epoch + 1}, {term} is {value}; lower "
                f"models.{name}.learning_rate, raise its ridge if it has one, or check the scale of the features"
            )


def to_arrays(module: torch.nn.Module, prefix: str) -> dict[str, np.ndarray]:
    """Return weights and buffers as arrays, each name after ``prefix`` and a dot; `from_arrays` reads them."""
    return {f"{prefix}.{name}": tensor.detach().cpu().numpy().copy() for name, tensor in module.state_dict().items()}


def from_arrays(module: torch.nn.Module, arrays: Mapping[str, np.ndarray], prefix: str) -> Any:
    """Load the weights that `to_arrays` gave; return the module, in their precision, on the CPU, for evaluation."""
    import torch

    start = f"{prefix}."
    state = {name.removeprefix(start): torch.tensor(a) for name, a in arrays.items() if name.startswith(start)}
    module.to(next(tensor.dtype for tensor in state.values() if tensor.is_floating_point()))
    module.load_state_dict(state)
    return module.cpu().eval()


def embed(network: torch.nn.Module, array: np.ndarray) -> np.ndarray:
    """Run a network over rows, some thousands at a time.

    Parameters
    ----------
    network : torch.nn.Module
        In evaluation mode.
    array : np.ndarray [shape=(n, ...), dtype=any real]

    Returns
    -------
    np.ndarray [shape=(n, k), dtype=that of the network]
    """
    import torch

    weights = next(network.parameters(), None)
    # A function of several networks has no weights of its own.
    dtype = np.float32 if weights is None else weights.detach().cpu().numpy().dtype
    device = None if weights is None else weights.device
    with torch.inference_mode():
        parts = [
            network(torch.as_tensor(np.asarray(array[start : start + BATCH], dtype=dtype), device=device)).cpu().numpy()
            for start in range(0, max(len(array), 1), BATCH)
        ]
    return np.concatenate(parts)


def _fingerprint(model: Aligner, data: Sequence[np.ndarray], epochs: int) -> str:
    facts = json.dumps([model.name, model.params, model.seed, epochs], sort_keys=True, default=str)
    digest = hashlib.sha256(facts.encode())
    for array in data:
        digest.update(f"{array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data if array.dtype.kind != "U" else "\0".join(array).encode())
    return digest.hexdigest()


def _write(
    path: Path,
    fingerprint: str,
    history: list[dict[str, float]],
    networks: torch.nn.Module,
    optimisers: Sequence[torch.optim.Optimizer],
) -> None:
    import torch
    from safetensors.torch import save

    tensors = {f"networks/{name}": tensor for name, tensor in networks.state_dict().items()}
    for place, optimiser in enumerate(optimisers):
        for index, state in optimiser.state_dict()["state"].items():
            for name, value in state.items():
                tensors[f"optimisers/{place}/{index}/{name}"] = torch.as_tensor(value)
    tensors["random/cpu"] = torch.get_rng_state()
    if torch.cuda.is_available():
        tensors["random/cuda"] = torch.cuda.get_rng_state()
    # Copies: safetensors refuses tensors that share memory.
    copies = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()}
    header = {"unisono": json.dumps({"fingerprint": fingerprint, "history": history})}
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        # Not the library's own writing, which says in another way that a disk is full.
        temporary.write_bytes(save(copies, metadata=header))


def _resume(
    path: Path, fingerprint: str, networks: torch.nn.Module, optimisers: Sequence[torch.optim.Optimizer]
) -> list[dict[str, float]]:
    """Take over a checkpoint and return its history; an unfit or damaged one is none."""
    import torch
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        return []
    try:
        with safe_open(path, framework="pt") as opened:
            header = json.loads((opened.metadata() or {})["unisono"])
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
        if header["fingerprint"] != fingerprint:
            return []
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        pass_machine(error)
        return []
    start = "networks/"
    networks.load_state_dict({n.removeprefix(start): t for n, t in tensors.items() if n.startswith(start)})
    for place, optimiser in enumerate(optimisers):
        state: dict[int, dict[str, Any]] = {}
        for name, tensor in tensors.items():
            kind, _, rest = name.partition("/")
            if kind == "optimisers" and rest.split("/")[0] == str(place):
                _, index, key = rest.split("/")
                state.setdefault(int(index), {})[key] = tensor
        optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
    torch.set_rng_state(tensors["random/cpu"])
    if torch.cuda.is_available() and "random/cuda" in tensors:
        torch.cuda.set_rng_state(tensors["random/cuda"])
    history: list[dict[str, float]] = header["history"]
    return history
