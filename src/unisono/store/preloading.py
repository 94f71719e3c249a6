"""What the server that workers are forked from imports: the modules that `VARIABLE` names, as far as they can be.

Where memory is short one of them may fail. The server then serves without it, and says nothing: a worker that needs
the module fails in its task, whose error is reported.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from unisono.io import memory

#: Names of modules, divided by blanks.
VARIABLE = "UNISONO_PRELOAD"


@contextmanager
def named(modules: Sequence[str]) -> Iterator[None]:
    """Name the modules for a server that is started in the block, and for no other process."""
    os.environ[VARIABLE] = " ".join(modules)
    try:
        yield
    finally:
        os.environ.pop(VARIABLE, None)


def _load() -> None:
    memory.guard()
    for module in os.environ.pop(VARIABLE, "").split():
        with suppress(Exception):
            importlib.import_module(module)


if VARIABLE in os.environ:
    _load()
