"""Section ``compute``: how work is run. Listed in no stage's ``params``, so it never invalidates a result."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from pydantic import Field, StrictBool

from unisono.config import TopLevel


class Compute(TopLevel):
    """How work is executed; results do not depend on any of it, but for the last digits (`reproducible`)."""

    executor: Literal["process", "serial"] = "process"
    workers: int = Field(default=0, ge=0)
    threads_per_worker: int = Field(default=1, ge=1)
    retries: int = Field(default=1, ge=0)
    device: str = Field(default="auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$")
    #: Read by `unisono.arithmetic` when a process starts, and validated here.
    reproducible: StrictBool = True
    scratch: Path = Path(".unisono/scratch")
    keep_days: float = Field(default=30, ge=0)

    @property
    def n_workers(self) -> int:
        """Worker processes: `workers`, or one per available core."""
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        return self.workers or cores or 1
