"""Features of songs, in shards: one feature set of a folder of sounds.

**Conventions.** Audio shards hold ``id`` and ``audio`` (a sound file); features hold ``id`` and a column of the feature
set's name: vectors, or sequences with time first. A song that cannot be heard is left out, with the reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa

from unisono.config.compute import Compute
from unisono.config.songs_extractors import Extractors
from unisono.errors import DataError
from unisono.features import brought, songs
from unisono.io import parquet
from unisono.store.code import code_version
from unisono.store.shards import Shard, map_shards

# Sounds read at a time: bounds the memory (1 MB each as FLAC, if they last 30 s).
_ROWS = 4


def extract(shard: Shard, destination: Path, params: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Write the features of one audio shard; for `map_shards`.

    Parameters
    ----------
    shard : Shard
        Its input holds ``id, audio``.
    destination : Path
        Parquet file with ``id`` and the view.
    params : mapping
        ``name`` of the extractor, its ``settings`` as JSON with local paths, ``clip_s``, ``view`` and ``metadata``.

    Returns
    -------
    list of (str, str)
        Songs that were left out, with the reason.
    """
    extractor = _extractor(params["name"], params["settings"], params["clip_s"])
    ids, rows, skipped = [], [], []
    for batch in parquet.iterate(shard.inputs[0], ["id", "audio"], batch_size=_ROWS):
        for identifier, sound in zip(batch.column("id").to_pylist(), batch.column("audio"), strict=True):
            try:
                samples = songs.heard(sound["bytes"].as_py() or b"", clip_s=params["clip_s"])
            except DataError as error:
                skipped.append((identifier, str(error)))
                continue
            ids.append(identifier)
            rows.append(extractor.extract(samples))
    parquet.write(
        destination,
        {"id": ids, params["view"]: rows},
        types={"id": pa.string(), params["view"]: extractor.kind},
        metadata=params["metadata"],
    )
    return skipped


def _settings(name: str, text: str) -> Any:
    """Read an extractor's settings from JSON."""
    return Extractors.model_fields[name].annotation.model_validate_json(text)  # type: ignore[union-attr]


@lru_cache(maxsize=1)
def _extractor(name: str, settings: str, clip_s: float) -> songs.SongExtractor:
    """Build the extractor, once per process."""
    made: songs.SongExtractor = songs.module(name).create(_settings(name, settings), clip_s=clip_s)
    return made


def extract_folder(
    samples: Path,
    audio: Path,
    out: Path,
    *,
    view: str,
    name: str,
    settings: Any,
    clip_s: float,
    compute: Compute,
    downloads: Path,
) -> list[tuple[str, str]]:
    """Write one feature set of a folder of songs.

    Parameters
    ----------
    samples : Path
        Folder of songs. Where the source brings vectors of its own, these are the feature set.
    audio : Path
        Folder of shards with ``id, audio``.
    out : Path
        Folder of shards with ``id`` and `view`, under the same names.
    view : str
        Name of the column.
    name : str
        Of the extractor.
    settings : MFCC, Musicnn, VGGish or Audio
        Its section of ``params.yaml``.
    clip_s : float
        What is heard of a song, in seconds.
    compute : Compute
    downloads : Path
        Folder for published files.

    Returns
    -------
    list of (str, str)
        Songs that were left out, with the reason.

    Raises
    ------
    ConfigError
        `clip_s` is too short for the extractor.
    DataError, DownloadError
        Weights cannot be had or are not the published ones; a shard is damaged; no song can be heard.
    """
    if brought.hand_on(samples, out, column="audio", view=view):
        return []
    paths = parquet.shards(audio)
    made = songs.module(name)
    settings = made.fetch(settings, downloads)
    facts = parquet.metadata(audio)
    metadata = {key: facts[key] for key in ("dataset", "source") if key in facts} | made.describe(settings)
    shards = [Shard(path.name, (path,), parquet.read(path, ["id"]).num_rows) for path in paths]
    values = map_shards(
        extract,
        shards,
        out,
        params={
            "name": name,
            "settings": settings.model_dump_json(),
            "clip_s": clip_s,
            "view": view,
            "metadata": metadata,
            # It is imported by name, so its code counts by its version.
            "code": code_version(made.__name__),
        },
        compute=compute,
        description=f"{view} ({name})",
    )
    skipped = [(item, reason) for each in values for item, reason in each]
    if skipped and len(skipped) == sum(shard.n_items for shard in shards):
        raise DataError(f"{audio}: no song can be heard; the first, {skipped[0][0]}: {skipped[0][1]}")
    return skipped
