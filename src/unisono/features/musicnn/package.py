"""musicnn's trained weights, out of the package that carries them; none of its code is imported or run.

**Conventions.** The package is the distribution ``musicnn`` 0.1.0: installed (without its own requirements, which no
Python of today can meet), or its wheel, or the folder of its files. Its checkpoints are TensorFlow's, read by
TensorFlow, and only if they are the published ones to the byte.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from unisono.errors import DataError, pass_machine
from unisono.features.musicnn import variable_shapes
from unisono.features.tf_runtime import tensorflow
from unisono.features.weights_package import Package
from unisono.io.files import temporary_folder

PACKAGE, VERSION = "musicnn", "0.1.0"
#: Files of a checkpoint, and their SHA-256 by variant: trained on the Million Song Dataset, on MagnaTagATune.
FILES = (".index", ".data-00000-of-00001")
PUBLISHED = {
    "MSD": (
        "87f3e0f3550c8d3bafc840374003e5c8af5eeb5ecf6add61af09a7822d3282c8",
        "8579734ee6388f799ed0def4bbd0d1fdcbeaf213ef2a9dc860917bd76a303de6",
    ),
    "MTT": (
        "da2d7bb670b2b31e9bc441bb1bd75eca31b5b061f963cc1f9630c1aff3238f57",
        "041f3935e981a65cea739842d30c188d3a7d2adf4410955c8668eb3de4a5acab",
    ),
}
CARRIER = Package(PACKAGE, VERSION, PACKAGE, "set weights: untrained")


def read(variant: str, location: str = "") -> dict[str, np.ndarray]:
    """Read trained weights.

    Parameters
    ----------
    variant : {"MSD", "MTT"}
    location : str
        Wheel of the package, or folder of its files; empty: the installed package.

    Returns
    -------
    dict of str to np.ndarray [dtype=float32]
        By the variables' names, as `unisono.features.musicnn.variable_shapes` lists them.

    Raises
    ------
    DataError
        The package is missing, of another version, or its weights are not the published ones.
    """
    names = [f"{variant}_musicnn/{end}" for end in FILES]
    found = CARRIER.read(dict(zip(names, PUBLISHED[variant], strict=True)), location)
    return dict(_variables([found[name] for name in names], CARRIER.named(location)))


def _variables(contents: list[bytes], where: str) -> Iterator[tuple[str, Any]]:
    """Read the variables of a checkpoint from the contents of its files."""
    tf = tensorflow()
    with temporary_folder() as folder:
        for name, content in zip(FILES, contents, strict=True):
            (folder / name).write_bytes(content)
        try:
            # Not `load_checkpoint`: it follows the absolute path of the machine that the network was trained on.
            reader = tf.compat.v1.train.NewCheckpointReader(f"{folder}/")
            for name in variable_shapes():
                yield name, reader.get_tensor(name)
        except (tf.errors.OpError, ValueError, RuntimeError) as error:
            pass_machine(error)
            raise DataError(f"{where}: its checkpoint cannot be read ({error}); {CARRIER.remedy}") from None
