"""Songs as one object."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from unisono.config import songs
from unisono.datasets.base import DataSet, Part

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa


class Songs(DataSet):
    """Whole songs, of which each file is an item."""

    name = "songs"
    settings = songs.Songs
    title = "Songs"
    about = "whole songs, a piece of which is heard and all words of which are read"
    views = ("audio", "lyrics")
    caption = "A few songs: the beginning of their lyrics and the log-mel spectrogram of the piece that is heard"
    on_sheet = ("lyrics", "audio")
    queries: ClassVar = {"sound": ("audio",), "text": ("lyrics",)}
    dealt_by = ("song", "text")

    def deal(self, table: pa.Table, section: Any) -> tuple[np.ndarray, dict[str, Any]]:
        """Deal songs into training and test parts, several times and in several ways."""
        from unisono.datasets.songs import groups

        return groups.divisions(table, section.split)

    def show(self, folder: Path, wanted: Iterable[str]) -> Iterator[Part]:
        """Show title and first words, and play the piece that is heard."""
        from unisono.datasets import items, words

        wanted = list(wanted)
        free = items.is_free(folder / "samples")
        for item, values in items.readable(folder / "samples", ["song", "title", "text"], wanted):
            song, title, text = (str(value.as_py()) for value in values)
            yield Part(item, "title", "text", title)
            yield Part(item, "group", "text", song)
            if text:
                yield Part(item, "lyrics", "text", words.shown(text, free=free))
        for item, (sound,) in items.readable(folder / "audio", ["audio"], wanted):
            yield Part(item, "audio", "sound", sound["bytes"].as_py())

    def lengths(self, folder: Path) -> tuple[str, np.ndarray] | None:
        """Count the words of every song."""
        from unisono.io import parquet

        return "words", parquet.to_numpy(parquet.read(folder / "samples", ["n_words"]).column("n_words"))


DATASET = Songs()
