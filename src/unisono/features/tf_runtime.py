"""TensorFlow as the extractors need it: imported late, quietly, and with a fixed number of threads."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def tensorflow() -> Any:
    """Import TensorFlow and return the module.

    Its threads are those of the environment (``TF_NUM_INTRAOP_THREADS``, set by `unisono.store.shards`), one
    where that says nothing: the number of threads is part of the arithmetic's order. Its notices at start-up
    are not shown.

    Returns
    -------
    module
    """
    if "tensorflow" not in sys.modules:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
        os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
        with _held_back_stderr():
            import tensorflow  # noqa: F401
    return sys.modules["tensorflow"]


@contextmanager
def _held_back_stderr() -> Iterator[None]:
    """Hold standard error back, also what C++ code writes; show it only if the block raises.

    The log level does not reach the notices that TensorFlow prints before its logging is set up.
    """
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as held_back:
        os.dup2(held_back.fileno(), 2)
        failed = True
        try:
            yield
            failed = False
        finally:
            sys.stderr.flush()
            os.dup2(saved, 2)
            os.close(saved)
            if failed:
                held_back.seek(0)
                shutil.copyfileobj(held_back, sys.stderr.buffer)
