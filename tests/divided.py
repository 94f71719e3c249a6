"""Divisions of data sets that tests make up."""

from __future__ import annotations

from pathlib import Path

from unisono.datasets import dealing
from unisono.datasets.base import DataSet


def divide(folder: Path) -> Path:
    """Take over the column ``fold`` or ``split`` of ``samples/``; gives the folder back."""
    dealing.deal(
        DataSet(), None, samples=folder / "samples", out=folder / "divisions", summary=folder / "divisions.json"
    )
    return folder
