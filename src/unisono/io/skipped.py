"""The list of what a stage left out, and why: one CSV per stage under ``results/data/``."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

from unisono.errors import printable
from unisono.io.files import replacing


def write(path: Path, rows: Iterable[tuple[str, str]]) -> None:
    """Write the list; without rows it holds the header alone.

    Parameters
    ----------
    path : Path
        A CSV file with the columns ``item`` and ``reason``.
    rows : iterable of (str, str)
        What was left out (a file, a sample's id) and the reason, in one line.

    Raises
    ------
    DataError
        The file cannot be written.
    """
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["item", "reason"])
        # A file's name may hold bytes that are no text, or what a terminal would obey.
        writer.writerows((printable(item), printable(" ".join(reason.split()))) for item, reason in rows)
