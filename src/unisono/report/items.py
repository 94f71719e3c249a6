"""Items of a data set by id, and what a clip looks and sounds like."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from unisono.errors import DataError
from unisono.features import logmel
from unisono.io import parquet
from unisono.media import video


def columns_of(source: Path) -> list[str]:
    """Names of the columns of a folder of shards.

    Raises
    ------
    DataError
        It is missing or has no rows.
    """
    first = next(iter(parquet.iterate(source, batch_size=1)), None)
    if first is None:
        raise DataError(f"{source}: no rows; build it again with `dvc repro`")
    return list(first.schema.names)


def rows_of(source: Path, columns: Sequence[str], wanted: Iterable[str]) -> dict[str, Any]:
    """Read the rows of some ids, in bounded memory.

    Parameters
    ----------
    source : Path
        Folder of shards with a column ``id``.
    columns : sequence of str
    wanted : iterable of str
        Ids.

    Returns
    -------
    dict of str to list of pa.Scalar
        By id the values of `columns`; an id that is not there is left out.
    """
    left, found = set(wanted), {}
    for shard in parquet.shards(source):
        # Ids first: they are small, and most shards of a large data set hold none of those wanted.
        if left.isdisjoint(parquet.read(shard, ["id"]).column("id").to_pylist()):
            continue
        for batch in parquet.iterate(shard, ["id", *columns], batch_size=8):
            for row, item in enumerate(batch.column("id").to_pylist()):
                if item in left:
                    found[item] = [batch.column(column)[row] for column in columns]
                    left.remove(item)
    return found


def middle_frame(clip: bytes) -> np.ndarray:
    """Decode the picture in the middle of a video file.

    Returns
    -------
    np.ndarray [shape=(height, width, 3), dtype=uint8]
    """
    frames = video.frames(clip)
    return np.asarray(frames[len(frames) // 2])


def spectrogram(clip: bytes) -> np.ndarray:
    """Compute the log-mel spectrogram of a video file's sound, as a picture: low bands at the bottom.

    Returns
    -------
    np.ndarray [shape=(64, n_frames), dtype=float32]
    """
    sound = video.sound(clip, logmel.SAMPLE_RATE)
    # At least one frame of the spectrogram, whatever the length.
    return logmel.log_mel(np.pad(sound, (0, max(0, logmel.WINDOW - len(sound))))).T[::-1]
