"""The DAG's doors: thin scripts, one per kind of stage, run as ``python -m stages.<name>`` from the project's folder.

They run the code beside them, not that of another checkout from which the package may be installed: in the copies
that ``dvc exp run --temp`` and ``--queue`` make, an experiment records no code that it did not run.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

_SOURCE = str(Path(__file__).resolve().parents[1] / "src")
if sys.path[0] != _SOURCE:
    sys.path.insert(0, _SOURCE)
    # For worker processes.
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [_SOURCE, os.environ.get("PYTHONPATH")]))

from unisono import arithmetic, errors  # noqa: E402
from unisono.io import files, memory  # noqa: E402
from unisono.store import tracked  # noqa: E402

# Here, since a stage imports numerical libraries by its first lines.
arithmetic.pin()
memory.guard()
errors.end_at_once()
# DVC writes its lock in place when the stage has ended, and may be killed at that.
tracked.keep_lock()
# And so may its stages, in the middle of a file.
files.sweep(Path("data"), Path("results"))
