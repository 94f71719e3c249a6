"""Videos that need no filter: the authors' published features, and ready-made shards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from unisono.config.compute import Compute
from unisono.datasets.columns import to_labels
from unisono.errors import DataError
from unisono.io import parquet
from unisono.io.files import replacing_folder
from unisono.store.shards import Shard, map_shards

#: Columns of videos: needed, and kept where they exist.
SEQUENCES = ("audio", "rgb")
OPTIONAL = {"label": pa.string(), "fold": pa.int32(), "split": pa.string(), "tag": pa.string()}


def from_published(location: str, *, sha256: str, out: Path, shard_size: int) -> int:
    """Write the authors' published features as videos; see `unisono.io.published`.

    Parameters
    ----------
    location : str
        File, folder, archive, or URL.
    sha256 : str
        Of a download; empty = not checked.
    out : Path
        Folder of shards: id, n_frames, audio, rgb, label, and split or fold where published. One frame per video
        where the files hold one vector per clip.
    shard_size : int

    Returns
    -------
    int
        Number of videos.
    """
    from unisono.io import published

    data = published.read(location, sha256=sha256)
    metadata = {"dataset": "mv10k", "source": "features", "layout": data.layout, "scales": dict(data.scales)}
    extra: dict[str, list[Any]] = {"label": data.labels}
    if data.folds is not None:
        extra["fold"] = data.folds
    if data.split is not None:
        extra["split"] = data.split
    types = {"id": pa.string(), "n_frames": pa.int32(), **{name: OPTIONAL[name] for name in extra}}
    views = {"audio": data.audio, "rgb": data.visual}
    for name, arrays in views.items():
        number = pa.uint8() if arrays[0].dtype == np.uint8 else pa.float32()
        types[name] = pa.list_(pa.list_(number, arrays[0].shape[1]))

    def parts() -> Iterable[Mapping[str, Any]]:
        for start in range(0, len(data.ids), shard_size):
            rows = slice(start, start + shard_size)
            yield {
                "id": data.ids[rows],
                "n_frames": [len(audio) for audio in data.audio[rows]],
                **{name: values[rows] for name, values in {**extra, **views}.items()},
            }

    write_folder(out, parts(), types=types, metadata=metadata)
    return len(data.ids)


def write_folder(
    out: Path, parts: Iterable[Mapping[str, Any]], *, types: Mapping[str, pa.DataType], metadata: Mapping[str, Any]
) -> None:
    """Write shards one after the other into a folder that appears, complete, at the end.

    Parameters
    ----------
    out : Path
        Replaced as a whole.
    parts : iterable of mapping
        Columns of each shard.
    types, metadata
        As in `unisono.io.parquet.write`.
    """
    with replacing_folder(out) as fresh:
        for index, columns in enumerate(parts):
            parquet.write(fresh / parquet.shard_name(index), columns, types=types, metadata=metadata)


def from_parquet(folder: Path, compute: Compute, *, out: Path) -> int:
    """Check ready-made shards and write them in this schema.

    Parameters
    ----------
    folder : Path
        Shards with the columns id, audio, rgb (lists of frames, 8-bit or real), and optionally label, fold or split,
        and tag.
    compute : Compute
    out : Path

    Returns
    -------
    int
        Number of videos.

    Raises
    ------
    DataError
        A column is missing or of another type, sound and picture differ in length, a value is NaN, or an id occurs
        twice.
    """
    files = parquet.given(folder)
    shards = [Shard(parquet.shard_name(i), (path,)) for i, path in enumerate(files)]
    schemas = {tuple(zip(s.names, s.types, strict=True)) for s in (_schema(path) for path in files)}
    if len(schemas) > 1:
        raise DataError(f"{folder}: shards differ in columns or types; write them all with the same ones")
    parquet.check_size(files, ["id"])
    every = Counter(to_labels(parquet.read(files, ["id"])["id"], f"{folder}: id").astype(str).tolist())
    if not every:
        raise DataError(f"{folder}: its shards hold no video")
    identifier, count = every.most_common(1)[0]
    if count > 1:
        raise DataError(f"{folder}: id {identifier!r} occurs {count} times; ids must be unique")
    return sum(map_shards(check_shard, shards, out, params={}, compute=compute, description="check videos"))


def _schema(path: Path) -> pa.Schema:
    schema: pa.Schema = next(parquet.iterate(path, batch_size=1), pa.record_batch([], names=[])).schema
    return schema


def check_shard(shard: Shard, destination: Path, params: Mapping[str, Any]) -> int:
    """Check and rewrite one ready-made shard; run by `map_shards`."""
    (path,) = shard.inputs
    names = _schema(path).names
    for name in ("id", *SEQUENCES):
        if name not in names:
            raise DataError(f"{path}: has no column {name!r}; it needs id, audio and rgb (see data/README.md)")
    wanted = [name for name in ("id", *SEQUENCES, *OPTIONAL) if name in names]
    parquet.check_size(path, wanted)
    table = parquet.read(path, wanted)
    types: dict[str, pa.DataType] = {"id": pa.string(), "n_frames": pa.int32()}
    columns: dict[str, Any] = {"id": to_labels(table["id"], f"{path}: id").astype(str).tolist()}
    for name in SEQUENCES:
        types[name] = _sequence_type(table.schema.field(name).type, f"{path}: {name}")
        columns[name] = parquet.to_numpy(table[name])
    lengths = {name: [len(rows) for rows in columns[name]] for name in SEQUENCES}
    for row, identifier in enumerate(columns["id"]):
        if lengths["audio"][row] != lengths["rgb"][row] or not lengths["rgb"][row]:
            raise DataError(
                f"{path}: {identifier}: {lengths['audio'][row]} frames of audio and {lengths['rgb'][row]} of rgb; "
                "expected the same number, at least one"
            )
        if not all(np.isfinite(columns[name][row]).all() for name in SEQUENCES):
            raise DataError(f"{path}: {identifier}: holds NaN or infinite values; repair or drop the row")
    columns["n_frames"] = lengths["rgb"]
    for name, kind in OPTIONAL.items():
        if name in table.column_names:
            types[name] = kind
            values = to_labels(table[name], f"{path}: {name}")
            if kind != pa.string() and (values.dtype.kind != "i" or (np.abs(values) >= 2**31).any()):
                raise DataError(f"{path}: {name} is {table.schema.field(name).type}, expected whole numbers")
            columns[name] = values.astype(str).tolist() if kind == pa.string() else values
    metadata = {"dataset": "mv10k", "source": str(parquet.metadata(path).get("source", "parquet"))}
    parquet.write(destination, columns, types=types, metadata=metadata)
    return table.num_rows


def _sequence_type(kind: pa.DataType, where: str) -> pa.DataType:
    """Type of a column of sequences; what is neither 8-bit nor real is an error."""
    frame = kind.value_type if pa.types.is_list(kind) or pa.types.is_large_list(kind) else None
    if frame is None or not pa.types.is_fixed_size_list(frame):
        raise DataError(f"{where}: is {kind}, expected a list of fixed-size lists of numbers")
    number = pa.uint8() if frame.value_type == pa.uint8() else pa.float32()
    if number != pa.uint8() and not pa.types.is_floating(frame.value_type):
        raise DataError(f"{where}: holds {frame.value_type}, expected uint8 (8-bit) or floats (real)")
    return pa.list_(pa.list_(number, frame.list_size))
