"""Audios with a mood tag, on which the emotion model is trained (D: MER31K, tagged by AllMusic)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from unisono.config.compute import Compute
from unisono.config.mv10k import Mv10k
from unisono.datasets.mv10k import simulated
from unisono.datasets.mv10k.ready import write_folder
from unisono.errors import DataError, pass_machine
from unisono.io import parquet
from unisono.io.texts import csv_rows
from unisono.store.shards import Shard, map_shards

AUDIOS_PER_SHARD = 128


def build(config: Mv10k, compute: Compute, *, videos: Path, out: Path) -> int:
    """Write the tagged set: id, audio, tag.

    Parameters
    ----------
    config : Mv10k
        ``emotion.tags`` and ``emotion.audio``, or the simulated source.
    compute : Compute
    videos : Path
        Shards of the videos, whose ids the tags name unless ``emotion.audio`` says otherwise.
    out : Path
        Folder of shards; without tags it holds one shard of no rows.

    Returns
    -------
    int
        Number of audios.

    Raises
    ------
    DataError
        The CSV is damaged, or none of its ids has audio.
    """
    if config.emotion.tags:
        return _from_table(Path(config.emotion.tags), Path(config.emotion.audio or videos), out)
    if config.source == "simulated":
        return _from_model(config, compute, out)
    types = {"id": pa.string(), "audio": parquet.matrix(None, simulated.AUDIO_WIDTH), "tag": pa.string()}
    write_folder(out, [{name: [] for name in types}], types=types, metadata={"dataset": "mv10k", "tags": "none"})
    return 0


def read_pairs(path: Path, columns: tuple[str, str]) -> dict[str, str]:
    """Read a CSV of two columns, the first of which names each item once.

    Parameters
    ----------
    path : Path
    columns : tuple of str
        Names in the header, for example ``("id", "tag")``.

    Returns
    -------
    dict of str to str

    Raises
    ------
    DataError
        The file is missing or no CSV, a column is missing, a value is empty, or an item occurs twice.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        pass_machine(error)
        raise DataError(f"{path}: cannot be read ({error}); expected a CSV with {' and '.join(columns)}") from None
    pairs: dict[str, str] = {}
    for line, row in csv_rows(text, str(path), columns):
        key, value = (row[column] for column in columns)
        if not key or not value:
            raise DataError(f"{path}: line {line}: {columns[0]} or {columns[1]} is empty")
        if key in pairs:
            raise DataError(f"{path}: line {line}: {columns[0]} {key!r} occurs twice; keep one")
        pairs[key] = value
    if not pairs:
        raise DataError(f"{path}: names no {columns[0]}")
    return pairs


def _from_table(tags: Path, audio: Path, out: Path) -> int:
    """Join a CSV of tags with audio frames by id."""
    tag_of = read_pairs(tags, ("id", "tag"))
    found = 0
    kinds = {"id": pa.string(), "tag": pa.string()}
    first = next(parquet.iterate(audio, ["audio"], batch_size=1), None)
    if first is None:
        raise DataError(f"{audio}: holds no audio")
    types = {**kinds, "audio": first.schema.field("audio").type}

    def parts() -> Iterator[Mapping[str, Any]]:
        nonlocal found
        for batch in parquet.iterate(audio, ["id", "audio"], batch_size=AUDIOS_PER_SHARD):
            ids = [str(identifier) for identifier in batch["id"].to_pylist()]
            rows = [row for row, identifier in enumerate(ids) if identifier in tag_of]
            if rows:
                found += len(rows)
                taken = [ids[row] for row in rows]
                frames = parquet.to_numpy(batch["audio"])
                tagged = [tag_of[identifier] for identifier in taken]
                yield {"id": taken, "tag": tagged, "audio": [np.asarray(frames[row]) for row in rows]}
        if not found:
            raise DataError(f"{tags}: none of its {len(tag_of)} ids is in {audio}; set mv10k.emotion.audio")

    write_folder(out, parts(), types=types, metadata={"dataset": "mv10k", "tags": tags.name, "n_tags": len(tag_of)})
    return found


def _from_model(config: Mv10k, compute: Compute, out: Path) -> int:
    """Draw the simulated source's tagged set."""
    settings = config.videos.simulated
    shards = []
    for index, start in enumerate(range(0, settings.tagged, AUDIOS_PER_SHARD)):
        stop = min(start + AUDIOS_PER_SHARD, settings.tagged)
        shards.append(Shard(parquet.shard_name(index), (), stop - start, {"audios": [start, stop]}))
    params = {"seed": settings.seed, "frames": [config.videos.min_frames, config.videos.max_frames]}
    return sum(map_shards(draw_shard, shards, out, params=params, compute=compute, description="draw tagged audios"))


def draw_shard(shard: Shard, destination: Path, params: Mapping[str, Any]) -> int:
    """Draw one shard of tagged audios; run by `map_shards`."""
    shortest, longest = params["frames"]
    world = simulated.World(params["seed"], min_frames=shortest, max_frames=longest)
    drawn = [world.tagged(index) for index in range(*shard.extra["audios"])]
    columns = {
        "id": [video.id for video in drawn],
        "audio": [video.audio for video in drawn],
        "tag": [video.mood for video in drawn],
    }
    types = {"id": pa.string(), "audio": pa.list_(pa.list_(pa.uint8(), simulated.AUDIO_WIDTH)), "tag": pa.string()}
    metadata = {"dataset": "mv10k", "source": "simulated", "tags": "simulated"}
    parquet.write(destination, columns, types=types, metadata=metadata)
    return len(drawn)
