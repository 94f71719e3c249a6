"""Image2song as one object."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from unisono.config import image2song
from unisono.datasets.base import DataSet, Part
from unisono.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa


class Image2song(DataSet):
    """Pictures and songs, each of which is an item."""

    name = "image2song"
    settings = image2song.Image2song
    title = "Image2song"
    about = "pictures, and songs whose words fit them"
    views = ("image", "lyrics")
    caption = "A few pictures, and their keywords"
    on_sheet = ("image", "keywords")
    remark = "Songs show their title and the first words of their lyrics"
    queries: ClassVar = {"picture": ("image",), "text": ("lyrics",)}
    dealt_by = ("part", "group", "words", "pair")

    def deal(self, table: pa.Table, section: Any) -> tuple[np.ndarray, dict[str, Any]]:
        """Deal pictures and songs into training and test parts, several times."""
        from unisono.datasets.image2song import relevance

        return relevance.deal(table, section)

    def show(self, folder: Path, wanted: Iterable[str]) -> Iterator[Part]:
        """Show pictures with their keywords, and of songs the title and first words; play those that are heard."""
        import numpy as np

        from unisono.datasets import items, words
        from unisono.datasets.image2song import labelling
        from unisono.media import pictures

        wanted = list(wanted)
        free = items.is_free(folder / "samples")
        tags = labelling.of_items(folder / "tags", wanted)
        columns = ["part", "title", "words", "text", "image"]
        for item, values in items.readable(folder / "samples", columns, wanted):
            part, title, keywords, text, image = (value.as_py() for value in values)
            yield Part(item, "title", "text", str(title))
            if item in tags:
                yield Part(item, "words", "text", tags[item])
            if part == "lyrics":
                yield Part(item, "lyrics", "text", words.shown(text, free=free))
                continue
            try:
                with pictures.opened(image["bytes"], item) as opened:
                    yield Part(item, "image", "picture", np.asarray(opened.convert("RGB")))
            except DataError:
                continue
            if keywords:
                yield Part(item, "keywords", "text", ", ".join(keywords[: words.SHOWN_UNFREE]))
        for item, (sound,) in items.readable(folder / "audio", ["audio"], wanted):
            yield Part(item, "lyrics", "sound", sound["bytes"].as_py())

    def lengths(self, folder: Path) -> tuple[str, np.ndarray] | None:
        """Count the lemmas of every song."""
        import numpy as np

        from unisono.io import parquet

        table = parquet.read(folder / "samples", ["part", "words"])
        rows = zip(table["part"].to_pylist(), table["words"].to_pylist(), strict=True)
        return "lemmas of a song", np.array([len(words) for part, words in rows if part == "lyrics"])


DATASET = Image2song()
