"""Where items come from: a module or package per data set, from raw source to Parquet, and back to arrays."""

from __future__ import annotations

import importlib
from typing import Any

__all__ = ["Dataset", "load_dataset"]


def __getattr__(name: str) -> Any:
    # By name and late: building a data set does not depend on how it is loaded again.
    if name in __all__:
        return getattr(importlib.import_module("unisono.datasets.loading"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
