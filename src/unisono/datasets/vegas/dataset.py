"""VEGAS as one object."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from unisono.config import vegas
from unisono.datasets.base import DataSet, Part

if TYPE_CHECKING:
    import numpy as np


class Vegas(DataSet):
    """Clips, of which each is an item."""

    name = "vegas"
    settings = vegas.Vegas
    title = "VEGAS"
    about = "clips of one class each, seen and heard"
    views = ("audio", "visual")
    caption = "A clip of each class: the frame in its middle and its log-mel spectrogram"
    on_sheet = ("visual", "audio")
    queries: ClassVar = {"video": ("visual", "audio"), "sound": ("audio",)}

    def show(self, folder: Path, wanted: Iterable[str]) -> Iterator[Part]:
        """Show the frames and play the sound of clips."""
        from unisono.datasets import items

        for item, (clip,) in items.readable(folder / "samples", ["video"], wanted):
            content = clip["bytes"].as_py()
            yield Part(item, "visual", "frames", content)
            yield Part(item, "audio", "soundtrack", content)

    def lengths(self, folder: Path) -> tuple[str, np.ndarray] | None:
        """Read the lengths of the clips; published features have none."""
        from unisono.datasets import items
        from unisono.io import parquet

        samples = folder / "samples"
        if "duration_s" not in items.columns_of(samples):
            return None
        return "seconds", parquet.to_numpy(parquet.read(samples, ["duration_s"]).column("duration_s"))


DATASET = Vegas()
