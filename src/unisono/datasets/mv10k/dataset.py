"""MV-10K as one object."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from unisono.config import mv10k
from unisono.datasets.base import DataSet, Part

if TYPE_CHECKING:
    import numpy as np


class Mv10k(DataSet):
    """Music videos, of which each is an item."""

    name = "mv10k"
    settings = mv10k.Mv10k
    title = "MV-10K"
    about = "music videos, labelled by mood"
    views = ("audio", "visual")
    caption = "A video of each mood: the first 128 visual and the 128 audio features over time, 8 bits each"
    on_sheet = ("visual", "audio")
    remark = (
        "This data set holds features, not videos: what is shown are an item's 8-bit features over time, "
        "the 128 of its sound and the first 128 of its pictures."
    )
    no_query = (
        "its features are YouTube-8M's (simulated by default) and no file can be taken through that extractor, so give "
        "the id of an item"
    )

    def show(self, folder: Path, wanted: Iterable[str]) -> Iterator[Part]:
        """Show features over time."""
        import numpy as np

        from unisono.datasets import items
        from unisono.io import parquet

        for item, values in items.readable(folder / "videos", ["audio", "rgb"], wanted):
            sound, pictures = (np.stack(list(parquet.to_numpy(value.values))) for value in values)
            yield Part(item, "audio", "features", sound)
            yield Part(item, "visual", "features", pictures[:, :128])

    def lengths(self, folder: Path) -> tuple[str, np.ndarray] | None:
        """Read the numbers of frames; vectors of whole videos have none."""
        from unisono.datasets import items
        from unisono.io import parquet

        videos = folder / "videos"
        if "n_frames" not in items.columns_of(videos):
            return None
        return "frames", parquet.to_numpy(parquet.read(videos, ["n_frames"]).column("n_frames"))


DATASET = Mv10k()
