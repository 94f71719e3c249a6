"""From one TFRecord shard to the videos in it that pass the rule."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from unisono.datasets.mv10k.rules import Rule
from unisono.errors import DataError
from unisono.io import parquet, sequence_example

AUDIO_WIDTH, RGB_WIDTH = 128, 1024

#: Columns of the videos' shards.
TYPES: Mapping[str, pa.DataType] = {
    "id": pa.string(),
    "n_frames": pa.int32(),
    "audio": pa.list_(pa.list_(pa.uint8(), AUDIO_WIDTH)),
    "rgb": pa.list_(pa.list_(pa.uint8(), RGB_WIDTH)),
}


@dataclass(frozen=True)
class Accepted:
    """A video that passed.

    Attributes
    ----------
    id : str
    audio : np.ndarray [shape=(n_frames, 128), dtype=uint8]
    rgb : np.ndarray [shape=(n_frames, 1024), dtype=uint8]
    """

    id: str
    audio: np.ndarray
    rgb: np.ndarray


def accept(records: Iterable[bytes], rule: Rule, *, name: str) -> tuple[list[Accepted], Counter[str]]:
    """Pick the videos of a shard that pass.

    Labels are read first, then frames are counted; only of a video that passed are frames checked and copied.

    Parameters
    ----------
    records : iterable of bytes
        Serialised SequenceExamples.
    rule : Rule
    name : str
        Of the shard, for messages.

    Returns
    -------
    accepted : list of Accepted
        In order of the shard; of two videos of one id the first.
    counts : Counter
        ``seen``, ``accepted``, and one entry per reason of rejection that occurred.

    Raises
    ------
    DataError
        A record is no SequenceExample or lacks a feature; a frame has the wrong width; sound and picture of
        an accepted video differ in length.
    """
    accepted: dict[str, Accepted] = {}
    counts: Counter[str] = Counter()
    for index, data in enumerate(records):
        where = f"{name}: record {index}"
        record = sequence_example.parse(data, where=where)
        reason = rule.labels(record.labels, where=f"{where} (id {record.id!r})")
        if not reason:
            rgb = record.frames("rgb", RGB_WIDTH)
            reason = rule.length(len(rgb))
        if not reason and record.id in accepted:
            reason = "duplicate_id"
        counts.update(["seen", reason or "accepted"])
        if reason:
            continue
        audio = record.frames("audio", AUDIO_WIDTH)
        if len(audio) != len(rgb):
            raise DataError(
                f"{where} (id {record.id!r}): {len(audio)} frames of audio but {len(rgb)} of rgb; "
                "the file is damaged, fetch it again"
            )
        # Copies: a view would keep the whole record in memory, and frames apart from each other.
        accepted[record.id] = Accepted(record.id, np.array(audio), np.array(rgb))
    return list(accepted.values()), counts


def write(path: Path, videos: Sequence[Accepted], *, metadata: Mapping[str, Any]) -> None:
    """Write accepted videos as a Parquet shard with the columns of `TYPES`."""
    columns = {
        "id": [video.id for video in videos],
        "n_frames": [len(video.rgb) for video in videos],
        "audio": [video.audio for video in videos],
        "rgb": [video.rgb for video in videos],
    }
    parquet.write(path, columns, types=TYPES, metadata=metadata)
