"""The torch networks' weights (published state dicts, or random ones by a fixed seed), and applying them in batches."""

from __future__ import annotations

import abc
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from unisono.config.extractors import Torch
from unisono.errors import DataError, pass_machine

if TYPE_CHECKING:
    import torch


class Extractor(abc.ABC):
    """A network with its weights, applied a batch at a time; a network's own class says how to a batch.

    Parameters
    ----------
    network : torch.nn.Module
        With weights.
    batch_size : int
        Rows per step.
    """

    dimensions: int

    def __init__(self, network: Any, *, batch_size: int = 4) -> None:
        self.network, self.batch_size = network, batch_size

    @abc.abstractmethod
    def features(self, batch: torch.Tensor) -> torch.Tensor:
        """Apply the network: (n, ...) as `embed` takes them to (n, dimensions)."""

    def embed(self, rows: np.ndarray) -> np.ndarray:
        """Embed rows, each on its own.

        Parameters
        ----------
        rows : np.ndarray [shape=(n, ...)]
            Of the shape and type that the network's own class names.

        Returns
        -------
        np.ndarray [shape=(n, dimensions), dtype=float32]
        """
        import torch

        output = np.empty((len(rows), self.dimensions), dtype=np.float32)
        with torch.inference_mode():
            for start in range(0, len(rows), self.batch_size):
                batch = slice(start, start + self.batch_size)
                output[batch] = self.features(torch.from_numpy(np.ascontiguousarray(rows[batch]))).numpy()
        return output


def fill(network: Any, settings: Torch) -> None:
    """Fill a network with the weights that the settings ask for: see `load` and `draw`."""
    if settings.weights == "pretrained":
        load(Path(settings.location), network)
    else:
        draw(network, settings.seed)


def load(path: Path, network: Any) -> None:
    """Fill a network with published weights; nothing in the file is executed.

    Parameters
    ----------
    path : Path
        A state dict written by ``torch.save``, or a ``.safetensors`` file. Tensors of the network's size but another
        number of axes of length 1 (a convolution over (time, 1) for one over time) are taken.
    network : torch.nn.Module

    Raises
    ------
    DataError
        The file is missing or damaged, or a tensor is missing, has another size or is not finite.
    """
    import torch

    remedy = "give the published state dict, or set weights: untrained"
    state = _read(path, remedy)
    wanted = network.state_dict()
    filled = {}
    for name, tensor in wanted.items():
        if name.endswith("num_batches_tracked"):
            continue
        found = state.get(name)
        if not isinstance(found, torch.Tensor):
            raise DataError(f"{path}: has no tensor {name}; {remedy}")
        plain = found.layout == torch.strided and found.device.type == "cpu" and not found.is_quantized
        if not plain or found.dtype not in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
            raise DataError(f"{path}: {name} holds {found.dtype} ({found.layout}), expected plain floats; {remedy}")
        shape = tuple(found.shape)
        if [n for n in shape if n > 1] != [n for n in tensor.shape if n > 1] or not torch.isfinite(found).all():
            raise DataError(f"{path}: {name} is {shape}, expected {tuple(tensor.shape)} finite numbers; {remedy}")
        filled[name] = found.reshape(tensor.shape).float()
    network.load_state_dict(wanted | filled)


#: What torch raises on a damaged file, besides its own.
_DAMAGE = (OSError, RuntimeError, ValueError, LookupError, EOFError, TypeError, AttributeError, AssertionError)


def _read(path: Path, remedy: str) -> Mapping[str, Any]:
    """Read a state dict."""
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not path.is_file():
        raise DataError(f"{path}: no such file; {remedy}")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    # torch raises nearly anything on a damaged file.
    except (*_DAMAGE, pickle.UnpicklingError, SafetensorError) as error:
        pass_machine(error)
        reason = str(error).split("\n")[0]
        raise DataError(f"{path}: not a state dict or damaged ({reason}); {remedy}") from None
    # Some authors save a checkpoint around it.
    state = state.get("state_dict", state) if isinstance(state, Mapping) else {}
    if not isinstance(state, Mapping) or not all(isinstance(name, str) for name in state):
        raise DataError(f"{path}: not a state dict: expected tensors by name; {remedy}")
    return {name.removeprefix("module."): tensor for name, tensor in state.items() if isinstance(tensor, torch.Tensor)}


def draw(network: Any, seed: int) -> None:
    """Fill a network with random weights: He normal kernels, no biases, normalisation that changes nothing.

    Parameters
    ----------
    network : torch.nn.Module
    seed : int
        The same seed gives the same weights, in every process and with every version of torch.
    """
    import torch

    generator = np.random.default_rng(seed)
    filled = {}
    for name, tensor in network.state_dict().items():
        shape = tuple(tensor.shape)
        if len(shape) > 1:  # kernels are (out, in, ...)
            kernel = generator.standard_normal(shape, dtype=np.float32)
            filled[name] = torch.from_numpy(kernel * np.float32(np.sqrt(2 / np.prod(shape[1:]))))
        else:
            one = name.endswith(("running_var", "weight"))
            filled[name] = torch.ones_like(tensor) if one else torch.zeros_like(tensor)
    network.load_state_dict(filled)
