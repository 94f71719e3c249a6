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
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
