"""MTM as one object."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from unisono.config import mtm
from unisono.datasets.base import DataSet, Part
from unisono.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa


class Mtm(DataSet):
    """Songs, of which 20 notes and syllables are an item."""

    name = "mtm"
    settings = mtm.Mtm
    title = "MTM"
    about = "songs as piano audio, sheet music and lyrics"
    views = ("audio", "sheet", "lyrics")
    caption = "A few samples: printed music and log-mel spectrogram"
    # Lyrics stay out of the card: those of some sources may not be passed on.
    on_sheet = ("sheet_plain", "audio")
    queries: ClassVar = {
        "sound": ("audio",),
        "picture": ("sheet",),
        "MIDI file": ("audio", "sheet"),
        "score": ("audio", "sheet", "lyrics"),
        "text": ("lyrics",),
    }
    dealt_by = ("song", "notes", "syllables", "text")

    def deal(self, table: pa.Table, section: Any) -> tuple[np.ndarray, dict[str, Any]]:
        """Deal samples to the parts of the split; a `DataError` says that one to train or test on has too few."""
        from unisono.datasets.mtm import groups

        parts, facts = groups.deal_samples(table, section.split)
        for part in ("train", "test"):
            n = int((parts == part).sum())
            if n < 2:
                raise DataError(
                    f"mtm: {n} of {len(parts)} samples in the part {part}, two are needed; add songs, or change "
                    "mtm.split.fractions"
                )
        return parts, facts

    def show(self, folder: Path, wanted: Iterable[str]) -> Iterator[Part]:
        """Show lyrics and printed music (once per engraving), and play the piano."""
        from unisono.datasets import items

        texts = ["song", "title", "syllables", "word_index"]
        for item, values in items.readable(folder / "samples", texts, wanted):
            song, title, syllables, words = (value.as_py() for value in values)
            yield Part(item, "title", "text", str(title))
            yield Part(item, "group", "text", str(song))
            groups: dict[int, list[str]] = {}
            for syllable, word in zip(syllables, words, strict=True):
                groups.setdefault(word, []).append(syllable)
            yield Part(item, "lyrics", "text", " ".join("-".join(group) for group in groups.values()))
        for item, (sound,) in items.readable(folder / "audio", ["audio"], wanted):
            yield Part(item, "audio", "sound", sound["bytes"].as_py())
        for engraving in sorted((folder / "engraved").glob("*")):
            for item, (printed,) in items.readable(engraving, ["picture"], wanted):
                yield Part(item, engraving.name, "sheet", printed["bytes"].as_py())

    def lengths(self, folder: Path) -> tuple[str, np.ndarray] | None:
        """Add the durations and rests of every sample."""
        from unisono.io import parquet

        notes = parquet.to_numpy(parquet.read(folder / "samples", ["notes"]).column("notes"))
        return "beats", notes[:, :, 1:].sum(axis=(1, 2))


DATASET = Mtm()
