"""What benchmarks share: the option ``--smoke``, and what one call costs in seconds and memory."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any


def arguments(parser: argparse.ArgumentParser, **tiny: Any) -> argparse.Namespace:
    """Parse the command line; with ``--smoke`` the values of `tiny` replace what was given."""
    parser.add_argument("--smoke", action="store_true", help="tiny sizes: whether it runs, no figures")
    args = parser.parse_args()
    if args.smoke:
        vars(args).update(tiny)
    return args


@dataclass(frozen=True)
class Cost:
    """Of the fastest of some runs; processor seconds, over all threads, are the ones that other work disturbs less."""

    wall_s: float
    cpu_s: float
    memory_gib: float
    result: Any

    def __str__(self) -> str:
        return (
            f"{self.wall_s:8.2f} s  ({self.cpu_s:7.2f} s of processor time, {self.memory_gib:.2f} GiB above the input)"
        )


def cost(function: Callable[[], Any], runs: int = 1) -> Cost:
    """Measure a function; memory is the peak of the resident set, where Linux lets it be reset."""
    costs = []
    for _ in range(runs):
        before = _peak_kib(reset=True)
        wall, cpu = time.perf_counter(), time.process_time()
        result = function()
        wall_s, cpu_s = time.perf_counter() - wall, time.process_time() - cpu
        costs.append(Cost(wall_s, cpu_s, (_peak_kib() - before) / 2**20, result))
    fastest = min(costs, key=lambda one: one.wall_s)
    # Later runs find memory that the first one's allocator has kept.
    return replace(fastest, memory_gib=max(one.memory_gib for one in costs))


def _peak_kib(*, reset: bool = False) -> int:
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])
