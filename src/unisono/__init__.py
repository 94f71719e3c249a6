"""unisono: cross-modal music retrieval, from raw sources to every table, as one DVC pipeline."""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"
__all__ = ["Dataset", "__version__", "load_dataset"]


def __getattr__(name: str) -> Any:
    # By name and late: importing unisono is instantaneous, and no stage depends on the loader through it.
    if name in ("Dataset", "load_dataset"):
        return getattr(importlib.import_module("unisono.datasets.loading"), name)
    # `import unisono` is all that a line of the documentation needs.
    if name == "models":
        return importlib.import_module("unisono.models")
    if name == "metrics":
        return importlib.import_module("unisono.metrics")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
