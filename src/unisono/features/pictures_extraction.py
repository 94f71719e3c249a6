"""Features of pictures, in shards.

**Conventions.** Samples hold ``id``, ``part`` and ``image``: a picture file, where the part is ``image``. What an
extractor makes of a picture are its own columns (`unisono.features.pictures`), ``parts`` of shape (P, d) among them:
the whole, then regions. A picture that cannot be seen is left out, with the reason. The feature set of an extractor is
what it makes of the whole, (d,).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from unisono.config.compute import Compute
from unisono.config.picture_extractors import Features
from unisono.errors import DataError
from unisono.features import pictures
from unisono.io import parquet
from unisono.io.files import replacing_folder
from unisono.store.code import code_version
from unisono.store.shards import Shard, map_shards

#: Part of an item that is a picture.
IMAGE = "image"
# Pictures read at a time: bounds the memory.
_ROWS = 32


def extract(shard: Shard, destination: Path, params: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Write the features of the pictures in one shard; for `map_shards`.

    Parameters
    ----------
    shard : Shard
        Its input holds ``id, part, image``.
    destination : Path
        Parquet file with ``id`` and the extractor's columns.
    params : mapping
        ``name`` of the extractor, its ``settings`` as JSON, ``weights``: a local path or nothing, and ``metadata``.

    Returns
    -------
    list of (str, str)
        Pictures that were left out, with the reason.
    """
    extractor = _extractor(params["name"], params["settings"], params["weights"])
    ids: list[str] = []
    columns: dict[str, list[Any]] = {name: [] for name in extractor.columns}
    skipped = []
    for batch in parquet.iterate(shard.inputs[0], ["id", "part", "image"], batch_size=_ROWS):
        wanted = batch.filter(pc.equal(batch.column("part"), IMAGE))
        for identifier, picture in zip(wanted.column("id").to_pylist(), wanted.column("image"), strict=True):
            try:
                square = pictures.seen(picture["bytes"].as_py() or b"", "the picture", side=extractor.side)
            except DataError as error:
                skipped.append((identifier, str(error).removeprefix("the picture: ")))
                continue
            ids.append(identifier)
            for name, values in extractor.extract(square).items():
                columns[name].append(values)
    parquet.write(
        destination,
        {"id": ids, **columns},
        types={"id": pa.string(), **{name: _kind(shape) for name, shape in extractor.columns.items()}},
        metadata=params["metadata"],
    )
    return skipped


def _kind(shape: tuple[int, ...]) -> pa.DataType:
    return parquet.vector(*shape) if len(shape) == 1 else parquet.matrix(*shape)


@lru_cache(maxsize=1)
def _extractor(name: str, settings: str, weights: str) -> pictures.PictureExtractor:
    """Build the extractor, once per process."""
    section = Features.model_fields[name].annotation.model_validate_json(settings)  # type: ignore[union-attr]
    made: pictures.PictureExtractor = pictures.module(name).create(section, Path(weights) if weights else None)
    return made


def extract_folder(
    samples: Path,
    out: Path,
    features: Path | None = None,
    *,
    name: str,
    settings: Any,
    compute: Compute,
    downloads: Path,
) -> list[tuple[str, str]]:
    """Write what an extractor makes of all pictures of a folder.

    Parameters
    ----------
    samples : Path
        Folder of shards with ``id, part, image``.
    out : Path
        Folder of shards with ``id`` and the extractor's columns, under the same names; for shards with a picture.
    features : Path, optional
        Folder for the feature set, ``id`` and the numbers of the whole under `name`.
    name : {"efficientnet_lite0", "pixels", "huggingface_image"}
        Of the extractor.
    settings : EfficientNet, Pixels or Image
        Its section of ``params.yaml``.
    compute : Compute
    downloads : Path
        Folder for weights.

    Returns
    -------
    list of (str, str)
        Pictures that were left out, with the reason.

    Raises
    ------
    DataError
        Weights cannot be had or are not the published ones; a shard is damaged; no picture can be seen.
    MissingExtra
        A package that the extractor needs is not installed.
    """
    made = pictures.module(name)
    weights = made.fetch(settings, downloads)
    facts = parquet.metadata(samples)
    metadata = {key: facts[key] for key in ("dataset", "source") if key in facts} | made.describe(settings)
    counts = {path: _n_pictures(path) for path in parquet.shards(samples)}
    if not any(counts.values()):
        raise DataError(f"{samples}: holds no picture; build the data set again (`dvc repro`)")
    values = map_shards(
        extract,
        [Shard(path.name, (path,), count) for path, count in counts.items() if count],
        out,
        params={
            "name": name,
            "settings": settings.model_dump_json(),
            "weights": str(weights or ""),
            "metadata": metadata,
            # It is imported by name, so its code counts by its version.
            "code": code_version(made.__name__),
        },
        compute=compute,
        description=f"pictures ({name})",
    )
    skipped = [(item, reason) for each in values for item, reason in each]
    if len(skipped) == sum(counts.values()):
        raise DataError(f"{samples}: no picture can be seen; the first, {skipped[0][0]}: {skipped[0][1]}")
    if features is not None:
        _whole(out, features, name)
    return skipped


def _n_pictures(path: Path) -> int:
    return int(pc.sum(pc.equal(parquet.read(path, ["part"]).column("part"), IMAGE)).as_py() or 0)


def _whole(out: Path, features: Path, name: str) -> None:
    """Write the numbers of the whole as a feature set."""
    with replacing_folder(features) as fresh:
        for path in parquet.shards(out):
            table = parquet.read(path, ["id", pictures.PARTS])
            parts = table.column(pictures.PARTS)
            kind = parquet.vector(parts.type.value_type.list_size)
            whole = pc.list_element(parts, 0).cast(kind)
            parquet.write(
                fresh / path.name,
                {"id": table.column("id"), name: whole},
                types={"id": pa.string(), name: kind},
                metadata=parquet.metadata(path),
            )
