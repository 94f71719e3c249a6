"""``unisono mend`` and ``unisono verify``: what DVC keeps, before a run and after it."""

from __future__ import annotations

import argparse
import subprocess
from typing import Any

from unisono.errors import DataError


def add(commands: Any) -> None:
    """Add the commands to the parser's."""
    mend = commands.add_parser(
        "mend",
        help="repair what a killed run left of DVC's own files (`make repro` does so first)",
        description="Remove a lock file of DVC that a kill left cut off, restore a damaged dvc.lock from its copy, and "
        "remove unfinished files of killed processes.",
    )
    mend.set_defaults(command=_mend)
    verify = commands.add_parser(
        "verify",
        help="compare all outputs and DVC's cache with dvc.lock",
        description="Compare all outputs and DVC's cache with dvc.lock, byte by byte; ends with status 2 when "
        "something is missing or damaged. Run it in the project's folder.",
    )
    verify.add_argument("--quick", action="store_true", help="look at names and sizes only")
    verify.set_defaults(command=_verify)


def _mend(args: argparse.Namespace) -> None:
    from pathlib import Path

    from unisono.io import files
    from unisono.store import tracked

    del args
    for line in tracked.mend():
        print(line)
    files.sweep(Path("data"), Path("results"))


def _verify(args: argparse.Namespace) -> None:
    from unisono.store import tracked

    found = list(tracked.faults(bytes_too=not args.quick))
    for line in found:
        print(line)
    if found:
        raise DataError(f"{len(found)} outputs or cached files are not as dvc.lock says; see above")
    print(f"{len(tracked.outputs())} outputs are as dvc.lock says, and DVC's cache holds them")
    changed = subprocess.run(["git", "diff", "--quiet", "HEAD", "--", "dvc.lock", "results"], check=False)
    if args.quick and changed.returncode == 1:
        print(
            "results/report.html shows them. Keep this run as your own baseline, and `dvc metrics diff` shows what you "
            'change from here: git add results dvc.lock params.yaml && git commit -m "Baseline of this machine"'
        )
